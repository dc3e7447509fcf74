"""Aggregates that were swallowed by a column's name: ``SELECT max_place`` where the question asks for ``MAX(place)``.

Some copies of sql-create-context were rebuilt from WikiSQL by a program that turned the parentheses of ``MAX(place)``
into underscores, in gold and schema alike. Such a gold runs, and nothing about a single row gives it away: a column may
well be called ``max_pressure``. In a whole file, though, such names are rare where they are honest (12 of 12,988
genuine rows), and make up a fifth of the rows where they are not.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from tinkersql.corpus.examples import Example
from tinkersql.corpus.recipes.drafts import Column, Draft, is_usable, read

_SWALLOWED = re.compile(r"SELECT\s+((COUNT|SUM|AVG|MIN|MAX)_(\w+))(?=\s+FROM\s)", re.IGNORECASE)
_HONEST = 0.01
"""The share of rows up to which such names are taken for the columns' own."""
_FUNCTIONS = 3
"""How many different aggregates there must be: a file about the weather may well be full of ``max_wind``."""


def written_out(examples: Sequence[Example]) -> dict[int, Example]:
    """The examples whose aggregate was swallowed, as they were before, by their place; none where names are honest.

    ``SELECT max_place FROM t WHERE draw > 14`` on ``t (max_place VARCHAR, draw VARCHAR)`` becomes ``SELECT MAX(place)
    …`` on ``t (place INTEGER, draw VARCHAR)``: as in the rows that escaped, a column that is not just counted holds
    numbers. Only examples with one gold and one table are looked at, which has the column first, and no column that the
    gold does not use. One whose column's name would be no name (``max_140``, ``max_order``) stays as it is.
    """
    found: dict[int, Example] = {}
    functions: set[str] = set()
    for place, example in enumerate(examples):
        match = _SWALLOWED.match(example.gold)
        draft = read(example) if match else None
        if match and draft and _is_bare(draft, match[1]) and (mended := _mended(example, draft, match)):
            found[place] = mended
            functions.add(match[2].upper())
    return found if len(found) > _HONEST * len(examples) and len(functions) >= _FUNCTIONS else {}


def _is_bare(draft: Draft, name: str) -> bool:
    """Whether there is one gold and one table, whose first column is called so, and no column is to spare."""
    [table, *others], [gold, *more] = draft.tables, draft.golds
    occurs = len(re.findall(rf"\b{re.escape(name)}\b", gold, re.IGNORECASE))
    is_first = table.columns[0].name.casefold() == name.casefold()
    return not (others or more) and occurs == 1 and is_first and table.names <= draft.taken


def _mended(example: Example, draft: Draft, match: re.Match[str]) -> Example | None:
    function, name = match[2].upper(), match[3]
    [table] = draft.tables
    others = table.columns[1:]
    known = table.find(name)
    if not is_usable(name) or (known is None and name.casefold() in draft.taken):
        return None
    kind = table.columns[0].type if function == "COUNT" else "INTEGER"
    column = Column(name, kind)
    if known is not None:
        others.remove(known)
        column = replace(known, type=known.type if function == "COUNT" else kind)
    table.columns = [column, *others]
    draft.golds = [f"SELECT {function}({name}){example.gold[match.end() :]}"]
    return draft.finish(example)
