"""``tinkersql sweep``: several settings side by side."""

import json as jsonlib
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tinkersql.cli.settings import ABOUT_EVALUATION, ABOUT_VALIDATION, ABOUT_WEIGHTS, Wanted, with_settings
from tinkersql.cli.tables import print_sweep
from tinkersql.console import Terminal
from tinkersql.errors import SettingsError

_LISTS: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "learning_rates": (",", float, "numbers such as 3e-4,1e-3"),
    "batch_sizes": (",", int, "whole numbers such as 8,16"),
    "recipes": (";", lambda text: "" if text == "plain" else text, "recipes such as 'plain;full-schemas,value-case'"),
    "seeds": (",", int, "whole numbers such as 0,1"),
}
"""What varies: the separator, how a value is read, and what it looks like."""

_ALIKE = {"validate_every": 0, "patience": 0, "monitors": ""}
"""A sweep measures all cells alike, at the same part of the budget; a configuration file may be that of a training."""


def _sweep(
    wanted: Wanted,
    *,
    learning_rates: Annotated[str | None, typer.Option(help="Adam's rates to try, with commas.")] = None,
    batch_sizes: Annotated[str | None, typer.Option(help="Batch sizes to try, with commas.")] = None,
    recipes: Annotated[
        str | None, typer.Option(help="Recipes to try, with semicolons, for a recipe has commas; 'plain' is none.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds to try, with commas.")] = None,
    side_by_side: Annotated[int | None, typer.Option(help="Trainings at work at once. [3]")] = None,
    held_out: Annotated[
        int | None, typer.Option(help="Examples that none is trained on, whose loss decides. [100]")
    ] = None,
    questions: Annotated[
        int | None, typer.Option(help="Of these, so many are asked of each trained model. [50]")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the sweep in this folder.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print sweep.json on standard output.")] = False,
) -> None:
    """Train with several learning rates, batch sizes and recipes side by side, and rank them; losers stop early.

    All other settings hold for every training. --resume goes on with a sweep that was stopped.
    """
    lists = {"learning_rates": learning_rates, "batch_sizes": batch_sizes, "recipes": recipes, "seeds": seeds}
    options = {"side_by_side": side_by_side, "held_out": held_out, "questions": questions}
    from tinkersql import sweep as main_path  # imports torch and the SDK: --help need not wait for it

    if resume is not None:
        wanted.check_resume(**lists, **options)
        folder, result = main_path.resume(resume, Terminal())
    else:
        combinations = list(_combinations(lists, wanted.given))
        base = wanted.request(changes=_ALIKE)
        cells = [wanted.request(changes=_ALIKE | each).resolved for each in combinations]
        chosen = main_path.Options(**{key: value for key, value in options.items() if value is not None})
        folder, result = main_path.sweep(
            base.resolved, cells, chosen, base.runs, base.name, Terminal(), wanted.consent()
        )
    if json:
        print(jsonlib.dumps(result, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    print_sweep(console, result)
    console.print(f"Table and plot: {folder.path / 'sweep.html'}", soft_wrap=True)
    if result["winner"] is None:
        console.print("Every training diverged: try smaller learning rates")
    else:
        console.print(f"Train with the best: {result['train_with']}", soft_wrap=True)


sweep = with_settings(_sweep, without=(*ABOUT_EVALUATION, *ABOUT_VALIDATION, *ABOUT_WEIGHTS))


def _combinations(lists: Mapping[str, str | None], given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All combinations of what varies, as changes of settings."""
    values: dict[str, list[Any]] = {}
    for name, text in lists.items():
        if text is None:
            continue
        setting = name.removesuffix("s")
        if setting in given:
            raise SettingsError(f"{_option(name)} says it all: leave {_option(setting)} out")
        values[setting] = list(_values(name, text))
    for combination in product(*values.values()):
        yield dict(zip(values, combination, strict=True))


def _values(name: str, text: str) -> Iterator[Any]:
    separator, read, looks = _LISTS[name]
    for part in text.split(separator):
        if not part.strip():
            raise SettingsError(f"{_option(name)} {text!r}: a value is missing; give {looks}")
        try:
            yield read(part.strip())
        except ValueError:
            raise SettingsError(f"{_option(name)} {part.strip()}: give {looks}") from None


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
