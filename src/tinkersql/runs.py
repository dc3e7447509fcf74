"""Folders of results, of a run or of an evaluation: each file is written as soon as its content is known."""

import fcntl
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from tinkersql._version import __version__
from tinkersql.config_file import absolute, to_toml
from tinkersql.errors import RunError, SettingsError
from tinkersql.settings import STOPS, Resolved, Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class ResultFolder:
    """Predictions and figures below ``path``; every method that writes raises `RunError` when the disk refuses."""

    path: Path

    @staticmethod
    def check_free(path: Path, option: str) -> None:
        """Nothing may be at ``path`` yet.

        Raises:
            RunError: Something is; the message advises another ``option``.
        """
        if os.path.lexists(path):
            raise RunError(f"{path}: exists already; choose another {option}, or remove it")

    @classmethod
    def make(cls, path: Path, option: str) -> Self:
        """Make a new folder.

        Raises:
            RunError: It exists already, or cannot be made; the message advises another ``option``.
        """
        cls.check_free(path, option)
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise RunError(f"{path}: cannot be made ({error.strerror}); choose another {option}") from None
        return cls(path)

    def discard(self) -> None:
        """Remove the folder of work that came to nothing; `make` made sure that it is ours alone."""
        shutil.rmtree(self.path, ignore_errors=True)

    def write_predictions(self, name: str, predictions: Iterable[Mapping[str, Any]]) -> None:
        """``predictions-<name>.jsonl``: one line per question."""
        self.write_rows(f"predictions-{name}.jsonl", predictions)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """``result.json``: everything that the report and other programs read."""
        self.write_json("result.json", result)

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a document: the whole of it, or nothing."""
        self.write_text(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def write_rows(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write a ``.jsonl`` file: the whole of it, or nothing."""
        self.write_text(name, "".join(_json(row) + "\n" for row in rows))

    def write_text(self, name: str, text: str) -> None:
        """Write a file: the whole of it, or nothing."""
        # A reader, or a crash, never meets half a file.
        partial = self.path / f".{name}.partial"
        try:
            partial.write_text(text, encoding="utf-8", errors="backslashreplace")
            partial.replace(self.path / name)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise RunError(f"{self.path / name}: cannot be written ({error.strerror})") from None


