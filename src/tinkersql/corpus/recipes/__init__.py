"""Enrichment recipes: small, named, seeded changes that make training examples more like real questions.

``docs/data.md`` says what each is for. A recipe that does not rename leaves the gold's text alone (but for the case and
the quotes of its values, where that is the recipe), and none changes what the gold means. A row whose schema or gold
cannot be read stays as it is.
"""

from tinkersql.corpus.recipes.applying import COMBINATIONS, NAMES, RECIPES, Enriched, enrich, parse
from tinkersql.corpus.recipes.recipe import Recipe

__all__ = ["COMBINATIONS", "NAMES", "RECIPES", "Enriched", "Recipe", "enrich", "parse"]
