"""Shapes that order the rows of one table: sorted lists, superlatives, the top few."""

from tinkersql.corpus.generate.domain import Column, Role
from tinkersql.corpus.generate.scene import Draft, Scene
from tinkersql.corpus.generate.shapes.shape import shape

SORTABLE = (Role.NUMBER, Role.YEAR, Role.DATE)


def extreme(column: Column, *, highest: bool) -> dict[str, str]:
    """The words for the top or the bottom of a measure: ``highest price``, ``most pages``, ``cheapest``."""
    if column.counted:
        noun = f"{'most' if highest else 'fewest'} {column.counted}"
    else:
        noun = f"{column.extremes[0 if highest else 1]} {column.words}"
    return {"extreme": noun, "adjective": column.superlative[0 if highest else 1] if column.superlative else ""}


def direction(scene: Scene, column: Column) -> tuple[str, str]:
    """Words for a direction of sorting, and its SQL."""
    highest = scene.rng.random() < 0.5
    if column.event:
        ways = ("from latest to earliest", "with the latest first") if highest else ("from earliest to latest",)
    else:
        ways = (
            ("from highest to lowest", "with the highest first")
            if highest
            else ("from lowest to highest", "with the lowest first")
        )
    ways += ("in descending order", "descending") if highest else ("in ascending order", "ascending")
    return scene.choose(ways), " DESC" if highest else ""


ORDERED = (
    "List all {things}{filter} [ordered|sorted] by {measure} {direction}.",
    "[Show|Return|Get] the {labels} of all {things}{filter} [sorted|ordered] by {measure} {direction}.",
    "What are the {labels} of the {things}{filter}, ordered by {measure} {direction}?",
    "Sort the {things}{filter} by {measure} {direction} and [list|show] their {labels}.",
    "[Give|Show] me the {things}{filter} by {measure} {direction}.",
    "{things}{filter}, sorted by {measure} {direction}",
    "By {measure}, {direction}, list the {things}{filter}.",
    "I need the {labels} of the {things}{filter}, by {measure} {direction}.",
)
UNSEEN_ORDERED = ("Arrange the {labels} of the {things}{filter} by {measure} {direction}.",)


@shape(
    "order",
    weight=1.5,
    wordings=tuple(wording.replace("{filter}", "") for wording in ORDERED),
    unseen=tuple(wording.replace("{filter}", "") for wording in UNSEEN_ORDERED),
)
def order(scene: Scene) -> Draft:
    """``SELECT name FROM pastry ORDER BY price DESC``."""
    table, label = scene.labelled()
    column = scene.column(table, *SORTABLE)
    words, sql = direction(scene, column)
    return Draft(
        (
            f"SELECT {label.name} FROM {table.name} ORDER BY {column.name}{sql}",
            f"SELECT {label.name}, {column.name} FROM {table.name} ORDER BY {column.name}{sql}",
        ),
        (table,),
        {**table.slots, "measure": column.words, "direction": words},
    )


@shape(
    "order-where",
    weight=1.5,
    wordings=tuple(wording.replace("{filter}", " {filter}") for wording in ORDERED),
    unseen=tuple(wording.replace("{filter}", " {filter}") for wording in UNSEEN_ORDERED),
)
def order_where(scene: Scene) -> Draft:
    """``SELECT name FROM pastry WHERE dough = "puff" ORDER BY price DESC``."""
    table, label = scene.labelled()
    column = scene.column(table, *SORTABLE)
    condition = scene.condition(table, other_than=[column])
    words, sql = direction(scene, column)
    end = f"FROM {table.name} WHERE {condition.sql()} ORDER BY {column.name}{sql}"
    return Draft(
        (f"SELECT {label.name} {end}", f"SELECT {label.name}, {column.name} {end}"),
        (table,),
        {**table.slots, **condition.slots, "measure": column.words, "direction": words},
    )


@shape(
    "order-columns",
    weight=1,
    wordings=(
        "[List|Show] the {label} and {measure} of all {things}, by {measure} {direction}.",
        "Show each {thing}'s {label} and {measure}, sorted by {measure} {direction}.",
        "What are the {label} and {measure} of every {thing}, ordered by {measure} {direction}?",
        "Order the {things} by {measure} {direction} and give the {label} and the {measure}.",
        "{label} and {measure} of all {things}, sorted by {measure} {direction}",
        "[Give me|I need|Display] every {thing} with its {measure}, by {measure} {direction}.",
        "By {measure}, {direction}, list each {thing}'s {label} and {measure}.",
        "Return {label} and {measure} of the {things}, sorted by {measure} {direction}.",
    ),
    unseen=("Arrange the {things} by {measure} {direction}, with {label} and {measure}.",),
)
def order_columns(scene: Scene) -> Draft:
    """``SELECT name, price FROM pastry ORDER BY price DESC``."""
    table, label = scene.labelled()
    column = scene.column(table, *SORTABLE)
    words, sql = direction(scene, column)
    return Draft(
        (f"SELECT {label.name}, {column.name} FROM {table.name} ORDER BY {column.name}{sql}",),
        (table,),
        {**table.slots, "measure": column.words, "direction": words},
    )


