"""Run a query that may be hostile, inside one SQLite connection in memory.

What this covers: statements other than queries, other tables than the schema's, functions outside an allow-list, files
and attached databases, endless statements (a step budget, so the same on every machine), large values, large results,
deep or wide statements, and SQLite's heap. What it does not cover: a fault in SQLite itself. For that, and as an outer
wall for memory and time, the public functions run it in a worker process (see ``client`` and ``worker``).
"""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from tinkersql.equivalence.lexing import meaningful, unquote
from tinkersql.equivalence.schema import Schema, quote_name

STEP_BUDGET = 3_000_000
"""Virtual machine steps for one execution; a usual query on the judge's small tables takes some thousands."""
ROW_LIMIT = 5_000
MAX_SQL = 50_000
"""Characters in one statement."""
HEAP_LIMIT = 96 * 2**20
_STEPS_PER_CALL = 1_000
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 10_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: MAX_SQL,
    sqlite3.SQLITE_LIMIT_COLUMN: 250,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 50_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 32,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 250,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
FUNCTIONS = frozenset(
    """abs acos asin atan atan2 avg ceil ceiling char coalesce concat cos count cume_dist date datetime degrees
    dense_rank exp first_value floor format glob group_concat hex ifnull iif instr julianday lag last_value lead length
    like ln log log10 log2 lower ltrim max min mod nth_value ntile nullif percent_rank pi pow power printf quote
    radians rank replace round row_number rtrim sign sin sqrt strftime substr substring sum tan time total trim trunc
    typeof unicode unixepoch upper""".split()  # noqa: SIM905
)
"""Deterministic functions without side effects. Left out on purpose: random, randomblob, zeroblob, load_extension."""
_ALLOCATORS = {"zeroblob", "randomblob"}
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE}


class QueryError(Exception):
    """The statement was refused or failed; the message is SQLite's, in one line."""


class OverBudgetError(Exception):
    """The statement was stopped: steps, memory, the size of a value, or the number of rows."""


@dataclass(frozen=True)
class Result:
    """What a query returned."""

    columns: list[str]
    rows: list[tuple]


class Sandbox:
    """One database in memory with a schema's tables, which only ``load`` can fill and queries can only read.

    Args:
        schema: the tables to create.
        nocase: let text columns ignore ASCII case.
    """

    def __init__(self, schema: Schema, nocase: bool = False):
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.text_factory = lambda data: data.decode("utf-8", "replace")
        self._connection.execute(f"PRAGMA hard_heap_limit={HEAP_LIMIT}")
        self._connection.execute("PRAGMA trusted_schema=OFF")
        self._tables = {table.name: len(table.columns) for table in schema.tables.values()}
        self._readable = set(schema.tables)
        for statement in schema.ddl(nocase):
            self._connection.execute(statement)
        for limit, value in _LIMITS.items():
            self._connection.setlimit(limit, value)
        self._steps_left, self._allocates = 0, False
        self._connection.set_progress_handler(self._tick, _STEPS_PER_CALL)
        self._locked = True
        self._connection.set_authorizer(self._authorize)

    def close(self) -> None:
        """Free the database."""
        self._connection.close()

    def load(self, rows: dict[str, list[tuple]]) -> None:
        """Replace all content. Keys are lower-case table names; each tuple has a value for every column."""
        self._locked = False
        try:
            self._connection.execute("BEGIN")
            for name, width in self._tables.items():
                self._connection.execute(f"DELETE FROM main.{quote_name(name)}")
                content = rows.get(name.lower())
                if content:
                    places = ", ".join("?" * width)
                    self._connection.executemany(f"INSERT INTO main.{quote_name(name)} VALUES ({places})", content)
            self._connection.execute("COMMIT")
        finally:
            self._locked = True

    def run(self, sql: str, steps: int = STEP_BUDGET) -> Result:
        """Run one query.

        Raises:
            QueryError: refused, or failed.
            OverBudgetError: stopped.
        """
        if len(sql) > MAX_SQL:
            raise OverBudgetError(f"it is longer than {MAX_SQL} characters")
        if _has_wide_format(sql):
            raise OverBudgetError("a value in it grows too big")
        self._steps_left, self._allocates = steps, False
        try:
            cursor = self._connection.execute(sql)
            rows = cursor.fetchmany(ROW_LIMIT + 1)
            columns = [item[0] for item in cursor.description or ()]
            cursor.close()
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
            raise self._explained(error) from None
        except MemoryError:
            raise OverBudgetError("it needs too much memory") from None
        if not columns:
            raise QueryError("it is not a query")
        if len(rows) > ROW_LIMIT:
            raise OverBudgetError(f"it returns more than {ROW_LIMIT} rows")
        return Result(columns, rows)

    def _explained(self, error: Exception) -> Exception:
        message = " ".join(str(error).split())[:300]
        if "interrupted" in message:
            return OverBudgetError("it takes too many steps")
        if "too big" in message or "out of memory" in message:
            return OverBudgetError("a value in it grows too big")
        if self._allocates:
            return OverBudgetError("it allocates memory at will")
        if "prohibited" in message or "not authorized" in message:
            return QueryError("it does something that a query must not do")
        if isinstance(error, UnicodeError):
            return QueryError("it holds characters that no text can hold")
        return QueryError(message)

    def _tick(self) -> int:
        self._steps_left -= _STEPS_PER_CALL
        return int(self._steps_left < 0)

    def _authorize(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if not self._locked or action in _ALLOWED:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ:
            name = (first or "").lower()
            # a recursive expression is reported by its own name, with no column
            if name in self._readable or (not second and not name.startswith(("sqlite_", "pragma_"))):
                return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            name = (second or "").lower()
            if name in FUNCTIONS:
                return sqlite3.SQLITE_OK
            self._allocates = name in _ALLOCATORS
        return sqlite3.SQLITE_DENY


def _has_wide_format(sql: str) -> bool:
    """Whether a printf may pad without end: that is one step of the machine, so no budget of steps would see it.

    Only formats that stand in the query as they are, with widths of a few digits, are let through.
    """
    if not re.search(r"printf|format", sql, re.IGNORECASE):
        return False
    found = list(meaningful(sql))
    for index, token in enumerate(found[:-1]):
        if unquote(token.text).lower() in ("printf", "format") and found[index + 1].text == "(":
            inside = [*found[index + 2 : index + 4]]
            plain = len(inside) == 2 and inside[0].kind == "string" and inside[1].text in (",", ")")
            if not plain or re.search(r"\*|\d{5}", inside[0].text):
                return True
    return False


def script(schema: Schema, rows: dict[str, list[tuple]], nocase: bool = False) -> str:
    """CREATE and INSERT statements that rebuild a database in ``sqlite3``."""
    lines = [f"{statement};" for statement in schema.ddl(nocase)]
    for key, table in schema.tables.items():
        content = rows.get(key)
        if content:
            values = ",\n  ".join("(" + ", ".join(_literal(value) for value in row) + ")" for row in content)
            lines.append(f"INSERT INTO {quote_name(table.name)} VALUES\n  {values};")
    return "\n".join(lines) + "\n"


def jsonable(rows: Sequence[tuple]) -> list[list]:
    """Rows as JSON can hold them: bytes and infinities become text."""
    return [[_jsonable(value) for value in row] for row in rows]


def _jsonable(value: object) -> object:
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)
    return value


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"
