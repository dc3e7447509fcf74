"""Checkpoints on disk: adapters in PEFT's format, with the optimizer's state beside them.

    STORE/<run>/run.json                        what the run is (base model, LoRA settings, the client's metadata)
    STORE/<run>/weights/<name>/                 to train on from: adapter, optimizer.safetensors, checkpoint.json
    STORE/<run>/sampler_weights/<name>/         to sample from: adapter, checkpoint.json
    STORE/<run>/external_weights/<name>/        to download: adapter, checkpoint.json

A checkpoint is written under a temporary name, synced to disk and renamed, so that one which is listed is complete.
Links that lead out of the store are not followed.
The run is the model id of the protocol, with ":" written as "_".
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import shutil
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tinkersql.engine.adapters import digests, write_adapter, write_optimizer
from tinkersql.engine.disk import Owner, make_folder, sync, sync_folder
from tinkersql.engine.faults import UserFault
from tinkersql.engine.lora import LoraConfig
from tinkersql.engine.training import Trainer
from tinkersql.errors import RunError

TRAINING, SAMPLER, EXTERNAL = "weights", "sampler_weights", "external_weights"
KINDS = {TRAINING: "training", SAMPLER: "sampler", EXTERNAL: "external"}
"""Path segment of a checkpoint -> its type in the protocol."""

_META = {
    "time": str,
    "user_metadata": dict | None,
    "expires_at": str | None,
    "public": bool,
    "sha256": dict | None,
}
"""What ``checkpoint.json`` holds."""
_RUN = re.compile(r"[A-Za-z0-9-]{1,80}:train:[0-9]{1,9}")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class RunInfo:
    """What a training run is."""

    run_id: str
    base_model: str
    lora: LoraConfig
    user_metadata: Mapping[str, str] | None = None
    created: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint on disk. time, expires_at: ISO 8601. public: a note only; whoever has the key reads all."""

    run_id: str
    kind: str
    name: str
    folder: Path
    time: str
    size_bytes: int
    user_metadata: Mapping[str, str] | None = None
    expires_at: str | None = None
    public: bool = False
    sha256: Mapping[str, str] | None = None
    """Of each file of tensors, as it was saved; None in checkpoints of before."""

    @property
    def expired(self) -> bool:
        """Whether its time is over: it is no longer found or listed."""
        return self.expires_at is not None and datetime.fromisoformat(self.expires_at) <= datetime.now(UTC)

    @property
    def path(self) -> str:
        """Its address in the protocol."""
        return f"tinker://{self.run_id}/{self.kind}/{self.name}"


