"""Enrichment recipes: small, named, seeded changes that make training examples more like real questions.

``docs/data.md`` says what each is for. None changes what a gold means, and a gold keeps its text but for names, aliases
and values that a recipe spells in another way. A row whose schema or gold cannot be read stays as it is.
"""

from tinkersql.corpus.recipes.applying import COMBINATIONS, RECIPES, Enriched, apply, enrich, parse
from tinkersql.corpus.recipes.recipe import Recipe

__all__ = ["COMBINATIONS", "RECIPES", "Enriched", "Recipe", "apply", "enrich", "parse"]
