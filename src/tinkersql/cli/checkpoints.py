"""``tinkersql checkpoints``: what a run, a store or a service has saved."""

import json as jsonlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinkersql.cli.options import BackendOption, BaseUrlOption, JsonOption
from tinkersql.console import confirm, printable
from tinkersql.errors import SettingsError

if TYPE_CHECKING:
    from tinkersql.checkpoints import Place, Saved

app = typer.Typer(
    help="List, describe, delete and prune checkpoints, here or on any Tinker service.", no_args_is_help=True
)

RunOption = Annotated[Path | None, typer.Option(help="A run's folder: its checkpoints, wherever its settings say.")]
StoreOption = Annotated[Path | None, typer.Option(help="A folder of the embedded server's checkpoints.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("list")
def list_(
    run: RunOption = None,
    store: StoreOption = None,
    backend: BackendOption = None,
    base_url: BaseUrlOption = None,
    json: JsonOption = False,
) -> None:
    """Show each checkpoint: path, kind, step, size and time, and which one is a run's latest, best or final."""
    with _place(run, store, backend, base_url).open() as shelf:
        found = shelf.list()
    if json:
        print(jsonlib.dumps({"checkpoints": [saved.to_dict() for saved in found]}, indent=2))
        return
    _print(found)
    print(f"{len(found)} checkpoints, {_mib(found)} MiB")


@app.command()
def show(
    path: Annotated[str, typer.Argument(help="tinker://…")],
    run: RunOption = None,
    store: StoreOption = None,
    backend: BackendOption = None,
    base_url: BaseUrlOption = None,
    json: JsonOption = False,
) -> None:
    """Say all that is known of a checkpoint, with the model and the LoRA settings that it belongs to."""
    with _place(run, store, backend, base_url).open() as shelf:
        facts = shelf.describe(path)
    if json:
        print(jsonlib.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):<14} {'–' if value is None else printable(str(value))}")


@app.command()
def delete(
    paths: Annotated[list[str], typer.Argument(help="tinker://…, one or more.")],
    run: RunOption = None,
    store: StoreOption = None,
    backend: BackendOption = None,
    base_url: BaseUrlOption = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also the best of a training, what it ended with, and the last to go on from."),
    ] = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Delete checkpoints, for good."""
    from tinkersql import checkpoints

    with _place(run, store, backend, base_url).open() as shelf:
        there = shelf.list()
        going = checkpoints.chosen(there, paths)
        missed = checkpoints.irreplaceable(there, going)
        if missed and not force:
            saved, reason = missed[0]
            raise SettingsError(f"{saved.path}: {reason}; add --force to delete it all the same")
        _delete(shelf.rest, going, yes, json)


@app.command()
def prune(
    keep: Annotated[int, typer.Option(min=1, help="How many stay, of each training run and kind; the newest ones.")],
    run: RunOption = None,
    store: StoreOption = None,
    backend: BackendOption = None,
    base_url: BaseUrlOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Delete the older checkpoints of each training run; its best, and what it ended with, stay."""
    from tinkersql import checkpoints

    with _place(run, store, backend, base_url).open() as shelf:
        _delete(shelf.rest, checkpoints.superfluous(shelf.list(), keep), yes, json)


def _place(run: Path | None, store: Path | None, backend: str | None, base_url: str | None) -> "Place":
    from tinkersql import checkpoints

    return checkpoints.place(run, store, backend, base_url)


def _delete(rest: Any, going: "Sequence[Saved]", yes: bool, json: bool) -> None:
    """Show what would go, ask, and delete it."""
    from tinkersql import checkpoints

    if not json:
        _print(going)
    if going and not yes:
        confirm(f"{len(going)} checkpoints, {_mib(going)} MiB, will be deleted", "--yes")
    deleted = checkpoints.delete(rest, [saved.path for saved in going])
    gone = [saved for saved in going if saved.path in deleted]
    if json:
        freed = sum(saved.size_bytes or 0 for saved in gone)
        print(jsonlib.dumps({"deleted": deleted, "freed_bytes": freed}, indent=2))
    else:
        print(f"{len(deleted)} checkpoints deleted, {_mib(gone)} MiB freed")


def _print(found: "Sequence[Saved]") -> None:
    width = max((len(saved.path) for saved in found), default=0)
    for saved in found:
        path = printable(saved.path)
        step = "" if saved.step is None else f"step {saved.step}"
        size = "" if saved.size_bytes is None else f"{saved.size_bytes / 2**20:.1f} MiB"
        marks = " ".join(name for name in ("latest", "best", "final") if getattr(saved, name))
        print(f"{path:<{width}}  {saved.kind:<8}  {size:>11}  {saved.time}  {step:<10}  {marks}".rstrip())


def _mib(found: "Sequence[Saved]") -> str:
    return f"{sum(saved.size_bytes or 0 for saved in found) / 2**20:.1f}"
