"""What a recipe is: a small, named, seeded change of the training examples."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from tinkersql.corpus.examples import Example
from tinkersql.corpus.recipes.drafts import Draft
from tinkersql.corpus.recipes.pool import Pool


@dataclass(slots=True)
class Row:
    """An example on its way through the recipes.

    Attributes:
        key: Where it comes from (``17``: the 18th example); all its randomness follows from the seed and this key.
        example: As it was.
        draft: As it will be; None where recipes leave it alone.
        changed_by: The recipes that have changed it.
    """

    key: str
    example: Example
    draft: Draft | None
    changed_by: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Context:
    """What a recipe may know.

    Attributes:
        seed: Of all randomness.
        size: How many examples there are to take rows from.
        pool: The tables that the training examples show.
        counts: How many rows each recipe has changed or added so far.
    """

    seed: int
    size: int
    pool: Pool
    counts: Counter[str] = field(default_factory=Counter)

    def rng(self, *parts: str) -> Random:
        """A generator that depends on the seed and these texts alone, not on Python's own hashes."""
        return Random("/".join((str(self.seed), *parts)))


Transform = Callable[[Iterator[Row], float, Context], Iterator[Row]]
Change = Callable[[Draft, Random, Pool], bool]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named transformation.

    Attributes:
        name: As in ``--recipe``.
        summary: What it does, in one line.
        share: The share of examples that it takes hold of by default, above 0 and up to 1.
        transform: Turns the rows into other rows, one after the other, given the share.
    """

    name: str
    summary: str
    share: float
    transform: Transform


def by_row(name: str, summary: str, share: float, change: Change) -> Recipe:
    """A recipe that changes each row on its own.

    Args:
        name: As in ``--recipe``.
        summary: What it does, in one line.
        share: The default share of rows.
        change: Changes a draft in place; returns whether there was anything to change.
    """

    def transform(rows: Iterator[Row], share: float, context: Context) -> Iterator[Row]:
        for row in rows:
            if row.draft is not None:
                rng = context.rng(name, row.key)
                if rng.random() < share and change(row.draft, rng, context.pool):
                    row.changed_by.append(name)
                    context.counts[name] += 1
            yield row

    return Recipe(name, summary, share, transform)