class Store:
    """The folder of all runs' checkpoints. Raises RunError where it cannot be created or written."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._replacing = threading.RLock()
        """Held while an overwritten checkpoint is neither the old nor the new one."""
        try:
            make_folder(self.root)
            self.owner = Owner(self.root)
        except OSError as error:
            raise RunError(f"the checkpoint store {root} cannot be written: {error.strerror or error}") from error
        self._recover()
        self.delete_expired()

    def _recover(self) -> None:
        """Tidy up after processes that were killed while they saved."""
        for role, left, target in self.owner.left_by_the_dead():
            if role == "old" and not target.exists():
                left.rename(target)
            else:
                _remove(left)
        self.owner.forget_the_dead()

    def create_run(self, info: RunInfo) -> None:
        """Record a run; its checkpoints can be saved from now on."""
        folder = self._run_folder(info.run_id)
        make_folder(folder)
        self.owner.write_json(folder / "run.json", asdict(info) | {"created": datetime.now(UTC).isoformat()})

    def run(self, run_id: str) -> RunInfo:
        """The run of that id. Raises UserFault where there is none."""
        path = self._run_folder(run_id) / "run.json"
        try:
            if not self.is_inside(path):
                raise FileNotFoundError(path)
            raw = json.loads(path.read_text(encoding="utf-8"))
            return RunInfo(**raw | {"lora": LoraConfig(**raw["lora"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserFault(f"there is no training run {run_id!r} in this server's store") from error

    def runs(self) -> list[RunInfo]:
        """All runs, newest first."""
        found = []
        for path in self.root.glob("*/run.json"):
            try:
                found.append(self.run(path.parent.name.replace("_", ":")))
            except UserFault:
                continue
        return sorted(found, key=lambda info: info.created, reverse=True)

    def save(
        self,
        info: RunInfo,
        kind: str,
        name: str,
        trainer: Trainer,
        *,
        overwrite: bool = False,
        ttl_seconds: int | None = None,
        user_metadata: Mapping[str, str] | None = None,
    ) -> Checkpoint:
        """Save the adapter, and for `TRAINING` the optimizer's state (not the gradient buffer).

        Raises UserFault where the name is unusable or taken, OSError where the disk refuses.
        """
        target = self._checkpoint_folder(info.run_id, kind, name)
        if target.exists() and not overwrite and not self._is_expired(target):
            raise UserFault(f"checkpoint {name!r} exists already: choose another name, or save with overwrite=True")
        now = datetime.now(UTC)
        expires = None if ttl_seconds is None else (now + timedelta(seconds=ttl_seconds)).isoformat()
        make_folder(target.parent)
        if not self.is_inside(target.parent):
            raise UserFault(f"training run {info.run_id} does not lie in this server's store")
        temporary, old = self.owner.temporary(target), self.owner.aside(target)
        _remove(temporary)
        temporary.mkdir()
        try:
            write_adapter(temporary, trainer, info.base_model)
            if kind == TRAINING:
                write_optimizer(temporary / "optimizer.safetensors", trainer)
            meta = {"time": now.isoformat(), "user_metadata": user_metadata, "expires_at": expires, "public": False}
            meta["sha256"] = digests(temporary)
            _write_json(temporary / "checkpoint.json", meta)
            sync_folder(temporary)
            with self._replacing:
                if target.exists():
                    _remove(old)  # perhaps an earlier overwrite could not
                    target.rename(old)
                temporary.rename(target)
            sync(target.parent)
            _remove(old)
        except BaseException:
            if old.exists() and not target.exists():
                old.rename(target)
            _remove(temporary)
            raise
        return self._checkpoint(target)

    def find(self, path: str) -> Checkpoint:
        """The checkpoint at ``tinker://run/kind/name``. Raises UserFault where there is none."""
        parts = path.removeprefix("tinker://").split("/")
        if not path.startswith("tinker://") or len(parts) != 3:
            raise UserFault(
                f"{path!r} is not a checkpoint: expected tinker://RUN/KIND/NAME, KIND one of {', '.join(KINDS)}"
            )
        folder = self._checkpoint_folder(*parts)
        with self._replacing:
            exists = (folder / "checkpoint.json").is_file() and self.is_inside(*folder.iterdir())
        if not exists:
            raise UserFault(f"there is no checkpoint {path} in this server's store")
        try:
            checkpoint = self._checkpoint(folder)
        except (OSError, ValueError) as error:
            raise UserFault(f"checkpoint {path} is damaged: {error}") from error
        if checkpoint.expired:
            raise UserFault(f"checkpoint {path} has expired: it was saved, or kept, until {checkpoint.expires_at}")
        return checkpoint

    def intact(self, path: str) -> Checkpoint:
        """The checkpoint at ``tinker://run/kind/name``, whose tensors are those that were saved.

        Raises UserFault where there is none, or where they are not.
        """
        checkpoint = self.find(path)
        with self._replacing:
            if checkpoint.sha256 is not None and checkpoint.sha256 != digests(checkpoint.folder):
                raise UserFault(f"checkpoint {path} is damaged: its files are not what was saved")
        return checkpoint

    def checkpoints(self, run_id: str | None = None) -> list[Checkpoint]:
        """The checkpoints of one run, or of all, newest first. Raises UserFault where there is no such run."""
        return [checkpoint for checkpoint in self._all(run_id) if not checkpoint.expired]

    def _all(self, run_id: str | None = None) -> list[Checkpoint]:
        if run_id is not None:
            self.run(run_id)
        pattern = "*" if run_id is None else self._run_folder(run_id).name
        found: list[Checkpoint] = []
        with self._replacing:
            for path in itertools.chain(*(self.root.glob(f"{pattern}/{kind}/*/checkpoint.json") for kind in KINDS)):
                # One that is damaged, or deleted meanwhile, does not hide the others.
                with contextlib.suppress(OSError, ValueError):
                    if not path.parent.name.startswith(".") and self.is_inside(*path.parent.iterdir()):
                        found.append(self._checkpoint(path.parent))
        return sorted(found, key=lambda checkpoint: checkpoint.time, reverse=True)

    def delete(self, path: str) -> None:
        """Delete a checkpoint. Raises UserFault where there is none."""
        self._delete(self.find(path).folder)

    def delete_expired(self) -> None:
        """Delete the checkpoints whose time is over."""
        for checkpoint in self._all():
            if checkpoint.expired:
                with contextlib.suppress(OSError):  # another server that shares the store was faster
                    self._delete(checkpoint.folder)

    def change(self, path: str, **fields: Any) -> None:
        """Change `expires_at` or `public` of a checkpoint. Raises UserFault where there is none."""
        with self._replacing:
            checkpoint = self.find(path)
            known = {name: getattr(checkpoint, name) for name in _META}
            self.owner.write_json(checkpoint.folder / "checkpoint.json", known | fields)

    def _delete(self, folder: Path) -> None:
        doomed = self.owner.doomed(folder)
        with self._replacing:
            _remove(self.owner.aside(folder))  # or a later start would take it for what was overwritten half
            folder.rename(doomed)  # hidden at once, even if the process dies here
        sync(folder.parent)
        _remove(doomed)

    def time_of(self, folder: Path) -> str:
        """When the checkpoint in that folder was saved, "" where it is gone or has expired."""
        try:
            checkpoint = self._checkpoint(folder)
        except (OSError, ValueError):
            return ""
        return "" if checkpoint.expired else checkpoint.time

    def close(self) -> None:
        """Be at nothing any more: what this process leaves unfinished may be tidied up."""
        self.owner.close()

    def is_inside(self, *paths: Path) -> bool:
        """Whether these lie in the store, whatever links are on the way."""
        root = self.root.resolve()
        return all(path.resolve().is_relative_to(root) for path in paths)

    def _run_folder(self, run_id: str) -> Path:
        if not _RUN.fullmatch(run_id):
            raise UserFault(f"there is no training run {run_id!r} in this server's store")
        return self.root / run_id.replace(":", "_")

    def _checkpoint_folder(self, run_id: str, kind: str, name: str) -> Path:
        if kind not in KINDS:
            raise UserFault(f"checkpoints of kind {kind!r} are not supported: {', '.join(KINDS)} are")
        if not _NAME.fullmatch(name):
            raise UserFault(f"checkpoint name {name!r} is unusable: letters, digits, '.', '_' and '-', at most 128")
        return self._run_folder(run_id) / kind / name

    def _is_expired(self, folder: Path) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return self._checkpoint(folder).expired
        return False

    def _checkpoint(self, folder: Path) -> Checkpoint:
        """Read from disk. Raises OSError where it is not there, ValueError where it is damaged."""
        with self._replacing:
            meta = _read_meta(folder / "checkpoint.json")
            size = sum(path.stat().st_size for path in folder.iterdir())
        return Checkpoint(
            run_id=folder.parent.parent.name.replace("_", ":"),
            kind=folder.parent.name,
            name=folder.name,
            folder=folder,
            size_bytes=size,
            **meta,
        )


def _read_meta(path: Path) -> dict[str, Any]:
    """What ``checkpoint.json`` says. Raises OSError, and ValueError where it is damaged."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is no object")
    meta: dict[str, Any] = {name: content.get(name) for name in _META}
    for name, kind in _META.items():
        if not isinstance(meta[name], kind):
            raise ValueError(f"{path.name}: {name} is {meta[name]!r}")
    for name in ("time", "expires_at"):
        if meta[name] is not None and datetime.fromisoformat(meta[name]).tzinfo is None:
            raise ValueError(f"{path.name}: {name} lacks a time zone")
    return meta


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _remove(path: Path) -> None:
    """Delete a file or a folder, as far as it can be deleted."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