@shape(
    "order-two",
    weight=0.8,
    wordings=(
        "[List|Show] all {things} sorted by {first} and then by {second} {direction}.",
        "[Show|Return|Give] the {labels} of the {things} ordered by {first}, then {second} {direction}.",
        "Sort the {things} by {first} and, within the same {first}, by {second} {direction}; list the {labels}.",
        "What are the {labels} of all {things}, first by {first} and then by {second} {direction}?",
        "[Give|Show] me all {things}, by {first} and then {second} {direction}.",
        "{things} ordered by {first}, then by {second} {direction}",
        "Order the {labels} of the {things} by {first} and after that by {second} {direction}.",
        "I need every {thing}, sorted first by {first}, second by {second} {direction}.",
    ),
    unseen=("Arrange the {labels} of the {things} by {first} and then by {second} {direction}.",),
)
def order_two(scene: Scene) -> Draft:
    """``SELECT name FROM pastry ORDER BY dough, price DESC``."""
    table, label = scene.labelled()
    first, second = scene.column(table, Role.TEXT), scene.column(table, *SORTABLE)
    words, sql = direction(scene, second)
    return Draft(
        (f"SELECT {label.name} FROM {table.name} ORDER BY {first.name}, {second.name}{sql}",),
        (table,),
        {**table.slots, "first": first.words, "second": second.words, "direction": words},
    )


@shape(
    "superlative",
    weight=4,
    wordings=(
        "Which {thing} has the {extreme}?",
        "What is the {label} of the {thing} with the {extreme}?",
        "[Find|Show|Name] the {thing} with the {extreme}.",
        "What is the {adjective} {thing}?",
        "[Give|Show|Find] the {label} of the {adjective} {thing}.",
        "Which {thing} is the {adjective}?",
        "Show the {label} of the {thing} that has the {extreme}.",
        "{thing} with the {extreme}",
        "The {adjective} {thing}?",
        "[Get|Return] the {label} of the {thing} with the {extreme}.",
        "Name whichever {thing} has the {extreme}.",
    ),
    unseen=("Of all {things}, which one has the {extreme}?", "Tell me the {adjective} {thing}."),
)
def superlative(scene: Scene) -> Draft:
    """``SELECT name FROM pastry ORDER BY price DESC LIMIT 1``."""
    table, label = scene.labelled()
    measure = scene.measure(table)
    highest = scene.rng.random() < 0.6
    function = "MAX" if highest else "MIN"
    return Draft(
        (
            f"SELECT {label.name} FROM {table.name} ORDER BY {measure.name}{' DESC' if highest else ''} LIMIT 1",
            f"SELECT {label.name} FROM {table.name} "
            f"WHERE {measure.name} = (SELECT {function}({measure.name}) FROM {table.name})",
        ),
        (table,),
        {**table.slots, **extreme(measure, highest=highest)},
    )


@shape(
    "superlative-where",
    weight=1.5,
    wordings=(
        "Which of the {things} {filter} has the {extreme}?",
        "What is the {label} of the {thing} with the {extreme} among those {filter}?",
        "[Find|Show|Name] the one with the {extreme} among the {things} {filter}.",
        "Among [the |all |]{things} {filter}, which has the {extreme}?",
        "Of the {things} {filter}, which [one |]is the {adjective}?",
        "[Looking at|Considering] only {things} {filter}, [show|find] the one with the {extreme}.",
        "The {adjective} of the {things} {filter}",
        "[Give|Get|Return] the {label} of the one with the {extreme} among {things} {filter}.",
    ),
    unseen=("Out of the {things} {filter}, name the one with the {extreme}.",),
)
def superlative_where(scene: Scene) -> Draft:
    """``SELECT name FROM pastry WHERE dough = "puff" ORDER BY price DESC LIMIT 1``."""
    table, label = scene.labelled()
    measure = scene.measure(table)
    condition = scene.condition(table, other_than=[measure])
    highest = scene.rng.random() < 0.6
    end = f"WHERE {condition.sql()} ORDER BY {measure.name}{' DESC' if highest else ''} LIMIT 1"
    return Draft(
        (f"SELECT {label.name} FROM {table.name} {end}",),
        (table,),
        {**table.slots, **condition.slots, **extreme(measure, highest=highest)},
    )


