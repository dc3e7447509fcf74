"""``tinkersql run``: the whole exercise."""

import json as jsonlib
from pathlib import Path
from typing import Any

from rich.console import Console

from tinkersql.cli.options import ResultOption
from tinkersql.cli.settings import ABOUT_WEIGHTS, ResumeOption, Wanted, with_settings
from tinkersql.cli.tables import print_comparisons, print_evaluations, rate_of
from tinkersql.console import Terminal, printable

_SIDE_BY_SIDE = 10
"""Of a suite with more questions only the figures are printed."""


def _run(wanted: Wanted, *, resume: ResumeOption = None, json: ResultOption = False) -> None:
    """Fine-tune and prove it: measure the base model, train, measure again, try novel schemas, write a report."""
    from tinkersql import run as main_path  # imports torch and the SDK: seconds that --help need not wait for

    if resume is not None:
        wanted.check_resume("model")
        model = wanted.given.get("model", "")
        folder, result = main_path.resume(resume, Terminal(), wanted.consent(), model)
    else:
        asked = wanted.request()
        folder, result = main_path.run(asked.resolved, asked.runs, asked.name, Terminal(), wanted.consent())
    if json:
        print(jsonlib.dumps(result, indent=2, ensure_ascii=False))
    else:
        _print_summary(result, folder.path)


run = with_settings(_run, without=ABOUT_WEIGHTS)


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
    if result["cost"]:
        console.print(f"Training was {result['cost']['summary']}")
    for suite, models in result["suites"].items():
        _print_suite(console, folder, suite, models)
    console.print(f"Report: {folder / 'report.html'}", soft_wrap=True)


def _print_suite(console: Console, folder: Path, suite: str, models: dict[str, dict[str, Any]]) -> None:
    """What became of the questions on novel schemas; a few of them side by side: expected, base, tuned."""
    console.print(f"\nNovel schemas: {suite}", style="bold")
    if any(figures["n"] > _SIDE_BY_SIDE for figures in models.values()):
        for name, e in models.items():
            console.print(f"  {name:<6} {e['matches']} of {e['n']} right, {rate_of(e)}")
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
