"""Shapes that answer with one number: counts and aggregates over one table."""

from tinkersql.corpus.generate.domain import Column, Role
from tinkersql.corpus.generate.phrasing import both, both_predicates
from tinkersql.corpus.generate.scene import Draft, Scene
from tinkersql.corpus.generate.shapes.shape import shape


def aggregate(scene: Scene, column: Column) -> tuple[str, str]:
    """An aggregate function and the words for it: ``AVG`` and ``average price``."""
    function = scene.choose(("AVG", "AVG", "SUM", "SUM", "MAX", "MIN") if column.additive else ("AVG", "MAX", "MIN"))
    adjectives = {
        "AVG": ("average", "average", "mean"),
        "SUM": ("total", "total", "combined"),
        "MAX": (column.extremes[0], "maximum"),
        "MIN": (column.extremes[1], "minimum"),
    }
    return function, f"{scene.choose(adjectives[function])} {column.words}"


@shape(
    "count",
    weight=0.5,
    wordings=(
        "How many {things} are there?",
        "Count the {things}.",
        "What is the total number of {things}?",
        "How many {things} are listed in total?",
        "Find the number of {things}.",
        "Return the number of all {things}.",
    ),
    unseen=("Give me the count of all {things}.", "How many {things} do we have?"),
)
def count_all(scene: Scene) -> Draft:
    """``SELECT COUNT(*) FROM pastry``."""
    table = scene.table()
    return Draft((f"SELECT COUNT(*) FROM {table.name}",), (table,), {"things": table.plural})


@shape(
    "count-where",
    weight=4,
    wordings=(
        "Overall, how many {things} {predicate}?",
        "Count the {things} {filter}.",
        "What is the number of {things} {filter}?",
        "How many {things} are there {filter}?",
        "Find the number of {things} {filter}.",
        "Give the total number of {things} {filter}.",
        "How many of the {things} {predicate}?",
    ),
    unseen=("Tell me how many {things} {predicate}.", "I want the count of all {things} {filter}."),
)
def count_where(scene: Scene) -> Draft:
    """``SELECT COUNT(*) FROM pastry WHERE price > 5``."""
    table = scene.table()
    condition = scene.condition(table)
    return Draft(
        (f"SELECT COUNT(*) FROM {table.name} WHERE {condition.sql()}",),
        (table,),
        {"things": table.plural, "filter": condition.phrase, "predicate": condition.predicate},
    )


@shape(
    "count-and",
    weight=1.5,
    wordings=(
        "How many {things} {predicate}?",
        "Count the {things} {filter}.",
        "What is the number of {things} {filter}?",
        "Find the number of {things} {filter}.",
        "How many of the {things} {predicate}?",
    ),
    unseen=("Tell me the number of {things} {filter}.", "Give the count of the {things} {filter}."),
)
def count_and(scene: Scene) -> Draft:
    """``SELECT COUNT(*) FROM pastry WHERE dough = "puff" AND price < 5``."""
    table = scene.table()
    first, second = scene.two_conditions(table)
    return Draft(
        (f"SELECT COUNT(*) FROM {table.name} WHERE {first.sql()} AND {second.sql()}",),
        (table,),
        {"things": table.plural, "filter": both(first, second), "predicate": both_predicates(first, second)},
    )


@shape(
    "count-distinct",
    weight=1.2,
    wordings=(
        "How many different {groups} are there?",
        "How many different {groups} do the {things} have?",
        "Count the distinct {groups} of the {things}.",
        "What is the number of different {groups} among the {things}?",
        "How many unique {groups} are found among all {things}?",
        "Find the number of distinct {groups} of {things}.",
    ),
    unseen=("Tell me how many distinct {groups} the {things} have.",),
)
def count_distinct(scene: Scene) -> Draft:
    """``SELECT COUNT(DISTINCT dough) FROM pastry``."""
    table = scene.table()
    column = scene.column(table, Role.TEXT)
    return Draft(
        (f"SELECT COUNT(DISTINCT {column.name}) FROM {table.name}",),
        (table,),
        {"groups": column.plural, "things": table.plural},
    )


@shape(
    "aggregate",
    weight=1.5,
    wordings=(
        "What is the {aggregate} of all {things}?",
        "Find the {aggregate} of the {things}.",
        "Compute the {aggregate} over all {things}.",
        "Show the {aggregate} of the {things}.",
        "Give me the {aggregate} across all {things}.",
        "Over all {things}, what is the {aggregate}?",
    ),
    unseen=("Calculate the {aggregate} of all the {things}.",),
)
def aggregate_all(scene: Scene) -> Draft:
    """``SELECT AVG(price) FROM pastry``."""
    table = scene.table()
    measure = scene.measure(table)
    function, words = aggregate(scene, measure)
    return Draft(
        (f"SELECT {function}({measure.name}) FROM {table.name}",),
        (table,),
        {"aggregate": words, "things": table.plural},
    )


@shape(
    "aggregate-where",
    weight=3.5,
    wordings=(
        "What is the {aggregate} of {things} {filter}?",
        "Find the {aggregate} of the {things} {filter}.",
        "For {things} {filter}, what is the {aggregate}?",
        "Compute the {aggregate} of all {things} {filter}.",
        "Show the {aggregate} among {things} {filter}.",
        "Give me the {aggregate} for {things} {filter}.",
        "Looking only at {things} {filter}, what is the {aggregate}?",
        "Find the {aggregate} {place}.",
        "{place}, what is the {aggregate}?",
        "Tell me the {aggregate} {place}.",
    ),
    unseen=(
        "Calculate the {aggregate} of those {things} {filter}.",
        "Among {things} {filter}, what is the {aggregate}?",
    ),
)
def aggregate_where(scene: Scene) -> Draft:
    """``SELECT MAX(price) FROM pastry WHERE dough = "puff"``."""
    table = scene.table()
    measure = scene.measure(table)
    condition = scene.condition(table, other_than=[measure])
    function, words = aggregate(scene, measure)
    return Draft(
        (f"SELECT {function}({measure.name}) FROM {table.name} WHERE {condition.sql()}",),
        (table,),
        {"aggregate": words, "things": table.plural, "filter": condition.phrase, "place": condition.place},
    )


@shape(
    "two-aggregates",
    weight=1,
    wordings=(
        "What are the {first} and the {second} {measure} of all {things}?",
        "Find the {first} and {second} {measure} of the {things}.",
        "Show the {first} and the {second} {measure} over all {things}.",
        "Give the {first} {measure} and the {second} {measure} of the {things}.",
        "Return both the {first} and the {second} {measure} of the {things}.",
    ),
    unseen=("For all {things}, compute the {first} and the {second} {measure}.",),
)
def two_aggregates(scene: Scene) -> Draft:
    """``SELECT MIN(price), MAX(price) FROM pastry``."""
    table = scene.table()
    measure = scene.measure(table)
    words = {"MIN": "minimum", "MAX": "maximum", "AVG": "average"}
    first, second = scene.rng.sample(sorted(words), 2)
    return Draft(
        (f"SELECT {first}({measure.name}), {second}({measure.name}) FROM {table.name}",),
        (table,),
        {"first": words[first], "second": words[second], "measure": measure.words, "things": table.plural},
    )
