"""Names, numbers and values that were torn apart when a program rewrote the data.

``attendance > 92,719`` became ``attendance > 92 OFFSET 719``, ``54_holes`` became ``54 AS _holes``, and ``score =
"70-68=138"`` lost its quotes and became a subtraction. Many such golds still run and silently mean something else.
"""

import re

from tinkersql.corpus.quality.causes import TORN_NAME, TORN_NUMBER, TORN_VALUE, Finding
from tinkersql.corpus.quality.rows import Row
from tinkersql.equivalence.lexing import Token, unquote
from tinkersql.equivalence.schema import SchemaError, read_schema

_AGGREGATES = ("COUNT", "SUM", "AVG", "MIN", "MAX")
_COMPARISONS = frozenset("=<>")
_DASHES = "-–−"
_FORMULA = frozenset(f"{_DASHES}+*/(),.:=")
"""The marks that a score, a date or a ratio may hold."""
_REST_OF_NAME = re.compile(r"_|(?:st|nd|rd|th|[a-z])(?:_|\Z)", re.IGNORECASE)
"""What is left of a name such as 54_holes, 1st_leg or 100s when its digits are gone."""


def torn_name(row: Row) -> Finding | None:
    """A name that starts with digits or holds a mark, and was cut there: ``54 AS _holes``, ``2012 = 5``, ``AS $_``.

    The rest of a name that SQLite cannot read as an alias is left out again; what lost its head is beyond repair.
    """
    tokens = row.ran if row.check.runs else row.tokens
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        after = tokens[index + 1 : index + 3]
        if token.kind in ("number", "string") and (_is_head(after) or _is_item(tokens, index)):
            return Finding(row.number, TORN_NAME, " ".join(item.text for item in [token, *after]))
        if token.kind == "number" and before is not None and before.word in ("WHERE", "AND", "OR", "NOT"):
            ranged = index > 2 and tokens[index - 3].word == "BETWEEN"
            if not ranged and len(after) == 2 and after[0].text in _COMPARISONS and _is_other_value(after[1], token):
                return Finding(row.number, TORN_NAME, " ".join(item.text for item in [token, *after]))
        if not row.check.runs and before is not None and token.text[0] in "$[":
            if before.word == "AS":
                return Finding(row.number, TORN_NAME, f"AS {token.text}", _without_alias(row, index - 1))
            if before.end == token.start:
                return Finding(row.number, TORN_NAME, before.text + token.text)
    return None


def _is_head(after: list[Token]) -> bool:
    """Whether what stands after a value is an alias that looks like the rest of a name."""
    return [item.word for item in after[:1]] == ["AS"] and bool(_REST_OF_NAME.match("".join(t.text for t in after[1:])))


def _is_item(tokens: list[Token], index: int) -> bool:
    """Whether a number is what is selected or summed up, such as the year that names a column; ``COUNT(1)`` is not."""
    if tokens[index].kind != "number" or tokens[index].text in ("0", "1"):
        return False
    call, before, after = (_at(tokens, place) for place in (index - 2, index - 1, index + 1))
    if before in ("SELECT", "DISTINCT"):
        return after in ("FROM", ",")
    return (before, after) == (",", "FROM") or (call in _AGGREGATES and (before, after) == ("(", ")"))


def _at(tokens: list[Token], index: int) -> str:
    """The word or mark at a place; an empty string outside of the gold."""
    return (tokens[index].word or tokens[index].text) if 0 <= index < len(tokens) else ""


def _without_alias(row: Row, start: int) -> str:
    """The gold without the alias of an aggregate, from the AS at that token to the next blank."""
    if row.tokens[start - 1].text != ")":
        return ""
    end = start + 1
    while end + 1 < len(row.tokens) and row.tokens[end + 1].start == row.tokens[end].end:
        end += 1
    return row.replaced(row.tokens[start - 1].end, row.tokens[end].end, "")


def _is_other_value(token: Token, than: Token) -> bool:
    return token.kind in ("number", "string", "quoted") and token.text != than.text


def torn_number(row: Row) -> Finding | None:
    """A number cut at its thousands separator: ``> 92 OFFSET 719``. Repaired where the question holds the number.

    It becomes a number again where the column holds numbers or the comparison asks for more or less; where it is
    compared for equality with a text column, it becomes that text.
    """
    tokens = row.tokens
    for index in range(2, len(tokens) - 2):
        number, offset, rest = tokens[index : index + 3]
        if offset.word != "OFFSET" or number.kind != "number" or rest.kind != "number":
            continue
        if tokens[index - 1].word == "LIMIT":
            continue
        found = Finding(row.number, TORN_NUMBER, row.gold[number.start : rest.end])
        spelt = f"{number.text},{rest.text}"
        joined = number.text + rest.text
        if not re.fullmatch(r"\d{1,3},\d{3}(?:\.\d*)?", spelt) or tokens[index - 1].text not in _COMPARISONS:
            return found
        if not any(re.search(rf"(?<![\d.,]){re.escape(text)}(?!\d|,\d)", row.question) for text in (spelt, joined)):
            return found
        equal = tokens[index - 1].text == "=" and tokens[index - 2].kind in ("word", "quoted")
        is_text = equal and not _is_number(row.schema, tokens[index - 2])
        value = f'"{spelt}"' if is_text and spelt in row.question else joined
        return Finding(found.row, found.cause, found.detail, row.replaced(number.start, rest.end, value))
    return None


def _is_number(schema: str, column: Token) -> bool:
    """Whether a column of that name is declared to hold numbers."""
    try:
        tables = read_schema(schema).tables.values()
    except SchemaError:
        return False
    found = [table.find(unquote(column.text)) for table in tables]
    return any(item is not None and item.affinity not in ("TEXT", "BLOB") for item in found)


def torn_value(row: Row) -> Finding | None:
    """A value without its quotes, which is then computed: ``score = 70 - 68 = 138``. Repaired from the question."""
    tokens = row.tokens
    for index, token in enumerate(tokens[:-1]):
        if token.text not in _COMPARISONS or tokens[index - 1].text in _FORMULA:
            continue
        run = _formula(tokens[index + 1 :])
        if sum(item.kind == "number" for item in run) < 2 or len(run) < 3:
            continue
        pieces = [f"[{_DASHES}]" if item.text in _DASHES else re.escape(item.text) for item in run]
        spelt = re.search(r"(?<![\w.,])" + r"\s*".join(pieces) + r"(?!\w)", row.question)
        if spelt:
            start, end = run[0].start, run[-1].end
            return Finding(row.number, TORN_VALUE, row.gold[start:end], row.replaced(start, end, f'"{spelt.group()}"'))
    return None


def _formula(tokens: list[Token]) -> list[Token]:
    """The leading tokens that are numbers and marks, up to a parenthesis that closes what was opened before."""
    depth = 0
    for index, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth < 0 or not (token.kind == "number" or token.text in _FORMULA):
            return tokens[:index]
    return tokens
