"""The forward pass against transformers' own Llama."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tinkersql.engine.attention import Packing, causal_attention, flash_attention
from tinkersql.engine.llama import NO_ADAPTER
from tinkersql.engine.loading import load_llama
from tinkersql.engine.lora import LoraConfig, LoraLayout
from tiny_model import write_tiny_model

SHAPES = {
    "tied": {},
    "untied": {"tie_word_embeddings": False},
    "one key head": {"num_key_value_heads": 1},
    "no grouping": {"num_key_value_heads": 4},
    "wide heads": {"head_dim": 32},
    "qwen2": {"model_type": "qwen2"},
    "qwen3": {"model_type": "qwen3", "head_dim": 32},
    "llama3 rope": {
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 10_000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        }
    },
}


ATTENTIONS = {"by hand": causal_attention, "fused": flash_attention}


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_logits_equal_transformers(shape: str, attention: str, tmp_path: Path, device: str) -> None:
    folder = write_tiny_model(tmp_path, **SHAPES[shape])
    reference = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = load_llama(folder, torch.float32, device)
    rows = [torch.randint(0, model.config.vocab_size, (n,)) for n in (70, 1, 33)]
    packing = Packing([len(row) for row in rows], device)
    with torch.no_grad():
        hidden = model.hidden_states(
            torch.cat(rows).to(device),
            packing.positions,
            lambda _, qkv, cos, sin: ATTENTIONS[attention](qkv, cos, sin, packing, model.config.heads),
            NO_ADAPTER,
        )
        ours = model.logits(hidden, NO_ADAPTER)
        expected = torch.cat([reference(row[None]).logits[0] for row in rows])
    torch.testing.assert_close(ours.cpu(), expected, rtol=1e-4, atol=1e-4)


def test_decisive_logits_are_not_rounded_to_bfloat16(tiny_model: Path) -> None:
    model = load_llama(tiny_model, torch.bfloat16)
    layout = LoraLayout(model.config, LoraConfig(4, 0, train_attn=False, train_mlp=False))
    adapter = layout.adapter((layout.initial() + 0.3 * torch.randn(layout.size)).bfloat16())
    hidden = torch.randn(20, model.config.hidden_size).bfloat16()
    lora = adapter[(-1, "unembed")]
    weight = model.unembedding.float() + lora.scale * lora.b.float() @ lora.a.float()
    exact = hidden.float() @ weight.t()
    rounded, sharp = model.logits(hidden, adapter), model.sharp_logits(hidden, adapter)
    best = rounded.topk(8).indices
    torch.testing.assert_close(sharp.gather(1, best), exact.gather(1, best), rtol=1e-4, atol=1e-4)
    assert (rounded - exact).gather(1, best).abs().max() > 1e-3
    torch.testing.assert_close(sharp, exact, rtol=0.02, atol=0.1)


def test_legacy_rope_keys_are_read(tiny_model: Path, tmp_path: Path, edit_config: Callable[..., Path]) -> None:
    def to_legacy(config: dict[str, Any]) -> None:
        config.pop("rope_parameters")
        config["rope_theta"] = 77_000.0

    old = edit_config(tiny_model, tmp_path / "old", to_legacy)
    new = edit_config(
        tiny_model,
        tmp_path / "new",
        lambda config: config.update(rope_parameters={"rope_type": "default", "rope_theta": 77_000.0}),
    )
    frequencies = [load_llama(folder, torch.float32).config.inverse_frequencies for folder in (old, new)]
    assert frequencies[0] == frequencies[1]
    assert frequencies[0] != load_llama(tiny_model, torch.float32).config.inverse_frequencies
