"""Recipes that choose among whole examples: which come first, which stay as they are, and which are added."""

import math
from collections import Counter
from collections.abc import Iterator

from tinkersql.corpus import generate
from tinkersql.corpus.recipes.recipe import Context, Row
from tinkersql.corpus.templates import template_of
from tinkersql.errors import SettingsError

BALANCE, MIX, PLAIN = "balance-templates", "mix-generated", "keep-plain"

_RARE = 20
"""Rows of one template from which on only some of them come first."""


def balance_templates(rows: Iterator[Row], share: float, context: Context) -> Iterator[Row]:
    """Put rows of frequent templates behind all others: what a budget buys is more varied, and no row is lost.

    Of ``n`` rows of one template the square root of ``20 / n`` stays in front, which is the usual compromise between
    the data's own frequencies and equal ones. ``share`` of the rows, drawn at random, are held to that.
    """
    frequency = Counter(template_of(example.gold) for example in context.examples)
    behind: list[Row] = []
    for row in rows:
        rng = context.rng(BALANCE, row.key)
        if rng.random() < share and rng.random() > math.sqrt(_RARE / frequency[template_of(row.example.gold)]):
            behind.append(row)
            context.counts[BALANCE] += 1
        else:
            yield row
    yield from behind


def keep_plain(rows: Iterator[Row], share: float, context: Context) -> Iterator[Row]:
    """Exempt a share of the rows from the recipes that follow: questions on bare schemas must stay familiar."""
    for row in rows:
        if row.draft is not None and context.rng(PLAIN, row.key).random() < share:
            row.draft = None
            context.counts[PLAIN] += 1
        yield row


def mix_generated(rows: Iterator[Row], share: float, context: Context) -> Iterator[Row]:
    """Put generated examples between the rows, so that they make up ``share`` of any beginning of the result.

    Only examples of the generator's training split are used. Where the rows ask for more than there are, the last rows
    stand alone.

    Raises:
        SettingsError: The share is 1, or the rows are generated themselves.
    """
    if share == 1:
        raise SettingsError(f"recipe {MIX}=1: no row would be left; use --data built-in for generated examples alone")
    ratio = share / (1 - share)
    generated = iter(_training_examples(round(context.size * ratio), context.seed))
    made, due = 0, 0.0
    for row in rows:
        if row.example.pattern:
            raise SettingsError(f"recipe {MIX}: the data is generated already; leave it out")
        yield row
        due += ratio
        while made < int(due + 1e-6):
            made += 1
            example = next(generated, None)
            if example is not None:
                context.counts[MIX] += 1
                yield Row(f"{MIX}/{made}", example, None, [MIX])


def _training_examples(count: int, seed: int) -> list["generate.Example"]:
    wanted = min(count + count // (generate.TEST_EVERY - 1) + 1, generate.REACH)
    return generate.split(generate.generate(wanted, seed))[0]