@shape(
    "top",
    weight=3.5,
    wordings=(
        "What are the {n} {things} with the {extreme}?",
        "[List|Show] the {labels} of the {n} {adjective} {things}.",
        "Which {n} {things} have the {extreme}?",
        "[Show|Get|Return] the {n} {things} with the {extreme}.",
        "Find the {n} {adjective} {things}.",
        "Name the {n} {things} that have the {extreme}.",
        "Give me the {label} of the {n} {things} with the {extreme}.",
        "{n} {adjective} {things}",
        "[List|Show] the {end} {n} {things} [by|in terms of] {measure}.",
        "The {end} {n} {things} ranked by {measure}",
    ),
    unseen=("I want to see the {n} {things} that have the {extreme}.", "What are the {n} {adjective} {things}?"),
)
def top(scene: Scene) -> Draft:
    """``SELECT name FROM pastry ORDER BY price DESC LIMIT 3``."""
    table, label = scene.labelled()
    measure = scene.measure(table)
    highest = scene.rng.random() < 0.65
    n = scene.few()
    end = f"FROM {table.name} ORDER BY {measure.name}{' DESC' if highest else ''} LIMIT {n}"
    return Draft(
        (f"SELECT {label.name} {end}", f"SELECT {label.name}, {measure.name} {end}"),
        (table,),
        {
            **table.slots,
            "n": scene.number_word(n),
            "end": "top" if highest else "bottom",
            "measure": measure.words,
            **extreme(measure, highest=highest),
        },
    )


@shape(
    "newest",
    weight=1,
    wordings=(
        "Which {thing} was {event} {first}?",
        "[Find|Show|Name|Get] the {thing} that was {event} {first}.",
        "What is the {label} of the {thing} {event} {first}?",
        "[Give|Return] the {label} of the {thing} that was {event} {first}.",
        "Of all {things}, which was {event} {first}?",
        "The {thing} {event} {first}",
        "Which {thing} has the {end} {date}?",
        "[Show|Find] the {thing} with the {end} {date}.",
    ),
    unseen=("Tell me which {thing} was {event} {first}.",),
)
def newest(scene: Scene) -> Draft:
    """``SELECT name FROM pastry ORDER BY baked_on DESC LIMIT 1``."""
    table, label = scene.labelled()
    happened = [column for column in table.having(Role.YEAR, Role.DATE) if not column.event.startswith("first")]
    column = scene.choose(happened)
    latest = scene.rng.random() < 0.5
    words, end = scene.choose((("last", "latest"), ("most recently", "latest")) if latest else (("first", "earliest"),))
    extreme_value = f"(SELECT {'MAX' if latest else 'MIN'}({column.name}) FROM {table.name})"
    return Draft(
        (
            f"SELECT {label.name} FROM {table.name} ORDER BY {column.name}{' DESC' if latest else ''} LIMIT 1",
            f"SELECT {label.name} FROM {table.name} WHERE {column.name} = {extreme_value}",
        ),
        (table,),
        {**table.slots, "event": column.event, "first": words, "end": end, "date": column.words},
    )


@shape(
    "superlative-attribute",
    weight=2,
    wordings=(
        "What is the {attribute} of the {thing} with the {extreme}?",
        "[Find|Get|Return] the {attribute} of the {adjective} {thing}.",
        "[Show|Find] the {attribute} of the {thing} that has the {extreme}.",
        "For the {thing} with the {extreme}, what is the {attribute}?",
        "Give the {attribute} of the {thing} with the {extreme}.",
        "{attribute} of the {adjective} {thing}?",
        "{attribute} of the {thing} with the {extreme}",
        "[Which|What] {attribute} does the {thing} with the {extreme} have?",
    ),
    unseen=("Tell me the {attribute} of the {thing} that has the {extreme}.",),
)
def superlative_attribute(scene: Scene) -> Draft:
    """``SELECT dough FROM pastry ORDER BY price LIMIT 1``."""
    table = scene.table()
    measure = scene.measure(table)
    attribute = scene.column(table, Role.TEXT, Role.NUMBER, Role.YEAR, other_than=[measure])
    highest = scene.rng.random() < 0.6
    extreme_value = f"(SELECT {'MAX' if highest else 'MIN'}({measure.name}) FROM {table.name})"
    return Draft(
        (
            f"SELECT {attribute.name} FROM {table.name} ORDER BY {measure.name}{' DESC' if highest else ''} LIMIT 1",
            f"SELECT {attribute.name} FROM {table.name} WHERE {measure.name} = {extreme_value}",
        ),
        (table,),
        {**table.slots, "attribute": attribute.words, **extreme(measure, highest=highest)},
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
    return Draft(
        (
            f"SELECT {label.name} FROM {table.name} WHERE {condition.sql()} "
            f"ORDER BY {measure.name}{' DESC' if highest else ''} LIMIT {n}",
        ),
        (table,),
        {
            **table.slots,
            **condition.slots,
            "n": scene.number_word(n),
            **extreme(measure, highest=highest),
        },
    )
