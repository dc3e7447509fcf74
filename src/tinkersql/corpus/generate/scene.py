"""A scene: one domain and one source of chance, from which a shape draws what its question is about."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from tinkersql.corpus.generate.domain import Column, Domain, Link, Role, Table
from tinkersql.corpus.generate.phrasing import Condition, about_another, about_measure, about_range, about_text

T = TypeVar("T")
MEASURES = (Role.NUMBER, Role.YEAR, Role.DATE)
NEGATED = 0.08  # the share of text conditions that exclude a value
SPELLED = {"2": "two", "3": "three", "4": "four", "5": "five", "10": "ten"}


class Unfit(Exception):
    """This domain has nothing that the shape needs; draw again."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a shape has made: the query and the words for its wordings.

    Attributes:
        golds: Acceptable queries, the first the one to learn.
        tables: The tables that the query reads, in the order of their aliases T1 and T2.
        slots: The words for the ``{slots}`` of a wording; a wording with an empty slot is not used.
    """

    golds: tuple[str, ...]
    tables: tuple[Table, ...]
    slots: dict[str, str]


@dataclass(frozen=True, slots=True)
class Join:
    """A link with its two tables; the parent is T1, the child T2."""

    link: Link
    parent: Table
    child: Table

    @property
    def sql(self) -> str:
        """The FROM clause, without the word FROM."""
        key, column = self.link.key, self.link.column
        return f"{self.parent.name} AS T1 JOIN {self.child.name} AS T2 ON T1.{key} = T2.{column}"

    @property
    def tables(self) -> tuple[Table, Table]:
        """Parent and child."""
        return self.parent, self.child

    @property
    def slots(self) -> dict[str, str]:
        """The words that every question about the link needs."""
        return {
            "parent": self.parent.noun,
            "parents": self.parent.plural,
            "child": self.child.noun,
            "children": self.child.plural,
            "inside": self.link.inside,
            "it": self.parent.it,
            "child_it": self.child.it,
            "child_its": self.child.its,
            "have": self.link.have,
            "has": self.link.has,
        }


class Scene:
    """Draws tables, columns and conditions of one domain.

    Every method raises `Unfit` when the domain has nothing that fits.
    """

    def __init__(self, domain: Domain, rng: random.Random):
        self.domain = domain
        self.rng = rng

    def choose(self, options: Sequence[T]) -> T:
        """One of `options`."""
        if not options:
            raise Unfit
        return self.rng.choice(options)

    def table(self) -> Table:
        """A table whose rows are things of their own."""
        return self.choose([table for table in self.domain.tables if not table.participant])

    def labelled(self) -> tuple[Table, Column]:
        """A table whose rows have a label, and that label."""
        return self.choose([(table, table.label) for table in self.domain.tables if table.label])

    def label(self, table: Table) -> Column:
        """The label of the table's rows."""
        return self.column(table, Role.LABEL)

    def join(self, *, labelled: bool = False) -> Join:
        """A link of the domain; with `labelled`, one whose child has a label."""
        links = [(link, self.domain.table(link.parent), self.domain.table(link.child)) for link in self.domain.links]
        return Join(*self.choose([found for found in links if found[2].label or not labelled]))

    def column(self, table: Table, *roles: Role, other_than: Sequence[Column] = ()) -> Column:
        """A column of the table with one of these roles."""
        return self.choose([column for column in table.having(*roles) if column not in other_than])

    def measure(self, table: Table, *, additive: bool = False) -> Column:
        """A numeric measure of the table; with `additive`, one whose sum makes sense."""
        return self.choose([column for column in table.having(Role.NUMBER) if column.additive or not additive])

    def condition(self, table: Table, *, other_than: Sequence[Column] = ()) -> Condition:
        """A condition on a text column or a measure of the table, each about half the time."""
        roles = (Role.TEXT,) if self.rng.random() < 0.5 else MEASURES
        if not [column for column in table.having(*roles) if column not in other_than]:
            roles = (Role.TEXT, *MEASURES)
        column = self.column(table, *roles, other_than=other_than)
        if column.role is not Role.TEXT:
            return self.comparison(column)
        if self.rng.random() < NEGATED:
            return about_another(self.rng, column, column.sample(self.rng))
        return self.text(column)

    def two_conditions(self, table: Table) -> tuple[Condition, Condition]:
        """Conditions on two different columns of the table, in the order in which they are said."""
        one = self.condition(table)
        other = self.condition(table, other_than=[one.column])
        return (one, other) if one.rank <= other.rank else (other, one)

    def text(self, column: Column, values: int = 1) -> Condition:
        """A condition that the text column has a value, or one of several."""
        return about_text(self.rng, column, tuple(self.rng.sample(column.values, values)))

    def comparison(self, column: Column) -> Condition:
        """A condition that compares the measure with a value from the middle of its range."""
        operator = self.rng.choice((">", ">", ">", "<", "<", "<", ">=", "<="))
        return about_measure(self.rng, column, operator, self.middle(column))

    def between(self, column: Column) -> Condition:
        """A condition that the measure lies between two values at some distance."""
        low, high = self.middle(column, 0.1, 0.45), self.middle(column, 0.55, 0.9)
        if low == high:
            raise Unfit
        return about_range(self.rng, column, low, high)

    def middle(self, column: Column, low: float = 0.15, high: float = 0.85) -> str:
        """A value between these fractions of the column's range."""
        return column.at(self.rng.uniform(low, high))

    def few(self, group: Column | None = None) -> str:
        """A small number for "the top n", smaller than the number of groups where `group` has a pool."""
        below = len(group.values) if group else 11
        return self.choose([str(number) for number in (2, 3, 4, 5, 6, 10) if number < below])

    def number_word(self, number: str) -> str:
        """A small number, now and then as a word."""
        return SPELLED[number] if number in SPELLED and self.rng.random() < 0.25 else number
