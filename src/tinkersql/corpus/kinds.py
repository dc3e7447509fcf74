"""The kind of a query, for tables of results by kind."""

import re

KINDS = (
    "set operation",
    "nested",
    "join",
    "grouping",
    "ordering",
    "aggregate",
    "several conditions",
    "one condition",
    "plain list",
)
"""Every kind, in order of precedence: a query is named by the first that it shows."""

# Literals go first, so that a value such as "rock and roll" counts as no condition.
_LITERAL = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_SIGNS = (
    ("set operation", re.compile(r"\b(?:union|intersect|except)\b")),
    ("nested", re.compile(r"\bselect\b.*\bselect\b")),
    ("join", re.compile(r"\bjoin\b|\bfrom\s+\w+(?:\s+(?:as\s+)?\w+)?\s*,")),
    ("grouping", re.compile(r"\bgroup\s+by\b")),
    ("ordering", re.compile(r"\border\s+by\b|\blimit\b")),
    ("aggregate", re.compile(r"\b(?:count|sum|avg|min|max)\s*\(")),
    ("several conditions", re.compile(r"\bwhere\b.*\b(?:and|or)\b")),
    ("one condition", re.compile(r"\bwhere\b")),
)


def kind_of(sql: str) -> str:
    """Name a query's kind, one of `KINDS`, from its keywords (a parser would be 100 times slower on 79,000 rows)."""
    bare = " ".join(_LITERAL.sub("''", sql).lower().split())
    return next((kind for kind, sign in _SIGNS if sign.search(bare)), "plain list")
