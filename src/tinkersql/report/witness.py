"""A witness as tables: the database on which two queries differ, and what each of them returned."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_ROWS = 30
"""Rows drawn per table; the script always holds all of them."""

_MAX_STEPS = 200_000
_QUERIES = {"gold_sql": "expected", "predicted_sql": "predicted"}
_ALLOWED = {
    sqlite3.SQLITE_CREATE_TABLE,
    sqlite3.SQLITE_CREATE_INDEX,
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_TRANSACTION,
}


@dataclass(frozen=True)
class Table:
    """A table to draw.

    Attributes:
        rows: At most `MAX_ROWS` rows of cells; None stands for NULL.
        more: How many rows are left out.
    """

    name: str
    columns: list[str]
    rows: list[list[str | None]]
    more: int = 0


@dataclass(frozen=True)
class WitnessView:
    """A witness, ready to draw.

    Attributes:
        script: The database's statements and the two queries, to paste into ``sqlite3``.
        tables: The database's tables; none where the statements do more than fill tables.
        gold: The result of the expected query, or an error's text.
        predicted: The result of the prediction, or an error's text.
    """

    script: str
    tables: list[Table]
    gold: Table | str
    predicted: Table | str


def view(witness: dict[str, Any] | None) -> WitnessView | None:
    """The drawable form of a witness as the judge writes it, or None where there is no witness."""
    if not witness:
        return None
    script = str(witness.get("script") or "").rstrip()
    queries = [f"-- {name}\n{witness[key].rstrip().rstrip(';')};" for key, name in _QUERIES.items() if witness.get(key)]
    return WitnessView(
        script="\n".join([script, *queries]),
        tables=tables(script),
        gold=_result(witness.get("gold_result")),
        predicted=_result(witness.get("predicted_result")),
    )


def tables(script: str) -> list[Table]:
    """The tables that a script of CREATE and INSERT statements makes; none where it holds anything else.

    The script runs in a fresh in-memory database that allows nothing but creating, filling and reading tables, within
    a budget of steps: a run folder may come from somebody else.
    """
    connection = sqlite3.connect(":memory:")
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY)
        connection.set_progress_handler(lambda: 1, _MAX_STEPS)
        connection.executescript(script)
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid").fetchall()
        return [_read_table(connection, name) for (name,) in names]
    except (sqlite3.Error, sqlite3.Warning):
        return []
    finally:
        connection.close()


def _read_table(connection: sqlite3.Connection, name: str) -> Table:
    quoted = name.replace('"', '""')
    cursor = connection.execute(f'SELECT * FROM "{quoted}"')
    return _table(name, [column[0] for column in cursor.description], cursor.fetchall())


def _result(result: dict[str, Any] | None) -> Table | str:
    if not result:
        return "no result"
    if "error" in result:
        return str(result["error"])
    return _table("", list(map(str, result.get("columns", []))), result.get("rows", []))


def _table(name: str, columns: list[str], rows: Sequence[Sequence[Any]]) -> Table:
    shown = [[None if cell is None else _cell(cell) for cell in row] for row in rows[:MAX_ROWS]]
    return Table(name, columns, shown, more=max(0, len(rows) - MAX_ROWS))


def _cell(value: Any) -> str:
    return f"x'{value.hex()}'" if isinstance(value, bytes) else str(value)
