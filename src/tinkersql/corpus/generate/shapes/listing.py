"""Shapes that list rows or values of one table: plain, of one condition, distinct."""

from tinkersql.corpus.generate.domain import Column, Role
from tinkersql.corpus.generate.phrasing import possessive
from tinkersql.corpus.generate.scene import Draft, Scene
from tinkersql.corpus.generate.shapes.shape import shape
from tinkersql.corpus.generate.shapes.wordings import LISTED, UNSEEN_LISTED

ATTRIBUTES = (Role.TEXT, Role.NUMBER, Role.YEAR)


@shape(
    "list-one",
    weight=0.8,
    wordings=(
        "[List|Show|Name|Display|Print] all {things}.",
        "[List|Show|Return|Get] the {labels} of all {things}.",
        "What are the {labels} of all [the |]{things}?",
        "[Give me|I need|Show me] the {label} of [every|each] {thing}.",
        "Which {things} are there?",
        "All {thing} {labels}",
        "What {things} are [listed|recorded|on file]?",
        "Find the {label} of each {thing}.",
    ),
    unseen=("For every {thing}, return the {label}.", "Please name all of the {things}."),
)
def list_one(scene: Scene) -> Draft:
    """``SELECT name FROM pastry``."""
    table, label = scene.labelled()
    return Draft((f"SELECT {label.name} FROM {table.name}",), (table,), table.slots)


