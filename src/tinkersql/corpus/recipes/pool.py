"""What the training examples tell about tables: which columns a table has beyond those that one example shows."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from random import Random

from tinkersql.corpus.examples import Example
from tinkersql.corpus.recipes.drafts import is_usable, read
from tinkersql.corpus.recipes.words import words_of

PLACEHOLDER = re.compile(r"table_name_\d+\Z")
"""A name that sql-create-context gives to tables without one; it says nothing of where the table is from."""
_AGGREGATE = re.compile(r"(?:count|sum|avg|min|max)_(?=[^\W_])", re.IGNORECASE)
_ODD = re.compile(r"__|_\Z|\d{3}")
_WIDEST = 24
"""Characters of a spare name; longer ones are mostly whole phrases, and cost tokens."""
_GENERIC = tuple(
    (name, "VARCHAR") for name in ("id", "notes", "status", "type", "code", "source", "region", "category", "language")
)
_GENERIC_AT_MOST = 2
_ATTEMPTS, _SHORTLIST = 6, 4

Spare = tuple[str, str]
"""A column's name and type."""
_Columns = dict[str, Spare]
"""By name in lower case."""


class Pool:
    """The tables that the training examples show, merged by name where the name identifies a table.

    A table such as ``table_1234_5`` or ``singer`` has the columns of all examples that show it; one that is called
    ``table_name_7`` stands for itself. The examples are read when somebody first asks.
    """

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples

    def siblings(self, table: str) -> list[Spare]:
        """The columns that other examples show of the same table."""
        return list(self._read.named.get(table.lower(), {}).values())

    def relatives(self, names: set[str], rng: Random) -> Iterator[Spare]:
        """Columns that stand beside columns of these names in other tables, those beside rare names first.

        Of a few such tables, that with the most of the names is taken, so that the columns come from one subject.
        Behind them come columns that any table may have.
        """
        having = self._read.having
        known = sorted(name for name in names if len(having.get(name, ())) > 1)
        weights = [1 / len(having[name]) for name in known]
        for _ in range(_ATTEMPTS if known else 0):
            tables = having[rng.choices(known, weights)[0]]
            shortlist = [rng.choice(tables) for _ in range(_SHORTLIST)]
            columns = list(max(shortlist, key=lambda table: len(names & table.keys())).values())
            rng.shuffle(columns)
            yield from columns
        yield from rng.sample(_GENERIC, _GENERIC_AT_MOST)

    def companion(self, tables: Iterable[str], rng: Random) -> tuple[str, list[Spare]]:
        """A table that stands beside one of these in some example, or else any other: its name and its columns."""
        beside = sorted({name for table in tables for name in self._read.companions.get(table, ())})
        if beside:
            name = rng.choice(beside)
            return name, self.siblings(name)
        return f"table_name_{rng.randint(1, 99)}", list(rng.choice(self._read.tables).values())

    @cached_property
    def _read(self) -> "_Tables":
        return _Tables(self._examples)


class _Tables:
    def __init__(self, examples: Iterable[Example]) -> None:
        self.tables: list[_Columns] = []
        self.named: dict[str, _Columns] = {}
        self.companions: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.having: defaultdict[str, list[_Columns]] = defaultdict(list)
        for draft in filter(None, map(read, examples)):
            names = [name for name in draft.source_tables if not PLACEHOLDER.match(name)]
            for table, name in zip(draft.tables, draft.source_tables, strict=True):
                columns = self.named.get(name)
                if columns is None:
                    columns = {}
                    self.tables.append(columns)
                    if name in names:
                        self.named[name] = columns
                        self.companions[name].update((other, None) for other in names if other != name)
                columns.update((s[0].lower(), s) for c in table.columns if (s := _spare(c.name, c.type)))
        for columns in self.tables:
            for name in columns:
                self.having[name].append(columns)


def _spare(name: str, kind: str) -> Spare | None:
    """A column as a spare one; None for a name that no other table should have.

    Some rows of the data set hold names such as ``avg_laps`` where the table has ``laps``.
    """
    name = _AGGREGATE.sub("", name)
    if len(name) > _WIDEST or not is_usable(name) or _ODD.search(name) or not words_of(name):
        return None
    return name, kind
