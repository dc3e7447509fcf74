"""Are two results the same? As bags, or as lists where the gold orders, with the order of columns free.

Values are typed (the text ``1`` is not the number 1), but 1 equals 1.0 and floats are compared to nine digits.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinkersql.equivalence.sandbox import Result

_DIGITS = 9
_MAX_ORDERS = 3_000


@dataclass
class Outcome:
    """What the two queries returned on one database, made comparable.

    ``gold`` and ``predicted`` hold normalised rows; ``blocks`` the lengths of the runs of rows between which the gold's
    order keys change, or None where order does not count.
    """

    gold: list[tuple]
    predicted: list[tuple]
    blocks: list[int] | None


def normal(value: object, ignore_case: bool) -> object:
    """A value as it is compared."""
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return ("float", str(value))
        rounded = float(f"{value:.{_DIGITS}g}")
        return int(rounded) if rounded.is_integer() else rounded
    if isinstance(value, str):
        return value.casefold() if ignore_case else value
    return value


def normal_rows(rows: Sequence[tuple], ignore_case: bool) -> list[tuple]:
    """Rows as they are compared."""
    return [tuple(normal(value, ignore_case) for value in row) for row in rows]


def block_lengths(result: Result, places: Sequence[int], ignore_case: bool) -> list[int]:
    """How many consecutive rows share their order keys."""
    lengths: list[int] = []
    last: object = None
    for row in result.rows:
        key = tuple(normal(row[place], ignore_case) for place in places)
        if lengths and key == last:
            lengths[-1] += 1
        else:
            lengths.append(1)
        last = key
    return lengths


def same(outcome: Outcome, order: Sequence[int] | None = None) -> bool:
    """Whether the results agree when the prediction's columns are taken in ``order``."""
    gold, predicted = outcome.gold, outcome.predicted
    if len(gold) != len(predicted):
        return False
    if order is not None:
        predicted = [tuple(row[place] for place in order) for row in predicted]
    if outcome.blocks is None:
        return Counter(gold) == Counter(predicted)
    start = 0
    for length in outcome.blocks:
        end = start + length
        if gold[start:end] != predicted[start:end] and Counter(gold[start:end]) != Counter(predicted[start:end]):
            return False
        start = end
    return True


class ColumnOrders:
    """The orders of the prediction's columns under which all results so far agree; the order as written comes first."""

    def __init__(self, width: int):
        self.width = width
        self._outcomes: list[Outcome] = []
        self._current: tuple[int, ...] = tuple(range(width))

    @property
    def as_written(self) -> bool:
        """Whether the columns agree in the order in which they were written."""
        return self._current == tuple(range(self.width))

    def accept(self, outcome: Outcome) -> bool:
        """Take one more outcome; False when no order of columns makes all of them agree any more."""
        self._outcomes.append(outcome)
        if same(outcome, None if self.as_written else self._current):
            return True
        for order in self._candidates():
            if all(same(item, order) for item in reversed(self._outcomes)):
                self._current = order
                return True
        self._outcomes.pop()
        return False

    def separates_alone(self, outcome: Outcome) -> bool:
        """Whether the two results differ on this database under every order of columns."""
        if same(outcome):
            return False
        alone = ColumnOrders(self.width)
        return not alone.accept(outcome)

    def _candidates(self) -> Iterator[tuple[int, ...]]:
        """Orders that give every gold column a predicted column with the same values in every outcome."""
        fits: list[list[int]] = []
        for place in range(self.width):
            fits.append(
                [
                    other
                    for other in range(self.width)
                    if all(
                        Counter(row[place] for row in item.gold) == Counter(row[other] for row in item.predicted)
                        for item in self._outcomes
                    )
                ]
            )
        return _choices(fits, (), [_MAX_ORDERS])


def _choices(fits: list[list[int]], taken: tuple[int, ...], budget: list[int]) -> Iterator[tuple[int, ...]]:
    """Every way to take a different place from each list, until the budget of attempts is spent."""
    if len(taken) == len(fits):
        yield taken
        return
    for place in fits[len(taken)]:
        budget[0] -= 1
        if budget[0] > 0 and place not in taken:
            yield from _choices(fits, (*taken, place), budget)
