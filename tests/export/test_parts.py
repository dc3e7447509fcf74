"""The steps of an export, with hostile services, damaged files, and bases of other layouts."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tinkersql.errors import ModelError
from tinkersql.export.adapter import Adapter, read_adapter
from tinkersql.export.download import MOST_BYTES, fetch
from tinkersql.export.merging import merge
from tiny_model import write_tiny_model

CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 32, "bias": "none"}
MODULE = "base_model.model.model.layers.0.mlp.gate_proj"


class _Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind = self.path.strip("/")
        self.send_response(404 if kind == "gone" else 200)
        self.send_header("Content-Length", {"short": "1000"}.get(kind, "4"))
        self.end_headers()
        self.wfile.write(b"data")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_only_the_two_files_of_an_adapter_are_fetched(url, tmp_path) -> None:
    names = [*MOST_BYTES, "../outside", "/etc/passwd", "adapter_model.bin"]
    (tmp_path / "in").mkdir()
    fetch(dict.fromkeys(names, f"{url}/whole"), tmp_path / "in")
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == set(MOST_BYTES)


@pytest.mark.parametrize(
    ("path", "message"),
    [("short", "broke off"), ("gone", "HTTP 404")],
)
def test_a_download_that_is_not_whole(url, tmp_path, path, message) -> None:
    with pytest.raises(ModelError, match=message):
        fetch(dict.fromkeys(MOST_BYTES, f"{url}/{path}"), tmp_path)


def test_links_that_are_none(tmp_path) -> None:
    with pytest.raises(ModelError, match="hands out no adapter_config"):
        fetch({"adapter_config.json.age": "http://127.0.0.1/"}, tmp_path)
    with pytest.raises(ModelError, match="broke off"):
        fetch(dict.fromkeys(MOST_BYTES, "file:///etc/passwd"), tmp_path)


def test_a_service_cannot_fill_the_disk(url, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(MOST_BYTES, "adapter_config.json", 3)
    with pytest.raises(ModelError, match="more than 3 bytes"):
        fetch(dict.fromkeys(MOST_BYTES, f"{url}/whole"), tmp_path)


def write(folder: Path, config: dict, **tensors: torch.Tensor) -> Path:
    (folder / "adapter_config.json").write_text(json.dumps(config))
    save_file({f"{MODULE}.lora_{name}.weight": tensor for name, tensor in tensors.items()}, folder / WEIGHTS)
    return folder


WEIGHTS = "adapter_model.safetensors"


@given(length=st.integers(0, 300))
def test_a_truncated_adapter_is_never_taken(length, tmp_path_factory) -> None:
    folder = write(tmp_path_factory.mktemp("cut"), CONFIG, A=torch.ones(2, 4), B=torch.ones(6, 2))
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: min(length, len(whole) - 1)])
    with pytest.raises(ModelError, match="the checkpoint is damaged"):
        read_adapter(folder)


@pytest.mark.parametrize(
    ("changes", "a", "b", "message"),
    [
        ({}, torch.ones(2, 4), None, "no base_model"),
        ({}, torch.ones(3, 4), torch.ones(6, 2), "at rank 2"),
        ({}, torch.full((2, 4), float("nan")), torch.ones(6, 2), "no numbers"),
        ({"r": 0}, torch.ones(0, 4), torch.ones(6, 0), "damaged"),
        ({"use_dora": True}, torch.ones(2, 4), torch.ones(6, 2), "use_dora"),
        ({"peft_type": "IA3"}, torch.ones(2, 4), torch.ones(6, 2), "no plain LoRA"),
    ],
)
def test_an_adapter_that_makes_no_sense(tmp_path, changes, a, b, message) -> None:
    folder = write(tmp_path, CONFIG | changes, **{"A": a} | ({} if b is None else {"B": b}))
    with pytest.raises(ModelError, match=message):
        read_adapter(folder)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_sharded_base_keeps_its_shards_and_gets_the_sums(tmp_path, dtype) -> None:
    from transformers import AutoModelForCausalLM

    single = write_tiny_model(tmp_path / "single")
    model = AutoModelForCausalLM.from_pretrained(single, dtype=dtype)
    base = tmp_path / "base"
    model.save_pretrained(base, max_shard_size="100KB")
    (base / "tokenizer.json").write_bytes((single / "tokenizer.json").read_bytes())
    shards = sorted(path.name for path in base.glob("*.safetensors"))
    assert len(shards) > 1
    torch.manual_seed(1)
    vocabulary, hidden = model.lm_head.weight.shape
    pairs = {
        "model.layers.1.mlp.down_proj": (torch.randn(2, 160), torch.randn(hidden, 2)),
        "lm_head": (torch.randn(2, hidden), torch.randn(vocabulary, 2)),
    }
    out = tmp_path / "out"
    out.mkdir()
    assert merge(base, Adapter(CONFIG, pairs), out)
    assert sorted(path.name for path in out.glob("*.safetensors")) == shards
    merged, before = AutoModelForCausalLM.from_pretrained(out, dtype="auto"), model.state_dict()
    for name, weight in merged.state_dict().items():
        expected = before[name]
        if pair := pairs.get(name.removesuffix(".weight")):
            a, b = (factor.double() for factor in pair)
            expected = (expected.double() + 16 * (b @ a)).to(dtype)
        torch.testing.assert_close(weight, expected, msg=name)
    held = {name for shard in shards for name in load_file(out / shard)}
    index = json.loads((out / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == held


def test_an_adapter_of_another_base_is_refused(tmp_path) -> None:
    base = write_tiny_model(tmp_path / "base")
    wrong = {
        "model.layers.0.mlp.gate_proj": (torch.ones(2, 8), torch.ones(8, 2)),
        "model.layers.9.mlp.gate_proj": (torch.ones(2, 64), torch.ones(160, 2)),
    }
    for module, message in zip(wrong, (r"\[160, 64\] in the base", "no model.layers.9"), strict=True):
        with pytest.raises(ModelError, match=message):
            merge(base, Adapter(CONFIG, {module: wrong[module]}), tmp_path)
