"""``tinkersql report``: build a run's or a sweep's page again."""

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="The run's folder, such as runs/NAME.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Build a run's report.html, or a sweep's sweep.html, from the files in its folder, and print where it is."""
    from tinkersql.report import build, build_sweep

    page = build_sweep(run) if (run / "sweep.json").is_file() else build(run)
    print(jsonlib.dumps({"report": str(page)}) if json else page)
