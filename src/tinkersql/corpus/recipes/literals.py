"""Other spellings of the golds' text values."""

from collections.abc import Callable
from random import Random

from tinkersql.corpus.recipes.drafts import Draft
from tinkersql.corpus.recipes.pool import Pool
from tinkersql.equivalence.lexing import Token, quote_text, tokens, unquote


def value_case(draft: Draft, _: Random, __: Pool) -> bool:
    """Write a value in lower case as the question writes it: half of the data's values have lost their capitals."""
    return _respell(draft, lambda token: _as_asked(token, draft.question))


def value_quotes(draft: Draft, _: Random, __: Pool) -> bool:
    """Put values in single quotes, as standard SQL has them; the data mostly has double ones."""
    return _respell(draft, lambda token: quote_text(unquote(token.text)))


def _respell(draft: Draft, spell: Callable[[Token], str]) -> bool:
    """Exchange the golds' text values; what is the name of a table or column is none."""
    names = draft.names

    def text_of(token: Token) -> str:
        is_text = token.kind == "string" or (token.kind == "quoted" and token.text[0] == '"')
        return spell(token) if is_text and unquote(token.text).casefold() not in names else token.text

    golds = ["".join(map(text_of, tokens(gold))) for gold in draft.golds]
    changed = golds != draft.golds
    draft.golds = golds
    return changed


def _as_asked(token: Token, question: str) -> str:
    value = unquote(token.text)
    if value != value.lower():
        return token.text
    start = question.lower().find(value)
    asked = question[start : start + len(value)] if start >= 0 else ""
    beside = question[max(0, start - 1) : start] + question[start + len(value) : start + len(value) + 1]
    if asked.lower() != value or any(letter.isalnum() for letter in beside):
        return token.text
    mark = token.text[0]
    return mark + asked.replace(mark, mark * 2) + mark
