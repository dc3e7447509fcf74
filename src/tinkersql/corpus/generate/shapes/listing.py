"""Shapes that list rows of one table: plain, filtered, distinct."""

from tinkersql.corpus.generate.domain import Column, Role
from tinkersql.corpus.generate.phrasing import article, both, both_predicates
from tinkersql.corpus.generate.scene import Draft, Scene
from tinkersql.corpus.generate.shapes.shape import shape

ATTRIBUTES = (Role.TEXT, Role.NUMBER, Role.YEAR)


@shape(
    "list",
    weight=1.5,
    wordings=(
        "List the {what} of all {things}.",
        "What are the {what} of all {things}?",
        "Show the {what} of every {thing}.",
        "Give me the {what} of each {thing}.",
        "Find the {what} of all the {things}.",
        "I need the {what} for all {things}.",
        "Display every {thing}'s {what}.",
    ),
    unseen=("For every {thing}, return the {what}.", "Please list each {thing}'s {what}."),
)
def list_all(scene: Scene) -> Draft:
    """``SELECT name, price FROM pastry``: the label, with one or two other columns."""
    table, label = scene.labelled()
    others: list[Column] = []
    for _ in range(scene.rng.randint(1, 2)):
        others.append(scene.column(table, *ATTRIBUTES, other_than=others))
    columns = (label, *others)
    words = [column.words for column in columns]
    return Draft(
        (f"SELECT {', '.join(column.name for column in columns)} FROM {table.name}",),
        (table,),
        {"what": f"{', '.join(words[:-1])} and {words[-1]}", "thing": table.noun, "things": table.plural},
    )


@shape(
    "filter",
    weight=4,
    wordings=(
        "What are the {labels} of all {things} {filter}?",
        "List the {things} {filter}.",
        "Which {things} {predicate}?",
        "Show the {labels} of {things} {filter}.",
        "Find the {labels} of the {things} {filter}.",
        "Give me all {things} {filter}.",
        "Name the {things} {filter}.",
        "I am looking for {things} {filter}.",
        "Return the {labels} of the {things} {filter}.",
        "Can you list all {things} {filter}?",
    ),
    unseen=("Tell me which {things} {predicate}.", "Find all the {things} {filter}.", "What {things} {predicate}?"),
)
def filter_one(scene: Scene) -> Draft:
    """``SELECT name FROM pastry WHERE price > 5``."""
    table, label = scene.labelled()
    condition = scene.condition(table)
    return Draft(
        (f"SELECT {label.name} FROM {table.name} WHERE {condition.sql()}",),
        (table,),
        {
            "label": label.words,
            "labels": label.plural,
            "thing": table.noun,
            "things": table.plural,
            "filter": condition.phrase,
            "predicate": condition.predicate,
        },
    )


@shape(
    "filter-columns",
    weight=2,
    wordings=(
        "What are the {label} and {attribute} of {things} {filter}?",
        "Show the {label} and {attribute} of each of the {things} {filter}.",
        "List the {label} and the {attribute} for all {things} {filter}.",
        "For {things} {filter}, give the {label} and the {attribute}.",
        "Find both the {label} and the {attribute} of {things} {filter}.",
    ),
    unseen=("Return {label} and {attribute} for every one of the {things} {filter}.",),
)
def filter_columns(scene: Scene) -> Draft:
    """``SELECT name, price FROM pastry WHERE dough = "puff"``."""
    table, label = scene.labelled()
    condition = scene.condition(table)
    attribute = scene.column(table, *ATTRIBUTES, other_than=[condition.column])
    return Draft(
        (f"SELECT {label.name}, {attribute.name} FROM {table.name} WHERE {condition.sql()}",),
        (table,),
        {"label": label.words, "attribute": attribute.words, "things": table.plural, "filter": condition.phrase},
    )


@shape(
    "lookup",
    weight=2,
    wordings=(
        "What is the {attribute} of the {thing} {value}?",
        "What is the {attribute} of the {thing} whose {label} is {value}?",
        "Find the {attribute} of the {thing} {value}.",
        "Show the {attribute} of {value}.",
        "For the {thing} {value}, show the {attribute}.",
        "How many {counted} does the {thing} {value} have?",
        "How many {counted} does {value} have?",
        "Give the {attribute} for the {thing} {value}.",
        "Tell me {value}'s {attribute}.",
    ),
    unseen=("I want to know the {attribute} of the {thing} {value}.", "Look up the {attribute} of {value}."),
)
def lookup(scene: Scene) -> Draft:
    """``SELECT price FROM pastry WHERE name = "croissant"``."""
    table, label = scene.labelled()
    attribute = scene.column(table, *ATTRIBUTES)
    value = label.sample(scene.rng)
    return Draft(
        (f"SELECT {attribute.name} FROM {table.name} WHERE {label.name} = {label.literal(value)}",),
        (table,),
        {
            "attribute": attribute.words,
            "counted": attribute.counted,
            "thing": table.noun,
            "label": label.words,
            "value": value,
        },
    )


