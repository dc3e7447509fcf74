"""An adapter and its base model as one model, file by file, so that no model need fit into memory twice."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from tinkersql.cache import Progress, silent
from tinkersql.errors import ModelError
from tinkersql.export.adapter import HEAD, Adapter, save
from tinkersql.models.folder import HUB_FILES, read_json, weight_files

_EMBEDDING = "model.embed_tokens.weight"
_HEAD_WEIGHT = f"{HEAD}.weight"
_INDEX = "model.safetensors.index.json"


def merge(
    base: Path, adapter: Adapter, folder: Path, progress: Progress = silent, dtype: torch.dtype | None = None
) -> bool:
    """Write W + scale · B·A for every adapted matrix W, and all else as it is, into the existing ``folder``.

    Each sum is made in float32. An adapter of the unembedding gets a matrix of its own
    where the base ties it to the embedding, which must stay as it is.

    Args:
        base: A folder that `tinkersql.models.resolve` has checked.
        adapter: What is added.
        folder: Gets the weights in the same files as the base's, ``config.json``, and the tokenizer's files.
        progress: Told about the bytes of the base's weights.
        dtype: In which the sums are kept; the base's own by default.

    Returns:
        Whether the embeddings were tied and no longer are.

    Raises:
        ModelError: The adapter belongs to another base model.
        OSError: The folder cannot be written, or the disk is full.
    """
    config = read_json(base / "config.json")
    untied = HEAD in adapter.pairs and bool(config.get("tie_word_embeddings"))
    files = weight_files(base)
    left = dict(adapter.pairs)
    done, total = 0, sum(file.stat().st_size for file in files)
    for file in files:
        tensors: dict[str, Tensor] = {}
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118  no mapping, though it has keys
                if untied and name == _HEAD_WEIGHT:
                    continue  # a copy of the embedding that nobody reads
                tensors[name] = weights.get_tensor(name)
        if untied and _EMBEDDING in tensors:
            tensors[_HEAD_WEIGHT] = tensors[_EMBEDDING].clone()
            _note_in_index(base, folder, file.name, tensors[_HEAD_WEIGHT])
        for name, weight in tensors.items():
            if pair := left.pop(name.removesuffix(".weight"), None):
                tensors[name] = _sum(name, weight, *pair, adapter.scale).to(dtype or weight.dtype)
        save(tensors, folder / file.name)
        done += file.stat().st_size
        progress("merge the adapter", done, total)
    if left:
        raise ModelError(f"{base}: the base model has no {next(iter(left))}, which the adapter changes; wrong --model?")
    _copy_others(base, folder, config | ({"tie_word_embeddings": False} if untied else {}))
    return untied


def _sum(name: str, weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    if weight.shape != (b.shape[0], a.shape[1]):
        raise ModelError(
            f"the adapter is of another base model: {name} is {list(weight.shape)} in the base, and "
            f"{[b.shape[0], a.shape[1]]} in the adapter; wrong --model?"
        )
    return weight.float() + scale * (b.float() @ a.float())


def _copy_others(base: Path, folder: Path, config: dict[str, Any]) -> None:
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for name in HUB_FILES:
        own = "safetensors" in name or name in ("config.json", "README.md")
        if not own and (base / name).is_file():
            shutil.copyfile(base / name, folder / name)
    if (base / _INDEX).is_file() and not (folder / _INDEX).exists():
        shutil.copyfile(base / _INDEX, folder / _INDEX)


def _note_in_index(base: Path, folder: Path, file: str, head: Tensor) -> None:
    """Where the weights have an index, say that the file holds the unembedding, too."""
    if not (base / _INDEX).is_file():
        return
    index = read_json(base / _INDEX)
    index["weight_map"][_HEAD_WEIGHT] = file
    if isinstance(size := index.get("metadata", {}).get("total_size"), int):
        index["metadata"]["total_size"] = size + head.nbytes
    (folder / _INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
