"""What a gold may return where it leaves its result open.

``ORDER BY price LIMIT 3`` with a tie at the cut, or a bare column beside an aggregate, makes the gold no function of
the data: any of the tied rows, and a value from any row of the group, is right. Such a database still tells something.
The rows before the tie are certain, the others must come from the tied ones, the number of rows is certain, and so is
every column that is not bare. A prediction that returns anything else is wrong under every reading of the gold.
"""

from collections import Counter
from dataclasses import dataclass

from tinkersql.equivalence.results import block_lengths, normal_rows
from tinkersql.equivalence.sandbox import OverBudgetError, QueryError, Result, Sandbox
from tinkersql.equivalence.variants import KEY_NAME, MARK_NAME, Variants

_MAPPINGS = 3_000


@dataclass(frozen=True)
class Permitted:
    """The results that a gold allows on one database, as bags of normalised rows.

    Attributes:
        fixed: rows that every reading returns.
        free: rows of which the others are taken.
        count: how many rows the gold returns; so ``count - len(fixed)`` of the free ones.
        ranked: whether the free rows are tied by the gold's order. Then all of them are allowed too: a prediction that
            returns all rows tied for the first place is no other query where no tie decides.
        places: the columns whose values are certain; the others are left out of account.
        single: whether only one result is allowed: the one that the gold returned.
    """

    fixed: list[tuple]
    free: list[tuple]
    count: int
    ranked: bool
    places: tuple[int, ...]
    single: bool

    def forbids(self, rows: list[tuple]) -> bool:
        """Whether no reading of the gold returns these normalised rows, in whatever order their columns are taken.

        The order of rows is left out of account. With very many possible orders of columns the answer is False.
        """
        if len(rows) != self.count and not (self.ranked and len(rows) == len(self.fixed) + len(self.free)):
            return True
        if not rows:
            return False
        width = len(rows[0])
        fits = [[other for other in range(width) if self._allows((place,), (other,), rows)] for place in self.places]
        budget = [_MAPPINGS]
        return not self._some_mapping(fits, (), rows, budget)

    def _some_mapping(
        self, fits: list[list[int]], taken: tuple[int, ...], rows: list[tuple], budget: list[int]
    ) -> bool:
        budget[0] -= 1
        if budget[0] < 0:
            return True
        if len(taken) == len(fits):
            return self._allows(self.places, taken, rows)
        return any(
            self._some_mapping(fits, (*taken, place), rows, budget) for place in fits[len(taken)] if place not in taken
        )

    def _allows(self, ours: tuple[int, ...], theirs: tuple[int, ...], rows: list[tuple]) -> bool:
        """Whether the rows hold all fixed ones and otherwise only free ones, in the given columns."""
        rest = Counter(tuple(row[place] for place in theirs) for row in rows)
        fixed = Counter(tuple(row[place] for place in ours) for row in self.fixed)
        if not fixed <= rest:
            return False
        return rest - fixed <= Counter(tuple(row[place] for place in ours) for row in self.free)


class Openness:
    """Finds out what a gold allows on the database that a sandbox holds.

    Args:
        found: the gold's variants.
        sandbox: where their texts are tried out, on empty tables. A gold whose texts SQLite refuses counts as certain.

    Attributes:
        possible: whether the gold leaves anything open on some database.
    """

    def __init__(self, found: Variants, sandbox: Sandbox):
        self._variants = found
        self.possible = found.open
        try:
            for text in (found.spread, *found.settled, *found.probes) if found.open else ():
                sandbox.run(text)
        except (QueryError, OverBudgetError):
            self.possible = False

    def permitted(self, sandbox: Sandbox, fold: bool) -> Permitted | None:
        """What the gold allows on the sandbox's database; None when that cannot be told.

        Only to be asked where something is open at all (``possible``). ``fold``: whether letter case is ignored.
        """
        try:
            if any(sandbox.run(text).rows for text in self._variants.probes):
                return None
            spread = sandbox.run(self._variants.spread)
            settled = [Counter(sandbox.run(text).rows) for text in self._variants.settled]
        except (QueryError, OverBudgetError):
            return None
        if any(rows != Counter(spread.rows) for rows in settled):
            return None
        return self._read(spread, fold)

    def _read(self, spread: Result, fold: bool) -> Permitted | None:
        found = self._variants
        width = sum(not name.startswith((KEY_NAME, MARK_NAME)) for name in spread.columns)
        arbitrary: set[int] = set()
        for number, shows in enumerate(found.marks):
            place = number - len(found.marks)
            if any(row[place] for row in spread.rows):
                if shows is None:
                    return None
                arbitrary.update(shows)
        rows = normal_rows([row[:width] for row in spread.rows], fold)
        places = tuple(place for place in range(width) if place not in arbitrary)
        if found.cut is None:
            return Permitted(rows, [], len(rows), False, places, not arbitrary)
        start, stop = (min(cut, len(rows)) for cut in found.cut)
        fixed: list[tuple] = []
        free: list[tuple] = []
        first = 0
        for length in block_lengths(spread, found.spread_keys, True):
            end = first + length
            kept = min(end, stop) - max(first, start)
            block = rows[first:end]
            first = end
            if kept <= 0:
                continue
            if kept == length:
                fixed += block
            else:
                free += block
        return Permitted(fixed, free, stop - start, bool(found.spread_keys), places, not free and not arbitrary)
