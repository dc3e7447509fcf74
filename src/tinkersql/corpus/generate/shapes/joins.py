"""Shapes that join a parent table (T1) with its child table (T2)."""

from tinkersql.corpus.generate.domain import Column, Role
from tinkersql.corpus.generate.scene import Draft, Join, Scene, Unfit
from tinkersql.corpus.generate.shapes.aggregates import aggregate
from tinkersql.corpus.generate.shapes.shape import shape


def inside(scene: Scene, join: Join) -> tuple[str, str]:
    """A condition on the parent, said of its children: ``sold at bakeries in Lyon`` and its SQL."""
    label = join.parent.label
    if label and scene.rng.random() < 0.35:
        value = label.sample(scene.rng)
        return f"{join.link.inside} the {join.parent.noun} {value}", f"T1.{label.name} = {label.literal(value)}"
    condition = scene.condition(join.parent)
    return f"{join.link.inside} {join.parent.plural} {condition.phrase}", condition.sql("T1")


def counts(join: Join) -> tuple[str, ...]:
    """How the children may be counted: by rows, or by participant where a row is a participation."""
    participant = join.child.participant
    return ("COUNT(*)", f"COUNT(DISTINCT T2.{participant})") if participant else ("COUNT(*)",)


def entities(join: Join) -> None:
    """Asks that the child's rows are things, not participations."""
    if join.child.participant:
        raise Unfit


def by_label_or_key(join: Join, label: Column) -> tuple[str, str]:
    """The two ways to group by the parent: its label and its key, the same where labels are unique."""
    return f"T1.{label.name}", f"T1.{join.link.key}"


@shape(
    "join-list",
    weight=1.5,
    wordings=(
        "Show the {label} of each {child} and the {parent_label} of {child_its} {parent}.",
        "List every {child}'s {label} together with the {parent_label} of {child_its} {parent}.",
        "For each {child}, give {child_its} {label} and the {parent_label} of {child_its} {parent}.",
        "What are the {label} of each {child} and the {parent_label} of the {parent} that {has} {child_it}?",
        "Find the {labels} of all {children} along with the {parent_label} of each one's {parent}.",
    ),
    unseen=("Pair the {label} of each {child} with the {parent_label} of {child_its} {parent}.",),
)
def join_list(scene: Scene) -> Draft:
    """``SELECT T2.name, T1.name FROM bakery AS T1 JOIN pastry AS T2 ON T1.id = T2.bakery_id``."""
    join = scene.join(labelled=True)
    label, above = scene.label(join.child), scene.column(join.parent, Role.LABEL, Role.TEXT, Role.YEAR)
    return Draft(
        (f"SELECT T2.{label.name}, T1.{above.name} FROM {join.sql}",),
        join.tables,
        {**join.slots, "label": label.words, "labels": label.plural, "parent_label": above.words},
    )


@shape(
    "join-filter",
    weight=2.5,
    wordings=(
        "What are the {labels} of {children} {inside}?",
        "List the {children} {inside}.",
        "Which {children} are {inside}?",
        "Show the {labels} of all {children} {inside}.",
        "Find the {children} {inside}.",
        "Give me the {labels} of the {children} {inside}.",
    ),
    unseen=("Name all {children} {inside}.", "Tell me which {children} are {inside}."),
)
def join_filter(scene: Scene) -> Draft:
    """Children by a condition on their parent: ``SELECT T2.name FROM … WHERE T1.city = "Lyon"``."""
    join = scene.join(labelled=True)
    label = scene.label(join.child)
    phrase, sql = inside(scene, join)
    return Draft(
        (f"SELECT T2.{label.name} FROM {join.sql} WHERE {sql}",),
        join.tables,
        {**join.slots, "labels": label.plural, "inside": phrase},
    )


@shape(
    "join-filter-parent",
    weight=2,
    wordings=(
        "Which {parents} {have} {children} {filter}?",
        "List the {labels} of {parents} that {have} {children} {filter}.",
        "Find the {parents} that {have} {children} {filter}.",
        "What are the {labels} of the {parents} that {have} at least one of the {children} {filter}?",
        "Show all {parents} that {have} {children} {filter}.",
    ),
    unseen=("Name the {parents} that {have} any {children} {filter}.",),
)
def join_filter_parent(scene: Scene) -> Draft:
    """Parents by a condition on their children: ``SELECT DISTINCT T1.name FROM … WHERE T2.price > 5``."""
    join = scene.join()
    entities(join)
    label = scene.label(join.parent)
    condition = scene.condition(join.child)
    end = f"T1.{label.name} FROM {join.sql} WHERE {condition.sql('T2')}"
    return Draft(
        (f"SELECT DISTINCT {end}", f"SELECT {end}"),
        join.tables,
        {**join.slots, "labels": label.plural, "filter": condition.phrase},
    )


