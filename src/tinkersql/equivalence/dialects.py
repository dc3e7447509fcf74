"""Parsing, and translation of the dialects that models write into SQLite's."""

import re

import sqlglot
from sqlglot import ErrorLevel, exp
from sqlglot.dialects import TSQL, BigQuery, Dialect, MySQL, Oracle, Postgres, SQLite
from sqlglot.errors import SqlglotError

from tinkersql.equivalence.rewriting import rewritten

MAX_LENGTH = 4_000
"""Longer texts are not parsed, only run: no question needs them, and parsing time grows with them."""
MAX_TRANSLATED = 2_000
"""Longer texts are read in SQLite's dialect alone."""
_MAX_DEPTH, _MAX_DEPTH_TRANSLATED = 100, 20
"""Nested parentheses: over them the parser recurses, and in some dialects takes twice the time for each one more."""
_PARENTHESIS = re.compile(r"[()]")
_MAX_BRACKETS = 64
"""Brackets open an index to the parser, which takes quadratic time over many."""
_QUERY = re.compile(r"(?:[\s(]|--[^\n]*\n|/\*.*?\*/)*(?:SELECT|WITH|VALUES)\b", re.IGNORECASE | re.DOTALL)
_FAILURES = (SqlglotError, RecursionError, ValueError, KeyError, IndexError, TypeError, AttributeError)
_WITH_TIES = re.compile(r"\bTOP\s*\(?\s*(\d{1,9})\s*\)?\s+WITH\s+TIES\b", re.IGNORECASE)
_ONLY_SINGLE, _NAME_QUOTES = ["'"], ["`", '"']


class _Postgres(Postgres):
    """Postgres's spelling. Here and below, what a query means stays SQLite's: order of NULLs, division."""

    NULL_ORDERING = SQLite.NULL_ORDERING
    TYPED_DIVISION, SAFE_DIVISION = SQLite.TYPED_DIVISION, SQLite.SAFE_DIVISION


class _MySQL(MySQL):
    """MySQL's spelling. Double quotes hold names, so that one policy decides everywhere when they hold a value."""

    NULL_ORDERING = SQLite.NULL_ORDERING
    TYPED_DIVISION, SAFE_DIVISION = SQLite.TYPED_DIVISION, SQLite.SAFE_DIVISION

    class Tokenizer(MySQL.Tokenizer):
        QUOTES = _ONLY_SINGLE
        IDENTIFIERS = _NAME_QUOTES


class _TSQL(TSQL):
    """T-SQL's spelling."""

    NULL_ORDERING = SQLite.NULL_ORDERING
    TYPED_DIVISION, SAFE_DIVISION = SQLite.TYPED_DIVISION, SQLite.SAFE_DIVISION


class _BigQuery(BigQuery):
    """BigQuery's spelling, with double quotes as above."""

    NULL_ORDERING = SQLite.NULL_ORDERING
    TYPED_DIVISION, SAFE_DIVISION = SQLite.TYPED_DIVISION, SQLite.SAFE_DIVISION

    class Tokenizer(BigQuery.Tokenizer):
        QUOTES = _ONLY_SINGLE
        IDENTIFIERS = _NAME_QUOTES


class _Oracle(Oracle):
    """Oracle's spelling."""

    NULL_ORDERING = SQLite.NULL_ORDERING
    TYPED_DIVISION, SAFE_DIVISION = SQLite.TYPED_DIVISION, SQLite.SAFE_DIVISION


