"""Recipes that choose among whole examples: those that stay as they are, and those that are added."""

from collections.abc import Iterator

from tinkersql.corpus import generate
from tinkersql.corpus.recipes.recipe import Context, Row
from tinkersql.errors import SettingsError

MIX, PLAIN = "mix-generated", "keep-plain"


def keep_plain(rows: Iterator[Row], share: float, context: Context) -> Iterator[Row]:
    """Exempt a share of the rows from every other recipe: questions on bare schemas must stay familiar."""
    for row in rows:
        if row.draft is not None and context.rng(PLAIN, row.key).random() < share:
            row.draft = None
            context.counts[PLAIN] += 1
        yield row


def mix_generated(rows: Iterator[Row], share: float, context: Context) -> Iterator[Row]:
    """Put generated examples between the rows, so that they make up ``share`` of any beginning of the result.

    Only examples of the generator's training split are used. Where the rows ask for more than there are, the last rows
    stand alone. The share is below 1.

    Raises:
        SettingsError: The rows are generated themselves.
    """
    ratio = share / (1 - share)
    generated = iter(_training_examples(round(context.size * ratio), context.seed))
    made, due = 0, 0.0
    for row in rows:
        if generate.is_generated(row.example):
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
