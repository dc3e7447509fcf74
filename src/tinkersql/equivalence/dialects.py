"""Parsing, and translation of the dialects that models write into SQLite's."""

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

DIALECTS = ("sqlite", "postgres", "mysql", "tsql", "bigquery")
"""Tried in this order; the first in which the text parses and runs is taken."""
MAX_LENGTH = 4_000
"""Longer texts are not parsed, only run: no question needs them, and parsing time grows with them."""
_QUERY = re.compile(r"(?:[\s(]|--[^\n]*\n|/\*.*?\*/)*(?:SELECT|WITH|VALUES)\b", re.IGNORECASE | re.DOTALL)
_DATE_PARTS = {"YEAR": "%Y", "MONTH": "%m", "DAY": "%d", "HOUR": "%H", "MINUTE": "%M", "DAYOFMONTH": "%d"}


def parse(sql: str, dialect: str = "sqlite") -> exp.Query | None:
    """The syntax tree of one query, or None when the text is no query in that dialect."""
    if len(sql) > MAX_LENGTH or not _QUERY.match(sql):
        return None
    try:
        parsed = sqlglot.parse(sql, read=dialect)
    except (SqlglotError, RecursionError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None
    trees = [tree for tree in parsed if tree is not None]
    return trees[0] if len(trees) == 1 and isinstance(trees[0], exp.Query) else None


def parse_any(sql: str) -> exp.Query | None:
    """The syntax tree in the first dialect that takes the text."""
    return next((tree for tree in (parse(sql, dialect) for dialect in DIALECTS) if tree is not None), None)


def translate(sql: str, dialect: str) -> str | None:
    """The text of that dialect as SQLite would have it, or None."""
    tree = parse(sql, dialect)
    if tree is None:
        return None
    try:
        return tree.transform(_plain_function).sql(dialect="sqlite")
    except (SqlglotError, RecursionError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _plain_function(node: exp.Expr) -> exp.Expr:
    """Functions that sqlglot leaves alone although SQLite has another way to say them."""
    if isinstance(node, exp.Year | exp.Month | exp.Day | exp.Hour | exp.Minute):
        return _date_part(type(node).__name__.upper(), node.this)
    if isinstance(node, exp.Extract) and str(node.this).upper() in _DATE_PARTS:
        return _date_part(str(node.this).upper(), node.expression)
    if isinstance(node, exp.Concat) and node.expressions:
        joined = node.expressions[0]
        for part in node.expressions[1:]:
            joined = exp.DPipe(this=joined, expression=part)
        return exp.Paren(this=joined)
    if isinstance(node, exp.Left):
        return exp.Anonymous(this="SUBSTR", expressions=[node.this, exp.Literal.number(1), node.expression])
    if isinstance(node, exp.Right):
        return exp.Anonymous(this="SUBSTR", expressions=[node.this, exp.Neg(this=node.expression)])
    if isinstance(node, exp.Anonymous) and len(node.expressions) == 1 and node.name.upper() in _DATE_PARTS:
        return _date_part(node.name.upper(), node.expressions[0])
    return node


def _date_part(part: str, value: exp.Expr) -> exp.Expr:
    while isinstance(value, exp.TsOrDsToDate | exp.Date | exp.TsOrDsToTimestamp) and value.this is not None:
        value = value.this
    text = exp.Anonymous(this="STRFTIME", expressions=[exp.Literal.string(_DATE_PARTS[part]), value])
    return exp.Cast(this=text, to=exp.DataType.build("INTEGER", dialect="sqlite"))
