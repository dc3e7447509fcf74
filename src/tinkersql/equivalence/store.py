"""Suites on disk: one compressed file for each gold, named by the hash of everything that the suite depends on.

The folder may be shared by any number of readers and writers: a file is complete or absent, and two writers of one name
write the same content. Only the caller's process writes; the worker that runs predictions cannot write to any file.
"""

import contextlib
import gzip
import json
import uuid
import zlib
from pathlib import Path
from typing import Any

from tinkersql.cache import cache_folder

MOST_BYTES = 256 * 2**20
"""When the folder grows beyond it, its oldest files go until three quarters are left."""
_LOOK_AT = "00"
"""The size is looked at when a key begins so: about once in 256 writes, without a counter to share."""


def suites_folder() -> Path:
    """Where suites are kept: inside the cache folder, which ``TINKERSQL_CACHE`` may name."""
    return cache_folder() / "suites"


class SuiteStore:
    """A folder of suites.

    Args:
        folder: made when the first suite is written.
        most_bytes: the bound of its size.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES):
        self._folder, self._most_bytes = folder, most_bytes

    def read(self, key: str) -> Any:
        """What was written under that key; None when there is nothing, or nothing that can be read."""
        try:
            return json.loads(gzip.decompress(self._path(key).read_bytes()))
        except (OSError, EOFError, ValueError, RecursionError, zlib.error):
            return None

    def write(self, key: str, suite: dict[str, Any]) -> None:
        """Keep a suite. Where the folder cannot be written nothing is kept, because it can always be built again."""
        with contextlib.suppress(OSError):
            path = self._path(key)
            path.parent.mkdir(parents=True, exist_ok=True)
            # A name of its own beside the file, because a rename is atomic only within one file system.
            partial = path.with_name(f".{uuid.uuid4().hex}.partial")
            try:
                partial.write_bytes(gzip.compress(json.dumps(suite).encode("ascii"), compresslevel=1, mtime=0))
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
        if key.startswith(_LOOK_AT):
            self._prune()

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key[2:]}.json.gz"

    def _prune(self) -> None:
        files: list[tuple[float, int, Path]] = []
        for path in self._folder.glob("*/*"):
            with contextlib.suppress(OSError):  # another process may have taken it away
                found = path.stat()
                files.append((found.st_mtime, found.st_size, path))
        total = sum(size for _, size, _ in files)
        if total <= self._most_bytes:
            return
        for _, size, path in sorted(files):
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size
            if total <= self._most_bytes * 3 // 4:
                return