@shape(
    "filter-between",
    weight=1.5,
    wordings=(
        "Which {things} {predicate}?",
        "List all {things} {filter}.",
        "What are the {labels} of the {things} {filter}?",
        "Find the {things} {filter}.",
        "Show me the {labels} of {things} {filter}.",
    ),
    unseen=("Give the {labels} of every one of the {things} {filter}.", "Name all {things} {filter}."),
)
def filter_between(scene: Scene) -> Draft:
    """``SELECT name FROM pastry WHERE price BETWEEN 2 AND 5``."""
    table, label = scene.labelled()
    condition = scene.between(scene.column(table, Role.NUMBER, Role.YEAR))
    return Draft(
        (f"SELECT {label.name} FROM {table.name} WHERE {condition.sql()}",),
        (table,),
        {
            "labels": label.plural,
            "things": table.plural,
            "filter": condition.phrase,
            "predicate": condition.predicate,
        },
    )


@shape(
    "filter-and",
    weight=2.5,
    wordings=(
        "Which {things} {predicate}?",
        "List the {things} {filter}.",
        "What are the {labels} of {things} {filter}?",
        "Find all {things} {filter}.",
        "Show the {labels} of the {things} {filter}.",
        "Are there any {things} {filter}? List them.",
    ),
    unseen=("Give me the {labels} of the {things} {filter}.", "Show every one of the {things} {filter}."),
)
def filter_and(scene: Scene) -> Draft:
    """``SELECT name FROM pastry WHERE dough = "puff" AND price < 5``."""
    table, label = scene.labelled()
    first, second = scene.two_conditions(table)
    return Draft(
        (f"SELECT {label.name} FROM {table.name} WHERE {first.sql()} AND {second.sql()}",),
        (table,),
        {
            "labels": label.plural,
            "things": table.plural,
            "filter": both(first, second),
            "predicate": both_predicates(first, second),
        },
    )


@shape(
    "filter-or",
    weight=1.5,
    wordings=(
        "Which {things} {predicate}?",
        "List the {things} {filter}.",
        "What are the {labels} of {things} {filter}?",
        "Find every one of the {things} {filter}.",
        "Show the {labels} of the {things} {filter}.",
    ),
    unseen=("Give me the {things} {filter}.", "Name the {things} {filter}."),
)
def filter_or(scene: Scene) -> Draft:
    """``SELECT name FROM pastry WHERE dough = "puff" OR dough = "filo"``."""
    table, label = scene.labelled()
    condition = scene.text(scene.column(table, Role.TEXT), values=2)
    return Draft(
        (f"SELECT {label.name} FROM {table.name} WHERE {condition.sql()}",),
        (table,),
        {
            "labels": label.plural,
            "things": table.plural,
            "filter": condition.phrase,
            "predicate": condition.predicate,
        },
    )


@shape(
    "distinct",
    weight=1.2,
    wordings=(
        "What are the different {groups} of {things}?",
        "List the distinct {groups} found among the {things}.",
        "Show all the different {groups} of the {things}.",
        "Which different {groups} do the {things} have?",
        "Find every unique {group} among the {things}.",
        "What distinct {groups} are there?",
    ),
    unseen=("Give the unique {groups} of all {things}.", "List each {group} only once."),
)
def distinct(scene: Scene) -> Draft:
    """``SELECT DISTINCT dough FROM pastry``."""
    table = scene.table()
    column = scene.column(table, Role.TEXT)
    return Draft(
        (f"SELECT DISTINCT {column.name} FROM {table.name}",),
        (table,),
        {"group": column.words, "groups": column.plural, "things": table.plural},
    )


@shape(
    "distinct-where",
    weight=1,
    wordings=(
        "What are the different {groups} of {things} {filter}?",
        "List the distinct {groups} of the {things} {filter}.",
        "Which different {groups} do {things} {filter} have?",
        "Find the unique {groups} of {things} {filter}.",
        "Show every distinct {group} of {things} {filter}.",
    ),
    unseen=("Without repeats, list the {groups} of {things} {filter}.",),
)
def distinct_where(scene: Scene) -> Draft:
    """``SELECT DISTINCT dough FROM pastry WHERE price > 5``."""
    table = scene.table()
    condition = scene.condition(table)
    column = scene.column(table, Role.TEXT, other_than=[condition.column])
    return Draft(
        (f"SELECT DISTINCT {column.name} FROM {table.name} WHERE {condition.sql()}",),
        (table,),
        {"group": column.words, "groups": column.plural, "things": table.plural, "filter": condition.phrase},
    )


@shape(
    "above-average",
    weight=1,
    wordings=(
        "Which {things} have {a_measure} {above} the average {measure}?",
        "List the {things} whose {measure} is {above} average.",
        "Find the {labels} of {things} with {a_measure} {above} the average.",
        "What are the {labels} of the {things} whose {measure} is {above} the average {measure} of all {things}?",
        "Show all {things} with {a_measure} {above} the mean {measure}.",
    ),
    unseen=("Name the {things} whose {measure} lies {above} the average of all {things}.",),
)
def above_average(scene: Scene) -> Draft:
    """``SELECT name FROM pastry WHERE price > (SELECT AVG(price) FROM pastry)``."""
    table, label = scene.labelled()
    measure = scene.measure(table)
    operator, above = scene.choose((("<", "below"), (">", "above")))
    average = f"(SELECT AVG({measure.name}) FROM {table.name})"
    return Draft(
        (f"SELECT {label.name} FROM {table.name} WHERE {measure.name} {operator} {average}",),
        (table,),
        {
            "labels": label.plural,
            "things": table.plural,
            "a_measure": article(measure.words),
            "measure": measure.words,
            "above": above,
        },
    )
