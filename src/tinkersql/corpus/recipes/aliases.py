"""Golds that tell a column's table by its name instead of by an alias."""

import re
from random import Random

from tinkersql.corpus.recipes.drafts import Draft
from tinkersql.corpus.recipes.pool import Pool
from tinkersql.equivalence.lexing import tokens, unquote

_ALIAS = re.compile(r"[Tt]\d+\Z")
"""The aliases that sql-create-context has."""


def spell_aliases(draft: Draft, _: Random, __: Pool) -> bool:
    """Write ``singer.name`` for ``T1.name``, and leave ``AS T1`` out.

    Who writes a query from left to right must know in ``SELECT T2.name`` which table will come second; a table's name
    is in the schema.
    """
    golds = [_spelled(gold) for gold in draft.golds]
    changed = golds != draft.golds
    draft.golds = golds
    return changed


def _spelled(sql: str) -> str:
    """The query, or the same text where names would not do: a table read twice, or the alias of a subquery."""
    found = list(tokens(sql))
    solid = [index for index, token in enumerate(found) if token.kind not in ("space", "comment")]
    tables: list[str] = []
    meaning: dict[str, str] = {}
    dropped: set[int] = set()
    for place, index in enumerate(solid):
        following = solid[place + 1 : place + 4]
        if found[index].word not in ("FROM", "JOIN") or not following or found[following[0]].text == "(":
            continue
        table = found[following[0]].text
        tables.append(unquote(table).casefold())
        alias = next((at for at in following[1:] if found[at].word != "AS"), following[0])
        if _ALIAS.match(found[alias].text):
            if meaning.setdefault(found[alias].text.casefold(), table) != table:
                return sql
            dropped.update(range(following[0] + 1, alias + 1))
    if len(set(tables)) < len(tables):
        return sql
    written: list[str] = []
    for index, token in enumerate(found):
        if index in dropped:
            continue
        if not _ALIAS.match(token.text):
            written.append(token.text)
        elif (name := meaning.get(token.text.casefold())) and sql.startswith(".", token.end):
            written.append(name)
        else:
            return sql
    return "".join(written)
