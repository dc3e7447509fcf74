"""Columns and tables that the query does not need, so that a model learns to choose."""

from collections.abc import Iterable
from itertools import chain
from random import Random

from tinkersql.corpus.recipes.drafts import Column, Draft, Table
from tinkersql.corpus.recipes.naming import is_nameless, subject
from tinkersql.corpus.recipes.pool import PLACEHOLDER, Pool, Spare
from tinkersql.corpus.recipes.words import are_alike, are_near, is_hinted, is_named

MOST_COLUMNS, MOST_COLUMNS_OF_MANY = 6, 3
"""Spare columns of a schema's only table, and of each of several tables."""
_COLUMNS_OF_SPARE_TABLE = (2, 3, 3, 4, 4, 5)


def distractor_columns(draft: Draft, rng: Random, pool: Pool) -> bool:
    """Add spare columns to the tables, at random places: one to six to a single table, up to three to each of several.

    They come from other examples about the same table, and behind them from tables with columns of the same names. A
    column that could change the answer, or leave a doubt about it, is passed over.
    """
    names = {column.name.lower() for column in draft.columns()}
    unnamed = _unnamed(draft)
    before = len(list(draft.columns()))
    for table, source in zip(draft.tables, draft.source_tables, strict=True):
        wanted = rng.randint(1, MOST_COLUMNS) if len(draft.tables) == 1 else rng.randint(0, MOST_COLUMNS_OF_MANY)
        siblings = pool.siblings(source)
        rng.shuffle(siblings)
        was_shown = is_nameless(source)  # tables that share a real name may be of different databases
        found = _clear(draft, siblings, wanted, [] if was_shown else unnamed, is_same_table=True)
        _insert(table, found, rng)
        if len(found) < wanted:
            relatives = pool.relatives(names, rng)
            _insert(table, _clear(draft, relatives, wanted - len(found), unnamed), rng)
    return len(list(draft.columns())) > before


def distractor_tables(draft: Draft, rng: Random, pool: Pool) -> bool:
    """Add a table of two to five columns that the question has nothing to do with.

    Where other examples show a table of the same database, it is that; else it is any table, named after its subject
    unless the schema's own names are placeholders.
    """
    name, columns = pool.companion(draft.source_tables, rng)
    if PLACEHOLDER.match(name) and not any(is_nameless(table.name) for table in draft.tables):
        name = subject((column for column, _ in columns), (), rng)
    is_doubtful = not is_nameless(name) and (
        is_hinted(name, draft.question) or any(are_near(name, table.name) for table in draft.tables)
    )
    if not name or is_doubtful or name.casefold() in draft.taken | draft.names:
        return False
    rng.shuffle(columns)
    more = pool.relatives({column.lower() for column, _ in columns}, rng)
    found = _clear(draft, chain(columns, more), rng.choice(_COLUMNS_OF_SPARE_TABLE), _unnamed(draft))
    if len(found) < 2:
        return False
    draft.tables.insert(rng.randint(0, len(draft.tables)), Table(name, [Column(*spare) for spare in found]))
    return True


def shuffle_columns(draft: Draft, rng: Random, _: Pool) -> bool:
    """Shuffle the tables, and the columns in each: in the data, the column that is asked for comes first."""
    before = str(draft.tables)
    rng.shuffle(draft.tables)
    for table in draft.tables:
        rng.shuffle(table.columns)
    return str(draft.tables) != before


def _insert(table: Table, spares: Iterable[Spare], rng: Random) -> None:
    is_lower = all(column.name.islower() for column in table.columns)
    for name, kind in spares:
        column = Column(name.lower() if is_lower else name, kind)
        table.columns.insert(rng.randint(0, len(table.columns)), column)


def _unnamed(draft: Draft) -> list[str]:
    """The columns that the question does not name, although the gold may use them."""
    return [column.name for column in draft.columns() if not is_named(column.name, draft.question)]


def _clear(
    draft: Draft, candidates: Iterable[Spare], wanted: int, unnamed: list[str], is_same_table: bool = False
) -> list[Spare]:
    """The first candidates beside which a person would still answer as before.

    A name must not be in the schema or, as a name or a text, in a gold; nor have all words of another column, or the
    reverse; nor mean something like one of the ``unnamed`` columns. Of the same table, it must not be named by the
    question; of another one, the question must not even hint at it.
    """
    shut = draft.taken | draft.names
    near = [column.name for column in draft.columns()]
    speaks_of = is_named if is_same_table else is_hinted
    found: list[Spare] = []
    for name, kind in candidates:
        if len(found) == wanted:
            break
        is_doubtful = speaks_of(name, draft.question) or any(are_alike(name, other) for other in unnamed)
        if name.casefold() in shut or is_doubtful or any(are_near(name, other) for other in near):
            continue
        found.append((name, kind))
        near.append(name)
    return found
