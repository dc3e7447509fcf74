"""Reads a model folder (Hugging Face layout) into a `Llama`, and says in one line what is wrong with it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from torch import Tensor

from tinkersql.engine.architectures import NAMES, model_type_of, name_of
from tinkersql.engine.attention import Heads
from tinkersql.engine.llama import Llama, LlamaConfig, LlamaLayer
from tinkersql.errors import ModelError

_PLAIN = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "use_sliding_window": False}
"""Settings of config.json that the engine knows with one value only."""


def preferred_dtype(device: torch.device | str = "cpu") -> torch.dtype:
    """bfloat16 where the device multiplies bfloat16 matrices in hardware, else float32."""
    if torch.device(device).type != "cpu":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    able = torch.cpu.get_capabilities()
    return torch.bfloat16 if able.get("amx_bf16") or able.get("avx512_bf16") else torch.float32


def load_config(folder: Path) -> LlamaConfig:
    """Read and check ``config.json``.

    Raises ModelError where the file is missing or unreadable, or the architecture is not one that the engine runs.
    """
    raw = _read_json(folder / "config.json")
    if raw is None:
        raise ModelError(f"{folder} holds no config.json: give a folder in the Hugging Face layout")
    if model_type_of(raw) is None:
        raise ModelError(f"{folder}: architecture {name_of(raw)} is not supported: the engine runs {NAMES}")
    for key, expected in _PLAIN.items():
        if raw.get(key, expected) != expected:
            raise ModelError(f"{folder}: {key} = {raw[key]!r} in config.json is not supported")
    if set(raw.get("layer_types") or ()) - {"full_attention"}:
        raise ModelError(f"{folder}: layer_types other than full_attention in config.json are not supported")
    try:
        queries, hidden = int(raw["num_attention_heads"]), int(raw["hidden_size"])
        heads = Heads(
            queries=queries,
            keys=int(raw.get("num_key_value_heads") or queries),
            size=int(raw.get("head_dim") or hidden // queries),
        )
        if heads.queries % heads.keys or heads.size % 2:
            raise ModelError(f"{folder}/config.json: {heads.queries} heads, {heads.keys} key heads of {heads.size}")
        return LlamaConfig(
            vocab_size=int(raw["vocab_size"]),
            hidden_size=hidden,
            intermediate_size=int(raw["intermediate_size"]),
            layers=int(raw["num_hidden_layers"]),
            heads=heads,
            norm_eps=float(raw["rms_norm_eps"]),
            context_length=int(raw["max_position_embeddings"]),
            tied_embeddings=bool(raw.get("tie_word_embeddings", False)),
            inverse_frequencies=_inverse_frequencies(raw, heads.size, folder),
            qkv_bias=raw["model_type"] == "qwen2",
            head_norms=raw["model_type"] == "qwen3",
            end_tokens=_end_tokens(raw, _read_json(folder / "generation_config.json") or {}),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{folder}/config.json is incomplete or malformed: {error!r}") from error


def load_llama(folder: Path, dtype: torch.dtype, device: torch.device | str = "cpu") -> Llama:
    """Read the weights. Raises ModelError where they are missing, damaged or of the wrong shape."""
    config = load_config(folder)
    with ExitStack() as stack:
        tensors = _Tensors(folder, stack, dtype, device)
        hidden, inner = config.hidden_size, config.intermediate_size
        q_size, kv_size = config.heads.queries * config.heads.size, config.heads.keys * config.heads.size

        def layer(i: int) -> LlamaLayer:
            at = f"model.layers.{i}"
            qkv = [
                tensors.get(f"{at}.self_attn.{name}_proj.weight", size, hidden)
                for name, size in (("q", q_size), ("k", kv_size), ("v", kv_size))
            ]
            biases = [
                tensors.get(f"{at}.self_attn.{name}_proj.bias", size)
                for name, size in (("q", q_size), ("k", kv_size), ("v", kv_size))
                if config.qkv_bias
            ]
            norms = [
                tensors.get(f"{at}.self_attn.{name}_norm.weight", config.heads.size)
                for name in ("q", "k")
                if config.head_norms
            ]
            return LlamaLayer(
                qkv_bias=torch.cat(biases) if biases else None,
                head_norms=(norms[0], norms[1]) if norms else None,
                attention_norm=tensors.get(f"{at}.input_layernorm.weight", hidden),
                qkv=torch.cat(qkv),
                o=tensors.get(f"{at}.self_attn.o_proj.weight", hidden, q_size),
                mlp_norm=tensors.get(f"{at}.post_attention_layernorm.weight", hidden),
                gate_up=torch.cat(
                    [tensors.get(f"{at}.mlp.{name}_proj.weight", inner, hidden) for name in ("gate", "up")]
                ),
                down=tensors.get(f"{at}.mlp.down_proj.weight", hidden, inner),
            )

        embedding = tensors.get("model.embed_tokens.weight", config.vocab_size, hidden)
        return Llama(
            config,
            embedding=embedding,
            layers=[layer(i) for i in range(config.layers)],
            norm=tensors.get("model.norm.weight", hidden),
            unembedding=embedding
            if config.tied_embeddings
            else tensors.get("lm_head.weight", config.vocab_size, hidden),
        )


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read ``tokenizer.json``, which stop strings need. Raises ModelError where it is missing or unreadable."""
    path = folder / "tokenizer.json"
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise ModelError(f"{path} is missing or unreadable: {error}") from error


