"""Pairs of made-up lookups and predictions for them, each labelled ``wrong`` (proved different) or ``equal``."""

from collections.abc import Iterator
from random import Random

from figures import Pair
from lookups import Lookup, invent
from paraphrases import EQUAL, double_quoted
from truth import differ
from wrong_queries import WRONG, applied

CONDITIONS = range(5)
"""How many conditions the golds have."""


class LookupPair(Pair):
    """A pair, its label, the operator that made its prediction, and the number of the gold's conditions."""

    label: str
    operator: str
    conditions: int


def predictions(lookup: Lookup, random: Random) -> Iterator[tuple[str, str, str]]:
    """(label, operator, SQL) of a lookup's predictions. A wrong one whose difference cannot be shown is left out.

    Raises:
        RuntimeError: a paraphrase is none.
    """
    for operator, sql in applied(WRONG, lookup, random):
        if differ(lookup, sql, random):
            yield "wrong", operator, sql
    for operator, sql in applied(EQUAL, lookup, random):
        if differ(lookup, sql, random, databases=30):
            raise RuntimeError(f"the paraphrase {operator} is none: {lookup.select()} / {sql}")
        yield "equal", operator, sql


def lookup_pairs(golds: int, seed: int = 0) -> Iterator[LookupPair]:
    """The pairs of ``golds`` made-up golds for each number of conditions; in half of them values are double-quoted."""
    for conditions in CONDITIONS:
        random = Random(f"{seed} {conditions}")
        for _ in range(golds):
            lookup = invent(random, conditions)
            gold = random.choice((lookup.select(), double_quoted(lookup, random) or lookup.select()))
            for label, operator, sql in predictions(lookup, random):
                pair = Pair(schema=lookup.schema, gold=gold, predicted=sql)
                yield LookupPair(**pair, label=label, operator=operator, conditions=conditions)
