"""Run a query that may be hostile, inside one SQLite connection in memory.

What this covers: statements other than queries, other tables than the schema's, functions outside an allow-list, files
and attached databases, endless statements (a budget of steps, so the same on every machine), large values, large
results, deep or wide statements, and SQLite's heap. What it does not cover: a fault in SQLite itself. For that, and as
an outer wall for memory and time, the public functions run it in a worker process (see ``client`` and ``worker``).
"""

import re
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from tinkersql.equivalence.lexing import Token, meaningful, unquote
from tinkersql.equivalence.schema import Schema, SchemaError, Table, quote_name

STEP_BUDGET = 100_000
"""Virtual machine steps for one execution; a usual query on the judge's small tables takes some hundreds."""
TOTAL_STEPS = 1_000_000
"""Steps for all executions of one query together; executions that end within the first 250 are free."""
SECONDS = 0.3
"""Processor time for all executions of one query together: an outer guard, met only by searches in long values."""
GROWTH_FACTOR = 10
"""How much more each step of a query counts that can build long values: a search in those is one step, too."""
ROW_LIMIT = 5_000
"""Rows in one result, give or take the last 200 values."""
RESULT_LIMIT = 2**20
"""Characters in one result; each value counts ``VALUE_SIZE`` more."""
VALUE_SIZE = 16
MAX_SQL = 20_000
"""Characters in one statement."""
HEAP_LIMIT = 32 * 2**20
"""Bytes that all connections of the process may use. One with three small tables uses about 20 KB."""
_STEPS_PER_CALL = 250
_CELLS_AT_ONCE = 200
_SEARCHES_LIMIT = 100
_VALUE_LENGTH, _ROW_LENGTH = 3_000, 1_000_000
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: _VALUE_LENGTH,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 4 * MAX_SQL,
    sqlite3.SQLITE_LIMIT_COLUMN: 250,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 25_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 32,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 100,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 250,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
FUNCTIONS = frozenset(
    """abs acos asin atan atan2 avg ceil ceiling char coalesce cos count cume_dist date datetime degrees
    dense_rank exp first_value floor format glob group_concat hex ifnull iif instr julianday lag last_value lead length
    like ln log log10 log2 lower ltrim max min mod nth_value ntile nullif percent_rank pi pow power printf quote
    radians rank replace round row_number rtrim sign sin sqrt strftime substr substring sum tan time total trim trunc
    typeof unicode unixepoch upper""".split()  # noqa: SIM905
)
"""Deterministic functions without side effects. Left out on purpose: random, randomblob, zeroblob, load_extension."""
_ALLOCATORS = {"zeroblob", "randomblob"}
_SEARCHES = {"like", "glob", "instr", "replace", "trim", "ltrim", "rtrim"}
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE}
_UNBOUNDED = re.compile(r"printf|format|[lr]?trim", re.IGNORECASE)
"""Functions of which one call may take seconds: padding without end, and long texts trimmed of many characters."""
_WIDE = re.compile(r"\*|\d{5}")
_LONGEST_TRIMMED = 32
_GROWS = re.compile(r"\|\||\b(?:group_concat|concat|replace|printf|format|hex|quote)\b", re.IGNORECASE)
_LONG_LITERAL = 200


class QueryError(Exception):
    """The statement was refused or failed; the message is SQLite's, in one line."""


class OverBudgetError(Exception):
    """The statement was stopped: steps, memory, the size of a value, or the number of rows."""


@dataclass(frozen=True)
class Result:
    """What a query returned."""

    columns: list[str]
    rows: list[tuple]


class Budget:
    """What all executions of one query may take together; the judge makes one for each prediction and each gold.

    Args:
        steps: virtual machine steps; an execution that ends within the first 250 is free.
        seconds: processor time, counted from the first execution that is not.
    """

    __slots__ = ("_deadline", "_seconds", "_steps")

    def __init__(self, steps: int = TOTAL_STEPS, seconds: float = SECONDS):
        self._steps, self._seconds = steps, seconds
        self._deadline: float | None = None

    def spend(self, steps: int) -> bool:
        """Take steps out of the budget; False when it is used up."""
        self._steps -= steps
        now = time.thread_time()
        if self._deadline is None:
            self._deadline = now + self._seconds
        return self._steps >= 0 and now <= self._deadline


