"""The shapes of query that the built-in data asks for."""

from tinkersql.corpus.generate.shapes import (
    aggregates,
    chains,
    conditions,
    families,
    grouping,
    having,
    joins,
    listing,
    nesting,
    ordering,
)
from tinkersql.corpus.generate.shapes.shape import Shape

SHAPES: tuple[Shape, ...] = tuple(
    found
    for module in (
        listing,
        conditions,
        ordering,
        aggregates,
        grouping,
        having,
        nesting,
        joins,
        families,
        chains,
    )
    for found in vars(module).values()
    if isinstance(found, Shape)
)
