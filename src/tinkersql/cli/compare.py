"""``tinkersql compare``: do these two queries mean the same?"""

import json
import os
import sys
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.columns import Columns
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from tinkersql.console import Terminal, printable, printable_lines
from tinkersql.equivalence import Assumptions, Comparison, Table, Verdict, compare_many
from tinkersql.equivalence import compare as judge
from tinkersql.errors import SettingsError

_COLOURS = {Verdict.MATCH: "green", Verdict.DIFFERENT: "red", Verdict.UNDECIDED: "yellow"}
_KEYS = ("schema", "gold", "predicted")


def compare(
    schema: Annotated[str | None, typer.Argument(help="CREATE TABLE statements, or a file that ends in .sql.")] = None,
    gold: Annotated[str | None, typer.Argument(help="The right query.")] = None,
    predicted: Annotated[str | None, typer.Argument(help="SQL, or a model's raw answer that holds it.")] = None,
    pairs: Annotated[Path | None, typer.Option(help="Compare the lines of a JSONL file instead.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the lines with verdicts go (default: stdout).")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes for --pairs.")] = 1,
    assumptions: Annotated[
        Assumptions, typer.Option(help="What the databases may hold: each value forbids more than the one before.")
    ] = Assumptions.HEADLINE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Do these two queries mean the same? SCHEMA GOLD PREDICTED, or --pairs FILE.jsonl.

    Lines of --pairs are {"schema": ..., "gold": ..., "predicted": ...}; gold may be a list of acceptable queries, and
    other keys pass through. Exit code: 0 for a match (or when every line of --pairs was judged), 1 for anything but a
    match, 2 for input that makes no sense, such as a gold that does not run.
    """
    if pairs is not None:
        if (schema, gold, predicted) != (None, None, None):
            raise SettingsError("--pairs takes the queries from its file: leave out SCHEMA, GOLD and PREDICTED")
        if as_json and out is None:
            raise SettingsError("--json with --pairs prints a summary: say with --out where the lines go")
        raise typer.Exit(_compare_lines(pairs, out, workers, assumptions, as_json))
    if schema is None or gold is None or predicted is None:
        raise SettingsError("compare needs SCHEMA GOLD PREDICTED, or --pairs FILE.jsonl")
    if out is not None:
        raise SettingsError("--out belongs to --pairs")
    answer = judge(_schema_text(schema), gold, predicted, assumptions=assumptions)
    if as_json:
        print(json.dumps(answer.to_dict(), indent=2))
    else:
        _show(answer)
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


def _show(answer: Comparison) -> None:
    console = Console(highlight=False, emoji=False)
    colour = _COLOURS.get(answer.verdict, "magenta")
    console.print(f"[bold {colour}]{answer.verdict}[/]: {escape(printable(answer.reason))}")
    for note in answer.notes:
        console.print(f"[dim]note: {escape(printable(note))}[/]")
    console.print(f"[dim]assumptions: {answer.assumptions}[/]")
    if answer.witness is None:
        return
    witness = answer.witness
    console.print("\nOn this database they differ (paste it into sqlite3):\n")
    for text in (witness.script, f"{witness.gold_sql};  -- gold", f"{witness.predicted_sql};  -- predicted"):
        console.out(printable_lines(text), highlight=False)
    results = (("gold", witness.gold_result), ("predicted", witness.predicted_result))
    console.print("")
    console.print(Columns([_as_table(title, result) for title, result in results], padding=(0, 4)))


def _as_table(title: str, result: Table) -> RichTable:
    table = RichTable(
        title=title, title_justify="left", min_width=len(title) + 2, caption=None if result.rows else "no rows"
    )
    for column in result.columns:
        table.add_column(escape(printable_lines(column)), overflow="fold")
    for row in result.rows:
        table.add_row(*(escape(printable_lines("NULL" if value is None else str(value))) for value in row))
    return table


def _compare_lines(path: Path, out: Path | None, workers: int, assumptions: Assumptions, as_json: bool) -> int:
    """Stream the file through the judge; returns the exit code."""
    terminal = Terminal()
    verdicts: Counter[str] = Counter()
    waiting: deque[dict[str, Any]] = deque()
    bad: list[int] = []
    with ExitStack() as stack:
        source = stack.enter_context(_reading(path))
        sink = sys.stdout if out is None else stack.enter_context(_writing(out, path))
        total = _count_lines(source) if source.seekable() else None
        advance = stack.enter_context(terminal.track("compare", total, "pairs"))

        def readable() -> Iterator[tuple[str, str | list[str], str]]:
            for number, line in enumerate(source, 1):
                if not line.strip():
                    continue
                record = _record(line)
                if isinstance(record, str):
                    terminal.say(f"line {number}: {record}")
                    bad.append(number)
                    advance(1)
                    continue
                waiting.append(record)
                yield record["schema"], record["gold"], record["predicted"]

        for answer in compare_many(readable(), workers, assumptions=assumptions):
            found = answer.to_dict()
            found["predicted_sql"] = found.pop("predicted")
            sink.write(json.dumps({**waiting.popleft(), **found}) + "\n")
            verdicts[answer.verdict] += 1
            advance(1)
        sink.flush()
    summary = {"pairs": verdicts.total(), "verdicts": dict(verdicts), "unreadable_lines": bad}
    if as_json:
        print(json.dumps(summary))
    else:
        counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()) or "none"
        terminal.say(f"{verdicts.total()} pairs: {counts}" + (f"; {len(bad)} lines unreadable" if bad else ""))
    return 2 if bad else 0


def _reading(path: Path) -> IO[str]:
    try:
        return path.open(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {_why(error)}") from None


def _count_lines(source: IO[str]) -> int:
    count = sum(1 for line in source if line.strip())
    source.seek(0)
    return count


@contextmanager
def _writing(out: Path, pairs: Path) -> Iterator[IO[str]]:
    """The output; what stood in its place is replaced once all is written, so an interrupted run changes nothing."""
    try:
        if out.exists() and not out.is_file():  # a pipe or a device
            with out.open("w", encoding="utf-8") as sink:
                yield sink
            return
        if out.exists() and out.samefile(pairs):
            raise SettingsError(f"--pairs and --out are the same file, {out}: give --out another name")
        target = out.resolve()
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            with partial.open("x", encoding="utf-8") as sink:
                yield sink
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot write {out}: {_why(error)}") from None


def _record(line: str) -> dict[str, Any] | str:
    """The line's object, or what is wrong with it."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return "not JSON"
    if not isinstance(record, dict):
        return "not a JSON object"
    missing = [key for key in _KEYS if key not in record]
    if missing:
        return f"lacks {', '.join(missing)}"
    gold = record["gold"]
    golds = gold if isinstance(gold, list) else [gold]
    texts = [record["schema"], record["predicted"], *golds]
    return (
        record if golds and all(isinstance(text, str) for text in texts) else "schema, gold and predicted must be text"
    )
