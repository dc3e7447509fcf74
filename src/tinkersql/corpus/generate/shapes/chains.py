"""Shapes over three tables: T1 is the parent of T2, and T2 of T3."""

from tinkersql.corpus.generate.domain import Role
from tinkersql.corpus.generate.scene import Chain, Draft, Scene
from tinkersql.corpus.generate.shapes.aggregates import aggregate
from tinkersql.corpus.generate.shapes.joins import inside
from tinkersql.corpus.generate.shapes.shape import shape


def deep_inside(scene: Scene, chain: Chain) -> tuple[str, str]:
    """A condition on the topmost table, said of the last: ``sold at bakeries run by chains in Lyon`` and its SQL."""
    phrase, sql = inside(scene, chain.upper)
    lower = chain.lower
    return f"{lower.link.inside} {lower.parent.plural} {phrase}", sql


@shape(
    "chain-filter",
    weight=1,
    wordings=(
        "What are the {labels} of {children} {inside}?",
        "[List|Show|Find|Name] the {children} {inside}.",
        "Which {children} are {inside}?",
        "[Show|Get|Return] the {labels} of all {children} {inside}.",
        "{labels} of {children} {inside}",
        "[Give me|I need|Display] the {labels} of the {children} {inside}.",
        "Find all {children} {inside}.",
        "[Can|Could] you list the {children} {inside}?",
    ),
    unseen=("Tell me which {children} are {inside}.", "Please name all {children} {inside}."),
)
def chain_filter(scene: Scene) -> Draft:
    """``SELECT T3.name FROM … WHERE T1.city = "Lyon"``."""
    chain = scene.chain(labelled=True)
    label = scene.label(chain.lower.child)
    phrase, sql = deep_inside(scene, chain)
    return Draft(
        (f"SELECT T3.{label.name} FROM {chain.sql} WHERE {sql}",),
        chain.tables,
        {**chain.slots, "labels": label.plural, "inside": phrase},
    )


@shape(
    "chain-count",
    weight=1.1,
    wordings=(
        "How many {children} are {inside}?",
        "[Count|Count up] the {children} {inside}.",
        "What is the number of {children} {inside}?",
        "[Find|Give|Return|Show] the number of {children} {inside}.",
        "Number of {children} {inside}",
        "How many {children} are there {inside}?",
        "[Overall|In total], how many {children} are {inside}?",
        "I need to know how many {children} are {inside}.",
    ),
    unseen=("Tell me how many {children} are {inside}.",),
)
def chain_count(scene: Scene) -> Draft:
    """``SELECT COUNT(*) FROM … WHERE T1.city = "Lyon"``."""
    chain = scene.chain()
    phrase, sql = deep_inside(scene, chain)
    return Draft((f"SELECT COUNT(*) FROM {chain.sql} WHERE {sql}",), chain.tables, {**chain.slots, "inside": phrase})


@shape(
    "chain-aggregate",
    weight=1.1,
    wordings=(
        "What is the {aggregate} of {children} {inside}?",
        "[Find|Get|Return] the {aggregate} of the {children} {inside}.",
        "[Compute|Work out] the {aggregate} of all {children} {inside}.",
        "For {children} {inside}, what is the {aggregate}?",
        "Show the {aggregate} of {children} {inside}.",
        "{aggregate} of {children} {inside}",
        "Looking only at {children} {inside}, what is the {aggregate}?",
        "[Tell me|I need] the {aggregate} of the {children} {inside}.",
    ),
    unseen=("Calculate the {aggregate} of those {children} {inside}.",),
)
def chain_aggregate(scene: Scene) -> Draft:
    """``SELECT AVG(T3.price) FROM … WHERE T1.city = "Lyon"``."""
    chain = scene.chain()
    measure = scene.measure(chain.lower.child)
    function, words = aggregate(scene, measure)
    phrase, sql = deep_inside(scene, chain)
    return Draft(
        (f"SELECT {function}(T3.{measure.name}) FROM {chain.sql} WHERE {sql}",),
        chain.tables,
        {**chain.slots, "aggregate": words, "inside": phrase},
    )