@dataclass(frozen=True, slots=True)
class RunFolder(ResultFolder):
    """One run's files: beside its results the settings, the steps of its training, and its checkpoints."""

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
        cls.check_free(path, "--name")
        return path

    @classmethod
    def create(cls, parent: Path, name: str) -> "RunFolder":
        """Make ``parent/name``.

        Raises:
            SettingsError: The name is no plain folder name.
            RunError: It exists already, or cannot be written.
        """
        folder = cls.make(cls.check(parent, name), "--runs folder")
        cls.make(folder.store, "--runs folder")
        return folder

    @classmethod
    def open(cls, path: Path) -> Self:
        """A run that was begun before, to go on with.

        Raises:
            RunError: No run lies there, or another version of tinkersql began it.
        """
        folder = cls(path.absolute())
        folder.read_settings()
        version = folder.read_json("config.json").get("tinkersql")
        if version != __version__:
            raise RunError(
                f"{path}: begun by tinkersql {version}, and this is {__version__}: go on with that version "
                f"(pip install tinkersql=={version}), or start a new run"
            )
        return folder

    def refuse_sweep(self) -> None:
        """Only ``tinkersql sweep`` goes on with a sweep, whose folder looks like a run's.

        Raises:
            RunError: A sweep lies here.
        """
        if (self.path / "sweep.json").is_file():
            raise RunError(f"{self.path}: a sweep; go on with tinkersql sweep --resume, or resume one of its cells")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from working in this folder; the lock ends with the process, however it ends.

        Raises:
            RunError: Another one works in it, or it cannot be written.
        """
        path = self.path / ".lock"
        try:
            opened = path.open("w")
        except OSError as error:
            raise RunError(f"{path}: cannot be written ({error.strerror})") from None
        with opened as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunError(f"{self.path}: another process works on this run; wait for it, or stop it") from None
            yield

    @property
    def store(self) -> Path:
        """Where the embedded server keeps this run's checkpoints."""
        return self.path / "store"

    def read_settings(self, model: str = "") -> Settings:
        """The settings of a run that was made before; those that it does not name have their defaults.

        Args:
            model: Where its base model lies now; empty: where it lay.

        Raises:
            RunError: The folder holds no run.
        """
        known = {f.name for f in fields(Settings)}
        try:
            entries = self.read_json("config.json")["settings"]
            values: dict[str, Any] = {name: entry["value"] for name, entry in entries.items() if name in known}
            settings = replace(Settings(), **values | {"stops": tuple(values.get("stops", STOPS))})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise RunError(f"{self.path}: no run lies there; give the folder of one, such as runs/NAME") from None
        return absolute(replace(settings, model=model)) if model else settings

    def read_result(self) -> dict[str, Any]:
        """What ``result.json`` holds; nothing while there is none.

        Raises:
            RunError: It is damaged.
        """
        try:
            return self.read_json("result.json") if (self.path / "result.json").exists() else {}
        except (OSError, ValueError):
            raise RunError(f"{self.path / 'result.json'}: damaged; put it away to go on without it") from None

    def read_json(self, name: str) -> dict[str, Any]:
        """A document that `write_json` has written; raises OSError or ValueError where it is missing or damaged."""
        return json.loads((self.path / name).read_text(encoding="utf-8"))

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The lines of a ``.jsonl`` file, none where it does not exist; a last one that was cut short is dropped.

        Raises:
            RunError: Another line is damaged.
        """
        path = self.path / name
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            return [dict(json.loads(line)) for line in text.split("\n")[:-1]]  # whoever wrote the last may have died
        except (OSError, ValueError, TypeError):
            raise RunError(f"{path}: damaged") from None

    def tuned_model(self) -> str:
        """The ``tinker://`` path of the weights that training ended with.

        Raises:
            RunError: Training has not ended, or the record of its checkpoints is damaged.
        """
        return self._tuned("sampler_path")

    def tuned_state(self) -> str:
        """The ``tinker://`` path of the same weights as training saved them to go on from; services hand out these.

        Raises:
            RunError: Training has not ended, or the record of its checkpoints is damaged.
        """
        return self._tuned("state_path")

    def tuned_step(self) -> int:
        """The step whose weights these are.

        Raises:
            RunError: Training has not ended, or the record of its checkpoints is damaged.
        """
        return int(self._tuned("step"))

    def _tuned(self, key: str) -> str:
        try:
            rows = self.rows("checkpoints.jsonl")
            saved = [str(row[key]) for row in rows if row["sampler_path"] and row["kind"] == "final"]
        except (RunError, KeyError):
            raise RunError(
                f"{self.path / 'checkpoints.jsonl'}: damaged; name a checkpoint of the run with --checkpoint"
            ) from None
        if not saved:
            raise RunError(f"{self.path}: its training has not ended, so there is no tuned model")
        return saved[-1]

    def put_away_evaluations(self, result: Mapping[str, Any]) -> tuple[dict[str, Any], Path | None]:
        """Move what was measured of tuned weights into a folder of its own: the run is about to get others.

        Returns:
            The ``result`` without it, and the folder, which also has the whole one; None where nothing was measured.

        Raises:
            RunError: The disk refuses.
        """
        files = [each for each in self.path.glob("predictions-*.jsonl") if "tuned" in each.stem.split("-")]
        if not files:
            return dict(result), None
        away = self.path / f"measured-at-step-{(result.get('training') or {}).get('steps', 0)}"
        try:
            away.mkdir(exist_ok=True)
            ResultFolder(away).write_result(result)
            for file in files:
                file.replace(away / file.name)
        except OSError as error:
            raise RunError(f"{away}: cannot be written ({error.strerror or error})") from None

        def others(found: Mapping[str, Any]) -> dict[str, Any]:
            return {name: each for name, each in found.items() if "tuned" not in name.split("-")}

        suites = {suite: others(models) for suite, models in (result.get("suites") or {}).items()}
        evaluations = others(result.get("evaluations") or {})
        return {**result, "evaluations": evaluations, "suites": suites, "comparisons": [], "memory": None}, away

    def write_config(self, resolved: Resolved) -> None:
        """``config.json``: every setting with its source, and the command; ``config.toml``: the same to run again."""
        config = {
            "tinkersql": __version__,
            "command": command_line(),
            "preset": resolved.preset,
            "settings": resolved.to_dict(),
        }
        self.write_json("config.json", config)
        self.write_text("config.toml", to_toml(resolved))

    def move_model(self, model: str) -> None:
        """Note in ``config.json`` where the base model lies now."""
        config = self.read_json("config.json")
        config["settings"]["model"] = {"value": model, "source": "--model, when the run was resumed"}
        self.write_json("config.json", config)

    def add_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Append one checkpoint to ``checkpoints.jsonl``, with the time."""
        self.append("checkpoints.jsonl", {**checkpoint, "time": now()})

    def append(self, name: str, row: Mapping[str, Any]) -> None:
        """Append a line to a ``.jsonl`` file."""
        try:
            with (self.path / name).open("a", encoding="utf-8") as file:
                file.write(_json(row) + "\n")
        except OSError as error:
            raise RunError(f"{self.path / name}: cannot be written ({error.strerror})") from None


@contextmanager
def store_of(run: Path | None, store: Path | None) -> Iterator[Path]:
    """Where the embedded server finds a checkpoint: in a run's folder, in a store, or, for none at all, nowhere."""
    if run is not None:
        yield RunFolder(run.absolute()).store
    elif store is not None:
        yield store.absolute()
    else:
        with tempfile.TemporaryDirectory(prefix="tinkersql-") as folder:
            yield Path(folder) / "store"


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def command_line() -> str:
    """The command that is running, to be repeated by a reader."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def made(created: str, started: float) -> dict[str, Any]:
    """When, by what and by which command a result was made, for ``result.json``.

    Args:
        created: The time when the work began, from `now`.
        started: The same on ``time.monotonic``'s clock.
    """
    return {
        "created": created,
        "finished": now(),
        "seconds": time.monotonic() - started,
        "tinkersql": __version__,
        "sdk": version("tinker"),
        "command": command_line(),
    }


def _json(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False)
