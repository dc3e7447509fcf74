"""Split a corpus into training and test examples, and describe what there is."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tinkersql.corpus import generate
from tinkersql.corpus.examples import Example
from tinkersql.corpus.kinds import KINDS, kind_of
from tinkersql.corpus.reading import Corpus
from tinkersql.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Split:
    """Training and test examples.

    Attributes:
        train: In random order, so that a budget takes the first ones.
        test: The questions that every model is asked.
        notes: What a reader of the results must know about the split, one sentence each.
    """

    train: tuple[Example, ...]
    test: tuple[Example, ...]
    notes: tuple[str, ...]


def split(corpus: Corpus, test_size: int, seed: int) -> Split:
    """Shuffle by ``seed`` and set ``test_size`` examples aside.

    Rows of a file are split as the exercise does it, by row. Built-in examples are split by domain *and* question
    pattern: the test asks about subjects in wordings that training never shows.

    Raises:
        SettingsError: Fewer examples than ``test_size`` + 1.
    """
    if corpus.is_built_in:
        train, test = generate.split(corpus.examples)
        train, test = _shuffled(train, seed), _shuffled(test, seed)
        notes = [
            "Test questions come from domains and wordings that training does not show; built-in data is no benchmark."
        ]
    else:
        rows = _shuffled(corpus.examples, seed)
        test, train = rows[:test_size], rows[test_size:]
        notes = []
    if len(test) < test_size or not train:
        available = len(test) if corpus.is_built_in else len(corpus.examples) - 1
        raise SettingsError(
            f"--test-size {test_size} is too large: {corpus.source} has {len(corpus.examples)} examples; "
            f"use at most {max(available, 0)}"
        )
    test = test[:test_size]
    seen = {(e.question, e.schema) for e in train}
    repeated = sum((e.question, e.schema) in seen for e in test)
    if repeated:
        notes.append(
            f"{repeated} of {len(test)} test questions stand word for word, with the same schema, in the training rows."
        )
    return Split(tuple(train), tuple(test), tuple(notes))


def count_kinds(examples: Iterable[Example]) -> dict[str, int]:
    """How many examples there are of each kind of query, in the order of `KINDS`."""
    counts = Counter(kind_of(example.gold) for example in examples)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def _shuffled(examples: Iterable[Example], seed: int) -> list[Example]:
    rows = list(examples)
    random.Random(seed).shuffle(rows)
    return rows
