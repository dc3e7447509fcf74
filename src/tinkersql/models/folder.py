"""What a model folder must hold before the engine is given it."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tinkersql.cache import sha256_of
from tinkersql.engine.architectures import NAMES, model_type_of, name_of
from tinkersql.errors import ModelError

_MEND = f"use a folder or hub name of a model ({NAMES}) with config.json, tokenizer.json and model.safetensors"

HUB_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "chat_template.jinja",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*.safetensors",
    "README.md",
)
"""What is wanted of a hub repository: no pickles, no copies in other formats."""


def check_folder(folder: Path) -> None:
    """Look that ``folder`` holds a whole model in safetensors; reads headers only, so it takes milliseconds.

    Raises:
        ModelError: something is missing or damaged, or the architecture is another.
    """
    if not folder.is_dir():
        raise ModelError(f"there is no model folder {folder}: {_MEND}")
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise ModelError(f"{folder} holds a LoRA adapter, not a base model: {_MEND}")
    # The architecture first: nobody should hunt for the other files of a model that the engine cannot run.
    check_config(read_json(_needed(folder, "config.json")), str(folder))
    read_json(_needed(folder, "tokenizer.json"))
    _check_weights(folder)


def _needed(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise ModelError(f"{folder} has no {name}: {_MEND}")
    return folder / name


def check_config(config: dict[str, Any], where: str) -> None:
    """Look that a model's ``config.json``, found at ``where``, is of an architecture that the engine runs.

    Raises:
        ModelError: another architecture, or quantised weights.
    """
    if model_type_of(config) is None:
        raise ModelError(f"{where} is a {name_of(config)} model, which the engine does not run: {_MEND}")
    if "quantization_config" in config:
        raise ModelError(f"{where} has quantised weights, which cannot be trained here: use its unquantised original")


def weight_files(folder: Path) -> list[Path]:
    """The files with the model's weights, as ``transformers`` finds them: ``model.safetensors``, or its shards by name.

    Raises:
        ModelError: there are none, or the index names a shard that is missing.
    """
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return [single]
    if not index.is_file():
        raise ModelError(
            f"{folder} has no {single.name} (pickled *.bin files are not loaded, for they can run code): {_MEND}"
        )
    names = sorted(set(read_json(index).get("weight_map", {}).values()))
    missing = [name for name in names if not (folder / name).is_file()]
    if missing or not names:
        raise ModelError(f"{folder} lacks {', '.join(missing) or 'all shards'}: download the model again")
    return [folder / name for name in names]


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


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a model's file.

    Raises:
        ModelError: it cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is no JSON object: {_MEND}")
    return content


def _check_weights(folder: Path) -> None:
    from safetensors import SafetensorError, safe_open

    for file in weight_files(folder):
        try:
            # Opening compares the header's extents with the file's size, so a truncated file is found at once.
            with safe_open(file, framework="numpy"):
                pass
        except (SafetensorError, OSError) as error:
            raise _unreadable(file, error) from error


def _unreadable(file: Path, error: Exception) -> ModelError:
    # Resolved, because a file in the hub's cache is a link, and deleting only the link would bring the damage back.
    advice = f"if it is damaged, delete {file.resolve()} and download the model again"
    return ModelError(f"{file} cannot be read ({error}): {advice}")
