"""Ignoring the letter case of values: the prediction's strings take the spelling of the gold's."""

import re
from dataclasses import replace
from string import ascii_lowercase, ascii_uppercase

from sqlglot import exp

from tinkersql.equivalence.lexing import quote_text, tokens, unquote
from tinkersql.equivalence.reading import Query

_FORMATS = re.compile(r"\b(?:strftime|printf|format)\s*\(", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"%[A-Za-z]")
_TO_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_TO_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)


def with_spelling_of(gold: Query, predicted: Query) -> tuple[Query, bool]:
    """Give the prediction's strings the letter case of the gold's, where nothing but the case differs.

    Formats of times keep theirs (%m is the month, %M the minute), and so do strings that stand beside LOWER or UPPER,
    but for the letters outside ASCII, which these functions of SQLite leave alone. The second value says whether
    anything was changed.
    """
    texts = set(predicted.strings())
    spelling: dict[str, str] = {}
    for text in gold.strings() if texts else ():
        spelling.setdefault(text.casefold(), text)
    changed = {text: other for text in texts if (other := spelling.get(text.casefold(), text)) != text}
    if not changed:
        return predicted, False
    if _FORMATS.search(predicted.sql):
        changed = {text: other for text, other in changed.items() if not _PLACEHOLDER.search(text)}
    for node in predicted.tree.find_all(exp.Lower, exp.Upper) if predicted.tree else ():
        folding, is_folded = (_TO_LOWER, str.islower) if isinstance(node, exp.Lower) else (_TO_UPPER, str.isupper)
        for text in _beside(node) & changed.keys():
            changed[text] = changed[text].translate(folding) if is_folded(text) else text
    pieces, position = [], 0
    for token in tokens(predicted.sql):
        text = unquote(token.text) if token.kind == "string" else ""
        if changed.get(text, text) != text:
            pieces += [predicted.sql[position : token.start], quote_text(changed[text])]
            position = token.end
    if not pieces:
        return predicted, False
    for literal in predicted.tree.find_all(exp.Literal) if predicted.tree else ():
        if literal.is_string:
            literal.set("this", changed.get(literal.name, literal.name))
    return replace(predicted, sql="".join([*pieces, predicted.sql[position:]])), True


def _beside(node: exp.Expr) -> set[str]:
    """The strings that the call is compared or combined with."""
    parent = node.parent
    while isinstance(parent, exp.Paren):
        parent = parent.parent
    return {literal.name for literal in parent.find_all(exp.Literal) if literal.is_string} if parent else set()
