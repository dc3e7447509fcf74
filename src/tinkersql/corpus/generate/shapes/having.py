"""Shapes with a condition on groups."""

from tinkersql.corpus.generate.domain import Role
from tinkersql.corpus.generate.phrasing import amount, article
from tinkersql.corpus.generate.scene import Draft, Scene
from tinkersql.corpus.generate.shapes.grouping import group_slots
from tinkersql.corpus.generate.shapes.shape import shape

BEYOND = ((">", "above"), (">", "over"), (">", "higher than"), ("<", "below"), ("<", "lower than"))


@shape(
    "group-having-count",
    weight=1.5,
    wordings=(
        "Which {groups} have {several}?",
        "[List|Show|Return] the {groups} with {several}.",
        "[Find|Show|Get] all {groups} that have {several}.",
        "Show every {group} with {several}.",
        "What are the {groups} that occur in {several}?",
        "{groups} with {several}",
        "For which {groups} are there {several}?",
        "[I need|Give me] each {group} that [counts|has] {several}.",
    ),
    unseen=("Name each {group} with {several}.",),
)
def group_having_count(scene: Scene) -> Draft:
    """``SELECT dough FROM pastry GROUP BY dough HAVING COUNT(*) > 3``."""
    table = scene.table()
    group = scene.column(table, Role.TEXT)
    test, several = scene.several(table, none=True)  # a group has rows
    end = f"FROM {table.name} GROUP BY {group.name} HAVING COUNT(*) {test}"
    return Draft(
        (f"SELECT {group.name} {end}", f"SELECT {group.name}, COUNT(*) {end}"),
        (table,),
        {**table.slots, **group_slots(group), "several": several},
    )


@shape(
    "group-having-aggregate",
    weight=1.5,
    wordings=(
        "Which {groups} have {a_total} {measure} {above} {value}?",
        "[List|Show] the {groups} whose {things} have {a_total} {measure} {above} {value}.",
        "[Find|Return] the {groups} where the {total} {measure} of the {things} is {above} {value}.",
        "Show every {group} with {a_total} {measure} {above} {value}.",
        "For which {groups} is the {total} {measure} {above} {value}?",
        "{groups} with {a_total} {measure} {above} {value}",
        "[Get|Give me] each {group} where the {total} {measure} is {above} {value}.",
        "In which {groups} is the {total} {measure} of {things} {above} {value}?",
    ),
    unseen=("Name the {groups} with {a_total} {measure} of {things} {above} {value}.",),
)
def group_having_aggregate(scene: Scene) -> Draft:
    """``SELECT dough FROM pastry GROUP BY dough HAVING AVG(price) > 5``."""
    table = scene.table()
    measure = scene.measure(table)
    group = scene.column(table, Role.TEXT)
    function, total = scene.choose((("AVG", "average"), ("SUM", "total"))[: 2 if measure.additive else 1])
    operator, above = scene.choose(BEYOND)
    value = scene.sum_of_a_few(measure) if function == "SUM" else scene.middle(measure, 0.35, 0.65)
    test = f"{function}({measure.name}) {operator} {value}"
    end = f"FROM {table.name} GROUP BY {group.name} HAVING {test}"
    return Draft(
        (f"SELECT {group.name} {end}", f"SELECT {group.name}, {function}({measure.name}) {end}"),
        (table,),
        {
            **table.slots,
            **group_slots(group),
            "measure": measure.words,
            "total": total,
            "a_total": article(total),
            "above": above,
            "value": amount(measure, value),
        },
    )
