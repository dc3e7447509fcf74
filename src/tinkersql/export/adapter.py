"""An adapter on disk, in PEFT's format: read, checked, and written with the names that PEFT knows."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tinkersql.engine.lora import UNEMBED
from tinkersql.errors import ModelError
from tinkersql.export.download import CONFIG, WEIGHTS

HEAD = "lm_head"
"""The unembedding as ``transformers`` and PEFT call it; Tinker's checkpoints call it ``model.unembed_tokens``."""

_PREFIX = "base_model.model."
_SPECIAL = ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "trainable_token_indices", "lora_bias")
"""Settings of PEFT that change what an adapter means, and that Tinker does not use."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter.

    Attributes:
        config: The content of ``adapter_config.json``.
        pairs: A [rank, inputs] and B [outputs, rank] by the module's name in the base model, such as
            ``model.layers.0.self_attn.q_proj``.
    """

    config: dict[str, Any]
    pairs: dict[str, tuple[Tensor, Tensor]]

    @property
    def rank(self) -> int:
        """The width of its factors."""
        return int(self.config["r"])

    @property
    def scale(self) -> float:
        """The factor of B·A: alpha / rank, or alpha / √rank where the adapter is rank-stabilised."""
        rank = math.sqrt(self.rank) if self.config.get("use_rslora") else self.rank
        return float(self.config["lora_alpha"]) / rank


def read_adapter(folder: Path) -> Adapter:
    """Read and check a downloaded adapter.

    Raises:
        ModelError: It is damaged, truncated, or no plain LoRA adapter.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS)
        plain = config["peft_type"] == "LORA" and config.get("bias", "none") == "none"
        adapter = Adapter(config, _pairs(tensors, config["r"]))
        if not (adapter.pairs and math.isfinite(adapter.scale)):
            raise ValueError("it has no factors" if not adapter.pairs else "its scale is no number")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError, ZeroDivisionError) as error:
        raise ModelError(f"the checkpoint is damaged: its adapter cannot be read ({_reason(error)})") from error
    special = [name for name in _SPECIAL if config.get(name)]
    if special or not plain:
        raise ModelError(f"the checkpoint is no plain LoRA adapter ({', '.join(special) or 'peft_type or bias'})")
    return adapter


def write_adapter(adapter: Adapter, folder: Path, base_model: str) -> None:
    """Write the adapter so that ``PeftModel.from_pretrained`` loads it.

    Args:
        adapter: What is written.
        folder: An existing folder.
        base_model: What it says its base is.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    modules = sorted({module.rsplit(".", 1)[-1] for module in adapter.pairs})
    config = adapter.config | {"base_model_name_or_path": base_model, "target_modules": modules}
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tensors = {
        f"{_PREFIX}{module}.lora_{letter}.weight": factor.contiguous()
        for module, pair in adapter.pairs.items()
        for letter, factor in zip("AB", pair, strict=True)
    }
    save(tensors, folder / WEIGHTS)


def save(tensors: dict[str, Tensor], path: Path) -> None:
    """Write a safetensors file. Raises OSError where the disk refuses, which safetensors has its own error for."""
    try:
        save_file(tensors, path, metadata={"format": "pt"})
    except SafetensorError as error:
        raise OSError(None, str(error)) from error


def _pairs(tensors: dict[str, Tensor], rank: int) -> dict[str, tuple[Tensor, Tensor]]:
    """The factors by module. Raises ValueError and KeyError where they are no pairs of that rank, or not finite."""
    pairs: dict[str, tuple[Tensor, Tensor]] = {}
    for name in tensors:
        module = name.removeprefix(_PREFIX).removesuffix(".lora_A.weight").removesuffix(".lora_B.weight")
        if name not in (f"{_PREFIX}{module}.lora_A.weight", f"{_PREFIX}{module}.lora_B.weight"):
            raise ValueError(f"{name} is no factor of an adapter")
        a, b = (tensors[f"{_PREFIX}{module}.lora_{letter}.weight"] for letter in "AB")
        if a.dim() != 2 or b.dim() != 2 or a.shape[0] != rank or b.shape[1] != rank:
            raise ValueError(f"{module} has factors of {list(a.shape)} and {list(b.shape)} at rank {rank}")
        if not (torch.isfinite(a).all() and torch.isfinite(b).all()):
            raise ValueError(f"{module} has values that are no numbers")
        pairs[HEAD if module == f"model.{UNEMBED}" else module] = (a, b)
    return pairs


def _reason(error: Exception) -> str:
    missing = f"no {error.args[0]}" if isinstance(error, KeyError) and error.args else ""
    return missing or " ".join(str(error).split())[:200]
