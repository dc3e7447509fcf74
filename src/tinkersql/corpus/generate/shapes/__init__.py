"""The shapes of query that the built-in data asks for."""

from tinkersql.corpus.generate.shapes import aggregates, grouping, joins, listing, ordering
from tinkersql.corpus.generate.shapes.shape import Shape

SHAPES: tuple[Shape, ...] = tuple(
    found
    for module in (listing, ordering, aggregates, grouping, joins)
    for found in vars(module).values()
    if isinstance(found, Shape)
)