DIALECTS: dict[str, type[Dialect]] = {
    "postgres": _Postgres,
    "mysql": _MySQL,
    "tsql": _TSQL,
    "bigquery": _BigQuery,
    "oracle": _Oracle,
}
"""The dialects that are understood besides SQLite's."""
_UNITS = r"(?:year|y{2,4}|quarter|month|m{1,2}|day|d{1,2}|week|hour|minute|second)"
_SIGNS = {
    "mysql": (
        r"`|<=>|\\'|\bINTERVAL\s+\d|\bDATEDIFF\s*\((?!\s*" + _UNITS + r"\s*,)|"
        r"\b(?:DATE_FORMAT|CURDATE|GROUP_CONCAT|DATE_SUB|DATE_ADD|STR_TO_DATE|TIMESTAMPDIFF|RLIKE|REGEXP|(?:UN)?SIGNED|DIV)\b"
    ),
    "tsql": (
        r"\[|\bTOP\b|\bN'|\bISNULL\s*\([^()]*,|\bFORMAT\s*\(|\bDATEDIFF\s*\(\s*" + _UNITS + r"\s*,|"
        r"\b(?:GETDATE|DATEPART|DATENAME|DATEADD|LEN|CHARINDEX|CONVERT|TRY_CAST|NOLOCK|NVARCHAR)\b"
    ),
    "bigquery": (
        r"\bEXCEPT\s*\(\s*[\w`\"]+\s*[,)]|`[^`]*\.[^`]*`|\bDATE_TRUNC\s*\(\s*\w+\s*,\s*[A-Za-z]|"
        r"\b(?:SAFE_\w+|COUNTIF|FORMAT_DATE|PARSE_DATE|DATE_DIFF|REGEXP_CONTAINS|CONTAINS_SUBSTR|INT64|\w+S_WITH)\b"
    ),
    "oracle": r"\b(?:MINUS|SYSDATE|LISTAGG|DECODE|NVL2?|ADD_MONTHS|TO_NUMBER)\b",
}
"""Words and marks that speak for a dialect."""
_SIGNS_OF = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _SIGNS.items()}


def parse(sql: str, dialect: str = "sqlite") -> exp.Query | None:
    """The syntax tree of one query, or None when the text is no query in that dialect."""
    if len(sql) > (MAX_LENGTH if dialect == "sqlite" else MAX_TRANSLATED) or not _QUERY.match(sql):
        return None
    if sql.count("[") > _MAX_BRACKETS or _depth(sql) > (_MAX_DEPTH if dialect == "sqlite" else _MAX_DEPTH_TRANSLATED):
        return None
    try:
        parsed = sqlglot.parse(sql, read=DIALECTS.get(dialect, SQLite))
    except _FAILURES:
        return None
    trees = [tree for tree in parsed if tree is not None]
    return trees[0] if len(trees) == 1 and isinstance(trees[0], exp.Query) else None


def _depth(sql: str) -> int:
    """How deep parentheses are nested; those inside of strings count, too."""
    depth = deepest = 0
    for found in _PARENTHESIS.finditer(sql):
        depth += 1 if found.group() == "(" else -1
        deepest = max(deepest, depth)
    return deepest


def parse_any(sql: str) -> exp.Query | None:
    """The syntax tree in the first dialect that takes the text."""
    return next((tree for tree in (parse(sql, name) for name in ("sqlite", *likely(sql))) if tree is not None), None)


def likely(sql: str) -> list[str]:
    """The other dialects, those first whose own words or marks the text bears."""
    return sorted(DIALECTS, key=lambda name: not (name in _SIGNS_OF and _SIGNS_OF[name].search(sql)))


def translated(sql: str, dialect: str) -> exp.Query | None:
    """The query of that dialect in terms that SQLite has; None when it is none, or SQLite has no such terms.

    The names in it still carry their places in the given text.
    """
    ties = _WITH_TIES.search(sql) if dialect == "tsql" else None
    if ties is not None:
        sql = sql[: ties.start()] + f"TOP {ties[1]}".ljust(ties.end() - ties.start()) + sql[ties.end() :]
    tree = parse(sql, dialect)
    if tree is None:
        return None
    try:
        tree = rewritten(tree, plus_joins_text=dialect == "tsql", with_ties=ties is not None)
    except _FAILURES:
        return None
    return tree


def text_of(tree: exp.Query) -> str | None:
    """The query as SQLite reads it; None when it holds something that SQLite lacks."""
    try:
        return tree.sql(dialect=SQLite, unsupported_level=ErrorLevel.RAISE)
    except _FAILURES:
        return None
