"""Keys as hand-written schemas declare them."""

from collections.abc import Iterator
from itertools import permutations
from random import Random

from tinkersql.corpus.recipes.drafts import Column, Draft, Table
from tinkersql.corpus.recipes.pool import Pool
from tinkersql.corpus.recipes.words import is_named, singular, words_of
from tinkersql.equivalence.lexing import meaningful

_ID = "id"


def declared_keys(draft: Draft, rng: Random, _: Pool) -> bool:
    """Declare primary and foreign keys, inside the column's entry or behind the columns; add ``id INTEGER`` where a
    table has no key.

    Primary is a column called ``id``, or after its own table (``singer.singer_id``). Foreign is a column of a like name
    in another table (``concert.singer_id``). A table with keys of its own is left alone, and no ``id`` is added where
    the gold shows every column or the question speaks of ids.
    """
    before = str(draft.tables)
    apart = rng.random() < 0.5
    may_add = not is_named(_ID, draft.question) and not any(_shows_all(gold) for gold in draft.golds)
    keys: dict[str, Column] = {}
    for table in draft.tables:
        if _has_keys(table):
            continue
        key = _own_key(table)
        if key is None and may_add and not any(_ID in words_of(column.name) for column in table.columns):
            if _ID in draft.taken:
                continue
            key = Column(_ID, "INTEGER")
            table.columns.insert(0, key)
        if key is None:
            continue
        keys[table.name] = key
        if apart:
            table.constraints.append(f"PRIMARY KEY ({key.written})")
        else:
            key.rest = " PRIMARY KEY" + key.rest
    for table, target, column in _references(draft, keys):
        reference = f"REFERENCES {target.written}({keys[target.name].written})"
        if apart:
            table.constraints.append(f"FOREIGN KEY ({column.written}) {reference}")
        else:
            column.rest += f" {reference}"
    return str(draft.tables) != before


def _shows_all(gold: str) -> bool:
    """Whether a query shows every column: ``*`` that is not inside ``COUNT(*)``."""
    found = [token.text for token in meaningful(gold)]
    return any(text == "*" and found[index - 1] != "(" for index, text in enumerate(found))


def _has_keys(table: Table) -> bool:
    return any("KEY" in text.upper() for text in table.constraints) or any(
        "KEY" in column.rest.upper() or "REFERENCES" in column.rest.upper() for column in table.columns
    )


def _own_key(table: Table) -> Column | None:
    subject = singular(table.name.casefold()).replace("_", "")
    wanted = (_ID, subject + _ID)
    return next((column for column in table.columns if column.name.casefold().replace("_", "") in wanted), None)


def _references(draft: Draft, keys: dict[str, Column]) -> Iterator[tuple[Table, Table, Column]]:
    """The columns that name another table's key: they are called like it, or like that table with ``id`` behind."""
    for table, target in permutations(draft.tables, 2):
        if target.name not in keys or (table.name not in keys and _has_keys(table)):
            continue
        key = keys[target.name]
        subject = singular(target.name.casefold()).replace("_", "")
        for column in table.columns:
            name = column.name.casefold().replace("_", "")
            if column is not keys.get(table.name) and name == subject + _ID and column.type == key.type:
                yield table, target, column
                break
