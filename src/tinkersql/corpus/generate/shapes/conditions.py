"""Shapes whose point is their condition: two columns, a range, a period, a part of a text, a missing value.

Each comes as a list and as a number of rows, so that only the question's words say which is asked for.
"""

from collections.abc import Callable

from tinkersql.corpus.generate.domain import Role, Table
from tinkersql.corpus.generate.phrasing import Condition, both, both_predicates
from tinkersql.corpus.generate.scene import Draft, Scene
from tinkersql.corpus.generate.shapes.shape import shape
from tinkersql.corpus.generate.shapes.wordings import COUNTED, LISTED, UNSEEN_COUNTED, UNSEEN_LISTED


def listed(table: Table, column: str, condition: Condition) -> Draft:
    """The rows' labels under a condition that may be said in several ways in SQL."""
    golds = tuple(f"SELECT {column} FROM {table.name} WHERE {sql}" for sql in condition.sqls())
    return Draft(golds, (table,), {**table.slots, **condition.slots})


def counted(table: Table, condition: Condition) -> Draft:
    """The number of rows under a condition."""
    return listed(table, "COUNT(*)", condition)


def combined(scene: Scene, table: Table, what: str) -> Draft:
    """Two conditions on different columns, joined by AND."""
    first, second = scene.two_conditions(table)
    predicate = both_predicates(first, second)
    return Draft(
        (f"SELECT {what} FROM {table.name} WHERE {first.sql()} AND {second.sql()}",),
        (table,),
        {**table.slots, "filter": both(first, second), "predicate": predicate, "simple": predicate},
    )


def either(scene: Scene, table: Table, what: str) -> Draft:
    """Conditions on two text columns, or two values of one, joined by OR."""
    column = scene.column(table, Role.TEXT)
    if scene.rng.random() < 0.6:
        return listed(table, what, scene.text(column, values=2))
    first, second = scene.text(column), scene.condition(table, other_than=[column])
    if second.rank < first.rank:
        first, second = second, first
    predicate = f"{first.predicate} or {second.predicate}" if first.predicate and second.predicate else ""
    return Draft(
        (f"SELECT {what} FROM {table.name} WHERE {first.sql()} OR {second.sql()}",),
        (table,),
        {**table.slots, "filter": f"{first.phrase} or {second.phrase}", "predicate": predicate, "simple": predicate},
    )


def span(scene: Scene, table: Table) -> Condition:
    """A condition that a number, year or date lies between two values."""
    return scene.between(scene.column(table, Role.NUMBER, Role.YEAR, Role.DATE))


def part(scene: Scene, table: Table) -> Condition:
    """A condition on a part of a text."""
    return scene.part(table)


def period(scene: Scene, table: Table) -> Condition:
    """A condition that a date lies in a month or a year."""
    return scene.period(table)


def missing(scene: Scene, table: Table) -> Condition:
    """A condition that a value is missing, or there."""
    return scene.missing(table)


def list_of(draw: Callable[[Scene, Table], Condition]) -> Callable[[Scene], Draft]:
    """Builds a list of labels under the drawn condition."""

    def build(scene: Scene) -> Draft:
        table, label = scene.labelled()
        return listed(table, label.name, draw(scene, table))

    return build


def number_of(draw: Callable[[Scene, Table], Condition]) -> Callable[[Scene], Draft]:
    """Builds a number of rows under the drawn condition."""

    def build(scene: Scene) -> Draft:
        table = scene.table()
        return counted(table, draw(scene, table))

    return build


@shape("filter-and", weight=3, wordings=LISTED, unseen=UNSEEN_LISTED)
def filter_and(scene: Scene) -> Draft:
    """``SELECT name FROM pastry WHERE dough = "puff" AND price < 5``."""
    table, label = scene.labelled()
    return combined(scene, table, label.name)


@shape("count-and", weight=2, wordings=COUNTED, unseen=UNSEEN_COUNTED)
def count_and(scene: Scene) -> Draft:
    """``SELECT COUNT(*) FROM pastry WHERE dough = "puff" AND price < 5``."""
    return combined(scene, scene.table(), "COUNT(*)")


@shape("filter-or", weight=1.5, wordings=LISTED, unseen=UNSEEN_LISTED)
def filter_or(scene: Scene) -> Draft:
    """``SELECT name FROM pastry WHERE dough = "puff" OR dough = "filo"``."""
    table, label = scene.labelled()
    return either(scene, table, label.name)


@shape("count-or", weight=1, wordings=COUNTED, unseen=UNSEEN_COUNTED)
def count_or(scene: Scene) -> Draft:
    """``SELECT COUNT(*) FROM pastry WHERE dough = "puff" OR price > 5``."""
    return either(scene, scene.table(), "COUNT(*)")


BETWEEN = shape("filter-between", weight=1.5, wordings=LISTED, unseen=UNSEEN_LISTED)(list_of(span))
COUNT_BETWEEN = shape("count-between", weight=1, wordings=COUNTED, unseen=UNSEEN_COUNTED)(number_of(span))
PERIOD = shape("filter-period", weight=1.2, wordings=LISTED, unseen=UNSEEN_LISTED)(list_of(period))
COUNT_PERIOD = shape("count-period", weight=1.2, wordings=COUNTED, unseen=UNSEEN_COUNTED)(number_of(period))
PART = shape("filter-part", weight=1.5, wordings=LISTED, unseen=UNSEEN_LISTED)(list_of(part))
COUNT_PART = shape("count-part", weight=0.8, wordings=COUNTED, unseen=UNSEEN_COUNTED)(number_of(part))
MISSING = shape("filter-missing", weight=1.2, wordings=LISTED, unseen=UNSEEN_LISTED)(list_of(missing))
COUNT_MISSING = shape("count-missing", weight=1, wordings=COUNTED, unseen=UNSEEN_COUNTED)(number_of(missing))
