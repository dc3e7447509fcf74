"""What all benchmarks share: pairs from JSONL, rates with their intervals, and figures as JSON."""

import json
import os
import re
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

from scipy.stats import binomtest

from tinkersql.equivalence import Comparison, Witness

_LITERAL = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"|(?<![\w.])(-?\d+(?:\.\d+)?)(?![\w.])")


class Pair(TypedDict):
    """What an evaluator needs."""

    schema: str
    gold: str
    predicted: str


class LabelledPair(Pair, total=False):
    """Some files also say what is true (``label``) and which Spider database it is about (``db``)."""

    label: str
    db: str


def stream(path: Path) -> Iterator[Any]:
    """The records of a JSONL file, one after the other."""
    try:
        with path.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines if line.strip())
    except OSError as error:
        sys.exit(f"error: cannot read {path}: {error.strerror}")


def read(path: Path) -> list[Any]:
    """All records of a JSONL file."""
    return list(stream(path))


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        sys.exit(f"error: cannot read {path}: {error.strerror}")


def write(path: Path | None, figures: dict) -> None:
    """Write figures, and no pairs, as JSON; do nothing without a path."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def rate(hits: int, total: int) -> dict[str, Any]:
    """Hits of all, with the 95 % Wilson interval."""
    interval = binomtest(hits, total).proportion_ci(method="wilson") if total else None
    return {
        "hits": hits,
        "n": total,
        "rate": round(hits / total, 4) if total else None,
        "low": round(float(interval.low), 4) if interval else None,
        "high": round(float(interval.high), 4) if interval else None,
    }


def shown(figure: dict[str, Any]) -> str:
    """A rate as text: ``2/185 = 1.1% [0.3%, 3.9%]``."""
    if not figure["n"]:
        return "–"
    return f"{figure['hits']}/{figure['n']} = {figure['rate']:.1%} [{figure['low']:.1%}, {figure['high']:.1%}]"


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of all lie; NaN when there is none."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


def milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    """Mean, median, 90th percentile and largest, in milliseconds."""
    return {
        "mean": round(sum(seconds) / max(len(seconds), 1) * 1e3, 2),
        "median": round(quantile(seconds, 0.5) * 1e3, 2),
        "p90": round(quantile(seconds, 0.9) * 1e3, 2),
        "max": round(max(seconds, default=float("nan")) * 1e3, 2),
    }


def replays(witness: Witness) -> bool:
    """Whether the witness, rebuilt from its text alone in plain SQLite, gives both recorded results, which differ."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(witness.script)
        pairs = ((witness.gold_sql, witness.gold_result), (witness.predicted_sql, witness.predicted_result))
        same = all([list(map(_plain, row)) for row in connection.execute(sql)] == result.rows for sql, result in pairs)
    except sqlite3.Error:
        return False
    finally:
        connection.close()
    gold, predicted = witness.gold_result, witness.predicted_result
    return same and (gold.rows, len(gold.columns)) != (predicted.rows, len(predicted.columns))


def _plain(value: Any) -> Any:
    """A value as a witness records it: JSON has neither bytes nor infinities."""
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return str(value) if value in (float("inf"), float("-inf")) else value


def is_vacuous(answer: Comparison) -> bool:
    """Whether a match rests on databases on which the gold returned nothing, and on no proof."""
    certificate = answer.adequacy
    tested = not answer.reason.startswith("the same query")
    return answer.matches and tested and certificate is not None and certificate.non_empty == 0


def witness_rows(witness: Witness) -> int:
    """How many rows the witness holds over all tables."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(witness.script)
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return sum(connection.execute(f"SELECT COUNT(*) FROM {quoted(name)}").fetchone()[0] for name in tables)
    finally:
        connection.close()


def quoted(name: str) -> str:
    """A name as SQL may always hold it."""
    return '"' + name.replace('"', '""') + '"'


def literals(text: str) -> tuple[list[str], list[float]]:
    """The strings and the numbers in a query's text."""
    words, numbers = [], []
    for single, double, number in _LITERAL.findall(text):
        if number:
            numbers.append(float(number) if "." in number else int(number))
        else:
            words.append((single or double).replace("''", "'"))
    return words, numbers


def tables_of(schema: str) -> dict[str, dict[str, str]]:
    """Each table's columns and their declared types, as SQLite reads them.

    Raises:
        sqlite3.Error: SQLite refuses the schema, which some rows of the data sets provoke.
    """
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(schema)
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({quoted(name)})")} for name in names
        }
    finally:
        connection.close()


@contextmanager
def fresh_cache() -> Iterator[None]:
    """Let the judge keep its suites in a new folder, so that no earlier run makes this one look fast."""
    before = os.environ.get("TINKERSQL_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TINKERSQL_CACHE"] = folder
        try:
            yield
        finally:
            del os.environ["TINKERSQL_CACHE"]
            if before is not None:
                os.environ["TINKERSQL_CACHE"] = before


def take(items: Iterable[Any], limit: int | None) -> Iterator[Any]:
    """The first ``limit`` items; all without one."""
    for number, item in enumerate(items):
        if limit is not None and number >= limit:
            return
        yield item
