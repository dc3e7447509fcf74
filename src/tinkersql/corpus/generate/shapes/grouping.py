"""Shapes that group the rows of one table."""

from tinkersql.corpus.generate.domain import Column, Role
from tinkersql.corpus.generate.scene import Draft, Scene
from tinkersql.corpus.generate.shapes.aggregates import aggregate
from tinkersql.corpus.generate.shapes.shape import shape


def group_slots(group: Column) -> dict[str, str]:
    """The words for a column that groups."""
    gathered = f"in each {group.words}" if group.gathers else ""
    return {"group": group.words, "groups": group.plural, "gathered": gathered}


@shape(
    "group-count",
    weight=5,
    wordings=(
        "How many {things} are there for each {group}?",
        "[Show|List|Return] each {group} with its number of {things}.",
        "Count the {things} [per|by|for each] {group}.",
        "What is the number of {things} for every {group}?",
        "List the {groups} together with how many {things} belong to each.",
        "[For each|For every|Per] {group}, how many {things} are there?",
        "How many {things} are {gathered}?",
        "[Find|Get|Show] the number of {things} {gathered}.",
        "Number of {things} per {group}",
        "[Show|Give] me every {group} and the count of {things}.",
        "Group the {things} by {group} and count them.",
    ),
    unseen=("Give a count of {things} by {group}.", "Broken down by {group}, how many {things} are there?"),
)
def group_count(scene: Scene) -> Draft:
    """``SELECT dough, COUNT(*) FROM pastry GROUP BY dough``."""
    table = scene.table()
    group = scene.column(table, Role.TEXT)
    return Draft(
        (f"SELECT {group.name}, COUNT(*) FROM {table.name} GROUP BY {group.name}",),
        (table,),
        {**table.slots, **group_slots(group)},
    )


@shape(
    "group-count-order",
    weight=1,
    wordings=(
        "[Show|List] each {group} with its number of {things}, {first} first.",
        "How many {things} are there for each {group}? [Sort|Order] by that number, {first} first.",
        "Count the {things} per {group} and [sort|order] by the count, {first} first.",
        "[List|Return] the {groups} and their numbers of {things}, sorted by the number, {first} first.",
        "Number of {things} per {group}, {first} first",
        "For each {group}, give the count of {things}, ordered by the count, {first} first.",
        "Group the {things} by {group}, count them and put the {first} first.",
        "[Give me|I need] all {groups} and how many {things} each has, beginning with the {first}.",
    ),
    unseen=("Rank the {groups} by their number of {things}, {first} first, and show the numbers.",),
)
def group_count_order(scene: Scene) -> Draft:
    """``SELECT dough, COUNT(*) FROM pastry GROUP BY dough ORDER BY COUNT(*) DESC``."""
    table = scene.table()
    group = scene.column(table, Role.TEXT)
    first, direction = scene.choose((("most", " DESC"), ("fewest", "")))
    return Draft(
        (f"SELECT {group.name}, COUNT(*) FROM {table.name} GROUP BY {group.name} ORDER BY COUNT(*){direction}",),
        (table,),
        {**table.slots, **group_slots(group), "first": first},
    )


@shape(
    "group-aggregate",
    weight=4,
    wordings=(
        "What is the {aggregate} of {things} for each {group}?",
        "[Show|Get|Return] the {aggregate} of the {things} per {group}.",
        "For [each|every] {group}, [find|show|give] the {aggregate} of its {things}.",
        "List every {group} and the {aggregate} of its {things}.",
        "[Find|Show] the {aggregate} by {group}.",
        "[Compute|Work out] the {aggregate} of {things} for every {group}.",
        "{aggregate} per {group}",
        "[Give|Show] me each {group} and the {aggregate} of the {things} in it.",
        "Group the {things} by {group} and show the {aggregate} of each group.",
    ),
    unseen=("Give each {group} with the {aggregate} of its {things}.", "Per {group}, what is the {aggregate}?"),
)
def group_aggregate(scene: Scene) -> Draft:
    """``SELECT dough, AVG(price) FROM pastry GROUP BY dough``."""
    table = scene.table()
    measure = scene.measure(table)
    group = scene.column(table, Role.TEXT)
    function, words = aggregate(scene, measure)
    return Draft(
        (f"SELECT {group.name}, {function}({measure.name}) FROM {table.name} GROUP BY {group.name}",),
        (table,),
        {**table.slots, **group_slots(group), "aggregate": words},
    )


