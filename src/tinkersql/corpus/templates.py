"""The template of a query: what is left when its names and values are taken out."""

from itertools import zip_longest

from sqlglot import tokenize
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

_LITERALS = (TokenType.STRING, TokenType.NUMBER, TokenType.IDENTIFIER)
"""A name in double quotes counts as a literal: sql-create-context writes its text values so."""
_KEYWORDS = (
    "select distinct all from as join inner left right full outer cross natural on using where and or not "
    "in exists between like glob is null having limit offset asc desc union intersect except case when "
    "then else end with values cast true false"
)
"""Single words that make up a query; the tokenizer gives ``GROUP BY`` and ``ORDER BY`` as one token each."""
_KEYWORD_SET = frozenset(_KEYWORDS.split())


def template_of(sql: str) -> str:
    """A query with its names numbered in the order of their appearance and its literals replaced by ``?``.

    ``SELECT name FROM ducks WHERE weight > 2`` becomes ``SELECT n1 FROM n2 WHERE n3 > ?``, as does every query that
    asks the same of another table. Two queries with one template differ in words only (Finegan-Dollak et al., ACL 2018,
    call a split by it the query split). It is found from the tokens (a parser would take ten times as long); text that
    cannot be cut into tokens is its own template, in lower case.
    """
    try:
        tokens = tokenize(sql, read="sqlite")
    except TokenError:
        return " ".join(sql.lower().split())
    names: dict[str, str] = {}
    return " ".join(_shown(token, following, names) for token, following in zip_longest(tokens, tokens[1:]))


def _shown(token: Token, following: Token | None, names: dict[str, str]) -> str:
    if token.token_type in _LITERALS:
        return "?"
    text = token.text.lower()
    is_call = following is not None and following.token_type is TokenType.L_PAREN
    if text.isidentifier() and text not in _KEYWORD_SET and not is_call:
        return names.setdefault(text, f"n{len(names) + 1}")
    return text.upper()
