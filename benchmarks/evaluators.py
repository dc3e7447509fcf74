"""Other ways to decide whether a prediction is right, each as its users run it, to stand beside the judge.

An evaluator takes a pair and answers whether it accepts the prediction; None when it cannot say, because the gold does
not run or a database is missing. The exercise's method is written from its description: compare the normalised texts,
then run both queries on five databases that are seeded with the literals of both.
"""

import re
import sqlite3
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from random import Random

from figures import LabelledPair, literals, quoted, tables_of

from tinkersql.equivalence import compare

Evaluator = Callable[[LabelledPair], bool | None]
Rows = list[tuple]
STEPS = 5_000_000
"""SQLite's virtual machine steps after which a query is given up."""
LITERAL_SHARE = 0.5
"""How often a cell of a seeded database takes a literal of the queries. With five rows, this share and ordinary values
up to 1000 the exercise's method is as lenient as it is known to be; its description leaves these numbers open."""
ORDINARY = 1_000
_NUMBER_TYPE = re.compile(r"int|real|num|dec|doub|float", re.IGNORECASE)


def judge(pair: LabelledPair) -> bool | None:
    """The judge of this project in its headline."""
    return compare(pair["schema"], pair["gold"], pair["predicted"]).matches


def exercise(pair: LabelledPair, databases: int = 5, rows: int = 5) -> bool | None:
    """The exercise's ``sql_matches``: equal texts, or equal rows on five databases that hold both queries' literals.

    Columns must come in the gold's order; rows count as a list where the gold orders, else as a bag.
    """
    if _normal(pair["gold"]) == _normal(pair["predicted"]):
        return True
    words, numbers = literals(pair["gold"] + " " + pair["predicted"])
    for seed in range(databases):
        connection = _seeded(pair["schema"], Random(seed), rows, words, numbers)
        if connection is None:
            return None
        same = _same(connection, pair["gold"], pair["predicted"])
        connection.close()
        if not same:
            return same
    return True


def one_database(pair: LabelledPair, rows: int = 20) -> bool | None:
    """Both queries once, on one random database that knows nothing of them."""
    connection = _seeded(pair["schema"], Random(0), rows, [], [])
    if connection is None:
        return None
    same = _same(connection, pair["gold"], pair["predicted"])
    connection.close()
    return same


def empty_tables(pair: LabelledPair) -> bool | None:
    """Both queries once, on tables without rows."""
    return one_database(pair, rows=0)


def real_databases(folder: Path) -> Evaluator:
    """Both queries once, on Spider's own database of that name (``folder/NAME/NAME.sqlite``)."""

    def accepts(pair: LabelledPair) -> bool | None:
        path = folder / pair.get("db", "") / f"{pair.get('db', '')}.sqlite"
        if not path.is_file():
            return None
        connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        connection.text_factory = lambda data: data.decode(errors="replace")
        try:
            return _same(connection, pair["gold"], pair["predicted"])
        finally:
            connection.close()

    return accepts


def _normal(sql: str) -> str:
    return " ".join(sql.replace('"', "'").strip().rstrip(";").lower().split())


@lru_cache(maxsize=64)
def _tables(schema: str) -> dict[str, dict[str, str]] | None:
    try:
        return tables_of(schema)
    except sqlite3.Error:
        return None


def _seeded(
    schema: str, random: Random, rows: int, words: Sequence[str], numbers: Sequence[float]
) -> sqlite3.Connection | None:
    """A database whose cells hold the given values or others of their type; None when SQLite refuses the schema."""
    tables = _tables(schema)
    if not tables:
        return None
    texts = [*words, *map(str, numbers)]

    def cell(kind: str) -> str | float:
        is_number = _NUMBER_TYPE.search(kind)
        given = numbers if is_number else texts
        if given and random.random() < LITERAL_SHARE:
            return random.choice(given)
        value = random.randint(1, ORDINARY)
        return value if is_number else f"value {value}"

    connection = sqlite3.connect(":memory:")
    connection.executescript(schema)
    for name, columns in tables.items():
        marks = ", ".join("?" * len(columns))
        content = [[cell(kind) for kind in columns.values()] for _ in range(rows)]
        connection.executemany(f"INSERT OR IGNORE INTO {quoted(name)} VALUES ({marks})", content)
    return connection


def run(connection: sqlite3.Connection, sql: str) -> Rows | None:
    """All rows; None when the query fails or takes too many steps."""
    calls = 0

    def count() -> bool:
        nonlocal calls
        calls += 1
        return calls * 1_000 > STEPS

    connection.set_progress_handler(count, 1_000)
    try:
        return connection.execute(sql.strip().rstrip(";")).fetchall()
    except (sqlite3.Error, sqlite3.Warning, ValueError):
        return None
    finally:
        connection.set_progress_handler(None, 0)


def _same(connection: sqlite3.Connection, gold_sql: str, predicted_sql: str) -> bool | None:
    gold, predicted = run(connection, gold_sql), run(connection, predicted_sql)
    if gold is None:
        return None
    if predicted is None:
        return False
    if re.search(r"\border\s+by\b", gold_sql, re.IGNORECASE):
        return gold == predicted
    return sorted(gold, key=repr) == sorted(predicted, key=repr)
