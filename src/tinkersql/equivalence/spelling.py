"""Ignoring the letter case of values: the prediction's strings take the spelling of the gold's."""

import re
from dataclasses import replace

from sqlglot import exp

from tinkersql.equivalence.lexing import quote_text, tokens, unquote
from tinkersql.equivalence.reading import Query

_FORMATS = re.compile(r"\b(?:strftime|printf|format)\s*\(", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"%[A-Za-z]")


def with_spelling_of(gold: Query, predicted: Query) -> tuple[Query, bool]:
    """Give the prediction's strings the letter case of the gold's, where nothing but the case differs.

    Strings that stand beside LOWER or UPPER keep theirs, and so do formats of times (%m is the month, %M the minute).
    The second value says whether anything was changed.
    """
    spelling: dict[str, str] = {}
    for text in gold.strings():
        spelling.setdefault(text.casefold(), text)
    kept = set()
    for node in predicted.tree.find_all(exp.Lower, exp.Upper) if predicted.tree else ():
        beside = node.parent
        while isinstance(beside, exp.Paren):
            beside = beside.parent
        if beside is not None:
            kept |= {literal.name for literal in beside.find_all(exp.Literal)}
    if _FORMATS.search(predicted.sql):
        kept |= {text for text in predicted.strings() if _PLACEHOLDER.search(text)}
    pieces, position = [], 0
    for token in tokens(predicted.sql):
        text = unquote(token.text) if token.kind == "string" else ""
        other = spelling.get(text.casefold(), text)
        if other != text and text not in kept:
            pieces += [predicted.sql[position : token.start], quote_text(other)]
            position = token.end
    if not pieces:
        return predicted, False
    changed = {text: spelling[text.casefold()] for text in predicted.strings() if text.casefold() in spelling}
    for literal in predicted.tree.find_all(exp.Literal) if predicted.tree else ():
        if literal.is_string and literal.name not in kept:
            literal.set("this", changed.get(literal.name, literal.name))
    return replace(predicted, sql="".join([*pieces, predicted.sql[position:]])), True
