"""A shape: a kind of query, how to build it, and the wordings of its question."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from string import Formatter

from tinkersql.corpus.generate.scene import Draft, Scene

_CHOICE = re.compile(r"\[([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of query.

    Attributes:
        name: Its name, the first part of an example's pattern.
        build: Draws a query and the words for it.
        weight: How often it is asked, relative to the others.
        wordings: Questions with ``{slots}``, and ``[choices|of|words]``, for training. A shape without any is unseen as
            a whole.
        unseen: Wordings that only the test split uses.
    """

    name: str
    build: Callable[[Scene], Draft]
    weight: float
    wordings: tuple[str, ...]
    unseen: tuple[str, ...]

    def usable(self, draft: Draft, *, held_out: bool) -> list[tuple[str, str]]:
        """The ``(pattern, wording)`` pairs of one split whose slots the draft can all fill."""
        start = len(self.wordings) if held_out else 0
        wordings = self.unseen if held_out else self.wordings
        return [
            (f"{self.name}/{start + index}", wording)
            for index, wording in enumerate(wordings)
            if all(draft.slots.get(slot) for slot in _slots(wording))
        ]


@cache
def _slots(wording: str) -> tuple[str, ...]:
    return tuple(slot for _, slot, _, _ in Formatter().parse(wording) if slot)


def worded(rng: random.Random, wording: str, slots: dict[str, str]) -> str:
    """The question: of each ``[choice|of words]`` one, the slots filled, the first letter a capital."""
    chosen = _CHOICE.sub(lambda found: rng.choice(found[1].split("|")), wording)
    question = chosen.format(**slots)
    return question[0].upper() + question[1:]


def shape(
    name: str, *, weight: float = 1, wordings: tuple[str, ...] = (), unseen: tuple[str, ...]
) -> Callable[[Callable[[Scene], Draft]], Shape]:
    """Turns a building function into a `Shape`."""
    return lambda build: Shape(name, build, weight, wordings, unseen)
