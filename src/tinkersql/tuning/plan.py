"""What a training goes through: which examples make up each step, and at which learning rate."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tinkersql.settings import Settings

if TYPE_CHECKING:
    import tinker

TIMED_STEPS = 5
"""Steps that are timed before a budget in minutes becomes a number of steps; the first is not counted."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of training with a schedule of its own: the first, or one by which a finished training was extended.

    Attributes:
        steps: Optimizer steps; None while a budget in minutes has not become a number of steps.
        examples: Examples seen, or, without a number of steps, the most there may be.
        kept: Of the steps, so many went into the result, if validation settled on earlier weights than the last.
    """

    steps: int | None
    examples: int
    kept: int | None = None

    @property
    def length(self) -> int | None:
        """Steps before the next leg; None while a budget in minutes has not become a number of steps."""
        return self.steps if self.kept is None else self.kept


class Plan:
    """The steps of a training, counted from 1.

    A pass takes the examples in their order, and every further pass in another order, drawn from the seed. So what a
    step sees follows from the examples, the settings and the legs alone, whenever and wherever it is taken.
    """

    def __init__(self, datums: "Sequence[tinker.Datum]", settings: Settings, legs: Sequence[Leg] = ()) -> None:
        """``datums``: the examples of one pass, at least one; ``legs``: those of an earlier sitting."""
        self.datums = datums
        self.settings = settings
        self.legs = list(legs) or [_first_leg(datums, settings)]

    @property
    def steps(self) -> int | None:
        """Steps in all; None while that is not known."""
        counts = [leg.length for leg in self.legs]
        return None if None in counts else sum(count for count in counts if count is not None)

    @property
    def examples(self) -> int:
        """Examples seen in all; the most there may be while the steps are not known."""
        return sum(leg.examples for leg in self.legs)

    def fix(self, steps: int) -> None:
        """Let the last leg have so many steps, as far as its examples reach."""
        leg = self.legs[-1]
        examples = min(leg.examples, steps * self.settings.batch_size)
        self.legs[-1] = Leg(-(-examples // self.settings.batch_size), examples)

    def extend(self, steps: int, kept: int) -> None:
        """Add a leg of so many full steps, whose schedule begins anew, after the ``kept`` first steps of all."""
        before, last = sum(leg.length or 0 for leg in self.legs[:-1]), self.legs[-1]
        if kept - before != last.steps:
            examples = (kept - before) * self.settings.batch_size
            self.legs[-1] = Leg(last.steps, examples, kept - before)
        self.legs.append(Leg(steps, steps * self.settings.batch_size))

    def has(self, step: int) -> bool:
        """Whether there are examples for a step."""
        _, leg, number = self._place(step)
        return (number - 1) * self.settings.batch_size < leg.examples

    def batch(self, step: int) -> "list[tinker.Datum]":
        """The examples of a step as Datums."""
        return [self.datums[index] for index in self.indices(step)]

    def indices(self, step: int) -> list[int]:
        """The examples of a step by their place in a pass; fewer than ``batch_size`` at the end of a leg only."""
        first, leg, number = self._place(step)
        start = first + (number - 1) * self.settings.batch_size
        stop = min(start + self.settings.batch_size, first + leg.examples)
        return [self._index(position) for position in range(start, stop)]

    def rate(self, step: int) -> float:
        """Adam's rate at a step: constant, or falling linearly so that the step after the leg's last would have 0.

        While the number of steps is not known, the rate does not fall.
        """
        _, leg, number = self._place(step)
        if self.settings.schedule == "constant" or leg.steps is None:
            return self.settings.learning_rate
        return self.settings.learning_rate * (1 - (number - 1) / leg.steps)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `legs_of` reads it."""
        return {"legs": [asdict(leg) for leg in self.legs]}

    def _place(self, step: int) -> tuple[int, Leg, int]:
        """The leg of a step, the examples seen before it, and the step's number in it."""
        seen, before = 0, 0
        for leg in self.legs[:-1]:
            assert leg.length is not None
            if step - before <= leg.length:
                return seen, leg, step - before
            seen, before = seen + leg.examples, before + leg.length
        return seen, self.legs[-1], step - before

    def _index(self, position: int) -> int:
        n = len(self.datums)
        return _order(n, self.settings.seed, position // n)[position % n]


def legs_of(document: Any) -> list[Leg]:
    """The legs that `Plan.to_dict` has written.

    Raises:
        KeyError, TypeError, ValueError: The document is no plan.
    """
    legs = [Leg(**leg) for leg in document["legs"]]
    for leg in legs:
        if not isinstance(leg.examples, int) or not all(isinstance(n, int | None) for n in (leg.steps, leg.kept)):
            raise TypeError(leg)
    return legs


def most_examples(settings: Settings, shortest: int) -> int | None:
    """How many examples of one pass the budget can take at most, none being shorter than ``shortest`` tokens.

    None where the budget has no such bound.
    """
    bounds = (settings.examples, settings.tokens // shortest, settings.steps * settings.batch_size)
    return min((bound for bound in bounds if bound), default=None)


def _first_leg(datums: "Sequence[tinker.Datum]", settings: Settings) -> Leg:
    examples = len(datums) * settings.epochs
    for bound in (settings.examples, settings.steps * settings.batch_size):
        examples = min(examples, bound or examples)
    if settings.tokens:
        lengths = (
            datums[index].model_input.length
            for epoch in range(settings.epochs)
            for index in _order(len(datums), settings.seed, epoch)
        )
        enough = (seen for seen, tokens in enumerate(accumulate(lengths), start=1) if tokens >= settings.tokens)
        examples = min(examples, next(enough, examples))
    return Leg(None if settings.minutes else -(-examples // settings.batch_size), examples)


@lru_cache(maxsize=2)
def _order(n: int, seed: int, epoch: int) -> Sequence[int]:
    """The order of a pass over ``n`` examples."""
    return range(n) if epoch == 0 else random.Random(f"{seed}/{epoch}").sample(range(n), n)
