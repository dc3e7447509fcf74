"""Does a query run on its schema at all? Everything runs in the calling process, which ``client`` makes a worker."""

from tinkersql.equivalence.extraction import first_statement, other_command
from tinkersql.equivalence.lexing import meaningful
from tinkersql.equivalence.reading import read_query
from tinkersql.equivalence.sandbox import OverBudgetError, QueryError, Sandbox
from tinkersql.equivalence.schema import SchemaError, read_schema
from tinkersql.equivalence.verdicts import Check, Problem

_UNKNOWN_NAME = ("no such column", "no such table")
_NO_SQL = (
    "syntax error",
    "unrecognized token",
    "incomplete input",
    "clause should come",
    "not a query",
    "parser stack",
)
_ONE_ROW = 1
"""Stored in every column: a query over no rows at all would skip the functions that it calls."""


def check(schema: str, sql: str) -> Check:
    """Read a query as a gold is read, and run it on a database with one row in each table of its schema."""
    try:
        tables = read_schema(schema)
        sandbox = Sandbox(tables, statements=0)
    except SchemaError as error:
        return Check(Problem.SCHEMA, str(error))
    try:
        statement = first_statement(sql)
        if command := other_command(statement):
            return Check(Problem.SYNTAX, f"it is no query (it starts with {command})")
        if any(token.text != ";" for token in meaningful(sql.strip()[len(statement) :])):
            return Check(Problem.SYNTAX, "it is more than one statement")
        sandbox.load({key: [(_ONE_ROW,) * len(table.columns)] for key, table in tables.tables.items()})
        return Check(sql=read_query(statement, tables, sandbox).sql)
    except QueryError as error:
        return Check(_kind(str(error)), str(error))
    except OverBudgetError as error:
        return Check(Problem.OVER_BUDGET, str(error))
    except (MemoryError, RecursionError):
        return Check(Problem.OVER_BUDGET, "it is nested too deeply or needs too much memory")
    finally:
        sandbox.close()


def _kind(message: str) -> Problem:
    if message.startswith(_UNKNOWN_NAME):
        return Problem.NAME
    return Problem.SYNTAX if any(part in message for part in _NO_SQL) else Problem.RUNTIME
