"""``tinkersql data check``: what is wrong with which row."""

import json as jsonlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tinkersql.cli.options import DataArgument, JsonOption, MapOption, mapping
from tinkersql.console import Terminal, printable

if TYPE_CHECKING:
    from tinkersql.corpus.quality import Audit, Cleaned

_LONGEST_EXAMPLE = 60


def check(
    data: DataArgument,
    clean: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT", help="Write the data without its errors to this .json or .jsonl file, and OUT.log.jsonl."
        ),
    ] = None,
    examples: Annotated[int, typer.Option(metavar="N", min=0, help="How many rows to name for each cause.")] = 1,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes that run golds (default: one for each core).")
    ] = None,
    map: MapOption = None,
    json: JsonOption = False,
) -> None:
    """Run every gold on its schema, and find damaged, repeated and contradictory rows; --clean writes a sound copy."""
    from tinkersql import corpus
    from tinkersql.corpus import quality
    from tinkersql.corpus.writing import check_file

    if clean is not None:
        for path in (clean, quality.log_of(clean)):
            check_file(path, data)
    terminal = Terminal()
    loaded = corpus.load(data, terminal, mapping(map), as_it_stands=True)
    found = quality.audit(loaded.examples, terminal, workers or os.cpu_count() or 1)
    written = quality.clean(found, clean) if clean is not None else None
    if json:
        print(jsonlib.dumps({"source": loaded.source, "sha256": loaded.sha256, **_facts(found, written, examples)}))
        return
    console = Console(highlight=False)
    console.print(_table(found, examples))
    console.print(f"{len(found.examples):,} rows in {found.seconds:.0f} s", markup=False)
    if written is not None:
        counts = f"{written.rows:,} rows, {written.dropped:,} dropped, {written.repaired:,} repaired"
        console.print(f"{written.path}: {counts}; {written.log}", markup=False, soft_wrap=True)


def _facts(found: "Audit", written: "Cleaned | None", examples: int) -> dict[str, Any]:
    causes = {
        cause.name: {
            "severity": str(cause.severity),
            "rows": count,
            "repairable": sum(bool(finding.repair) for finding in found.of(cause)),
            "examples": [{"row": f.row, "detail": f.detail} for f in found.of(cause)[:examples]],
        }
        for cause, count in found.counts.items()
    }
    facts: dict[str, Any] = {"rows": len(found.examples), "causes": causes, "seconds": round(found.seconds, 1)}
    if written is not None:
        counts = {"rows": written.rows, "dropped": written.dropped, "repaired": written.repaired}
        facts["clean"] = {"path": str(written.path), "log": str(written.log), **counts}
    return facts


def _table(found: "Audit", examples: int) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("cause", no_wrap=True)
    # Without a least width, rich would squeeze these first in a narrow terminal or a pipe.
    table.add_column("severity", no_wrap=True, min_width=len("severity"))
    table.add_column("rows", no_wrap=True, min_width=len(f"{len(found.examples):,}"), justify="right")
    table.add_column("share", no_wrap=True, min_width=len("100.00%"), justify="right")
    table.add_column(_cut("for example"))  # the only one that may wrap, and so the one that rich shrinks
    for cause, count in found.counts.items():
        shown = [f"row {f.row}: {printable(f.detail)[:_LONGEST_EXAMPLE]}" for f in found.of(cause)[:examples]]
        colour = "red" if cause.severity == "error" else "yellow"
        share = f"{count / len(found.examples):.2%}"
        table.add_row(cause.name, Text(cause.severity, colour), f"{count:,}", share, _cut("\n".join(shown)))
    if not table.row_count:
        table.add_row("nothing found", "", "", "", "")
    return table


def _cut(text: str) -> Text:
    """Lines that are cut at the column's width rather than wrapped."""
    return Text(text, no_wrap=True, overflow="ellipsis")