class Sandbox:
    """One database in memory with a schema's tables, which only ``load`` can fill and queries can only read.

    Args:
        schema: the tables to create.
        nocase: let text columns ignore ASCII case.
        statements: how many compiled statements to keep. Worth it where the same queries run after each ``load``; 0 for
            a database that is kept and on which each query runs once.

    Raises:
        SchemaError: SQLite refuses one of the tables.
    """

    def __init__(self, schema: Schema, nocase: bool = False, statements: int = 16):
        connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=statements)
        self._connection = connection
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        connection.execute(f"PRAGMA hard_heap_limit={HEAP_LIMIT}")
        connection.execute("PRAGMA page_size=512")
        connection.execute("PRAGMA temp_store=MEMORY")
        try:
            for statement in schema.ddl(nocase):
                connection.execute(statement)
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:  # a reserved name, a character that none may hold
            connection.close()
            raise SchemaError(f"SQLite refuses a table of the schema: {_one_line(error)}") from None
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        self._readable = frozenset(schema.tables)
        self._fillings = {key: _filling(table) for key, table in schema.tables.items()}
        self._filled: set[str] = set()
        self._budget, self._factor, self._steps_left = Budget(), 1, 0
        self._allocates, self._searches = False, 0
        connection.set_progress_handler(self._tick, _STEPS_PER_CALL)
        self._locked = True
        connection.set_authorizer(self._authorize)

    def close(self) -> None:
        """Free the database."""
        self._connection.close()

    def load(self, rows: dict[str, list[tuple]]) -> None:
        """Replace all content. Keys are lower-case table names; each tuple has a value for every column.

        Rows may be longer than the values that queries can make; a query that reads such a value is over budget.
        """
        if not self._filled and not any(rows.values()):
            return
        connection = self._connection
        self._locked = False
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _ROW_LENGTH)
        try:
            connection.execute("BEGIN")
            for name in self._filled:
                connection.execute(f"DELETE FROM main.{quote_name(name)}")
            for name, insert in self._fillings.items():
                if content := rows.get(name):
                    connection.executemany(insert, content)
            connection.execute("COMMIT")
            self._filled = {name for name, content in rows.items() if content and name in self._fillings}
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        finally:
            self._locked = True
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_LENGTH)

    def run(self, sql: str, budget: Budget | None = None) -> Result:
        """Run one query.

        Args:
            sql: one statement.
            budget: what is left for this and all further executions of the query; by default a fresh one.

        Raises:
            QueryError: refused, or failed.
            OverBudgetError: stopped.
        """
        if len(sql) > MAX_SQL:
            raise OverBudgetError(f"it is longer than {MAX_SQL} characters")
        self._factor = _cost_factor(sql)
        if not self._factor:
            raise OverBudgetError("a value in it grows too big")
        self._budget, self._steps_left = budget or Budget(), STEP_BUDGET
        self._allocates, self._searches = False, 0
        try:
            columns, rows = self._fetched(sql)
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
            raise self._explained(error) from None
        except MemoryError:
            raise OverBudgetError("it needs too much memory") from None
        if not columns:
            raise QueryError("it is not a query")
        return Result(columns, rows)

    def _fetched(self, sql: str) -> tuple[list[str], list[tuple]]:
        """The result, fetched piece by piece, so that no more than a piece exceeds the limits."""
        cursor = self._connection.cursor()
        try:
            cursor.execute(sql)
            columns = [item[0] for item in cursor.description or ()]
            piece = max(1, _CELLS_AT_ONCE // max(1, len(columns)))
            rows = found = cursor.fetchmany(piece)
            size = 0
            while len(found) == piece:
                size += _size(found)
                if len(rows) > ROW_LIMIT or size > RESULT_LIMIT:
                    raise OverBudgetError("it returns too much")
                found = cursor.fetchmany(piece)
                rows += found
            return columns, rows
        finally:
            cursor.close()

    def _explained(self, error: Exception) -> Exception:
        message = _one_line(error)
        if "interrupted" in message:
            return OverBudgetError("it takes too many steps")
        if "too big" in message or "too large" in message or "out of memory" in message:
            return OverBudgetError("a value in it grows too big")
        if self._allocates:
            return OverBudgetError("it allocates memory at will")
        if self._searches > _SEARCHES_LIMIT:
            return OverBudgetError(f"it searches in texts more than {_SEARCHES_LIMIT} times")
        if "prohibited" in message or "not authorized" in message:
            return QueryError("it does something that a query must not do")
        if isinstance(error, UnicodeError):
            return QueryError("it holds characters that no text can hold")
        return QueryError(message)

    def _tick(self) -> bool:
        if not self._locked:
            return False
        cost = _STEPS_PER_CALL * self._factor
        self._steps_left -= cost
        return self._steps_left < 0 or not self._budget.spend(cost)

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
            self._searches += name in _SEARCHES
            if name in FUNCTIONS and self._searches <= _SEARCHES_LIMIT:
                return sqlite3.SQLITE_OK
            self._allocates = name in _ALLOCATORS
        return sqlite3.SQLITE_DENY


@lru_cache(maxsize=256)
def _cost_factor(sql: str) -> int:
    """How much each step of a query counts: 1 or ``GROWTH_FACTOR``; 0 when a single step may take without end."""
    found = list(meaningful(sql)) if len(sql) > _LONG_LITERAL or _UNBOUNDED.search(sql) else []
    for index, token in enumerate(found[:-1]):
        if found[index + 1].text == "(" and _UNBOUNDED.fullmatch(unquote(token.text)):
            arguments = _arguments(found, index + 2)
            if "trim" in token.text.lower():
                bounded = len(arguments) < 2 or _is_literal(arguments[1], _LONGEST_TRIMMED)
            else:
                bounded = _is_literal(arguments[0]) and not _WIDE.search(arguments[0][0].text)
            if not bounded:
                return 0
    grows = _GROWS.search(sql) or any(len(token.text) > _LONG_LITERAL for token in found)
    return GROWTH_FACTOR if grows else 1


def _arguments(found: list[Token], position: int) -> list[list[Token]]:
    """The first arguments of a call, from the token after its opening parenthesis."""
    arguments: list[list[Token]] = [[]]
    depth = 0
    for token in found[position:]:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth < 0 or len(arguments) > 2:
            break
        if token.text == "," and not depth:
            arguments.append([])
        else:
            arguments[-1].append(token)
    return arguments


def _is_literal(argument: list[Token], longest: int = _LONG_LITERAL) -> bool:
    return len(argument) == 1 and argument[0].kind == "string" and len(argument[0].text) <= longest


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _size(rows: list[tuple]) -> int:
    values = chain.from_iterable(rows)
    return sum(VALUE_SIZE + len(value) if isinstance(value, str | bytes) else VALUE_SIZE for value in values)


def _filling(table: Table) -> str:
    return f"INSERT INTO main.{quote_name(table.name)} VALUES ({', '.join('?' * len(table.columns))})"


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
