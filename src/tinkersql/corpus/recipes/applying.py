"""From ``--recipe`` to changed examples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from tinkersql.console import Reporter, Silent
from tinkersql.corpus.examples import Example
from tinkersql.corpus.recipes.distractors import distractor_columns, distractor_tables, shuffle_columns
from tinkersql.corpus.recipes.drafts import read
from tinkersql.corpus.recipes.keys import declared_keys
from tinkersql.corpus.recipes.literals import value_case, value_quotes
from tinkersql.corpus.recipes.mixing import MIX, PLAIN, keep_plain, mix_generated
from tinkersql.corpus.recipes.naming import rename_identifiers, rename_tables
from tinkersql.corpus.recipes.pool import Pool
from tinkersql.corpus.recipes.recipe import Context, Recipe, Row, by_row
from tinkersql.corpus.recipes.types import realistic_types
from tinkersql.errors import SettingsError

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(PLAIN, "exempts a share of the rows from all other recipes", 0.25, keep_plain),
        by_row("rename-tables", "names tables called table_name_7 after their subject", 1.0, rename_tables),
        by_row("distractor-columns", "adds columns that the query does not need", 0.8, distractor_columns),
        by_row("distractor-tables", "adds a table that the query does not need", 0.2, distractor_tables),
        by_row("realistic-types", "declares INTEGER, REAL, DATE and TEXT columns", 0.8, realistic_types),
        by_row("declared-keys", "declares primary and foreign keys, adds an id", 0.3, declared_keys),
        by_row("rename-identifiers", "writes names in another style: camelCase, short, …", 0.5, rename_identifiers),
        by_row("value-case", "writes values with the question's capitals", 1.0, value_case),
        by_row("value-quotes", "puts values in single quotes", 0.1, value_quotes),
        by_row("shuffle-columns", "shuffles tables and columns", 0.8, shuffle_columns),
        Recipe(MIX, "adds generated examples: joins, groups, the top few", 0.5, mix_generated),
    )
}
"""By name, in the order in which they are applied, whatever the order in which they are asked for."""

COMBINATIONS: dict[str, str] = {
    "full-schemas": (
        "keep-plain,distractor-columns=1,distractor-tables=0.5,rename-tables,realistic-types=1,declared-keys,"
        "shuffle-columns=1"
    ),
    "all": ",".join(RECIPES),
}
"""Names that stand for several recipes."""

NAMES = (*RECIPES, *COMBINATIONS)
"""Whatever ``--recipe`` takes."""

_UNREADABLE = "unreadable"
_AT_ONCE = 500
"""Rows between two looks at the progress bar."""

Step = tuple[Recipe, float]
"""A recipe and its share."""


@dataclass(frozen=True, slots=True)
class Enriched:
    """What recipes have made of examples.

    Attributes:
        examples: The result.
        counts: How many rows each recipe has changed or added, in the order of application.
        unreadable: Rows that stayed as they were, because their schema or gold could not be read.
        pairs: The first two rows that the most recipes have changed, before and after.
    """

    examples: tuple[Example, ...]
    counts: dict[str, int]
    unreadable: int
    pairs: tuple[tuple[Example, Example], ...]

    def summary(self) -> str:
        """The counts in one line: ``distractor-columns 1,207, shuffle-columns 1,198; unreadable 3``."""
        counts = ", ".join(f"{name} {count:,}" for name, count in self.counts.items())
        return counts + (f"; unreadable {self.unreadable:,}" if self.unreadable else "")


def parse(spec: str) -> tuple[Step, ...]:
    """The recipes in ``"distractor-columns,mix-generated=0.3"``, in the order of application; none in an empty text.

    A recipe that is named has the share given with it, or else its own, whatever share a combination gives it.

    Raises:
        SettingsError: An unknown name, a recipe given twice, a share that is not above 0 and at most 1, or one that
            leaves no row to the other recipes.
    """
    named: dict[str, float] = {}
    combined: dict[str, float] = {}
    for item in filter(None, map(str.strip, spec.split(","))):
        if item not in COMBINATIONS and (several := item.partition("=")[0].strip()) in COMBINATIONS:
            raise SettingsError(f"--recipe {item}: {several} stands for several recipes and takes no share")
        shares = combined if item in COMBINATIONS else named
        if item in COMBINATIONS and combined:
            raise SettingsError(f"--recipe {spec}: give one of {' and '.join(COMBINATIONS)}, which share recipes")
        for part in COMBINATIONS.get(item, item).split(","):
            name, mark, value = (piece.strip() for piece in part.partition("="))
            if name not in RECIPES:
                raise SettingsError(f"--recipe {item}: no such recipe; choose from {', '.join(NAMES)}")
            if name in shares:
                raise SettingsError(f"--recipe {spec}: {name} is given twice; give each recipe once")
            shares[name] = _share(name, value) if mark else RECIPES[name].share
    shares = combined | named
    if shares.get(MIX) == 1:
        raise SettingsError(f"--recipe {MIX}=1: no row would be left; use --data built-in for generated examples alone")
    if shares.get(PLAIN) == 1 and (idle := [name for name in shares if name not in (PLAIN, MIX)]):
        raise SettingsError(
            f"--recipe {PLAIN}=1: every row is exempt, and {idle[0]} would change none; give a smaller share"
        )
    return tuple((recipe, shares[name]) for name, recipe in RECIPES.items() if name in shares)


def enrich(
    spec: str, examples: Sequence[Example], seed: int, limit: int | None = None, reporter: Reporter | None = None
) -> Enriched:
    """Apply recipes to training examples.

    What happens to an example depends on the seed, on its place and, where other examples lend their columns, on these.

    Args:
        spec: Recipes and combinations, separated by commas, with shares if need be.
        examples: Training examples; recipes look at no others.
        seed: Of all randomness.
        limit: How many results are wanted; None: all. A smaller number gives the first ones.
        reporter: Shows progress.

    Raises:
        SettingsError: The spec makes no sense, by itself or for these examples.
    """
    steps = parse(spec)
    if not steps:
        return Enriched(tuple(examples[:limit]), {}, 0, ())
    size = len(examples) if limit is None else min(limit, len(examples))
    context = Context(seed, size, Pool(examples))
    rows = _rows(examples, context)
    for recipe, share in steps:
        rows = recipe.transform(rows, share, context)
    done: list[Row] = []
    total = limit if any(recipe.name == MIX for recipe, _ in steps) else size
    with (reporter or Silent()).track("enrich", total, "examples") as advance:
        rows = islice(rows, limit)
        while some := list(islice(rows, _AT_ONCE)):
            done += some
            advance(len(some))
    return Enriched(
        tuple(_finished(row) for row in done),
        {recipe.name: context.counts[recipe.name] for recipe, _ in steps},
        context.counts[_UNREADABLE],
        tuple((row.example, _finished(row)) for row in _most_changed(done)[:2]),
    )


def _rows(examples: Sequence[Example], context: Context) -> Iterator[Row]:
    for index, example in enumerate(examples):
        draft = read(example)
        context.counts[_UNREADABLE] += draft is None
        yield Row(str(index), example, draft)


def _most_changed(rows: list[Row]) -> list[Row]:
    """The rows that were changed (not those that were added), by how many recipes."""
    changed = [row for row in rows if row.draft is not None and row.changed_by]
    return sorted(changed, key=lambda row: len(row.changed_by), reverse=True)


def _finished(row: Row) -> Example:
    return row.draft.finish(row.example) if row.draft is not None and row.changed_by else row.example


def _share(name: str, value: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise SettingsError(f"--recipe {name}={value}: the share must be a number above 0 and at most 1")
    return share
