"""``tinkersql compare``: do these two queries mean the same?"""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tinkersql.console import printable
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
        typer.Option(
            metavar="PATH", help="Compare the rows of a .jsonl or .parquet file, or of a folder of them, instead."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Where the rows with verdicts go: a file (default: stdout), or a folder for a folder."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help="Processes for --pairs (default: 1; with --ray all of the cluster)."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Compare a folder on Ray: HOST:PORT, auto, or local to start one here."),
    ] = None,
    assumptions: Annotated[
        str,
        typer.Option(
            metavar="STEP",
            help=f"What the databases may hold: {', '.join(Assumptions)}. Each forbids more than the one before.",
        ),
    ] = Assumptions.HEADLINE.value,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Do these two queries mean the same? SCHEMA GOLD PREDICTED, or --pairs FILE or FOLDER.

    Example:
    tinkersql compare "CREATE TABLE t (a INT)" "SELECT a FROM t" "SELECT 1"

    Rows of --pairs have schema, gold and predicted; gold may be a list of
    acceptable queries, and everything else passes through. Of a folder, every
    .jsonl and .parquet file is compared, and its output has the same name. With
    --ray, which needs tinkersql\\[ray], a cluster shares the files of a folder.

    A run with --out that was stopped goes on where it was when the same command
    is given again. A finished file is judged again and replaced; in a folder,
    finished files whose input has not changed are left as they are.

    Exit code: 0 for a match (or when every row of --pairs was judged), 1 for
    anything but a match, 2 for input that makes no sense, such as a gold that
    does not run or a line that is not JSON, 130 when stopped by Ctrl-C.
    """
    step = _step(assumptions)
    if workers is not None and workers < 1:
        raise SettingsError(f"--workers {workers}: give at least 1")
    if pairs is not None:
        if (schema, gold, predicted) != (None, None, None):
            raise SettingsError("--pairs takes the queries from its file: leave out SCHEMA, GOLD and PREDICTED")
        if as_json and out is None:
            raise SettingsError("--json with --pairs prints a summary: say with --out where the rows go")
        from tinkersql.cli.pairs import compare_pairs  # here, because --help needs none of it

        raise typer.Exit(compare_pairs(pairs, out, ray, workers, step, as_json))
    if schema is None or gold is None or predicted is None:
        raise SettingsError("compare needs SCHEMA GOLD PREDICTED, or --pairs FILE")
    if out is not None:
        raise SettingsError("--out belongs to --pairs")
    if ray is not None or workers is not None:
        raise SettingsError("--ray and --workers belong to --pairs")
    for name, text in (("GOLD", gold), ("PREDICTED", predicted)):
        _refuse_file(name, text)
    answer = judge(_schema_text(schema), gold, predicted, assumptions=step)
    if as_json:
        print(json.dumps(answer.to_dict(), indent=2))
    else:
        _show(answer, gold)
    raise typer.Exit(0 if answer.matches else 2 if answer.verdict is Verdict.GOLD_ERROR else 1)


def _step(text: str) -> Assumptions:
    try:
        return Assumptions(text)
    except ValueError:
        raise SettingsError(f"--assumptions {printable(text)}: give one of {', '.join(Assumptions)}") from None


def _refuse_file(name: str, text: str) -> None:
    """A query that is the name of a file is a mistake, and would be blamed on the SQL."""
    if text.strip().lower().endswith(".sql") and os.path.isfile(text.strip()):  # noqa: PTH113 - a long query is no error
        raise SettingsError(f'{name} is a query, not a file: give "$(cat {printable(text)})"')


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
    from tinkersql.adapters.explanation import explanation

    first, _, rest = explanation(answer, gold).partition("\n")
    body, _, last = rest.rpartition("\n\n")
    console.out(first, style=f"bold {_COLOURS.get(answer.verdict, 'magenta')}")
    console.out(body, end="\n\n")
    console.out(last, style="dim")
