"""Shapes that join a parent table (T1) with its child table (T2) and look at each parent's children as a group."""

from tinkersql.corpus.generate.domain import Column, Role
from tinkersql.corpus.generate.scene import Draft, Join, Scene
from tinkersql.corpus.generate.shapes.aggregates import aggregate
from tinkersql.corpus.generate.shapes.joins import counts, entities
from tinkersql.corpus.generate.shapes.shape import shape


def by_label_or_key(join: Join, label: Column) -> tuple[str, str]:
    """The two ways to group by the parent: its label and its key, the same where labels are unique."""
    return f"T1.{label.name}", f"T1.{join.link.key}"


@shape(
    "join-group-count",
    weight=3.5,
    wordings=(
        "How many {children} are there for each {group} of the {parents}?",
        "For each {parent} {group}, count the {children}.",
        "What is the number of {children} {inside} {parents} of each {group}?",
        "Show every {parent} {group} with its number of {children}.",
        "Count the {children} {inside} {parents} per {parent} {group}.",
        "Group the {children} by the {group} of their {parent} and count them.",
        "In each {gathered}, how many {children} are {inside} {parents}?",
        "Find how many {children} are {inside} the {parents} of each {group}.",
        "Number of {children} per {parent} {group}",
    ),
    unseen=(
        "Give the number of {children} by {parent} {group}.",
        "How many {children} are {inside} the {parents} in every {gathered}?",
    ),
)
def join_group_count(scene: Scene) -> Draft:
    """``SELECT T1.city, COUNT(*) FROM … GROUP BY T1.city``."""
    join = scene.join()
    group = scene.column(join.parent, Role.TEXT)
    return Draft(
        tuple(f"SELECT T1.{group.name}, {count} FROM {join.sql} GROUP BY T1.{group.name}" for count in counts(join)),
        join.tables,
        {**join.slots, "group": group.words, "gathered": group.words if group.gathers else ""},
    )


@shape(
    "join-count-each",
    weight=2,
    wordings=(
        "Show the {label} of each {parent} and the number of {children} {inside} {it}.",
        "How many {children} are {inside} each {parent}? Show the {parent}'s {label} and the count.",
        "List the {labels} of the {parents} along with how many {children} are {inside} each of them.",
        "For each {parent}, give the {label} and the number of {children} {inside} {it}.",
        "What is the {label} of each {parent}, and how many {children} are {inside} {it}?",
        "Number of {children} per {parent}, with the {parent}'s {label}",
        "[Show|Return|Get] every {parent}'s {label} with the number of {children} {inside} {it}.",
        "[I need|Give me] the {label} of each {parent} with its number of {children}.",
    ),
    unseen=("Count the {children} {inside} each {parent}, by the {parent}'s {label}.",),
)
def join_count_each(scene: Scene) -> Draft:
    """``SELECT T1.name, COUNT(*) FROM … GROUP BY T1.name``."""
    join = scene.join()
    label = scene.label(join.parent)
    return Draft(
        tuple(
            f"SELECT T1.{label.name}, {count} FROM {join.sql} GROUP BY {group}"
            for group in by_label_or_key(join, label)
            for count in counts(join)
        ),
        join.tables,
        {**join.slots, "label": label.words, "labels": label.plural},
    )


@shape(
    "join-group-aggregate",
    weight=1.5,
    wordings=(
        "What is the {aggregate} of {children} for each {parent} {group}?",
        "For each {parent} {group}, find the {aggregate} of the {children}.",
        "Show every {parent} {group} with the {aggregate} of the {children}.",
        "Find the {aggregate} of {children} by the {group} of their {parent}.",
        "List each {parent} {group} and the {aggregate} of its {children}.",
        "{aggregate} of {children} per {parent} {group}",
        "[Get|Return|Compute] the {aggregate} of the {children} for every {parent} {group}.",
        "Group the {children} by the {group} of their {parent} and show the {aggregate}.",
    ),
    unseen=("Give the {aggregate} of the {children} per {parent} {group}.",),
)
def join_group_aggregate(scene: Scene) -> Draft:
    """``SELECT T1.city, AVG(T2.price) FROM … GROUP BY T1.city``."""
    join = scene.join()
    entities(join)
    group = scene.column(join.parent, Role.LABEL, Role.TEXT)
    measure = scene.measure(join.child)
    function, words = aggregate(scene, measure)
    return Draft(
        tuple(
            f"SELECT T1.{group.name}, {function}(T2.{measure.name}) FROM {join.sql} GROUP BY {by}"
            for by in (by_label_or_key(join, group) if group.role is Role.LABEL else (f"T1.{group.name}",))
        ),
        join.tables,
        {**join.slots, "group": group.words, "aggregate": words},
    )


