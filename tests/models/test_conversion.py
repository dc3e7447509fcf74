"""From a GGUF file to a folder that ``transformers`` loads: the same weights, the right tokens."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from tinkersql.errors import ModelError
from tinkersql.models.conversion import convert
from tinkersql.models.folder import check_folder


@pytest.fixture(scope="module")
def folder(gguf, tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    convert(gguf.file, folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder):
    return AutoTokenizer.from_pretrained(folder, fast=True)


def test_every_weight_is_the_originals_and_the_model_computes_the_same(gguf, folder):
    check_folder(folder)
    assert AutoModelForCausalLM.from_pretrained(folder).dtype == torch.bfloat16
    converted = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ours, theirs = converted.state_dict(), gguf.original.state_dict()
    assert ours.keys() == theirs.keys()
    for name, weight in theirs.items():
        assert torch.equal(ours[name], weight), name
    assert converted.config.rms_norm_eps == 1e-5
    tokens = torch.arange(20).unsqueeze(0)
    with torch.no_grad():
        torch.testing.assert_close(converted(tokens).logits, gguf.original(tokens).logits)


def test_generation_ends_at_the_models_own_end_token(folder):
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert (model.generation_config.eos_token_id, model.config.eos_token_id) == (2, 2)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("  1", ["ĠĠ", "1"]),
        (" 1", ["Ġ", "1"]),
        ("12", ["1", "2"]),
        (" the<|im_end|>", ["Ġthe", "<|im_end|>"]),
    ],
)
def test_tokens(tokenizer, text, tokens):
    assert tokenizer.tokenize(text) == tokens


def test_special_tokens(tokenizer):
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (1, 2, 2)
    assert set(tokenizer.all_special_tokens) == {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}
    assert tokenizer("the").input_ids[0] == tokenizer.convert_tokens_to_ids("t")  # nothing is put in front
    assert tokenizer.decode([1, *tokenizer(" the").input_ids, 2], skip_special_tokens=True) == " the"
    assert tokenizer.apply_chat_template([{"role": "user", "content": "hello"}], tokenize=False) == "hello"


@given(st.text())
def test_any_text_survives_encoding_and_decoding(tokenizer, text):
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_progress_goes_from_nothing_to_the_whole_file(gguf, tmp_path):
    calls = []
    convert(gguf.file, tmp_path, lambda *call: calls.append(call))
    size = gguf.file.stat().st_size
    done = [call[1] for call in calls]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, size)
    assert {call[2] for call in calls} == {size}


def test_another_architecture_is_refused(tmp_path):
    from gguf import GGUFWriter

    writer = GGUFWriter(tmp_path / "gpt2.gguf", "gpt2")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ModelError, match="only a Llama model"):
        convert(tmp_path / "gpt2.gguf", tmp_path)
