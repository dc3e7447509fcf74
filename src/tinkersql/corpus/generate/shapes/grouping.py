"""Shapes that group the rows of one table."""

from tinkersql.corpus.generate.domain import Role
from tinkersql.corpus.generate.scene import Draft, Scene
from tinkersql.corpus.generate.shapes.aggregates import aggregate
from tinkersql.corpus.generate.shapes.shape import shape


@shape(
    "group-count",
    weight=2.5,
    wordings=(
        "How many {things} are there for each {group}?",
        "Show each {group} with its number of {things}.",
        "Count the {things} per {group}.",
        "What is the number of {things} for every {group}?",
        "List the {groups} together with how many {things} belong to each.",
        "For each {group}, how many {things} are there?",
        "How many {things} are {gathered}?",
        "Find the number of {things} {gathered}.",
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
        {
            "things": table.plural,
            "group": group.words,
            "groups": group.plural,
            "gathered": f"in each {group.words}" if group.gathers else "",
        },
    )


@shape(
    "group-aggregate",
    weight=2.5,
    wordings=(
        "What is the {aggregate} of {things} for each {group}?",
        "Show the {aggregate} of the {things} per {group}.",
        "For each {group}, find the {aggregate} of its {things}.",
        "List every {group} and the {aggregate} of its {things}.",
        "Find the {aggregate} by {group}.",
        "Compute the {aggregate} of {things} for every {group}.",
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
        {"things": table.plural, "group": group.words, "aggregate": words},
    )


@shape(
    "group-most",
    weight=1.5,
    wordings=(
        "Which {group} has the {most} {things}?",
        "What is the {group} with the {most} {things}?",
        "Find the {group} that has the {most} {things}.",
        "Name the {group} with the {most} {things}.",
        "Show the {group} with the {most} {things}.",
    ),
    unseen=("Tell me the {group} that has the {most} {things}.",),
)
def group_most(scene: Scene) -> Draft:
    """``SELECT dough FROM pastry GROUP BY dough ORDER BY COUNT(*) DESC LIMIT 1``."""
    table = scene.table()
    group = scene.column(table, Role.TEXT)
    most, direction = scene.choose((("most", " DESC"), ("most", " DESC"), ("fewest", "")))
    return Draft(
        (
            f"SELECT {group.name} FROM {table.name} GROUP BY {group.name} ORDER BY COUNT(*){direction} LIMIT 1",
            f"SELECT {group.name}, COUNT(*) FROM {table.name} GROUP BY {group.name} "
            f"ORDER BY COUNT(*){direction} LIMIT 1",
        ),
        (table,),
        {"things": table.plural, "group": group.words, "most": most},
    )


@shape(
    "group-top-sum",
    weight=2.5,
    wordings=(
        "Which {n} {groups} have the highest total {measure}?",
        "What are the {n} {groups} with the largest total {measure} of {things}?",
        "Find the {n} {groups} whose {things} have the greatest total {measure}.",
        "Show the top {n} {groups} ranked by total {measure}.",
        "Name the {n} leading {groups} by combined {measure} of their {things}.",
        "Give the {n} {groups} with the greatest sum of {measure}.",
        "Show the {n} {groups} with the highest total {thing_measure}.",
        "By total {thing_measure}, what are the top {n} {groups}?",
        "Rank the {groups} by the total {measure} of their {things} and show the first {n}.",
    ),
    unseen=(
        "Which are the top {n} {groups} in total {measure}?",
        "Return the {n} {groups} with the most {measure} in total.",
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
            "things": table.plural,
            "groups": group.plural,
            "measure": measure.words,
            "thing_measure": "" if measure.counted else f"{table.noun} {measure.words}",
            "n": scene.number_word(n),
        },
    )


@shape(
    "group-top-count",
    weight=1.2,
    wordings=(
        "Which {n} {groups} have the most {things}?",
        "What are the {n} {groups} with the most {things}?",
        "Find the {n} {groups} that have the most {things}.",
        "Show the top {n} {groups} by number of {things}.",
        "List the {n} most common {groups} of {things}.",
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
        {"things": table.plural, "groups": group.plural, "n": scene.number_word(n)},
    )


@shape(
    "group-having-count",
    weight=1.5,
    wordings=(
        "Which {groups} have more than {n} {things}?",
        "List the {groups} with more than {n} {things}.",
        "Find all {groups} that have more than {n} {things}.",
        "Show every {group} with more than {n} {things}.",
        "What are the {groups} that occur in more than {n} {things}?",
    ),
    unseen=("Name each {group} with more than {n} {things}.",),
)
def group_having_count(scene: Scene) -> Draft:
    """``SELECT dough FROM pastry GROUP BY dough HAVING COUNT(*) > 3``."""
    table = scene.table()
    group = scene.column(table, Role.TEXT)
    n = scene.few()
    return Draft(
        (f"SELECT {group.name} FROM {table.name} GROUP BY {group.name} HAVING COUNT(*) > {n}",),
        (table,),
        {"things": table.plural, "group": group.words, "groups": group.plural, "n": scene.number_word(n)},
    )


@shape(
    "group-having-average",
    weight=1,
    wordings=(
        "Which {groups} have an average {measure} above {value}?",
        "List the {groups} whose {things} have an average {measure} of more than {value}.",
        "Find the {groups} where the average {measure} of the {things} is greater than {value}.",
        "Show every {group} with an average {measure} over {value}.",
        "For which {groups} is the average {measure} higher than {value}?",
    ),
    unseen=("Name the {groups} with an average {measure} of {things} above {value}.",),
)
def group_having_average(scene: Scene) -> Draft:
    """``SELECT dough FROM pastry GROUP BY dough HAVING AVG(price) > 5``."""
    table = scene.table()
    measure = scene.measure(table)
    group = scene.column(table, Role.TEXT)
    value = scene.middle(measure, 0.1, 0.4)
    return Draft(
        (f"SELECT {group.name} FROM {table.name} GROUP BY {group.name} HAVING AVG({measure.name}) > {value}",),
        (table,),
        {
            "things": table.plural,
            "group": group.words,
            "groups": group.plural,
            "measure": measure.words,
            "value": value,
        },
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
        {"things": table.plural, "group": group.words, "filter": condition.phrase},
    )
