"""Which model architectures the engine runs. Imports nothing, so that a folder can be checked in milliseconds."""

from collections.abc import Mapping
from typing import Any

ARCHITECTURES: Mapping[str, str] = {
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}
"""``model_type`` in config.json -> the only class of it that the engine runs."""

NAMES = ", ".join(ARCHITECTURES.values())


def model_type_of(config: Mapping[str, Any]) -> str | None:
    """The ``model_type`` of a config.json, or None where the engine does not run that model."""
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in ARCHITECTURES:
        return None
    return kind if (config.get("architectures") or [ARCHITECTURES[kind]]) == [ARCHITECTURES[kind]] else None


def name_of(config: Mapping[str, Any]) -> str:
    """What a config.json says that its model is, for a message."""
    return str((config.get("architectures") or [config.get("model_type") or "nameless"])[0])
