"""Adapters and optimizer states as files: PEFT's format, safetensors only."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tinkersql.cache import sha256_of
from tinkersql.engine.faults import UserFault
from tinkersql.engine.llama import LlamaConfig
from tinkersql.engine.lora import ALPHA, LoraConfig, LoraLayout
from tinkersql.engine.training import OptimizerState, Trainer

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
"""The files of an adapter in PEFT's format."""

_MOMENTS = ("exp_avg", "exp_avg_sq")


def write_adapter(folder: Path, trainer: Trainer, base_model: str) -> None:
    """Write ``adapter_config.json`` and ``adapter_model.safetensors`` as PEFT reads them."""
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "r": trainer.lora.rank,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "target_modules": trainer.layout.target_modules,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    tensors = {name: tensor.cpu() for name, tensor in trainer.layout.tensors(trainer.masters)}
    _save(tensors, folder / "adapter_model.safetensors", {"format": "pt"})


def write_optimizer(path: Path, trainer: Trainer) -> None:
    """Write Adam's moments by parameter name, and the step count."""
    tensors = {
        f"{moment}.{name}": tensor.cpu()
        for moment in _MOMENTS
        for name, tensor in trainer.layout.tensors(getattr(trainer.optimizer, moment))
    }
    _save(tensors, path, {"step": str(trainer.optimizer.step)})


def _save(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    try:
        save_file(tensors, path, metadata=metadata)
    except SafetensorError as error:
        raise OSError(f"{path.name} cannot be written: {error}") from error


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of tensors: safetensors itself notices one that is too short, but no other damage."""
    return {path.name: sha256_of(path) for path in sorted(folder.glob("*.safetensors"))}


def read_adapter(folder: Path, model: LlamaConfig, lora: LoraConfig) -> Tensor:
    """The masters [size] float32 of a saved adapter. Raises UserFault where it does not fit this model."""
    return _read_flat(folder / "adapter_model.safetensors", LoraLayout(model, lora))[0]


def read_optimizer(folder: Path, model: LlamaConfig, lora: LoraConfig) -> OptimizerState:
    """The optimizer's state of a checkpoint. Raises UserFault where it has none."""
    path = folder / "optimizer.safetensors"
    if not path.is_file():
        raise UserFault("this checkpoint holds no optimizer state: load it without, or load one made by save_state")
    layout = LoraLayout(model, lora)
    moments = [_read_flat(path, layout, f"{moment}.") for moment in _MOMENTS]
    return OptimizerState(moments[0][0], moments[1][0], step=int(moments[0][1]["step"]))


def _read_flat(path: Path, layout: LoraLayout, prefix: str = "") -> tuple[Tensor, dict[str, str]]:
    flat = torch.zeros(layout.size)
    try:
        with safe_open(path, framework="pt") as file:
            for name, view in layout.tensors(flat):
                saved = file.get_tensor(prefix + name)
                if saved.shape != view.shape:
                    raise UserFault(f"the checkpoint does not fit this model: {name} is {tuple(saved.shape)}")
                view.copy_(saved)
            return flat, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UserFault(f"the checkpoint is damaged or does not fit this model: {path.name}: {error}") from error
