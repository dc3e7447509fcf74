"""Writing that survives: a killed process or a power failure leaves the old content or the new, never half of one."""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Owner:
    """This process's mark in a store that several may share.

    What is unfinished carries the token of who is at it: ``.new~TOKEN~NAME`` will become NAME, ``.old~TOKEN~NAME`` was
    it. A process locks ``STORE/.owner-TOKEN`` while it lives, and the system releases the lock however it ends. Unlike
    process ids, tokens are never given out twice. Raises OSError where the store cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self.token = uuid.uuid4().hex
        self._root = root
        locked = self.temporary(self._path(self.token))
        self._file = locked.open("w")
        _lock(self._file.fileno())
        locked.rename(self._path(self.token))  # locked before anybody can find it

    def close(self) -> None:
        """Be at nothing any more."""
        self._path(self.token).unlink(missing_ok=True)
        self._file.close()

    def is_alive(self, token: str) -> bool:
        """Whether the process of that token still runs."""
        try:
            descriptor = os.open(self._path(token), os.O_RDONLY)
        except OSError:
            return False
        try:
            return not _lock(descriptor)
        finally:
            os.close(descriptor)

    def temporary(self, target: Path) -> Path:
        """Where to write what will be renamed to `target`."""
        return target.parent / f".new~{self.token}~{target.name}"

    def aside(self, target: Path) -> Path:
        """Where to keep the old `target` while the new one takes its place."""
        return target.parent / f".old~{self.token}~{target.name}"

    def doomed(self, target: Path) -> Path:
        """Where to move what is to be deleted: a name that nothing else has, since others may write to `target`."""
        return self.temporary(target.with_name(f"{target.name}~{uuid.uuid4().hex}"))

    def write_json(self, path: Path, content: Mapping[str, Any]) -> None:
        """Write a file at once and durably. Raises OSError and leaves the old file where the disk refuses."""
        temporary = self.temporary(path)
        try:
            temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
            sync(temporary)
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync(path.parent)

    def left_by_the_dead(self) -> list[tuple[str, Path, Path]]:
        """What killed processes left in the store: ("new" or "old", where it lies, what it was to become or was)."""
        found = []
        for pattern in (".*~*~*", "*/.*~*~*", "*/*/.*~*~*", "*/*/*/.*~*~*"):
            for path in self._root.glob(pattern):
                role, token, name = path.name.split("~", 2)
                if name.startswith(".owner-"):
                    continue  # of a process that starts: nobody can see yet that it lives
                if role in (".new", ".old") and not self.is_alive(token):
                    found.append((role[1:], path, path.parent / name))
        return found

    def forget_the_dead(self) -> None:
        """Delete the marks of processes that have ended."""
        for path in self._root.glob(".owner-*"):
            if not self.is_alive(path.name.removeprefix(".owner-")):
                path.unlink(missing_ok=True)

    def _path(self, token: str) -> Path:
        return self._root / f".owner-{token}"


def sync(path: Path) -> None:
    """Have the disk keep a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Have the disk keep a folder's files and their names."""
    for path in (*folder.iterdir(), folder):
        sync(path)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, each durably."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def _lock(descriptor: int) -> bool:
    """Lock an open file; False where another process holds the lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: then what is left counts as a dead process's
    return True
