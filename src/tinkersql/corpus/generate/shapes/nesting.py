"""Shapes with a query inside the query, and set operations."""

from tinkersql.corpus.generate.domain import Role
from tinkersql.corpus.generate.phrasing import article
from tinkersql.corpus.generate.scene import Draft, Scene, Unfit
from tinkersql.corpus.generate.shapes.ordering import extreme
from tinkersql.corpus.generate.shapes.shape import shape


@shape(
    "above-average",
    weight=1.2,
    wordings=(
        "Which {things} have {a_measure} {above} the average {measure}?",
        "[List|Show] the {things} whose {measure} is {above} average.",
        "[Find|Return|Give] the {labels} of {things} with {a_measure} {above} the average.",
        "What are the {labels} of the {things} whose {measure} is {above} the average {measure} of all {things}?",
        "[Show|Find] all {things} with {a_measure} {above} the mean {measure}.",
        "{things} with {a_measure} {above} average",
        "Compared with the average {measure}, which {things} are {above} it?",
        "I need all {things} whose {measure} is {above} the overall average.",
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
        {**table.slots, "a_measure": article(measure.words), "measure": measure.words, "above": above},
    )


@shape(
    "count-above-average",
    weight=0.7,
    wordings=(
        "How many {things} have {a_measure} {above} the average?",
        "[Count|Count all] the {things} whose {measure} is {above} average.",
        "What is the number of {things} with {a_measure} {above} the average {measure}?",
        "[Find|Give|Return] the number of {things} with {a_measure} {above} average.",
        "Number of {things} whose {measure} is {above} the average {measure} of all {things}",
        "For how many {things} is the {measure} {above} the mean?",
        "Of all {things}, how many have {a_measure} {above} the average?",
        "[I need|Show me] the count of {things} with {a_measure} {above} the mean {measure}.",
    ),
    unseen=("Tell me for how many {things} the {measure} lies {above} the average.",),
)
def count_above_average(scene: Scene) -> Draft:
    """``SELECT COUNT(*) FROM pastry WHERE price > (SELECT AVG(price) FROM pastry)``."""
    table = scene.table()
    measure = scene.measure(table)
    operator, above = scene.choose((("<", "below"), (">", "above")))
    average = f"(SELECT AVG({measure.name}) FROM {table.name})"
    return Draft(
        (f"SELECT COUNT(*) FROM {table.name} WHERE {measure.name} {operator} {average}",),
        (table,),
        {**table.slots, "a_measure": article(measure.words), "measure": measure.words, "above": above},
    )


@shape(
    "all-extreme",
    weight=1.2,
    wordings=(
        "[List|Show|Find] all {things} that [share|have] the {extreme}, ties included.",
        "Which {things} have {a_measure} equal to the {bound} {measure}?",
        "What are the {labels} of all {things} whose {measure} equals the {bound}?",
        "[Return|Get] every {thing} whose {measure} is the {bound} {measure} of all {things}.",
        "[Show|Find] the {labels} of all {things} with the {bound} {measure}.",
        "All {things} whose {measure} is the {bound}",
        "Which {things} reach the {bound} {measure} of all {things}?",
        "[Give me|I need] all the {things} whose {measure} matches the {bound} {measure}.",
    ),
    unseen=("Name every {thing} whose {measure} equals the {bound} {measure}.",),
)
def all_extreme(scene: Scene) -> Draft:
    """``SELECT name FROM pastry WHERE price = (SELECT MAX(price) FROM pastry)``: several rows may share the value."""
    table, label = scene.labelled()
    measure = scene.measure(table)
    highest = scene.rng.random() < 0.6
    function, bound = ("MAX", "maximum") if highest else ("MIN", "minimum")
    value = f"(SELECT {function}({measure.name}) FROM {table.name})"
    return Draft(
        (f"SELECT {label.name} FROM {table.name} WHERE {measure.name} = {value}",),
        (table,),
        {
            **table.slots,
            **extreme(measure, highest=highest),
            "a_measure": article(measure.words),
            "measure": measure.words,
            "bound": bound,
        },
    )


@shape(
    "than-named",
    weight=1,
    wordings=(
        "Which {things} have {a_measure} {more} than that of {value}?",
        "[List|Show|Find] the {things} whose {measure} is {more} than that of {value}.",
        "What are the {labels} of the {things} with {a_measure} {more} than the {thing} {value} has?",
        "[Find|Give me|Return] all {things} with {a_measure} {more} than {value} has.",
        "Compared with {value}, which {things} have {a_measure} that is {more}?",
        "{things} {comparative} than {value}",
        "Which {things} are {comparative} than {value}?",
        "[List|Show] all {things} that are {comparative} than the {thing} {value}.",
    ),
    unseen=("Name the {things} whose {measure} is {more} than the {measure} of {value}.",),
)
def than_named(scene: Scene) -> Draft:
    """``SELECT name FROM pastry WHERE price > (SELECT price FROM pastry WHERE name = "croissant")``."""
    table, label = scene.labelled()
    measure = scene.measure(table)
    value = label.sample(scene.rng)
    operator, more = scene.choose(((">", "higher"), ("<", "lower")))
    named = f"(SELECT {measure.name} FROM {table.name} WHERE {label.name} = {label.literal(value)})"
    comparative = measure.comparative[operator == "<"] if measure.comparative else ""
    return Draft(
        (f"SELECT {label.name} FROM {table.name} WHERE {measure.name} {operator} {named}",),
        (table,),
        {
            **table.slots,
            "a_measure": article(measure.words),
            "measure": measure.words,
            "more": more,
            "comparative": comparative,
            "value": value,
        },
    )


@shape(
    "same-as",
    weight=0.7,
    wordings=(
        "Which other {things} have the same {group} as {value}?",
        "[List|Show|Find] the {things} other than {value} that have the same {group}.",
        "What are the {labels} of the other {things} with the same {group} as {value}?",
        "[Give me|Return|Get] all other {things} with the {group} of {value}.",
        "Apart from {value}, which {things} have the {group} of {value}?",
        "Other {things} with the same {group} as {value}",
        "[Find|Show] the other {things} whose {group} is that of {value}.",
        "Besides {value}, which {things} have the same {group}?",
    ),
    unseen=("Name the other {things} whose {group} equals that of {value}.",),
)
def same_as(scene: Scene) -> Draft:
    """``SELECT name FROM pastry WHERE dough = (SELECT dough …) AND name <> "croissant"``."""
    table, label = scene.labelled()
    group = scene.column(table, Role.TEXT)
    value = label.sample(scene.rng)
    literal = label.literal(value)
    named = f"(SELECT {group.name} FROM {table.name} WHERE {label.name} = {literal})"
    return Draft(
        (f"SELECT {label.name} FROM {table.name} WHERE {group.name} = {named} AND {label.name} <> {literal}",),
        (table,),
        {**table.slots, "group": group.words, "value": value},
    )


def set_operation(scene: Scene, operation: str, membership: str) -> Draft:
    """The values of one column under two conditions on another, combined; `membership` says it with a subquery."""
    table = scene.table()
    group = scene.column(table, Role.TEXT)
    column = scene.column(table, Role.TEXT, other_than=[group])
    one, other = scene.text(column), scene.text(column)
    if one.test == other.test:
        raise Unfit
    first, second = (f"SELECT {group.name} FROM {table.name} WHERE {test.sql()}" for test in (one, other))
    distinct = first.replace("SELECT", "SELECT DISTINCT", 1)
    return Draft(
        (f"{first} {operation} {second}", f"{distinct} AND {group.name} {membership} ({second})"),
        (table,),
        {**table.slots, "group": group.words, "groups": group.plural, "one": one.phrase, "other": other.phrase},
    )


@shape(
    "intersect",
    weight=1,
    wordings=(
        "Which {groups} have both {things} {one} and {things} {other}?",
        "[List|Show|Find] the {groups} that have {things} {one} as well as {things} {other}.",
        "What are the {groups} shared by {things} {one} and {things} {other}?",
        "[Show|Find|Return] the {groups} found both among {things} {one} and among {things} {other}.",
        "{groups} common to {things} {one} and {things} {other}",
        "Which {groups} occur among {things} {one} and also among {things} {other}?",
        "For {things} {one} and {things} {other}, list the {groups} they have in common.",
        "[I need|Give me] every {group} that has both {things} {one} and {things} {other}.",
    ),
    unseen=("Name the {groups} that {things} {one} have in common with {things} {other}.",),
)
def intersect(scene: Scene) -> Draft:
    """``SELECT dough FROM pastry WHERE filling = "apple" INTERSECT SELECT dough …``."""
    return set_operation(scene, "INTERSECT", "IN")


@shape(
    "except",
    weight=1,
    wordings=(
        "Which {groups} have {things} {one} but no {things} {other}?",
        "[List|Show|Find] the {groups} that have {things} {one} but none {other}.",
        "What are the {groups} of {things} {one} that do not occur among {things} {other}?",
        "[Find|Show|Return] the {groups} found among {things} {one} but not among {things} {other}.",
        "{groups} of {things} {one}, except those of {things} {other}",
        "Among {things} {one}, which {groups} occur that never occur among {things} {other}?",
        "Leaving out the {groups} of {things} {other}, list the {groups} of {things} {one}.",
        "[Give me|I need] every {group} that has {things} {one} and no {things} {other}.",
    ),
    unseen=("Name the {groups} that {things} {one} have and {things} {other} do not.",),
)
def except_(scene: Scene) -> Draft:
    """``SELECT dough FROM pastry WHERE filling = "apple" EXCEPT SELECT dough …``."""
    return set_operation(scene, "EXCEPT", "NOT IN")


@shape(
    "union",
    weight=0.8,
    wordings=(
        "[List|Show|Return] the {labels} of all {parents} and the {child_labels} of all {children} in one list.",
        "What are the {labels} of the {parents} and the {child_labels} of the {children}, taken as one list?",
        "[Give me|I need] one combined list of {parent} {labels} and {child} {child_labels}.",
        "Combine the {labels} of the {parents} with the {child_labels} of the {children} [in|into] a single list.",
        "{parent} {labels} and {child} {child_labels}, all in one column",
        "[Find|Get] every {label} of {a_parent} and every {child_label} of {a_child}, in a single list.",
        "In a single column, show the {labels} of the {parents} and the {child_labels} of the {children}.",
        "Merge the {parent} {labels} and the {child} {child_labels} into one list.",
    ),
    unseen=("Put the {labels} of the {parents} and the {child_labels} of the {children} into one list.",),
)
def union(scene: Scene) -> Draft:
    """``SELECT name FROM bakery UNION SELECT name FROM pastry``."""
    join = scene.join(labelled=True)
    above, below = scene.label(join.parent), scene.label(join.child)
    first, second = f"SELECT {above.name} FROM {join.parent.name}", f"SELECT {below.name} FROM {join.child.name}"
    return Draft(
        (f"{first} UNION {second}", f"{first} UNION ALL {second}"),
        join.tables,
        {
            **join.slots,
            "label": above.words,
            "labels": above.plural,
            "child_label": below.words,
            "child_labels": below.plural,
            "a_parent": article(join.parent.noun),
            "a_child": article(join.child.noun),
        },
    )