class _Tensors:
    """The tensors of a folder's safetensors files by name, checked for shape and cast."""

    def __init__(self, folder: Path, stack: ExitStack, dtype: torch.dtype, device: torch.device | str) -> None:
        self._folder, self._dtype, self._device = folder, dtype, device
        self._files: dict[str, Any] = {}
        for path in _weight_files(folder):
            try:
                file = stack.enter_context(safe_open(path, framework="pt"))
            except (SafetensorError, OSError) as error:
                raise ModelError(f"{path} is damaged or unreadable: {error}: download or convert it again") from error
            self._files.update(dict.fromkeys(file.keys(), file))

    def get(self, name: str, *shape: int) -> Tensor:
        if name not in self._files:
            raise ModelError(f"{self._folder} lacks the weights {name}: download or convert it again")
        tensor = self._files[name].get_tensor(name)
        if tuple(tensor.shape) != shape:
            raise ModelError(f"{self._folder}: {name} has shape {tuple(tensor.shape)}, config.json says {shape}")
        return tensor.to(device=self._device, dtype=self._dtype, copy=True)


def _weight_files(folder: Path) -> Iterator[Path]:
    index = _read_json(folder / "model.safetensors.index.json")
    if index is not None:
        names = sorted({str(name) for name in index.get("weight_map", {}).values()})
        if any(Path(name).name != name for name in names):
            raise ModelError(f"{folder}/model.safetensors.index.json names files outside the folder")
    else:
        names = sorted(path.name for path in folder.glob("*.safetensors"))
    if not names:
        raise ModelError(f"{folder} holds no *.safetensors weights")
    for name in names:
        if not (folder / name).is_file():
            raise ModelError(f"{folder} lacks {name}, which its index names")
        yield folder / name


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is unreadable: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is not a JSON object")
    return content


def _end_tokens(*configs: dict[str, Any]) -> tuple[int, ...]:
    found: list[int] = []
    for config in configs:
        value = config.get("eos_token_id")
        found += value if isinstance(value, list) else [] if value is None else [value]
    return tuple(dict.fromkeys(int(token) for token in found))


def _inverse_frequencies(raw: dict[str, Any], head_size: int, folder: Path) -> tuple[float, ...]:
    """Rotary frequencies ``theta ** (-2 i / D)``, stretched for "llama3" scaling."""
    rope: dict[str, Any] = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    theta = float(rope.get("rope_theta") or raw.get("rope_theta") or 10_000.0)
    exponents = torch.arange(0, head_size, 2, dtype=torch.int64).float() / head_size
    plain = 1.0 / theta**exponents
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "default":
        return tuple(plain.tolist())
    if kind != "llama3":
        raise ModelError(f"{folder}: rope type {kind!r} is not supported: the engine runs 'default' and 'llama3'")
    # As published with Llama 3.1: long waves are slowed by `factor`, short ones kept, those between blended.
    factor, original = float(rope["factor"]), float(rope["original_max_position_embeddings"])
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    wavelengths = 2 * math.pi / plain
    smooth = ((original / wavelengths - low) / (high - low)).clamp(0, 1)
    return tuple(((1 - smooth) * plain / factor + smooth * plain).tolist())
