"""Shapes that join a parent table (T1) with its child table (T2), without groups."""

from tinkersql.corpus.generate.domain import Role
from tinkersql.corpus.generate.scene import Draft, Join, Scene, Unfit
from tinkersql.corpus.generate.shapes.aggregates import aggregate
from tinkersql.corpus.generate.shapes.ordering import extreme
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


@shape(
    "join-list",
    weight=1.5,
    wordings=(
        "Show the {label} of each {child} and the {parent_label} of {child_its} {parent}.",
        "List every {child}'s {label} together with the {parent_label} of {child_its} {parent}.",
        "For each {child}, give {child_its} {label} and the {parent_label} of {child_its} {parent}.",
        "What are the {label} of each {child} and the {parent_label} of the {parent} that {has} {child_it}?",
        "Find the {labels} of all {children} along with the {parent_label} of each one's {parent}.",
        "[Display|Print] each {child}'s {label} next to the {parent_label} of {child_its} {parent}.",
        "{labels} of the {children}, each with the {parent_label} of {child_its} {parent}",
        "I need every {child} with the {parent_label} of {child_its} {parent}.",
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
    weight=4.5,
    wordings=(
        "What are the {labels} of {children} {inside}?",
        "List the {children} {inside}.",
        "Which {children} are {inside}?",
        "Show the {labels} of all {children} {inside}.",
        "Find the {children} {inside}.",
        "Give me the {labels} of the {children} {inside}.",
        "{labels} of [the |all |]{children} {inside}",
        "[I am looking for|I need|Display|Fetch] [all |]{children} {inside}.",
        "Which are the {children} {inside}?",
        "[Can|Could] you list the {children} {inside}?",
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
        "{parents} that {have} {children} {filter}",
        "[Give me|I need|Get] the {labels} of all {parents} that {have} {children} {filter}.",
        "Of all {parents}, which {have} {children} {filter}?",
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
        (
            f"SELECT DISTINCT {end}",
            f"SELECT {end}",
            f"SELECT {label.name} FROM {join.parent.name} WHERE {join.link.key} IN "
            f"(SELECT {join.link.column} FROM {join.child.name} WHERE {condition.sql()})",
        ),
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
        "{attribute} of the {parent} that {has} the {child} {value}",
        "[Get|Return|Tell me] the {attribute} of the {parent} that {has} the {child} {value}.",
        "I need the {attribute} of the {parent} that {has} {value}.",
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
        "Number of {children} {inside}",
        "[Give|Show|Return|Get] the number of {children} {inside}.",
        "[In total|Overall], how many {children} are {inside}?",
        "I need to know how many {children} are {inside}.",
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
        "{aggregate} of {children} {inside}",
        "[Get|Return|I need|Tell me] the {aggregate} of [the |]{children} {inside}.",
        "Looking only at {children} {inside}, what is the {aggregate}?",
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
    "join-columns",
    weight=1.5,
    wordings=(
        "[Show|List] the {label} and the {attribute} of {children} {inside}.",
        "What are the {label} and the {attribute} of all {children} {inside}?",
        "For [all |the |]{children} {inside}, [give|show|list] the {label} and the {attribute}.",
        "[Find|Get|Return] {label} and {attribute} of the {children} {inside}.",
        "{label} and {attribute} of {children} {inside}",
        "[Give me|I need] all {children} {inside}, with {label} and {attribute}.",
        "List the {children} {inside} by {label}, together with the {attribute}.",
        "For each of the {children} {inside}, what are the {label} and the {attribute}?",
    ),
    unseen=("Print both the {label} and the {attribute} of the {children} {inside}.",),
)
def join_columns(scene: Scene) -> Draft:
    """``SELECT T2.name, T2.price FROM … WHERE T1.city = "Lyon"``."""
    join = scene.join(labelled=True)
    label = scene.label(join.child)
    attribute = scene.column(join.child, Role.TEXT, Role.NUMBER, Role.YEAR)
    phrase, sql = inside(scene, join)
    return Draft(
        (f"SELECT T2.{label.name}, T2.{attribute.name} FROM {join.sql} WHERE {sql}",),
        join.tables,
        {**join.slots, "label": label.words, "attribute": attribute.words, "inside": phrase},
    )


@shape(
    "join-filter-both",
    weight=1.5,
    wordings=(
        "Which {children} {inside} {predicate}?",
        "Of the {children} {inside}, [list|show|find] those {filter}.",
        "Among the {children} {inside}, which [ones |]{predicate}?",
        "[Show|List|Find|Get] the {labels} of those {children} {inside} which {predicate}.",
        "What are the {labels} of the {children} {filter}, counting only those {inside}?",
        "Considering only {children} {inside}, [list|find|show] the {labels} of those {filter}.",
        "The {children} {inside}: which of them {predicate}?",
        "[I need|Give me] the {labels} of the {children} {inside} which {predicate}.",
    ),
    unseen=("Out of all {children} {inside}, name those {filter}.",),
)
def join_filter_both(scene: Scene) -> Draft:
    """Conditions on parent and child: ``SELECT T2.name FROM … WHERE T1.city = "Lyon" AND T2.price > 5``."""
    join = scene.join(labelled=True)
    label = scene.label(join.child)
    condition = scene.condition(join.child)
    phrase, sql = inside(scene, join)
    return Draft(
        (f"SELECT T2.{label.name} FROM {join.sql} WHERE {sql} AND {condition.sql('T2')}",),
        join.tables,
        {**join.slots, **condition.slots, "labels": label.plural, "inside": phrase},
    )


@shape(
    "join-count-both",
    weight=1,
    wordings=(
        "How many {children} {inside} {predicate}?",
        "Of the {children} {inside}, how many {predicate}?",
        "Among the {children} {inside}, count those {filter}.",
        "[Find|Give|Show] the number of those {children} {inside} which {predicate}.",
        "Considering only {children} {inside}, how many {predicate}?",
        "[Count|Count up] the {children} {inside} which {predicate}.",
        "The {children} {inside}: how many of them {predicate}?",
        "What is the number of {children} {inside} which {predicate}?",
    ),
    unseen=("Out of all {children} {inside}, say how many {predicate}.",),
)
def join_count_both(scene: Scene) -> Draft:
    """``SELECT COUNT(*) FROM … WHERE T1.city = "Lyon" AND T2.price > 5``."""
    join = scene.join()
    entities(join)
    condition = scene.condition(join.child)
    phrase, sql = inside(scene, join)
    return Draft(
        (f"SELECT COUNT(*) FROM {join.sql} WHERE {sql} AND {condition.sql('T2')}",),
        join.tables,
        {**join.slots, **condition.slots, "inside": phrase},
    )


@shape(
    "join-superlative",
    weight=1.5,
    wordings=(
        "Which {parent} {has} the {child} with the {extreme}?",
        "What is the {label} of the {parent} that {has} the {child} with the {extreme}?",
        "[Find|Show|Name|Get] the {parent} that {has} the {adjective} {child}.",
        "[Find|Show|Return] the {label} of the {parent} that {has} the {child} with the {extreme}.",
        "Which {parent} {has} the {adjective} {child}?",
        "{label} of the {parent} that {has} the {adjective} {child}",
        "Of all {parents}, which {has} the {child} with the {extreme}?",
        "Take the {child} with the {extreme}: which {parent} {has} {child_it}?",
    ),
    unseen=("Tell me which {parent} {has} the {child} with the {extreme}.",),
)
def join_superlative(scene: Scene) -> Draft:
    """``SELECT T1.name FROM … ORDER BY T2.price DESC LIMIT 1``."""
    join = scene.join()
    entities(join)
    label, measure = scene.label(join.parent), scene.measure(join.child)
    highest = scene.rng.random() < 0.6
    return Draft(
        (f"SELECT T1.{label.name} FROM {join.sql} ORDER BY T2.{measure.name}{' DESC' if highest else ''} LIMIT 1",),
        join.tables,
        {**join.slots, "label": label.words, **extreme(measure, highest=highest)},
    )
