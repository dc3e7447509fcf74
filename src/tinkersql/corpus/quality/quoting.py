"""Quotes that do not fit: values that end too early or never, values read as columns, placeholders left in quotes."""

import re
from itertools import pairwise

from tinkersql.corpus.quality.causes import INNER_QUOTE, OPEN_QUOTE, PLACEHOLDER, VALUE_AS_COLUMN, Finding
from tinkersql.corpus.quality.rows import Row
from tinkersql.corpus.quality.wording import holds
from tinkersql.equivalence.lexing import quote_text, unquote

_PLACEHOLDER = re.compile(r"\b(?:var|TABLEalias)\d+\b", re.IGNORECASE)
"""As in the text-to-SQL collections that share one format (Finegan-Dollak et al., ACL 2018)."""
_VALUE_WITH_QUOTE = r"""
    (?= (?:[=<>(,]|\bLIKE) \s* {q} (?P<value> [^{q}]* {q} .*? ) {q}
        (?= \s* (?: \Z | [),;] | \b(?:AND|OR|GROUP|ORDER|LIMIT|UNION|INTERSECT|EXCEPT)\b ) ) )
"""
_VALUES_WITH_QUOTES = tuple(
    (quote, re.compile(_VALUE_WITH_QUOTE.replace("{q}", quote), re.IGNORECASE | re.DOTALL | re.VERBOSE))
    for quote in "'\""
)


def inner_quote(row: Row) -> Finding | None:
    """A quote inside a value that is not doubled: ``'O'Brien'``. Repaired where the question holds the value."""
    if row.check.runs and not _is_open(row):
        return None
    for quote, pattern in _VALUES_WITH_QUOTES:
        for found in pattern.finditer(row.gold):
            value = found["value"].replace(f"\\{quote}", quote).replace(quote * 2, quote)
            if value.casefold() in row.question.casefold():
                start, end = found.start("value"), found.end("value")
                return Finding(
                    row.number, INNER_QUOTE, value, row.replaced(start, end, value.replace(quote, quote * 2))
                )
    return None


def _is_open(row: Row) -> bool:
    """Whether a quote stays open in SQLite's own reading; other dialects may have another one."""
    return bool(row.tokens) and row.tokens[-1].kind == "open"


def open_quote(row: Row) -> Finding | None:
    """A quote that is never closed. Closed at the end of the gold where all behind it stands in the question."""
    if not _is_open(row):
        return None
    last = row.tokens[-1]
    quote, value = last.text[0], last.text[1:].strip()
    found = Finding(row.number, OPEN_QUOTE, last.text)
    if quote not in "'\"" or not value or value.casefold() not in row.question.casefold():
        return found
    return Finding(found.row, found.cause, found.detail, row.replaced(last.start, last.end, quote + value + quote))


def value_as_column(row: Row) -> Finding | None:
    """A double-quoted value that SQLite reads as the column of that name: ``nation = "total"`` beside a column total.

    A gold that puts its names in double quotes elsewhere, too, means the column. Repaired with single quotes where the
    question holds the value.
    """
    if '"' not in row.check.sql:
        return None
    ran = row.ran
    values = []
    for before, token in pairwise(ran):
        if token.kind != "quoted" or token.text[0] != '"':
            continue
        if before.text not in ("=", "<", ">") and before.word != "LIKE":
            return None
        values.append(token.text)
    for token in row.tokens:
        if token.text in values:
            value = unquote(token.text)
            repair = row.replaced(token.start, token.end, quote_text(value)) if holds(row.question, value) else ""
            return Finding(row.number, VALUE_AS_COLUMN, token.text, repair)
    return None


def placeholder(row: Row) -> Finding | None:
    """A value that is the placeholder of a template, ``"var1"``, and that the question does not hold."""
    for token in row.tokens:
        if token.kind in ("string", "quoted"):
            found = _PLACEHOLDER.search(token.text)
            if found and found.group().lower() not in row.question.lower():
                return Finding(row.number, PLACEHOLDER, token.text)
    return None