@shape(
    "join-lookup",
    weight=1.5,
    wordings=(
        "What is the {attribute} of the {parent} that {has} the {child} {value}?",
        "Find the {attribute} of the {parent} that {has} the {child} {value}.",
        "Show the {attribute} of the {parent} of the {child} {value}.",
        "For the {child} {value}, what is the {attribute} of {child_its} {parent}?",
        "Give the {attribute} of the {parent} that {has} {value}.",
    ),
    unseen=("Look up the {attribute} of the {parent} that {has} the {child} {value}.",),
)
def join_lookup(scene: Scene) -> Draft:
    """``SELECT T1.city FROM … WHERE T2.name = "croissant"``."""
    join = scene.join(labelled=True)
    label = scene.label(join.child)
    attribute = scene.column(join.parent, Role.LABEL, Role.TEXT, Role.NUMBER, Role.YEAR)
    value = label.sample(scene.rng)
    return Draft(
        (f"SELECT T1.{attribute.name} FROM {join.sql} WHERE T2.{label.name} = {label.literal(value)}",),
        join.tables,
        {**join.slots, "attribute": attribute.words, "value": value},
    )


@shape(
    "join-count",
    weight=2,
    wordings=(
        "How many {children} are {inside}?",
        "Count the {children} {inside}.",
        "What is the number of {children} {inside}?",
        "Find the number of {children} {inside}.",
        "How many {children} are there {inside}?",
    ),
    unseen=("Tell me how many {children} are {inside}.",),
)
def join_count(scene: Scene) -> Draft:
    """``SELECT COUNT(*) FROM … WHERE T1.city = "Lyon"``."""
    join = scene.join()
    phrase, sql = inside(scene, join)
    return Draft(
        tuple(f"SELECT {count} FROM {join.sql} WHERE {sql}" for count in counts(join)),
        join.tables,
        {**join.slots, "inside": phrase},
    )


@shape(
    "join-aggregate",
    weight=2,
    wordings=(
        "What is the {aggregate} of {children} {inside}?",
        "Find the {aggregate} of the {children} {inside}.",
        "Compute the {aggregate} of all {children} {inside}.",
        "For {children} {inside}, what is the {aggregate}?",
        "Show the {aggregate} of {children} {inside}.",
    ),
    unseen=("Calculate the {aggregate} of those {children} {inside}.",),
)
def join_aggregate(scene: Scene) -> Draft:
    """``SELECT AVG(T2.price) FROM … WHERE T1.city = "Lyon"``."""
    join = scene.join()
    entities(join)
    measure = scene.measure(join.child)
    function, words = aggregate(scene, measure)
    phrase, sql = inside(scene, join)
    return Draft(
        (f"SELECT {function}(T2.{measure.name}) FROM {join.sql} WHERE {sql}",),
        join.tables,
        {**join.slots, "aggregate": words, "inside": phrase},
    )


@shape(
    "join-group-count",
    weight=3,
    wordings=(
        "How many {children} are there for each {group} of the {parents}?",
        "For each {parent} {group}, count the {children}.",
        "What is the number of {children} {inside} {parents} of each {group}?",
        "Show every {parent} {group} with its number of {children}.",
        "Count the {children} {inside} {parents} per {parent} {group}.",
        "Group the {children} by the {group} of their {parent} and count them.",
        "In each {gathered}, how many {children} are {inside} {parents}?",
        "Find how many {children} are {inside} the {parents} of each {group}.",
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
        "Which {parents} {have} more than {n} {children}?",
        "List the {labels} of the {parents} that {have} more than {n} {children}.",
        "Find all {parents} with more than {n} {children} {inside} them.",
        "Show the {parents} that {have} more than {n} {children}.",
        "What are the {labels} of {parents} that {have} more than {n} {children}?",
    ),
    unseen=("Name every {parent} that {has} more than {n} {children}.",),
)
def join_having(scene: Scene) -> Draft:
    """``SELECT T1.name FROM … GROUP BY T1.name HAVING COUNT(*) > 3``."""
    join = scene.join()
    label = scene.label(join.parent)
    n = scene.few()
    return Draft(
        tuple(
            f"SELECT T1.{label.name} FROM {join.sql} GROUP BY {group} HAVING {count} > {n}"
            for group in by_label_or_key(join, label)
            for count in counts(join)
        ),
        join.tables,
        {**join.slots, "labels": label.plural, "n": scene.number_word(n)},
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
