"""``tinkersql run``: the whole exercise."""

import json as jsonlib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tinkersql.cli.options import (
    BackendOption,
    BaseUrlOption,
    MapOption,
    ResultOption,
    StopOption,
    TemplateOption,
    line_breaks,
    mapping,
)
from tinkersql.cli.tables import print_comparisons, print_evaluations
from tinkersql.console import Terminal, printable
from tinkersql.settings import PRESETS, resolve

_DEFAULTS, _EXERCISE = PRESETS["cpu"], PRESETS["exercise"]
_SIDE_BY_SIDE = 10
"""Of a suite with more questions only the figures are printed."""


def _help(text: str, name: str) -> str:
    return f"{text} [cpu: {getattr(_DEFAULTS, name)}, exercise: {getattr(_EXERCISE, name)}]"


def run(
    data: Annotated[
        str | None,
        typer.Option(help="A JSON, .jsonl, .csv or .parquet file; 'built-in'; or 'hub' (the default)."),
    ] = None,
    map: MapOption = None,
    preset: Annotated[str, typer.Option(help="'cpu' for a laptop, 'exercise' for the course's own values.")] = "cpu",
    model: Annotated[
        str | None, typer.Option(help="A Llama-architecture hub name or folder; the service's name for it elsewhere.")
    ] = None,
    backend: BackendOption = None,
    base_url: BaseUrlOption = None,
    test_size: Annotated[int | None, typer.Option(help=_help("Questions to measure on.", "test_size"))] = None,
    split: Annotated[
        str | None,
        typer.Option(help=_help("What training and test do not share: 'row', 'table', 'schema', 'template'.", "split")),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of split, order of training and adapter.")] = None,
    examples: Annotated[
        int | None, typer.Option(help=_help("Training budget in examples; 0 is one epoch.", "examples"))
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(help=_help("Training budget in tokens; 0 is one epoch.", "tokens"))
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Changes of the training examples, such as 'full-schemas,mix-generated'.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help=_help("Examples per step; rescales the learning rate.", "batch_size"))
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help=_help("Adam's rate.", "learning_rate"))] = None,
    schedule: Annotated[str | None, typer.Option(help=_help("'constant' or 'linear' decay.", "schedule"))] = None,
    rank: Annotated[int | None, typer.Option(help=_help("LoRA rank.", "rank"))] = None,
    train_unembed: Annotated[
        bool | None, typer.Option(help=_help("Adapt the unembedding too.", "train_unembed"))
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help=_help("Longest answer.", "max_tokens"))] = None,
    stop: StopOption = None,
    template: TemplateOption = None,
    shots: Annotated[
        int | None, typer.Option(help=_help("Examples in the few-shot baseline; 0 skips it.", "shots"))
    ] = None,
    suites: Annotated[
        str | None, typer.Option(help=_help("Novel-schema questions to ask as well; '' asks none.", "suites"))
    ] = None,
    evaluation_workers: Annotated[
        int | None, typer.Option(help=_help("Questions in flight.", "evaluation_workers"))
    ] = None,
    judge_workers: Annotated[
        int | None, typer.Option(help=_help("Processes comparing queries.", "judge_workers"))
    ] = None,
    save_every: Annotated[
        int | None, typer.Option(help=_help("Steps between checkpoints; 0: only at the end.", "save_every"))
    ] = None,
    name: Annotated[str | None, typer.Option(help="The run folder's name; a date and time by default.")] = None,
    runs: Annotated[Path, typer.Option(help="Where run folders lie.")] = Path("runs"),
    json: ResultOption = False,
) -> None:
    """Fine-tune and prove it: measure the base model, train, measure again, try novel schemas, write a report."""
    given: dict[str, Any] = {
        "data": data,
        "map": mapping(map) or None,
        "model": model,
        "backend": backend,
        "base_url": base_url,
        "test_size": test_size,
        "split": split,
        "seed": seed,
        "examples": examples,
        "tokens": tokens,
        "recipe": recipe,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "schedule": schedule,
        "rank": rank,
        "train_unembed": train_unembed,
        "max_tokens": max_tokens,
        "stops": tuple(line_breaks(text) for text in stop) if stop else None,
        "template": line_breaks(template) if template is not None else None,
        "shots": shots,
        "suites": suites,
        "evaluation_workers": evaluation_workers,
        "judge_workers": judge_workers,
        "save_every": save_every,
    }
    resolved = resolve(preset, given)
    from tinkersql.run import run as main_path  # imports torch and the SDK: seconds that --help need not wait for

    folder, result = main_path(resolved, runs, name or datetime.now().strftime("%Y-%m-%d-%H%M%S"), Terminal())
    if json:
        print(jsonlib.dumps(result, indent=2, ensure_ascii=False))
    else:
        _print_summary(result, folder.path)


def _print_summary(result: dict[str, Any], folder: Path) -> None:
    console = Console(highlight=False)
    print_evaluations(console, result["evaluations"])
    print_comparisons(console, result["comparisons"])
    t = result["training"]
    console.print(
        f"Training: {t['examples']:,} examples, loss {t['first_loss']:.3f} → {t['final_loss']:.3f}, "
        f"{t['seconds']:.0f} s at {t['tokens_per_second']:.0f} tokens/s"
    )
    console.print(f"Whole run: {result['seconds']:.0f} s, peak memory {result['peak_memory_mib'] / 1024:.1f} GiB")
    for suite, models in result["suites"].items():
        _print_suite(console, folder, suite, models)
    console.print(f"Report: {folder / 'report.html'}", soft_wrap=True)


def _print_suite(console: Console, folder: Path, suite: str, models: dict[str, dict[str, Any]]) -> None:
    """What became of the questions on novel schemas; a few of them side by side: expected, base, tuned."""
    console.print(f"\nNovel schemas: {suite}", style="bold")
    if any(figures["n"] > _SIDE_BY_SIDE for figures in models.values()):
        for name, e in models.items():
            interval = f"{e['rate']:.1%}, {e['low']:.1%} – {e['high']:.1%}"
            console.print(f"  {name:<6} {e['matches']} of {e['n']} right ({interval})")
        return
    base, tuned = (
        [jsonlib.loads(line) for line in (folder / f"predictions-{suite}-{name}.jsonl").read_text("utf-8").splitlines()]
        for name in ("base", "tuned")
    )
    for before, after in zip(base, tuned, strict=True):
        lines = [f"  {before['question']}", f"    expected   {before['golds'][0]}"]
        for name, row in (("base", before), ("tuned", after)):
            sign = "✓" if row["verdict"] == "match" else "✗"
            lines.append(f"    {name:<6} {sign}   {printable(row['predicted'] or row['answer'])[:200]}")
        console.print("\n".join(lines), markup=False, soft_wrap=True)
    console.print()
