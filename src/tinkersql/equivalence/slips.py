"""Slips that a lenient parser forgives: a comma too many, a star behind a table, two values in a row.

The parser that translates dialects takes all of these in silence, and would so repair a prediction that no database
runs. Only texts that SQLite has refused are looked at.
"""

from tinkersql.equivalence.lexing import Token
from tinkersql.equivalence.schema import RESERVED

_VALUES = {"END", "NULL", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "KEY", "ROW", "QUERY", "PLAN", "ACTION"}
"""Reserved words that may end an operand, or are often names."""
_CLAUSES = {
    *("FROM", "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "UNION", "INTERSECT", "EXCEPT", "JOIN", "ON", "AND", "OR"),
}
_BEFORE_NUMBERS = {
    *RESERVED,
    *("TOP", "DIV", "MOD", "INTERVAL", "ILIKE", "RLIKE", "XOR", "FETCH", "NEXT", "SEPARATOR", "QUALIFY", "UESCAPE"),
}
_BEFORE_STRINGS = {
    *_BEFORE_NUMBERS,
    *("DATE", "TIME", "TIMESTAMP", "DATETIME", "ZONE", "SIMILAR", "BOTH", "LEADING", "TRAILING", "N", "E", "R", "B"),
}
_COMPARISONS = ("=", "<", ">", "BETWEEN")


def find_slip(found: list[Token]) -> str:
    """What is wrong, in a few words, or an empty string; ``found`` holds the tokens without blanks and comments."""
    for index, token in enumerate(found[:-1]):
        before, after = found[index - 1] if index else None, found[index + 1]
        if token.text == "," and (_lacks_operand(before) or after.text in (",", ")") or after.word in _CLAUSES):
            return "a comma too many"
        if token.text == "." and before is not None and before.word in _CLAUSES:
            return "a dot without a name before it"
        if token.text == "!" and after.text not in ("=", "<", ">", "~"):
            return "a stray exclamation mark"
        if token.text == "*" and (
            after.word == "AS" or (after.word in _CLAUSES - {"FROM", "EXCEPT"} and _ends_operand(before))
        ):
            return "a star behind a table"
        if token.word in ("SELECT", "DISTINCT") and after.word == "AS":
            return "AS without an operand"
        if token.word == "IN" and after.word in RESERVED:
            return "IN without a list"
        if token.text in "<>" and after.text == token.text and token.end < after.start:
            return "two comparisons in a row"
        if token.kind == "number" and after.kind == "word" and token.end == after.start:
            return "letters behind digits"
        if after.kind == "number" and _ends_operand(token) and token.word not in _BEFORE_NUMBERS:
            return "two operands in a row"
        if after.kind == "string" and _ends_operand(token) and token.word not in _BEFORE_STRINGS:
            return "two operands in a row"
        compared = before is not None and (before.word or before.text) in _COMPARISONS
        if compared and token.kind == "number" and _starts_operand(after):
            return "two operands in a row"
    return ""


def _ends_operand(token: Token | None) -> bool:
    if token is None:
        return False
    return token.kind in ("number", "string", "quoted", "word") or token.text == ")"


def _starts_operand(token: Token) -> bool:
    return token.kind in ("number", "string", "quoted") or (token.kind == "word" and token.word not in _BEFORE_NUMBERS)


def _lacks_operand(token: Token | None) -> bool:
    if token is None or token.text in ("(", ",", "."):
        return True
    return token.word in RESERVED and token.word not in _VALUES
