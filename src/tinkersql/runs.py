"""The run folder: settings, metrics, checkpoints, predictions and the result, each written as soon as it is known."""

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tinkersql._version import __version__
from tinkersql.errors import RunError, SettingsError
from tinkersql.settings import Resolved

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run's files below ``path``; every method that writes raises `RunError` when the disk does not take it."""

    path: Path

    @classmethod
    def check(cls, parent: Path, name: str) -> Path:
        """The path of ``parent/name``, which must be free; nothing is made yet.

        Raises:
            SettingsError: The name is no plain folder name.
            RunError: It exists already.
        """
        if not _NAME.fullmatch(name):
            raise SettingsError(f"--name {name!r}: use letters, digits, dots, dashes and underscores")
        path = (parent / name).absolute()
        if os.path.lexists(path):
            raise RunError(f"{path}: exists already; choose another --name, or remove it")
        return path

    @classmethod
    def create(cls, parent: Path, name: str) -> "RunFolder":
        """Make ``parent/name``.

        Raises:
            SettingsError: The name is no plain folder name.
            RunError: It exists already, or cannot be written.
        """
        path = cls.check(parent, name)
        try:
            path.mkdir(parents=True)
            (path / "store").mkdir()
        except OSError as error:
            reason = f"the run folder cannot be made ({error.strerror})"
            raise RunError(f"{path}: {reason}; choose another --runs folder") from None
        return cls(path)

    def discard(self) -> None:
        """Remove the folder of a run that came to nothing; `create` made sure that it is ours alone."""
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def store(self) -> Path:
        """Where the embedded server keeps this run's checkpoints."""
        return self.path / "store"

    def write_config(self, resolved: Resolved) -> None:
        """``config.json``: every setting with its source, and the command."""
        config = {
            "tinkersql": __version__,
            "command": command_line(),
            "preset": resolved.preset,
            "settings": resolved.to_dict(),
        }
        self._write("config.json", config)

    def add_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Append one training step to ``metrics.jsonl``."""
        self._append("metrics.jsonl", metrics)

    def add_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Append one checkpoint to ``checkpoints.jsonl``, with the time."""
        self._append("checkpoints.jsonl", {**checkpoint, "time": now()})

    def write_predictions(self, name: str, predictions: Iterable[Mapping[str, Any]]) -> None:
        """``predictions-<name>.jsonl``: one line per question."""
        self._write_text(f"predictions-{name}.jsonl", "".join(_json(row) + "\n" for row in predictions))

    def write_result(self, result: Mapping[str, Any]) -> None:
        """``result.json``: everything that the report and other programs read."""
        self._write("result.json", result)

    def _write(self, name: str, value: Mapping[str, Any]) -> None:
        self._write_text(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def _write_text(self, name: str, text: str) -> None:
        # A reader, or a crash, never meets half a file.
        partial = self.path / f".{name}.partial"
        try:
            partial.write_text(text, encoding="utf-8", errors="backslashreplace")
            partial.replace(self.path / name)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise RunError(f"{self.path / name}: cannot be written ({error.strerror})") from None

    def _append(self, name: str, row: Mapping[str, Any]) -> None:
        try:
            with (self.path / name).open("a", encoding="utf-8") as file:
                file.write(_json(row) + "\n")
        except OSError as error:
            raise RunError(f"{self.path / name}: cannot be written ({error.strerror})") from None


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def command_line() -> str:
    """The command that is running, to be repeated by a reader."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _json(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False)
