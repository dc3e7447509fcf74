"""Whether two queries about one table differ, by brute force and without the judge: random small databases, most rows
near to what the gold asks for. A difference found is a proof; none found is no proof of the opposite."""

import sqlite3
from collections.abc import Iterable
from random import Random

from figures import literals, quoted
from lookups import Lookup, Value

NEAR = 0.8
"""How often a cell of a row meets the gold's condition on it."""


def differ(lookup: Lookup, predicted: str, random: Random, databases: int = 400) -> bool:
    """Whether a database without NULLs, on which letter case is ignored, tells the prediction from the lookup.

    Rows count as a bag, and so do the values within the rows: the order of columns is free. A prediction that fails
    differs.
    """
    connection = sqlite3.connect(":memory:")
    try:
        columns = ", ".join(f"{quoted(c)} {kind} COLLATE NOCASE" for c, kind in lookup.columns)
        connection.execute(f"CREATE TABLE {quoted(lookup.table)} ({columns})")
        gold, pool = lookup.select(), _pool(f"{lookup.select()} {predicted}")
        marks = ", ".join("?" * len(lookup.columns))
        for number in range(databases):
            connection.execute(f"DELETE FROM {quoted(lookup.table)}")
            rows = _rows(lookup, pool, random, number % 7)
            connection.executemany(f"INSERT INTO {quoted(lookup.table)} VALUES ({marks})", rows)
            wanted = connection.execute(gold)
            try:
                given = connection.execute(predicted)
                if len(wanted.description) != len(given.description) or bag(wanted) != bag(given):
                    return True
            except sqlite3.Error:
                return True
        return False
    finally:
        connection.close()


def _pool(text: str) -> list[Value]:
    """All literals in the text, their neighbours, and a few values besides."""
    found: list[Value] = ["zz", "a", 0, 1, 7]
    words, numbers = literals(text)
    for value in numbers:
        found += [value, value + 1, value - 1, value * 10, f"{value} x"]
    for word in words:
        found += [word, word + "z", word + " x", "the " + word, word[:-1]]
    return found


def _rows(lookup: Lookup, pool: list[Value], random: Random, count: int) -> list[list[Value]]:
    wanted = {c.column: c for c in lookup.conditions}
    rows: list[list[Value]] = []
    for _ in range(count):
        row: list[Value] = []
        for column, _kind in lookup.columns:
            fitting = [v for v in pool if not (lookup.is_number(column) and isinstance(v, str))]
            condition, value = wanted.get(column), random.choice(fitting)
            if condition and random.random() < NEAR:
                step = {"=": 0, ">": 1, "<": -1}.get(condition.operator, 0)
                value = condition.value + step if step and not isinstance(condition.value, str) else condition.value
            row.append(value)
        if rows and random.random() < 0.3:  # a copy of an earlier row but for one value
            kept = random.randrange(len(row))
            row = [*rows[-1][:kept], row[kept], *rows[-1][kept + 1 :]]
        rows.append(row)
    return rows


def bag(rows: Iterable[tuple]) -> list[list[str]]:
    """Rows in a form in which neither their order, nor that of their columns, nor letter case counts."""
    return sorted(sorted(map(_key, row)) for row in rows)


def _key(value: object) -> str:
    if isinstance(value, int | float):
        return f"{float(value):.9g}"
    return f"{type(value).__name__} {value}".lower()
