"""The cache folder: what was downloaded or converted once stays there, complete or not at all."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Progress = Callable[[str, int, int | None], None]
"""Called while something long goes on: ``progress(label, done, total)``, in bytes; ``total`` is None while unknown.

A new label means that the next thing has begun.
"""


def silent(label: str, done: int, total: int | None) -> None:
    """The :data:`Progress` that shows nothing."""


def cache_folder() -> Path:
    """Where downloads and conversions are kept: ``TINKERSQL_CACHE``, else ``~/.cache/tinkersql`` (or its XDG kin)."""
    if chosen := os.environ.get("TINKERSQL_CACHE"):
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute() / "tinkersql"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_folder(destination: Path) -> Iterator[Path]:
    """A new folder to fill, which becomes ``destination`` when the block ends well and disappears when it does not.

    So an interrupted download or conversion never looks like a finished one. What stood at ``destination`` before is
    replaced; where another process finishes the same work first, either result may stay.

    Raises:
        OSError: the parent of ``destination`` cannot be written, or the disk is full.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    # Beside the destination, because a rename is atomic only within one file system; no mkdtemp, whose folders nobody
    # else can read.
    folder = destination.parent / f".{destination.name}-{secrets.token_hex(4)}"
    folder.mkdir()
    try:
        yield folder
        _share(folder)
        shutil.rmtree(destination, ignore_errors=True)
        folder.rename(destination)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _share(folder: Path) -> None:
    """Give files that a library wrote for their owner alone, as safetensors does, the rights that the umask leaves."""
    rights = folder.stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(rights)