@shape(
    "chain-lookup",
    weight=1.1,
    wordings=(
        "What is the {attribute} of the {top} of the {parent} that {has} the {child} {value}?",
        "[Find|Show|Get] the {attribute} of the {top} to whose {parent} the {child} {value} belongs.",
        "For the {child} {value}, show the {attribute} of the {top} of {child_its} {parent}.",
        "{attribute} of the {top} of the {parent} that {has} {value}",
        "Starting from the {child} {value}, find {child_its} {parent}'s {top} and show the {attribute}.",
        "[Tell me|I need] the {attribute} of the {top} whose {parent} {has} the {child} {value}.",
        "Find the {top} of the {parent} that {has} the {child} {value}, and give its {attribute}.",
        "[Display|Return] the {attribute} of the {top} whose {parent} {has} {value}.",
    ),
    unseen=("Look up the {attribute} of the {top} of the {parent} that {has} the {child} {value}.",),
)
def chain_lookup(scene: Scene) -> Draft:
    """``SELECT T1.city FROM … WHERE T3.name = "croissant"``."""
    chain = scene.chain(labelled=True)
    label = scene.label(chain.lower.child)
    attribute = scene.column(chain.upper.parent, Role.LABEL, Role.TEXT)
    value = label.sample(scene.rng)
    return Draft(
        (f"SELECT T1.{attribute.name} FROM {chain.sql} WHERE T3.{label.name} = {label.literal(value)}",),
        chain.tables,
        {**chain.slots, "attribute": attribute.words, "value": value},
    )


@shape(
    "chain-group",
    weight=1,
    wordings=(
        "How many {children} are there for each {top} {group}?",
        "For [each|every] {top} {group}, count the {children}.",
        "[Show|List] every {top} {group} with the number of {children}.",
        "What is the number of {children} per {top} {group}?",
        "Number of {children} by {top} {group}",
        "Count the {children} and group them by the {group} of the {top}.",
        "[Find|Get|Return] how many {children} belong to each {top} {group}.",
        "[I need|Give me] the count of {children} for every {top} {group}.",
    ),
    unseen=("Broken down by {top} {group}, how many {children} are there?",),
)
def chain_group(scene: Scene) -> Draft:
    """``SELECT T1.city, COUNT(*) FROM … GROUP BY T1.city``."""
    chain = scene.chain()
    group = scene.column(chain.upper.parent, Role.LABEL, Role.TEXT)
    keys = [group.name, chain.upper.link.key] if group.role is Role.LABEL else [group.name]
    return Draft(
        tuple(f"SELECT T1.{group.name}, COUNT(*) FROM {chain.sql} GROUP BY T1.{by}" for by in keys),
        chain.tables,
        {**chain.slots, "group": group.words},
    )


@shape(
    "chain-most",
    weight=1.1,
    wordings=(
        "Which {top} has the most {children} over all its {parents}?",
        "[Find|Show|Name|Get] the {top} with the most {children} in total.",
        "What is the {label} of the {top} with the most {children}?",
        "Counting all {children} of its {parents}, which {top} has the most?",
        "{top} with the most {children} across its {parents}",
        "[Return|Show] the {label} of the {top} whose {parents} have the most {children} together.",
        "Of all {tops}, which has the largest number of {children}?",
        "I need the {top} whose {parents} together have the most {children}.",
    ),
    unseen=("Tell me the {label} of the {top} with the largest number of {children}.",),
)
def chain_most(scene: Scene) -> Draft:
    """``SELECT T1.name FROM … GROUP BY T1.name ORDER BY COUNT(*) DESC LIMIT 1``."""
    chain = scene.chain()
    label = scene.label(chain.upper.parent)
    return Draft(
        tuple(
            f"SELECT T1.{label.name} FROM {chain.sql} GROUP BY T1.{by} ORDER BY COUNT(*) DESC LIMIT 1"
            for by in (label.name, chain.upper.link.key)
        ),
        chain.tables,
        {**chain.slots, "label": label.words},
    )
