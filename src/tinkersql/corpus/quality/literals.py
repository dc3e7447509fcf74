"""Values of a gold that its question does not hold, and values with quotes of their own: for a person to judge.

A model cannot learn where such a value comes from; but a fair reader may well know it (a code, an abbreviation), so
nothing is dropped for it.
"""

from collections.abc import Callable, Iterator

from tinkersql.corpus.quality.causes import BARE_VALUE, LITERAL, WRAPPED_VALUE, Finding
from tinkersql.corpus.quality.rows import Row
from tinkersql.corpus.quality.wording import holds, holds_number
from tinkersql.equivalence.lexing import Token, unquote
from tinkersql.equivalence.schema import RESERVED


def missing_literals(row: Row) -> Finding | None:
    """The values of a gold that runs and that its question does not hold in any form."""
    missing = [text for text, is_held in _literals(row) if not is_held]
    return Finding(row.number, LITERAL, ", ".join(missing)) if missing else None


def wrapped_value(row: Row) -> Finding | None:
    """A value with a second pair of quotes inside of the first: ``"'Rain of Terror'"``."""
    for token in row.ran:
        value = unquote(token.text) if token.kind == "string" else ""
        if len(value) > 2 and value[0] == value[-1] and value[0] in "'\"" and value[0] not in value[1:-1]:
            return Finding(row.number, WRAPPED_VALUE, value)
    return None


def bare_value(row: Row) -> Finding | None:
    """A column set equal to a bare word of the question, in a query of one table: maybe a value without its quotes.

    ``class_aaa = dickinson`` runs where the schema was made from the query and so declares a column ``dickinson``.
    """
    words = [token.word for token in row.ran]
    if "JOIN" in words or words.count("SELECT") > 1 or any(token.text == "." for token in row.ran):
        return None
    for before, equal, token in zip(row.ran, row.ran[1:], row.ran[2:], strict=False):
        names = before.word and equal.text == "=" and token.word and token.word not in RESERVED
        if names and holds(row.question, token.text):
            return Finding(row.number, BARE_VALUE, f"{before.text} = {token.text}")
    return None


def _literals(row: Row) -> Iterator[tuple[str, bool]]:
    """Each value with whether the question holds it; the arguments of calls are no values of the data."""
    calls: list[bool] = []
    before = ""
    for token in row.ran:
        if token.text == "(":
            calls.append(bool(before) and before not in RESERVED)
        elif token.text == ")" and calls:
            calls.pop()
        elif token.kind == "string" and not any(calls):
            value = unquote(token.text)
            yield value, holds(row.question, value)
        elif (
            token.kind == "number" and not any(calls) and before != "OFFSET" and (before, token.text) != ("LIMIT", "1")
        ):
            yield token.text, _holds_number(row.question, token)
        before = token.word


def _holds_number(question: str, token: Token) -> bool:
    return holds_number(question, float(token.text)) or holds(question, token.text)


DOUBTS: tuple[Callable[[Row], Finding | None], ...] = (bare_value, wrapped_value, missing_literals)
"""Every kind of doubt; a row may show several."""
