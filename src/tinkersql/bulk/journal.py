"""The answers so far, beside the output that they will become: what makes a run resumable."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tinkersql.bulk.parts import Answer
from tinkersql.errors import RunError, SettingsError


class Journal:
    """One JSON line for each answer, in the order of the readable rows, in ``<target>.partial``.

    The first line names the input and the settings. Opening goes on after the last whole line, so whatever way the
    run before ended, at most its last few answers are judged again. A file lock keeps a second run away.

    Attributes:
        path: the file.
        count: how many answers it holds.
    """

    def __init__(self, target: Path, identity: str) -> None:
        self.path = target.with_name(f"{target.name}.partial")
        self.count = 0
        self._header = json.dumps({"answers to": identity}).encode("ascii") + b"\n"

    def check(self) -> None:
        """See that an existing file is this run's.

        Raises:
            SettingsError: it is of another input, version or assumptions.
        """
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            first = file.readline(len(self._header))
            if first.endswith(b"\n") and first != self._header:
                raise SettingsError(
                    f"{self.path} was begun with another input, version or assumptions:"
                    " finish it with those, or remove it to start anew"
                )

    def __enter__(self) -> "Journal":
        self.check()
        try:
            self._sink = self.path.open("ab")
        except OSError as error:
            raise SettingsError(f"cannot write {self.path}: {error.strerror}") from None
        try:
            self._lock()
            self._go_on()
        except BaseException:
            self._sink.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.count == 0:
            self.discard()
        self._sink.close()

    def add(self, answer: Answer) -> None:
        """Append one answer."""
        self._sink.write(json.dumps(answer).encode("ascii") + b"\n")
        self.count += 1

    def answers(self) -> Iterator[Answer]:
        """All answers, from the first."""
        self._sink.flush()
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                yield json.loads(line)

    def discard(self) -> None:
        """Remove the file: its answers are in the output."""
        self.path.unlink(missing_ok=True)

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # not on Windows
            return
        try:
            fcntl.flock(self._sink, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{self.path} is being written by another run: wait for it, or end it") from None
        except OSError:
            pass  # a file system without locks

    def _go_on(self) -> None:
        size = lines = 0
        with self.path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    size += len(line)
                    lines += 1
        self._sink.truncate(size)
        if lines == 0:
            self._sink.write(self._header)
            self._sink.flush()
        self.count = max(0, lines - 1)


@contextlib.contextmanager
def replacing(target: Path, temporary: Path) -> Iterator[IO[bytes]]:
    """A file to write, which takes the place of ``target`` once it is complete and on the disk."""
    try:
        with temporary.open("wb") as sink:
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
