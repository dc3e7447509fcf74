"""Find the training examples that are most like a question, to be shown before it."""

import re
from collections.abc import Iterable, Sequence

from tinkersql.corpus import Example

POOL = 1000
"""Training examples to choose from, where nobody says how many; the exercise speaks of so many."""

_WORD = re.compile(r"[^\W_]+")


class Retriever:
    """Ranks examples by BM25 over the words of their question and schema (Robertson and Zaragoza, 2009).

    The same pool and the same question always give the same examples; of equally near ones the earlier comes first.

    Args:
        pool: The examples to choose from.
    """

    def __init__(self, pool: Sequence[Example]):
        import bm25s

        self._pool = pool
        self._index = bm25s.BM25()
        self._index.index([_words(example) for example in pool], show_progress=False)

    def nearest(self, example: Example, k: int) -> tuple[Example, ...]:
        """The ``k`` nearest examples, the nearest last, so that it stands beside the question."""
        order = (-self._index.get_scores(_words(example))).argsort(kind="stable")
        return tuple(self._pool[index] for index in reversed(order[:k]))


def without(pool: Iterable[Example], asked: Iterable[Example]) -> tuple[Example, ...]:
    """The examples of which none is asked: no question may find itself, with its gold, in its own prompt."""
    excluded = {_identity(example) for example in asked}
    return tuple(example for example in pool if _identity(example) not in excluded)


def _identity(example: Example) -> tuple[str, str]:
    """Question and schema but for letter case and spaces."""
    return " ".join(example.question.casefold().split()), " ".join(example.schema.casefold().split())


def _words(example: Example) -> list[str]:
    """Lower-case words; ``department_id`` is two. Never empty, which the index would not take."""
    return _WORD.findall(f"{example.question} {example.schema}".lower()) or ["?"]