@shape(
    "group-aggregate-where",
    weight=1.2,
    wordings=(
        "What is the {aggregate} of {things} {filter} for each {group}?",
        "For [each|every] {group}, [find|show|give] the {aggregate} of the {things} {filter}.",
        "[Show|List] every {group} with the {aggregate} of the {things} {filter}.",
        "Considering only {things} {filter}, what is the {aggregate} per {group}?",
        "{aggregate} per {group}, only for {things} {filter}",
        "[Compute|Find] the {aggregate} by {group} for {things} {filter}.",
        "Group the {things} {filter} by {group} and show each group's {aggregate}.",
        "[Give me|I need] the {aggregate} of {things} {filter}, by {group}.",
    ),
    unseen=("By {group}, what is the {aggregate} of the {things} {filter}?",),
)
def group_aggregate_where(scene: Scene) -> Draft:
    """``SELECT dough, AVG(price) FROM pastry WHERE weight > 100 GROUP BY dough``."""
    table = scene.table()
    measure = scene.measure(table)
    condition = scene.condition(table, other_than=[measure])
    group = scene.column(table, Role.TEXT, other_than=[condition.column])
    function, words = aggregate(scene, measure)
    what = f"{group.name}, {function}({measure.name})"
    return Draft(
        (f"SELECT {what} FROM {table.name} WHERE {condition.sql()} GROUP BY {group.name}",),
        (table,),
        {**table.slots, **condition.slots, **group_slots(group), "aggregate": words},
    )


@shape(
    "group-most",
    weight=2.5,
    wordings=(
        "Which {group} has the {most} {things}?",
        "What is the {group} with the {most} {things}?",
        "[Find|Show|Return] the {group} that has the {most} {things}.",
        "Name the {group} with the {most} {things}.",
        "[Show|Get] the {group} with the {most} {things}.",
        "{group} with the {most} {things}",
        "Of all {groups}, which has the {most} {things}?",
        "Which {group} occurs {often} among the {things}?",
        "What is the {commonest} {group} of the {things}?",
    ),
    unseen=("Tell me the {group} that has the {most} {things}.",),
)
def group_most(scene: Scene) -> Draft:
    """``SELECT dough FROM pastry GROUP BY dough ORDER BY COUNT(*) DESC LIMIT 1``."""
    table = scene.table()
    group = scene.column(table, Role.TEXT)
    most, direction, often, commonest = scene.choose(
        (("most", " DESC", "most often", "most common"), ("fewest", "", "least often", "least common"))
    )
    end = f"FROM {table.name} GROUP BY {group.name} ORDER BY COUNT(*){direction} LIMIT 1"
    return Draft(
        (f"SELECT {group.name} {end}", f"SELECT {group.name}, COUNT(*) {end}"),
        (table,),
        {**table.slots, **group_slots(group), "most": most, "often": often, "commonest": commonest},
    )


@shape(
    "group-most-aggregate",
    weight=1.5,
    wordings=(
        "Which {group} has the {extreme} {total} {measure}?",
        "What is the {group} with the {extreme} {total} {measure} of {things}?",
        "[Find|Show|Get] the {group} whose {things} have the {extreme} {total} {measure}.",
        "[Name|Return] the {group} with the {extreme} {total} {measure}.",
        "{group} with the {extreme} {total} {measure}",
        "Of all {groups}, which has the {extreme} {total} {measure}?",
        "For which {group} is the {total} {measure} of the {things} [the |]{extreme}?",
        "[Give me|I need] the one {group} with the {extreme} {total} {measure} of its {things}.",
    ),
    unseen=("In which {group} do the {things} have the {extreme} {total} {measure}?",),
)
def group_most_aggregate(scene: Scene) -> Draft:
    """``SELECT dough FROM pastry GROUP BY dough ORDER BY AVG(price) DESC LIMIT 1``."""
    table = scene.table()
    measure = scene.measure(table)
    group = scene.column(table, Role.TEXT)
    function, total = scene.choose((("AVG", "average"), ("SUM", "total"))[: 2 if measure.additive else 1])
    extreme, direction = scene.choose((("highest", " DESC"), ("highest", " DESC"), ("lowest", "")))
    value = f"{function}({measure.name})"
    end = f"FROM {table.name} GROUP BY {group.name} ORDER BY {value}{direction} LIMIT 1"
    return Draft(
        (f"SELECT {group.name} {end}", f"SELECT {group.name}, {value} {end}"),
        (table,),
        {**table.slots, **group_slots(group), "total": total, "extreme": extreme, "measure": measure.words},
    )


