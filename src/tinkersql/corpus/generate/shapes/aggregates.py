"""Shapes that answer with one number: counts and aggregates over one table."""

from tinkersql.corpus.generate.domain import Column, Role
from tinkersql.corpus.generate.scene import Draft, Scene
from tinkersql.corpus.generate.shapes.shape import shape
from tinkersql.corpus.generate.shapes.wordings import COUNTED, UNSEEN_COUNTED


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
    weight=1,
    wordings=(
        "How many {things} are there[ in total| in all|]?",
        "[Count|Count all] the {things}.",
        "What is the total number of {things}?",
        "How many {things} are [listed|recorded|stored] in total?",
        "[Find|Show|Get|Give] the number of {things}.",
        "Return the number of all {things}.",
        "[Total number|Number] of {things}",
        "[I need|I want] to know how many {things} there are.",
    ),
    unseen=("Give me the count of all {things}.", "How many {things} do we have?"),
)
def count_all(scene: Scene) -> Draft:
    """``SELECT COUNT(*) FROM pastry``."""
    table = scene.table()
    return Draft((f"SELECT COUNT(*) FROM {table.name}",), (table,), table.slots)


@shape("count-where", weight=8, wordings=COUNTED, unseen=UNSEEN_COUNTED)
def count_where(scene: Scene) -> Draft:
    """``SELECT COUNT(*) FROM pastry WHERE price > 5``."""
    table = scene.table()
    condition = scene.condition(table, exact=True)
    return Draft(
        (f"SELECT COUNT(*) FROM {table.name} WHERE {condition.sql()}",),
        (table,),
        {**table.slots, **condition.slots},
    )


@shape(
    "count-distinct",
    weight=1.2,
    wordings=(
        "How many different {groups} are there?",
        "How many [different|distinct] {groups} do the {things} have?",
        "Count the [distinct|different|unique] {groups} of the {things}.",
        "What is the number of different {groups} among the {things}?",
        "How many unique {groups} are found among all {things}?",
        "[Find|Show|Return] the number of distinct {groups} of {things}.",
        "Number of [different|distinct] {groups} of {things}",
        "[Among|Over] all {things}, how many different {groups} occur?",
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
        {**table.slots, "groups": column.plural},
    )


@shape(
    "count-distinct-where",
    weight=0.8,
    wordings=(
        "How many [different|distinct] {groups} do {things} {filter} have?",
        "Count the [distinct|different] {groups} of {things} {filter}.",
        "What is the number of different {groups} among {things} {filter}?",
        "How many unique {groups} are there among {things} {filter}?",
        "[Find|Return|Show] the number of distinct {groups} of the {things} {filter}.",
        "For {things} {filter}, how many different {groups} are there?",
        "Number of distinct {groups} among {things} {filter}",
        "Looking at {things} {filter}, count the different {groups}.",
    ),
    unseen=("Tell me how many distinct {groups} the {things} {filter} have.",),
)
def count_distinct_where(scene: Scene) -> Draft:
    """``SELECT COUNT(DISTINCT dough) FROM pastry WHERE price > 5``."""
    table = scene.table()
    condition = scene.condition(table)
    column = scene.column(table, Role.TEXT, other_than=[condition.column])
    return Draft(
        (f"SELECT COUNT(DISTINCT {column.name}) FROM {table.name} WHERE {condition.sql()}",),
        (table,),
        {**table.slots, **condition.slots, "groups": column.plural},
    )


@shape(
    "aggregate",
    weight=3,
    wordings=(
        "What is the {aggregate} of all {things}?",
        "[Find|Get|Return|Show] the {aggregate} of the {things}.",
        "[Compute|Work out] the {aggregate} over all {things}.",
        "What is the {aggregate} among the {things}?",
        "Give me the {aggregate} across all {things}.",
        "[Over|Across] all {things}, what is the {aggregate}?",
        "{aggregate} of all {things}",
        "[I need|Show me] the {aggregate} of all {things}.",
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
        {**table.slots, "aggregate": words},
    )


@shape(
    "aggregate-where",
    weight=8,
    wordings=(
        "What is the {aggregate} of {things} {filter}?",
        "[Find|Get|Return] the {aggregate} of the {things} {filter}.",
        "For {things} {filter}, what is the {aggregate}?",
        "[Compute|Work out] the {aggregate} of all {things} {filter}.",
        "Show the {aggregate} among {things} {filter}.",
        "Give me the {aggregate} for {things} {filter}.",
        "Looking only at {things} {filter}, what is the {aggregate}?",
        "[Find|Show|Get] the {aggregate} {place}.",
        "{place}, what is the {aggregate}?",
        "Tell me the {aggregate} {place}.",
        "{aggregate} of {things} {filter}",
        "[I need|Show me] the {aggregate} over all {things} {filter}.",
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
    condition = scene.condition(table, other_than=[measure], exact=True)
    function, words = aggregate(scene, measure)
    return Draft(
        (f"SELECT {function}({measure.name}) FROM {table.name} WHERE {condition.sql()}",),
        (table,),
        {**table.slots, **condition.slots, "aggregate": words},
    )


@shape(
    "two-aggregates",
    weight=1,
    wordings=(
        "What are the {first} and the {second} {measure} of all {things}?",
        "[Find|Show] the {first} and {second} {measure} of the {things}.",
        "[Show|Compute] the {first} and the {second} {measure} over all {things}.",
        "Give the {first} {measure} and the {second} {measure} of the {things}.",
        "Return both the {first} and the {second} {measure} of the {things}.",
        "{first} and {second} {measure} of all {things}",
        "Over all {things}, what are the {first} and the {second} {measure}?",
        "I need the {first} as well as the {second} {measure} of the {things}.",
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
        {**table.slots, "first": words[first], "second": words[second], "measure": measure.words},
    )
