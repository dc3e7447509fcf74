"""What a service has saved: listed, described, deleted, and pruned so that the newest stay.

All of it goes through the SDK's `RestClient`, so that the embedded server, hosted Tinker and any compatible cluster are
handled alike.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinkersql import backend as backends
from tinkersql.errors import ModelError, SettingsError
from tinkersql.runs import RunFolder
from tinkersql.settings import Settings, resolve

if TYPE_CHECKING:
    import tinker

PAGE = 100
"""Checkpoints asked for at once."""

FINAL = "final"
"""The name of what a training ends with, and its kind in ``checkpoints.jsonl``."""

BEST = "best"
"""The kind in ``checkpoints.jsonl`` of what has the lowest validation loss so far; only the latest one counts."""

TRAINING = "training"
"""The type of a checkpoint that training can go on from."""


@dataclass(frozen=True, slots=True)
class Saved:
    """One checkpoint of a service.

    Attributes:
        path: Its address, ``tinker://RUN/KIND/NAME``.
        kind: ``training`` (to go on from), ``sampler`` (to answer with) or ``external`` (to download).
        training_run: The service's id of the training run that saved it.
        size_bytes: Its size; None where the service does not say.
        time: When it was saved, ISO 8601.
        expires_at: When the service deletes it, ISO 8601; None for never.
        step: The optimizer steps taken until then, from the run's ``checkpoints.jsonl``; None where that does not say.
        latest: Whether training goes on from it: the last one on record, or else the newest of its training run.
        final: Whether its training ended with it, on record or by its name.
        best: Whether it has the lowest validation loss on record: a training with patience may end with it.
    """

    path: str
    kind: str
    training_run: str
    size_bytes: int | None
    time: str
    expires_at: str | None
    step: int | None
    latest: bool
    final: bool
    best: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Place:
    """Where checkpoints lie: a service, or the embedded server's store; and the run, if those of one are meant."""

    settings: Settings
    store: Path
    run: RunFolder | None = None

    @contextmanager
    def open(self) -> "Iterator[Shelf]":
        """Reach the service; raises what `tinkersql.backend.rest` raises."""
        with backends.rest(self.settings, self.store) as rest:
            yield Shelf(rest, self)


def place(run: Path | None, store: Path | None, backend: str | None, base_url: str | None) -> Place:
    """Where the user's options point.

    Raises:
        SettingsError: Not exactly one place is named, or the embedded server's without its folder.
        RunError: ``run`` is no run.
    """
    if sum(option is not None for option in (run, store, backend or base_url)) != 1:
        raise SettingsError("name one place: --run FOLDER, --store FOLDER, --backend tinker or --base-url URL")
    if run is not None:
        folder = RunFolder(run.absolute())
        return Place(folder.read_settings(), folder.store, folder)
    if store is not None:
        return Place(Settings(), store.absolute())
    settings = resolve("cpu", {"backend": backend, "base_url": base_url}).settings
    if settings.backend == "embedded":
        raise SettingsError(
            "--backend embedded: the embedded server keeps checkpoints in a folder; use --run or --store"
        )
    return Place(settings, Path())


@dataclass(frozen=True, slots=True)
class Shelf:
    """The checkpoints of a place, at hand."""

    rest: "tinker.RestClient"
    place: Place

    def list(self) -> list[Saved]:
        """All of them, newest first; of a run on a shared service, or in a sweep's store, only its own."""
        run = self.place.run
        records = _records(run.path / "checkpoints.jsonl") if run else []
        # A store that is a link belongs to a sweep, whose trainings all save there.
        if run is None or (self.place.settings.backend == "embedded" and not run.store.is_symlink()):
            found = list(_all_pages(self.rest))
        else:
            training_runs = dict.fromkeys(_training_run(path) for row in records for path in _paths(row))
            found = [c for name in training_runs for c in self.rest.list_checkpoints(name).result().checkpoints]
        return _described(sorted(found, key=lambda c: c.time, reverse=True), records)

    def describe(self, path: str) -> dict[str, Any]:
        """All that is known of one: as `list` has it, and the base model and LoRA settings it was trained with."""
        [saved] = chosen(self.list(), [path])
        weights = self.rest.get_weights_info_by_tinker_path(path).result()
        run = self.rest.get_training_run(saved.training_run).result()
        trained = ("train_mlp", "train_attn", "train_unembed")
        return {
            **saved.to_dict(),
            "base_model": weights.base_model,
            "lora_rank": weights.lora_rank,
            **{name: getattr(weights, name, None) for name in trained},
            "user_metadata": run.user_metadata,
        }


