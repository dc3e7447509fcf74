"""Shapes that order the rows of one table: sorted lists, superlatives, the top few."""

from tinkersql.corpus.generate.domain import Column, Role
from tinkersql.corpus.generate.scene import Draft, Scene
from tinkersql.corpus.generate.shapes.shape import shape


def extreme(column: Column, *, highest: bool) -> dict[str, str]:
    """The words for the top or the bottom of a measure: ``highest price``, ``most pages``, ``cheapest``."""
    if column.counted:
        noun = f"{'most' if highest else 'fewest'} {column.counted}"
    else:
        noun = f"{column.extremes[0 if highest else 1]} {column.words}"
    return {"extreme": noun, "adjective": column.superlative[0 if highest else 1] if column.superlative else ""}


@shape(
    "order",
    weight=1.2,
    wordings=(
        "List all {things} ordered by {measure} {direction}.",
        "Show the {labels} of all {things} sorted by {measure} {direction}.",
        "What are the {labels} of the {things}, ordered by {measure} {direction}?",
        "Sort the {things} by {measure} {direction} and list their {labels}.",
        "Give me the {things} by {measure} {direction}.",
    ),
    unseen=("Arrange the {labels} of the {things} by {measure} {direction}.",),
)
def order(scene: Scene) -> Draft:
    """``SELECT name FROM pastry ORDER BY price DESC``."""
    table, label = scene.labelled()
    column = scene.column(table, Role.NUMBER, Role.YEAR, Role.DATE)
    highest = scene.rng.random() < 0.5
    if column.event:
        ways = ("from latest to earliest", "with the latest first") if highest else ("from earliest to latest",)
    else:
        ways = ("from highest to lowest",) if highest else ("from lowest to highest",)
    ways += ("in descending order",) if highest else ("in ascending order", "ascending")
    return Draft(
        (f"SELECT {label.name} FROM {table.name} ORDER BY {column.name}{' DESC' if highest else ''}",),
        (table,),
        {
            "labels": label.plural,
            "things": table.plural,
            "measure": column.words,
            "direction": scene.choose(ways),
        },
    )


@shape(
    "superlative",
    weight=2,
    wordings=(
        "Which {thing} has the {extreme}?",
        "What is the {label} of the {thing} with the {extreme}?",
        "Find the {thing} with the {extreme}.",
        "What is the {adjective} {thing}?",
        "Give the {label} of the {adjective} {thing}.",
        "Which {thing} is the {adjective}?",
        "Show the {label} of the {thing} that has the {extreme}.",
    ),
    unseen=("Of all {things}, which one has the {extreme}?", "Name the {adjective} {thing}."),
)
def superlative(scene: Scene) -> Draft:
    """``SELECT name FROM pastry ORDER BY price DESC LIMIT 1``."""
    table, label = scene.labelled()
    measure = scene.measure(table)
    highest = scene.rng.random() < 0.6
    return Draft(
        (f"SELECT {label.name} FROM {table.name} ORDER BY {measure.name}{' DESC' if highest else ''} LIMIT 1",),
        (table,),
        {"label": label.words, "thing": table.noun, "things": table.plural, **extreme(measure, highest=highest)},
    )


@shape(
    "top",
    weight=2,
    wordings=(
        "What are the {n} {things} with the {extreme}?",
        "List the {labels} of the {n} {adjective} {things}.",
        "Which {n} {things} have the {extreme}?",
        "Show the {n} {things} with the {extreme}.",
        "Find the {n} {adjective} {things}.",
        "Name the {n} {things} that have the {extreme}.",
        "Give me the {label} of the {n} {things} with the {extreme}.",
    ),
    unseen=("I want to see the {n} {things} that have the {extreme}.", "What are the {n} {adjective} {things}?"),
)
def top(scene: Scene) -> Draft:
    """``SELECT name FROM pastry ORDER BY price DESC LIMIT 3``."""
    table, label = scene.labelled()
    measure = scene.measure(table)
    highest = scene.rng.random() < 0.65
    n = scene.few()
    return Draft(
        (f"SELECT {label.name} FROM {table.name} ORDER BY {measure.name}{' DESC' if highest else ''} LIMIT {n}",),
        (table,),
        {
            "label": label.words,
            "labels": label.plural,
            "things": table.plural,
            "n": scene.number_word(n),
            **extreme(measure, highest=highest),
        },
    )


@shape(
    "superlative-attribute",
    weight=1.5,
    wordings=(
        "What is the {attribute} of the {thing} with the {extreme}?",
        "Find the {attribute} of the {adjective} {thing}.",
        "Show the {attribute} of the {thing} that has the {extreme}.",
        "For the {thing} with the {extreme}, what is the {attribute}?",
        "Give the {attribute} of the {thing} with the {extreme}.",
    ),
    unseen=("Tell me the {attribute} of the {thing} that has the {extreme}.",),
)
def superlative_attribute(scene: Scene) -> Draft:
    """``SELECT dough FROM pastry ORDER BY price LIMIT 1``."""
    table = scene.table()
    measure = scene.measure(table)
    attribute = scene.column(table, Role.TEXT, Role.NUMBER, Role.YEAR, other_than=[measure])
    highest = scene.rng.random() < 0.6
    return Draft(
        (f"SELECT {attribute.name} FROM {table.name} ORDER BY {measure.name}{' DESC' if highest else ''} LIMIT 1",),
        (table,),
        {"attribute": attribute.words, "thing": table.noun, **extreme(measure, highest=highest)},
    )


@shape(
    "top-where",
    weight=2,
    unseen=(
        "Which {n} {things} {filter} have the {extreme}?",
        "Among the {things} {filter}, list the {n} with the {extreme}.",
        "What are the {labels} of the {n} {adjective} {things} {filter}?",
    ),
)
def top_where(scene: Scene) -> Draft:
    """``SELECT name FROM pastry WHERE dough = "puff" ORDER BY price DESC LIMIT 3``; new in the test split."""
    table, label = scene.labelled()
    measure = scene.measure(table)
    condition = scene.condition(table, other_than=[measure])
    highest = scene.rng.random() < 0.65
    n = scene.few()
    direction = " DESC" if highest else ""
    return Draft(
        (
            f"SELECT {label.name} FROM {table.name} WHERE {condition.sql()} "
            f"ORDER BY {measure.name}{direction} LIMIT {n}",
        ),
        (table,),
        {
            "labels": label.plural,
            "things": table.plural,
            "filter": condition.phrase,
            "n": scene.number_word(n),
            **extreme(measure, highest=highest),
        },
    )
