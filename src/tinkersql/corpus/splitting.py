"""Split a corpus into training and test examples, and describe what there is."""

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from tinkersql.corpus import generate
from tinkersql.corpus.examples import Example
from tinkersql.corpus.kinds import KINDS, kind_of
from tinkersql.corpus.leaks import LeakReport, find_leaks
from tinkersql.corpus.reading import Corpus
from tinkersql.corpus.traits import Traits, traits_of
from tinkersql.errors import SettingsError

SPLITS = ("row", "table", "schema", "template")
"""What a split may go by."""
_SPREAD = 10
"""A group that makes up more than this part of the test (a tenth) is taken only if smaller ones do not fill it."""

_Parts = tuple[list[Example], list[Example], list[str]]
"""Training examples, test examples and notes."""


@dataclass(frozen=True, slots=True)
class Split:
    """Training and test examples.

    Attributes:
        train: In random order, so that a budget takes the first ones.
        test: The questions that every model is asked.
        left_out: What belongs to neither: the rest of a group that the test took a part of, the rest of the built-in
            test examples, and built-in examples that mix the two.
        by: One of `SPLITS`.
        leaks: What training knows of the test questions.
        notes: What a reader of the results must know about data and split, one sentence each; the leaks come last.
    """

    train: tuple[Example, ...]
    test: tuple[Example, ...]
    left_out: tuple[Example, ...]
    by: str
    leaks: LeakReport
    notes: tuple[str, ...]


def split(corpus: Corpus, test_size: int, seed: int, by: str = "row") -> Split:
    """Shuffle by ``seed`` and set ``test_size`` examples aside.

    Args:
        corpus: The examples.
        test_size: How many to test on.
        seed: The same seed gives the same split.
        by: ``row`` as the exercise does it; built-in examples go by domain *and* question pattern then, so that the
            test asks about subjects in wordings that training never shows. ``table``, ``schema`` and ``template``
            keep examples that share one (`Traits`) on one side: whole groups in random order are for the test until it
            is full, small ones first, and what it does not take of the last group is left out. A group of more than
            half of the examples is always trained on, and so are, by table, examples whose tables have no names of
            their own, because nobody knows which of them belong together.

    Raises:
        SettingsError: An unknown ``by``, or fewer examples or groups than ``test_size`` takes.
    """
    if by not in SPLITS:
        raise SettingsError(f"no split goes by '{by}': choose one of {', '.join(SPLITS)}")
    traits = traits_of(corpus.examples)
    if by == "row":
        train, test, notes = _by_row(corpus, test_size, seed)
    else:
        train, test, notes = _by_group(corpus, test_size, seed, by, traits)
    left_out = Counter(corpus.examples) - Counter(train) - Counter(test)
    leaks = find_leaks(train, test, traits)
    return Split(tuple(train), tuple(test), tuple(left_out.elements()), by, leaks, (*corpus.notes, *notes, leaks.line))


def count_kinds(examples: Iterable[Example]) -> dict[str, int]:
    """How many examples there are of each kind of query, in the order of `KINDS`."""
    counts = Counter(kind_of(example.gold) for example in examples)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def _by_row(corpus: Corpus, test_size: int, seed: int) -> _Parts:
    notes = []
    if corpus.is_built_in:
        train, test = (_shuffled(part, seed) for part in generate.split(corpus.examples))
        notes.append(
            "Test questions come from domains and wordings that training does not show; built-in data is no benchmark."
        )
    else:
        rows = _shuffled(corpus.examples, seed)
        test, train = rows[:test_size], rows[test_size:]
    if len(test) < test_size or not train:
        available = len(test) if corpus.is_built_in else len(corpus.examples) - 1
        if available < 1:
            raise SettingsError(f"{corpus.source} is too small to split; use more data")
        raise SettingsError(
            f"--test-size {test_size} is too large: {corpus.source} has {len(corpus.examples)} examples; "
            f"use at most {available}"
        )
    return train, test[:test_size], notes


def _by_group(corpus: Corpus, test_size: int, seed: int, by: str, traits: Mapping[Example, Traits]) -> _Parts:
    groups: dict[Hashable, list[Example]] = defaultdict(list)
    for example in corpus.examples:
        groups[_group(traits[example], by)].append(example)
    largest = len(corpus.examples) // 2
    order = [
        key for key, group in groups.items() if len(group) <= largest and (by != "table" or traits[group[0]].has_name)
    ]
    random.Random(seed).shuffle(order)
    order.sort(key=lambda key: max(len(groups[key]), test_size // _SPREAD))
    sizes = [len(groups[key]) for key in order]
    if (available := sum(sizes if len(order) < len(groups) else sizes[:-1])) < test_size:
        if by == "table" and not order and not any(traits[group[0]].has_name for group in groups.values()):
            raise SettingsError(
                f"{corpus.source}: no table has a name of its own (table_name_7 is none), so nobody knows which rows "
                "share one; use another split"
            )
        if not available:
            raise SettingsError(f"{corpus.source} is too small to split by {by}; use more data, or another split")
        raise SettingsError(
            f"{corpus.source} is too small for a {by}-disjoint split with --test-size {test_size}; "
            f"use at most {available}, or another split"
        )
    test: list[Example] = []
    while len(test) < test_size:
        test += groups.pop(order.pop(0))
    rest = len(test) - test_size
    train = [example for group in groups.values() for example in group]
    notes = [f"{rest:,} examples are left out, because they are like test questions."] if rest else []
    if by == "table" and (unnamed := sum(not traits[example].has_name for example in train)):
        notes.append(
            f"The tables of {unnamed:,} training examples have no names of their own, so all test questions are about "
            "tables that have."
        )
    return _shuffled(train, seed), _shuffled(test[:test_size], seed), notes


def _group(traits: Traits, by: str) -> Hashable:
    return {"table": traits.table, "schema": traits.columns, "template": traits.template}[by]


def _shuffled(examples: Iterable[Example], seed: int) -> list[Example]:
    rows = list(examples)
    random.Random(seed).shuffle(rows)
    return rows