def chosen(there: Sequence[Saved], paths: Iterable[str]) -> list[Saved]:
    """Those of ``there`` that the user names, each once. Raises ModelError where one is not there."""
    by_path = {saved.path: saved for saved in there}
    for path in (paths := list(dict.fromkeys(paths))):
        if path not in by_path:
            raise ModelError(f"{path}: no such checkpoint; `tinkersql checkpoints list` shows what there is")
    return [by_path[path] for path in paths]


def delete(rest: "tinker.RestClient", paths: Iterable[str]) -> list[str]:
    """Delete checkpoints; returns those that were still there.

    Raises:
        tinker.TinkerError: The service refuses, or cannot be reached.
    """
    import tinker

    deleted = []
    for path in paths:
        with suppress(tinker.NotFoundError):
            rest.delete_checkpoint_from_tinker_path(path).result()
            deleted.append(path)
    return deleted


def superfluous(newest_first: Sequence[Saved], keep: int) -> list[Saved]:
    """What `tinkersql checkpoints prune` deletes: of each training run and kind all but the newest ``keep``.

    Those that a training ended with, and the best of one, stay, however old they are.
    """
    seen: dict[tuple[str, str], int] = {}
    going = []
    for saved in newest_first:
        group = (saved.training_run, saved.kind)
        seen[group] = seen.get(group, 0) + 1
        if seen[group] > keep and not (saved.final or saved.best):
            going.append(saved)
    return going


def irreplaceable(there: Sequence[Saved], going: Sequence[Saved]) -> list[tuple[Saved, str]]:
    """What of ``going`` would be missed, and why.

    That is what a training ended with, the best that it has had, and the last that it could go on from.
    """
    staying = {saved.training_run for saved in there if saved.kind == TRAINING and saved not in going}
    missed = []
    for saved in going:
        if saved.final:
            missed.append((saved, "its training ended with it"))
        elif saved.best:
            missed.append((saved, "it has the lowest validation loss of its training"))
        elif saved.kind == TRAINING and saved.training_run not in staying:
            missed.append((saved, "nothing else is left for its training to go on from"))
    return missed


def _all_pages(rest: "tinker.RestClient") -> "Iterator[tinker.types.Checkpoint]":
    """Everything that the user has, page by page."""
    offset = 0
    while page := rest.list_user_checkpoints(limit=PAGE, offset=offset).result().checkpoints:
        yield from page
        offset += len(page)


def _described(found: "Sequence[tinker.types.Checkpoint]", records: Sequence[Mapping[str, Any]]) -> list[Saved]:
    """Join what the service lists, newest first, with the run's own record."""
    on_record = {path: row for row in records for path in _paths(row)}
    last = next((row["state_path"] for row in reversed(records) if row.get("state_path")), None)
    best = next((_paths(row) for row in reversed(records) if row.get("kind") == BEST), [])
    saved, with_latest = [], set()
    for checkpoint in found:
        path, kind = checkpoint.tinker_path, checkpoint.checkpoint_type
        row = on_record.get(path, {})
        newest = kind == TRAINING and _training_run(path) not in with_latest
        if newest:
            with_latest.add(_training_run(path))
        step = row.get("step")
        saved.append(
            Saved(
                path=path,
                kind=kind,
                training_run=_training_run(path),
                size_bytes=checkpoint.size_bytes,
                time=checkpoint.time.isoformat(timespec="seconds"),
                expires_at=checkpoint.expires_at.isoformat(timespec="seconds") if checkpoint.expires_at else None,
                step=step if isinstance(step, int) else None,
                latest=newest if last is None else path == last,
                final=row.get("kind") == FINAL or path.rpartition("/")[2] == FINAL,
                best=path in best,
            )
        )
    return saved


def _training_run(path: str) -> str:
    return path.removeprefix("tinker://").partition("/")[0]


def _paths(row: Mapping[str, Any]) -> list[str]:
    return [row[key] for key in ("state_path", "sampler_path") if isinstance(row.get(key), str)]


def _records(path: Path) -> list[dict[str, Any]]:
    """The run's ``checkpoints.jsonl``; a torn or damaged line does not hide the others."""
    rows = []
    with suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError):
                row = json.loads(line)
                if isinstance(row, dict):
                    rows.append(row)
    return rows
