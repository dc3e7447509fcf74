"""What a model folder must hold before the engine is given it."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tinkersql.cache import sha256_of
from tinkersql.errors import ModelError

ARCHITECTURE = "LlamaForCausalLM"
_MEND = f"use a folder or hub name of a {ARCHITECTURE} model with config.json, tokenizer.json and *.safetensors"


def check_folder(folder: Path) -> None:
    """Look that ``folder`` holds a whole Llama model in safetensors; reads headers only, so it takes milliseconds.

    Raises:
        ModelError: something is missing or damaged, or the architecture is another.
    """
    if not folder.is_dir():
        raise ModelError(f"there is no model folder {folder}: {_MEND}")
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise ModelError(f"{folder} holds a LoRA adapter, not a base model: {_MEND}")
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ModelError(f"{folder} has no {name}: {_MEND}")
    check_config(_read_json(folder / "config.json"), str(folder))
    _read_json(folder / "tokenizer.json")
    _check_weights(folder)


def check_config(config: dict[str, Any], where: str) -> None:
    """Look that a model's ``config.json``, found at ``where``, is of the one architecture that the engine runs.

    Raises:
        ModelError: another architecture, or quantised weights.
    """
    named = config.get("architectures") or [config.get("model_type")]
    if config.get("model_type") != "llama" or named not in ([ARCHITECTURE], ["llama"]):
        raise ModelError(f"{where} is a {named[0] or 'nameless'} model, which the engine does not run: {_MEND}")
    if "quantization_config" in config:
        raise ModelError(f"{where} has quantised weights, which cannot be trained here: use its unquantised original")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that make up the model, sorted by name; shards are taken from the index where there is one.

    Raises:
        ModelError: there are none, or the index names one that is missing.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        files = [folder / name for name in sorted(set(_read_json(index).get("weight_map", {}).values()))]
    else:
        files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickled = any(folder.glob("*.bin"))
        hint = " (only pickled *.bin, which are never loaded: they can run code)" if pickled else ""
        raise ModelError(f"{folder} has no *.safetensors{hint}: {_MEND}")
    for file in files:
        if not file.is_file():
            raise ModelError(f"{folder} lacks the shard {file.name}: download the model again")
    return files


def weights_sha256(folder: Path) -> str:
    """A folder's weights in one SHA-256: that of the file, or of the ``sha256sum`` listing of several by name."""
    sums = [(sha256_of(file), file.name) for file in weight_files(folder)]
    if len(sums) == 1:
        return sums[0][0]
    return hashlib.sha256("".join(f"{digest}  {name}\n" for digest, name in sums).encode()).hexdigest()


def license_of(folder: Path) -> str:
    """The licence that the model card (``README.md``) declares, or ``unknown``."""
    from huggingface_hub import metadata_load

    card = folder / "README.md"
    try:
        return str((metadata_load(card) or {}).get("license", "unknown")) if card.is_file() else "unknown"
    except ValueError:  # a card whose head is not YAML
        return "unknown"


def _check_weights(folder: Path) -> None:
    from safetensors import SafetensorError, safe_open

    for file in weight_files(folder):
        try:
            # Opening compares the header's extents with the file's size, so a truncated file is found at once.
            with safe_open(file, framework="numpy"):
                pass
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{file} is damaged ({error}): download the model again") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error}): download the model again") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is no JSON object: download the model again")
    return content