@shape(
    "join-most",
    weight=2,
    wordings=(
        "Which {parent} {has} the most {children}?",
        "What is the {label} of the {parent} that {has} the most {children}?",
        "Find the {parent} that {has} the most {children}.",
        "Show the {label} of the {parent} with the most {children} {inside} {it}.",
        "Name the {parent} that {has} the largest number of {children}.",
        "[Get|Return|I need] the {label} of the {parent} that {has} the most {children}.",
        "{parent} that {has} the most {children}",
        "Name whichever {parent} {has} the most {children}.",
    ),
    unseen=("Of all {parents}, which one {has} the most {children}?",),
)
def join_most(scene: Scene) -> Draft:
    """``SELECT T1.name FROM … GROUP BY T1.name ORDER BY COUNT(*) DESC LIMIT 1``."""
    join = scene.join()
    label = scene.label(join.parent)
    return Draft(
        tuple(
            f"SELECT T1.{label.name} FROM {join.sql} GROUP BY {group} ORDER BY {count} DESC LIMIT 1"
            for group in by_label_or_key(join, label)
            for count in counts(join)
        ),
        join.tables,
        {**join.slots, "label": label.words},
    )


@shape(
    "join-having",
    weight=1.2,
    wordings=(
        "Which {parents} {have} {several}?",
        "List the {labels} of the {parents} that {have} {several}.",
        "Find all {parents} with {several} {inside} them.",
        "Show the {parents} that {have} {several}.",
        "What are the {labels} of {parents} that {have} {several}?",
        "{parents} that {have} {several}",
        "[Return|Get|I need] the {labels} of all {parents} that {have} {several}.",
        "Of all {parents}, which {have} {several}?",
    ),
    unseen=("Name every {parent} that {has} {several}.",),
)
def join_having(scene: Scene) -> Draft:
    """``SELECT T1.name FROM … GROUP BY T1.name HAVING COUNT(*) > 3``."""
    join = scene.join()
    label = scene.label(join.parent)
    test, several = scene.several(join.child)
    return Draft(
        tuple(
            f"SELECT T1.{label.name} FROM {join.sql} GROUP BY {group} HAVING {count} {test}"
            for group in by_label_or_key(join, label)
            for count in counts(join)
        ),
        join.tables,
        {**join.slots, "labels": label.plural, "several": several},
    )


@shape(
    "join-none",
    weight=0.8,
    wordings=(
        "Which {parents} {have} no {children}?",
        "List the {parents} that {have} no {children}.",
        "Find the {labels} of the {parents} without any {children}.",
        "Show all {parents} that {have} no {children}.",
        "What are the {labels} of {parents} with no {children} {inside} them?",
        "{parents} that {have} no {children}",
        "[Return|Get|I need] the {labels} of all {parents} that {have} no {children}.",
        "Of all {parents}, which {have} no {children} at all?",
    ),
    unseen=("Name each {parent} that {has} no {children}.",),
)
def join_none(scene: Scene) -> Draft:
    """``SELECT name FROM bakery WHERE id NOT IN (SELECT bakery_id FROM pastry)``."""
    join = scene.join()
    label = scene.label(join.parent)
    referred = f"(SELECT {join.link.column} FROM {join.child.name})"
    return Draft(
        (f"SELECT {label.name} FROM {join.parent.name} WHERE {join.link.key} NOT IN {referred}",),
        join.tables,
        {**join.slots, "labels": label.plural},
    )


@shape(
    "join-count-none",
    weight=0.6,
    wordings=(
        "How many {parents} {have} no {children}?",
        "[Count|Count up] the {parents} that {have} no {children}.",
        "What is the number of {parents} that {have} no {children}?",
        "[Find|Give|Show] the number of {parents} without any {children}.",
        "Number of {parents} that {have} no {children}",
        "Of all {parents}, how many {have} no {children}?",
        "How many of the {parents} {have} no {children} at all?",
        "[I need|I want] to know how many {parents} {have} no {children}.",
    ),
    unseen=("Tell me how many {parents} {have} no {children}.",),
)
def join_count_none(scene: Scene) -> Draft:
    """``SELECT COUNT(*) FROM bakery WHERE id NOT IN (SELECT bakery_id FROM pastry)``."""
    join = scene.join()
    referred = f"(SELECT {join.link.column} FROM {join.child.name})"
    return Draft(
        (f"SELECT COUNT(*) FROM {join.parent.name} WHERE {join.link.key} NOT IN {referred}",),
        join.tables,
        join.slots,
    )


@shape(
    "join-top-sum",
    weight=2,
    unseen=(
        "Which {n} {parents} have the highest total {measure} of {children}?",
        "Show the {labels} of the {n} {parents} whose {children} have the largest total {measure}.",
    ),
)
def join_top_sum(scene: Scene) -> Draft:
    """``SELECT T1.name FROM … GROUP BY T1.name ORDER BY SUM(T2.price) DESC LIMIT 3``; new in the test split."""
    join = scene.join()
    entities(join)
    label = scene.label(join.parent)
    measure = scene.measure(join.child, additive=True)
    n = scene.few()
    return Draft(
        tuple(
            f"SELECT T1.{label.name} FROM {join.sql} GROUP BY {group} ORDER BY SUM(T2.{measure.name}) DESC LIMIT {n}"
            for group in by_label_or_key(join, label)
        ),
        join.tables,
        {**join.slots, "labels": label.plural, "measure": measure.words, "n": scene.number_word(n)},
    )