@shape(
    "group-top-sum",
    weight=3,
    wordings=(
        "Which {n} {groups} have the highest total {measure}?",
        "What are the {n} {groups} with the [largest|highest] total {measure} of {things}?",
        "Find the {n} {groups} whose {things} have the greatest total {measure}.",
        "[Show|Get|Return] the top {n} {groups} ranked by total {measure}.",
        "Name the {n} leading {groups} by combined {measure} of their {things}.",
        "[Give|List] the {n} {groups} with the greatest sum of {measure}.",
        "Show the {n} {groups} with the highest total {thing_measure}.",
        "By total {thing_measure}, what are the top {n} {groups}?",
        "Rank the {groups} by the total {measure} of their {things} and show the first {n}.",
        "Top {n} {groups} by total {measure}",
    ),
    unseen=(
        "Which are the top {n} {groups} in total {measure}?",
        "Return the {n} {groups} with the highest {measure} in total.",
    ),
)
def group_top_sum(scene: Scene) -> Draft:
    """``SELECT buyer FROM sales GROUP BY buyer ORDER BY SUM(amount) DESC LIMIT 3``."""
    table = scene.table()
    measure = scene.measure(table, additive=True)
    group = scene.column(table, Role.TEXT)
    n = scene.few(group)
    end = f"FROM {table.name} GROUP BY {group.name} ORDER BY SUM({measure.name}) DESC LIMIT {n}"
    return Draft(
        (f"SELECT {group.name} {end}", f"SELECT {group.name}, SUM({measure.name}) {end}"),
        (table,),
        {
            **table.slots,
            **group_slots(group),
            "measure": measure.words,
            "thing_measure": "" if measure.counted else f"{table.noun} {measure.words}",
            "n": scene.number_word(n),
        },
    )


@shape(
    "group-top-count",
    weight=1.5,
    wordings=(
        "Which {n} {groups} have the most {things}?",
        "What are the {n} {groups} with the most {things}?",
        "[Find|Return|Get] the {n} {groups} that have the most {things}.",
        "Show the top {n} {groups} by number of {things}.",
        "List the {n} most common {groups} of {things}.",
        "Top {n} {groups} by number of {things}",
        "Which {n} {groups} occur most often among the {things}?",
        "Rank the {groups} by how many {things} they have and show the first {n}.",
    ),
    unseen=("Name the {n} {groups} with the largest number of {things}.",),
)
def group_top_count(scene: Scene) -> Draft:
    """``SELECT dough FROM pastry GROUP BY dough ORDER BY COUNT(*) DESC LIMIT 3``."""
    table = scene.table()
    group = scene.column(table, Role.TEXT)
    n = scene.few(group)
    end = f"FROM {table.name} GROUP BY {group.name} ORDER BY COUNT(*) DESC LIMIT {n}"
    return Draft(
        (f"SELECT {group.name} {end}", f"SELECT {group.name}, COUNT(*) {end}"),
        (table,),
        {**table.slots, **group_slots(group), "n": scene.number_word(n)},
    )


@shape(
    "group-count-where",
    weight=2,
    unseen=(
        "For each {group}, count the {things} {filter}.",
        "How many {things} {filter} are there for each {group}?",
        "Show every {group} with its number of {things} {filter}.",
    ),
)
def group_count_where(scene: Scene) -> Draft:
    """``SELECT dough, COUNT(*) FROM pastry WHERE price > 5 GROUP BY dough``; new in the test split."""
    table = scene.table()
    condition = scene.condition(table)
    group = scene.column(table, Role.TEXT, other_than=[condition.column])
    return Draft(
        (f"SELECT {group.name}, COUNT(*) FROM {table.name} WHERE {condition.sql()} GROUP BY {group.name}",),
        (table,),
        {**table.slots, **condition.slots, **group_slots(group)},
    )