@shape(
    "list",
    weight=1.5,
    wordings=(
        "[List|Give|Show] the {what} of all {things}.",
        "What are the {what} of all {things}?",
        "[Show|Return|Print] the {what} of every {thing}.",
        "[Give|Show] me the {what} of each {thing}.",
        "Find the {what} of all the {things}.",
        "I need the {what} for all {things}.",
        "Display every {thing}'s {what}.",
        "{what} of all {things}",
        "All {things} with their {what}",
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
        {**table.slots, "what": f"{', '.join(words[:-1])} and {words[-1]}"},
    )


@shape("filter", weight=9, wordings=LISTED, unseen=UNSEEN_LISTED)
def filter_one(scene: Scene) -> Draft:
    """``SELECT name FROM pastry WHERE price > 5``."""
    table, label = scene.labelled()
    condition = scene.condition(table, exact=True)
    return Draft(
        (f"SELECT {label.name} FROM {table.name} WHERE {condition.sql()}",),
        (table,),
        {**table.slots, **condition.slots},
    )


@shape(
    "filter-columns",
    weight=4,
    wordings=(
        "What are the {first} and {attribute} of {things} {filter}?",
        "[Show|List|Get] the {first} and {attribute} of [each of the|all] {things} {filter}.",
        "List the {first} and the {attribute} for all {things} {filter}.",
        "For {things} {filter}, [give|show|list] the {first} and the {attribute}.",
        "Find both the {first} and the {attribute} of {things} {filter}.",
        "{first} and {attribute} of [all |]{things} {filter}",
        "[Give me|I need|Display] all {things} {filter}, with {first} and {attribute}.",
        "For all {things} {filter}, what are the {first} and the {attribute}?",
    ),
    unseen=("Return {first} and {attribute} for every one of the {things} {filter}.",),
)
def filter_columns(scene: Scene) -> Draft:
    """``SELECT name, price FROM pastry WHERE dough = "puff"``."""
    table = scene.table()
    condition = scene.condition(table, exact=True)
    first = table.label or scene.column(table, Role.TEXT, other_than=[condition.column])
    attribute = scene.column(table, *ATTRIBUTES, other_than=[condition.column, first])
    return Draft(
        (f"SELECT {first.name}, {attribute.name} FROM {table.name} WHERE {condition.sql()}",),
        (table,),
        {**table.slots, **condition.slots, "first": first.words, "attribute": attribute.words},
    )


@shape(
    "filter-attribute",
    weight=1.5,
    wordings=(
        "What are the {attributes} of all {things} {filter}?",
        "[Show|List|Find|Return] the {attributes} of [all |the |]{things} {filter}.",
        "[Show|List|Give] the {attribute} of [each|every one] of the {things} {filter}.",
        "For [all|the] {things} {filter}, [give|show|list] the {attribute}.",
        "{attributes} of {things} {filter}",
        "[Give|Show] me the {attributes} of all {things} {filter}.",
        "For {things} {filter}, what is the {attribute} of each?",
        "[Get|Look up] every {attribute} among the {things} {filter}.",
    ),
    unseen=("Print the {attribute} for each of the {things} {filter}.",),
)
def filter_attribute(scene: Scene) -> Draft:
    """``SELECT price FROM pastry WHERE dough = "puff"``; values may repeat, as nobody asks for different ones."""
    table = scene.table()
    condition = scene.condition(table, exact=True)
    attribute = scene.column(table, Role.NUMBER, Role.YEAR, other_than=[condition.column])
    end = f"{attribute.name} FROM {table.name} WHERE {condition.sql()}"
    return Draft(
        (f"SELECT {end}", f"SELECT DISTINCT {end}"),
        (table,),
        {**table.slots, **condition.slots, "attribute": attribute.words, "attributes": attribute.plural},
    )


@shape(
    "lookup",
    weight=5,
    wordings=(
        "What is the {attribute} of the {thing} {value}?",
        "What is the {attribute} of the {thing} [whose {label} is|with the {label}] {value}?",
        "[Find|Give|Get|Return] the {attribute} of the {thing} {value}.",
        "[Show|Give me] the {attribute} of {value}.",
        "For the {thing} {value}, [show|give|find] the {attribute}.",
        "How many {counted} does the {thing} {value} have?",
        "How many {counted} does {value} have?",
        "Give the {attribute} for the {thing} {value}.",
        "Tell me {of_value} {attribute}.",
        "{attribute} of {value}?",
        "What {attribute} does [the {thing} |]{value} have?",
        "The {thing} {value}: what is {its} {attribute}?",
    ),
    unseen=("I want to know the {attribute} of the {thing} {value}.", "Look up the {attribute} of {value}."),
)
def lookup(scene: Scene) -> Draft:
    """``SELECT price FROM pastry WHERE name = "croissant"``."""
    table, label = scene.labelled()
    attribute = scene.column(table, *ATTRIBUTES, Role.DATE)
    value = label.sample(scene.rng)
    return Draft(
        (f"SELECT {attribute.name} FROM {table.name} WHERE {label.name} = {label.literal(value)}",),
        (table,),
        {
            **table.slots,
            "attribute": attribute.words,
            "counted": attribute.counted,
            "value": value,
            "of_value": possessive(value),
        },
    )


@shape(
    "lookup-two",
    weight=1,
    wordings=(
        "What are the {first} and the {second} of the {thing} {value}?",
        "[Show|Find|Give|List] the {first} and {second} of {value}.",
        "For the {thing} {value}, [show|give|list] the {first} and the {second}.",
        "[Give|Show|Tell] me the {first} and the {second} of the {thing} {value}.",
        "{first} and {second} of the {thing} {value}",
        "What {first} and what {second} does the {thing} {value} have?",
        "I need {of_value} {first} and {second}.",
        "Get both the {first} and the {second} of the {thing} called {value}.",
    ),
    unseen=("Look up the {first} and the {second} of {value}.",),
)
def lookup_two(scene: Scene) -> Draft:
    """``SELECT price, weight FROM pastry WHERE name = "croissant"``."""
    table, label = scene.labelled()
    first = scene.column(table, *ATTRIBUTES)
    second = scene.column(table, *ATTRIBUTES, other_than=[first])
    value = label.sample(scene.rng)
    return Draft(
        (f"SELECT {first.name}, {second.name} FROM {table.name} WHERE {label.name} = {label.literal(value)}",),
        (table,),
        {**table.slots, "first": first.words, "second": second.words, "value": value, "of_value": possessive(value)},
    )


@shape(
    "distinct",
    weight=1,
    wordings=(
        "What are the different {groups} of {things}?",
        "[List|Show] the distinct {groups} found among the {things}.",
        "[Show|List|Give] all the different {groups} of the {things}.",
        "Which different {groups} do the {things} have?",
        "[Find|Return|Get] [every|each] unique {group} among the {things}.",
        "What distinct {groups} are there?",
        "[Unique|Distinct] {groups} of the {things}",
        "[Show|List] each {group} of the {things} without duplicates.",
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
        {**table.slots, "group": column.words, "groups": column.plural},
    )


@shape(
    "distinct-where",
    weight=1,
    wordings=(
        "What are the different {groups} of {things} {filter}?",
        "[List|Give|Return] the distinct {groups} of the {things} {filter}.",
        "Which different {groups} do {things} {filter} have?",
        "Find the unique {groups} of {things} {filter}.",
        "Show every distinct {group} of {things} {filter}.",
        "Different {groups} among {things} {filter}",
        "For {things} {filter}, list the {groups} without duplicates.",
        "[I need|Show me] each {group} once, for {things} {filter}.",
    ),
    unseen=("Without repeats, list the {groups} of {things} {filter}.",),
)
def distinct_where(scene: Scene) -> Draft:
    """``SELECT DISTINCT dough FROM pastry WHERE price > 5``."""
    table = scene.table()
    condition = scene.condition(table, exact=True)
    column = scene.column(table, Role.TEXT, other_than=[condition.column])
    return Draft(
        (f"SELECT DISTINCT {column.name} FROM {table.name} WHERE {condition.sql()}",),
        (table,),
        {**table.slots, **condition.slots, "group": column.words, "groups": column.plural},
    )
