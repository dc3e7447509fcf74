"""Model folders that cannot be run are refused with one line that says why."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from tinkersql.engine.loading import load_llama, load_tokenizer
from tinkersql.errors import ModelError


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architectures": ["GPT2LMHeadModel"]}, "GPT2LMHeadModel is not supported"),
        ({"attention_bias": True}, "attention_bias = True"),
        ({"hidden_act": "gelu"}, "hidden_act = 'gelu'"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1.0}}, "rope type 'yarn'"),
        ({"num_attention_heads": "many"}, "malformed"),
        ({"hidden_size": 65}, "has shape"),
        ({"num_hidden_layers": 3}, "lacks the weights model.layers.2"),
    ],
)
def test_a_config_that_the_engine_does_not_run(
    change: dict[str, Any], message: str, tiny_model: Path, tmp_path: Path, edit_config: Callable[..., Path]
) -> None:
    folder = edit_config(tiny_model, tmp_path / "changed", lambda config: config.update(change))
    with pytest.raises(ModelError, match=message) as caught:
        load_llama(folder, torch.float32)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "garbage"])
def test_missing_and_damaged_files(name: str, damage: str, tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_model, folder)
    path = folder / name
    whole = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(whole[: len(whole) // 2] if damage == "truncated" else b"\xff" * 100)
    load = load_tokenizer if name == "tokenizer.json" else partial(load_llama, dtype=torch.float32)
    with pytest.raises(ModelError) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_sharded_weights_are_the_same_model(tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "sharded")
    (tmp_path / "sharded/model.safetensors").unlink()
    whole = LlamaForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    whole.save_pretrained(tmp_path / "sharded", max_shard_size="100KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 1
    ours, one_file = (load_llama(folder, torch.float32) for folder in (tmp_path / "sharded", tiny_model))
    assert torch.equal(ours.layers[1].gate_up, one_file.layers[1].gate_up)
    assert torch.equal(ours.unembedding, one_file.embedding)


def test_an_index_cannot_name_files_outside_the_folder(tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "model")
    save_file(load_file(tiny_model / "model.safetensors"), tmp_path / "outside.safetensors")
    (tmp_path / "model/model.safetensors.index.json").write_text('{"weight_map": {"x": "../outside.safetensors"}}')
    with pytest.raises(ModelError, match="outside the folder"):
        load_llama(tmp_path / "model", torch.float32)


def test_end_tokens_come_from_both_configs(tiny_model: Path, tmp_path: Path, edit_config: Callable[..., Path]) -> None:
    folder = edit_config(tiny_model, tmp_path / "model", lambda config: config.update(eos_token_id=[3, 5]))
    (folder / "generation_config.json").write_text('{"eos_token_id": [5, 9]}')
    assert load_llama(folder, torch.float32).config.end_tokens == (3, 5, 9)
