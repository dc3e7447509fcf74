"""The built-in data: examples made from hand-written domains and question patterns.

`generate` draws a shape of query, a domain, a way to write its names and a wording, fills them, and shows a schema with
spare columns. Nothing is read from a file or the network, and the same count and seed give the same examples
everywhere.

The split is by domain *and* pattern, so a test figure is about subjects and phrasings that training never saw:

- the test split takes `HELD_OUT_DOMAINS` and the unseen wordings of every shape, among them a few whole shapes which
  combine what other shapes teach (a filter with a top n, a count by group under a filter, a join with a top sum);
- training takes the other domains and the other wordings.

An example that mixes the two, a held-out domain in a seen wording or the reverse, belongs to neither split. So
`generate` makes none: one example in `TEST_EVERY` is made for the test split and the others for training.
"""

import random
from collections.abc import Iterable, Sequence

from tinkersql.corpus.examples import Example
from tinkersql.corpus.generate.domain import Domain
from tinkersql.corpus.generate.domains import DOMAINS, HELD_OUT_DOMAINS
from tinkersql.corpus.generate.naming import NAMINGS, WEIGHTS, namings_of
from tinkersql.corpus.generate.scene import Scene, Unfit
from tinkersql.corpus.generate.schema import show
from tinkersql.corpus.generate.shapes import SHAPES
from tinkersql.corpus.generate.shapes.shape import worded

__all__ = ["REACH", "TEST_EVERY", "generate", "is_generated", "is_held_out_domain", "is_held_out_pattern", "split"]

TEST_EVERY = 6
REACH = 24_000
"""Examples that are known to be found; more may be."""
ATTEMPTS = 200
DOMAINS_TRIED = 12  # for one shape, before another one is drawn: so shapes that few domains fit keep their share

_DOMAINS = frozenset(domain.name for domain in DOMAINS)
_WORDINGS = {shape.name: len(shape.wordings) for shape in SHAPES}


def generate(count: int = REACH, seed: int = 0) -> list[Example]:
    """Makes examples; no two ask the same question.

    Args:
        count: How many examples; up to `REACH` are known to be within reach.
        seed: The same seed gives the same examples, of which a smaller count gives the first ones.

    Returns:
        Examples in random order with `domain` and `pattern` filled, every sixth for the test split.

    Raises:
        ValueError: When no new question is found any more: the count is beyond what the domains hold.
    """
    rng = random.Random(seed)
    named = [namings_of(domain) for domain in DOMAINS]
    splits = {held: [ways for ways in named if is_held_out_domain(ways[0].name) == held] for held in (False, True)}
    asked: set[str] = set()
    examples: list[Example] = []
    while len(examples) < count:
        held_out = len(examples) % TEST_EVERY == TEST_EVERY - 1
        example = _one(rng, splits[held_out], asked, held_out=held_out)
        asked.add(example.question)
        examples.append(example)
    return examples


def split(examples: Iterable[Example]) -> tuple[list[Example], list[Example]]:
    """Training and test examples, in their order; what belongs to neither is left out (see above)."""
    train: list[Example] = []
    test: list[Example] = []
    for example in examples:
        held_out = is_held_out_domain(example.domain), is_held_out_pattern(example.pattern)
        if held_out == (True, True):
            test.append(example)
        elif held_out == (False, False):
            train.append(example)
    return train, test


def is_generated(example: Example) -> bool:
    """Whether an example was made here: files of others may have columns ``domain`` and ``pattern`` of their own."""
    shape, _, wording = example.pattern.partition("/")
    return example.domain in _DOMAINS and shape in _WORDINGS and wording.isdecimal()


def is_held_out_domain(name: str) -> bool:
    """Whether only the test split sees this domain."""
    return name in HELD_OUT_DOMAINS


def is_held_out_pattern(pattern: str) -> bool:
    """Whether only the test split sees this pattern, ``shape/number of the wording``."""
    shape, _, wording = pattern.partition("/")
    return int(wording) >= _WORDINGS[shape]


def _one(rng: random.Random, domains: Sequence[tuple[Domain, ...]], asked: set[str], *, held_out: bool) -> Example:
    """One example of a split whose question is not among those asked; every domain comes with its namings."""
    shapes = [shape for shape in SHAPES if held_out or shape.wordings]
    weights = [shape.weight for shape in shapes]
    for _ in range(ATTEMPTS):
        shape = rng.choices(shapes, weights)[0]
        for _ in range(DOMAINS_TRIED):
            naming = rng.choices(NAMINGS, WEIGHTS)[0]
            domain, neighbour = (ways[naming] for ways in rng.sample(domains, 2))
            try:
                draft = shape.build(Scene(domain, rng))
            except Unfit:
                continue
            usable = shape.usable(draft, held_out=held_out)
            if not usable:
                continue
            pattern, wording = rng.choice(usable)
            question = worded(rng, wording, draft.slots)
            if question not in asked:
                return Example(question, show(rng, domain, draft, neighbour), draft.golds, domain.name, pattern)
    raise ValueError(f"no new question after {ATTEMPTS} attempts: ask for fewer than {len(asked) + 1} examples")
