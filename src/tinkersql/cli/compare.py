"""``tinkersql compare``: do these two queries mean the same?"""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tinkersql.adapters.explanation import explanation
from tinkersql.cli.pairs import compare_pairs
from tinkersql.equivalence import Assumptions, Comparison, Verdict
from tinkersql.equivalence import compare as judge
from tinkersql.errors import SettingsError

_COLOURS = {Verdict.MATCH: "green", Verdict.DIFFERENT: "red", Verdict.UNDECIDED: "yellow"}


def compare(
    schema: Annotated[str | None, typer.Argument(help="CREATE TABLE statements, or a file that ends in .sql.")] = None,
    gold: Annotated[str | None, typer.Argument(help="The right query.")] = None,
    predicted: Annotated[str | None, typer.Argument(help="SQL, or a model's raw answer that holds it.")] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(help="Compare the rows of a .jsonl or .parquet file, or of a folder of them, instead."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the rows with verdicts go: a file (default: stdout), or a folder.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes for --pairs (default: 1; with --ray all of the cluster).")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Compare a folder on Ray: HOST:PORT, auto, or local to start one here."),
    ] = None,
    assumptions: Annotated[
        Assumptions, typer.Option(help="What the databases may hold: each value forbids more than the one before.")
    ] = Assumptions.HEADLINE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Do these two queries mean the same? SCHEMA GOLD PREDICTED, or --pairs FILE or FOLDER.

    Rows of --pairs have schema, gold and predicted; gold may be a list of acceptable queries, and everything else
    passes through. A run with --out that was stopped goes on where it was when the same command is given again.

    Exit code: 0 for a match (or when every row of --pairs was judged), 1 for anything but a match, 2 for input that
    makes no sense, such as a gold that does not run or a line that is not JSON.
    """
    if pairs is not None:
        if (schema, gold, predicted) != (None, None, None):
            raise SettingsError("--pairs takes the queries from its file: leave out SCHEMA, GOLD and PREDICTED")
        if as_json and out is None:
            raise SettingsError("--json with --pairs prints a summary: say with --out where the rows go")
        raise typer.Exit(compare_pairs(pairs, out, ray, workers, assumptions, as_json))
    if schema is None or gold is None or predicted is None:
        raise SettingsError("compare needs SCHEMA GOLD PREDICTED, or --pairs FILE")
    if out is not None:
        raise SettingsError("--out belongs to --pairs")
    if ray is not None or workers is not None:
        raise SettingsError("--ray and --workers belong to --pairs")
    answer = judge(_schema_text(schema), gold, predicted, assumptions=assumptions)
    if as_json:
        print(json.dumps(answer.to_dict(), indent=2))
    else:
        _show(answer, gold)
    raise typer.Exit(0 if answer.matches else 2 if answer.verdict is Verdict.GOLD_ERROR else 1)


def _schema_text(schema: str) -> str:
    if not schema.strip().lower().endswith(".sql"):
        return schema
    try:
        return Path(schema.strip()).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"cannot read the schema file {schema}: {_why(error)}") from None


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8 text"


def _show(answer: Comparison, gold: str) -> None:
    """The explanation; its first line has the verdict's colour, and its last part is dim."""
    console = Console(highlight=False)
    first, _, rest = explanation(answer, gold).partition("\n")
    body, _, last = rest.rpartition("\n\n")
    console.out(first, style=f"bold {_COLOURS.get(answer.verdict, 'magenta')}")
    console.out(body, end="\n\n")
    console.out(last, style="dim")
