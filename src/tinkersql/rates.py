"""The learning rate to start with, by model and batch size, where the user names none.

Two pairs of batch size and rate are known to work, and stay the rate of their model; another batch size rescales them
by √(new/old), the square-root rule for Adam. For other models stands the rule that Thinking Machines fitted for LoRA on
Tinker (docs/supervised-learning/sl-hyperparams.mdx of tinker-cookbook, and its ``hyperparam_utils.get_lr``):

    rate = 5e-5 · 10 · (2000 / width) ^ p

where the width is the model's hidden size and p is 0.781 for Llama models and 0.0775 for Qwen models. It depends
neither on the LoRA rank, since the adapter's update is scaled by 32 / rank, nor on the batch size, over which it was
validated. It gets no square root here: as it is, it is 1.0 and 1.5 times too low for the known pairs, whose batch sizes
are 256 and 4; with a root, whatever batch size that starts from, the two would contradict each other twelvefold.
"""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BASE = 5e-5
"""The rule's rate for full fine-tuning at `WIDTH`."""

LORA = 10
"""How much more a LoRA adapter takes."""

WIDTH = 2000
"""The hidden size at which the rule makes no difference between families."""

EXPONENTS = {"llama": 0.781, "qwen": 0.0775}
"""How fast the rate falls as models get wider, by family."""

_RULE = "tinker-cookbook's rule for LoRA"

_WIDTHS = {
    "SmolLM2-360M": 960,
    "SmolLM2-360M-Instruct": 960,
    "SmolLM2-1.7B": 2048,
    "SmolLM2-1.7B-Instruct": 2048,
    "Llama-3.2-1B": 2048,
    "Llama-3.2-3B": 3072,
    "Llama-3.1-8B": 4096,
    "Qwen3-8B": 4096,
    "Qwen3.5-4B": 2560,
    "Qwen3.5-9B": 4096,
    "Qwen3.6-27B": 5120,
    "Qwen3.6-35B-A3B": 2048,
}
"""Hidden sizes, from each model's ``config.json``, of models that are often named before anything is downloaded."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A batch size and a rate that belong together, and who says so."""

    batch_size: int
    rate: float
    source: str


ANCHORS = {
    "SmolLM2-135M-Instruct": Anchor(4, 2e-3, "what results/generalisation.json was measured with"),
    "Llama-3.2-1B": Anchor(256, 5e-4, "the course's exercise"),
}
"""By the model's name without its owner."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A learning rate for Adam, and where it comes from, to be printed."""

    value: float
    origin: str


def default_rate(model: str, batch_size: int, config: Mapping[str, Any] | None = None) -> Rate:
    """The learning rate to start with.

    Args:
        model: The hub's or the service's name of the model, or its folder.
        batch_size: Examples per optimizer step.
        config: Its ``config.json``, where that is at hand (`config_of`): only its family and width are read.
    """
    name = _name(model)
    if anchor := ANCHORS.get(name):
        known = f"{anchor.rate:g} for batches of {anchor.batch_size} ({anchor.source})"
        if batch_size == anchor.batch_size:
            return Rate(anchor.rate, f"{name}: {known}")
        scaled = anchor.rate * math.sqrt(batch_size / anchor.batch_size)
        return Rate(scaled, f"{name}: rescaled by √({batch_size}/{anchor.batch_size}) from {known}")
    family, width = _family(name, config or {}), _width(name, config or {})
    if family is None or width is None:
        return Rate(BASE * LORA, f"{_RULE} for a width of {WIDTH}, as that of {model} or its family is not known here")
    rate = BASE * LORA * (WIDTH / width) ** EXPONENTS[family]
    return Rate(rate, f"{_RULE}: {BASE:g}·{LORA}·({WIDTH}/{width})^{EXPONENTS[family]:g}, at any rank and batch size")


def config_of(model: str, fetch: bool = False) -> Mapping[str, Any] | None:
    """The ``config.json`` of a model's folder, or of what the hub's cache holds; None where there is none.

    With ``fetch``, the hub is asked for that file where the cache lacks it, unless `default_rate` needs none.
    """
    from tinkersql import hub  # slow to import, and seldom needed

    with suppress(OSError, ValueError, hub.HubError):  # ValueError: also what the hub's library says of a bad name
        path = Path(model).expanduser() / "config.json"
        found = path if path.is_file() else hub.cached_file(model, "config.json")
        if found is None and fetch and _name(model) not in ANCHORS:
            from tinkersql.models import HUB_NAME

            found = hub.download_file(model, "config.json") if HUB_NAME.fullmatch(model) else None
        config = json.loads(found.read_text(encoding="utf-8")) if found else None
        return config if isinstance(config, dict) else None
    return None


def _name(model: str) -> str:
    """A model's name without its owner, and without the variant that hosted Tinker appends to some."""
    return model.partition(":")[0].rpartition("/")[2]


def _family(name: str, config: Mapping[str, Any]) -> str | None:
    """``llama`` or ``qwen``, by the architecture where it is known."""
    told = f"{config.get('model_type') or name}".lower().replace("smollm2", "llama")
    return next((family for family in EXPONENTS if family in told), None)


def _width(name: str, config: Mapping[str, Any]) -> int | None:
    nested = config.get("text_config")
    width = config.get("hidden_size") or (nested.get("hidden_size") if isinstance(nested, Mapping) else None)
    return width if isinstance(width, int) and width > 0 else _WIDTHS.get(name)
