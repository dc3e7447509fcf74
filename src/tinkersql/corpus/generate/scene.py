"""A scene: one domain and one source of chance, from which a shape draws what its question is about."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from tinkersql.corpus.generate.domain import Column, Domain, Link, Role, Table
from tinkersql.corpus.generate.phrasing import (
    Condition,
    about_another,
    about_measure,
    about_missing,
    about_part,
    about_period,
    about_range,
    about_text,
)

T = TypeVar("T")
MEASURES = (Role.NUMBER, Role.YEAR, Role.DATE)
PRECISE = 25  # the number of values up to which a number is also asked for exactly
NEGATED = 0.08  # the share of text conditions that exclude a value
SPELLED = {"1": "one", "2": "two", "3": "three", "4": "four", "5": "five", "10": "ten"}

THRESHOLDS = ((">", "more than"), (">", "more than"), (">=", "at least"), ("<", "fewer than"), ("<=", "at most"))


class Unfit(Exception):
    """This domain has nothing that the shape needs; draw again."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a shape has made: the query and the words for its wordings.

    Attributes:
        golds: Acceptable queries, the first the one to learn.
        tables: The tables that the query reads, in the order of their aliases T1, T2 and T3.
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


@dataclass(frozen=True, slots=True)
class Chain:
    """Two links that follow each other: T1 is the parent of T2, and T2 of T3."""

    upper: Join
    lower: Join

    @property
    def sql(self) -> str:
        """The FROM clause, without the word FROM."""
        key, column = self.lower.link.key, self.lower.link.column
        return f"{self.upper.sql} JOIN {self.lower.child.name} AS T3 ON T2.{key} = T3.{column}"

    @property
    def tables(self) -> tuple[Table, Table, Table]:
        """The three tables, the topmost first."""
        return (*self.upper.tables, self.lower.child)

    @property
    def slots(self) -> dict[str, str]:
        """The words of the lower link, and those for the topmost table."""
        top = self.upper.parent
        return {**self.lower.slots, "top": top.noun, "tops": top.plural, "within": self.upper.link.inside}


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

    def chain(self, *, labelled: bool = False) -> Chain:
        """Two links that follow each other; with `labelled`, the last table has a label."""
        table = self.domain.table
        joins = [Join(link, table(link.parent), table(link.child)) for link in self.domain.links]
        chains = [Chain(upper, lower) for upper in joins for lower in joins if upper.child is lower.parent]
        return self.choose([chain for chain in chains if chain.lower.child.label or not labelled])

    def column(self, table: Table, *roles: Role, other_than: Sequence[Column] = ()) -> Column:
        """A column of the table with one of these roles."""
        return self.choose([column for column in table.having(*roles) if column not in other_than])

    def measure(self, table: Table, *, additive: bool = False) -> Column:
        """A numeric measure of the table; with `additive`, one whose sum makes sense."""
        return self.choose([column for column in table.having(Role.NUMBER) if column.additive or not additive])

    def condition(self, table: Table, *, other_than: Sequence[Column] = (), exact: bool = False) -> Condition:
        """A condition on a text column or a measure of the table, each about half the time.

        For `exact` see `comparison`; a query that combines conditions does without, which would leave too few rows.
        """
        roles = (Role.TEXT,) if self.rng.random() < 0.5 else MEASURES
        if not [column for column in table.having(*roles) if column not in other_than]:
            roles = (Role.TEXT, *MEASURES)
        column = self.column(table, *roles, other_than=other_than)
        if column.role is not Role.TEXT:
            return self.comparison(column, exact=exact)
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

    def comparison(self, column: Column, *, exact: bool = False) -> Condition:
        """A condition that compares the measure with a value from the middle of its range.

        With `exact`, a year or a number of few values is now and then asked for as it is.
        """
        operator = self.rng.choice((">", ">", ">", "<", "<", "<", ">=", "<="))
        precise = column.role is Role.YEAR or (column.role is Role.NUMBER and column.size <= PRECISE)
        if exact and precise and self.rng.random() < 0.35:
            operator = "="
        return about_measure(self.rng, column, operator, self.middle(column))

    def between(self, column: Column) -> Condition:
        """A condition that the measure lies between two values at some distance."""
        low, high = self.middle(column, 0.1, 0.45), self.middle(column, 0.55, 0.9)
        if low == high:
            raise Unfit
        return about_range(self.rng, column, low, high)

    def period(self, table: Table) -> Condition:
        """A condition that a date of the table lies in a month or a year."""
        column = self.column(table, Role.DATE)
        return about_period(self.rng, column, self.middle(column, 0.02, 0.98))

    def missing(self, table: Table) -> Condition:
        """A condition that a column of the table has no value, or, less often, has one."""
        column = self.column(table, Role.TEXT, *MEASURES)
        return about_missing(self.rng, column, missing=self.rng.random() < 0.65)

    def part(self, table: Table) -> Condition:
        """A condition on a part of the table's label or of a text with several words."""
        texts = [column for column in table.having(Role.TEXT) if any(" " in value for value in column.values)]
        column = self.choose([*table.having(Role.LABEL) * 2, *texts])
        return about_part(self.rng, column, column.sample(self.rng))

    def middle(self, column: Column, low: float = 0.15, high: float = 0.85) -> str:
        """A value between these fractions of the column's range."""
        return column.at(self.rng.uniform(low, high))

    def few(self, group: Column | None = None) -> str:
        """A small number for "the top n", smaller than the number of groups where `group` has a pool."""
        below = len(group.values) if group else 11
        return self.choose([str(number) for number in (2, 3, 4, 5, 6, 10) if number < below])

    def several(self, table: Table, *, none: bool = False) -> tuple[str, str]:
        """A condition on a number of rows, ``> 3`` and ``more than 3 pastries``; zero meets it only with `none`."""
        operator, more = self.choose(THRESHOLDS[: 3 + 2 * none])
        n = self.choose(("1", "2", "3", "4", "5", "8", "10", "20")[operator != ">" :])
        return f"{operator} {n}", f"{more} {self.number_word(n)} {table.noun if n == '1' else table.plural}"

    def sum_of_a_few(self, column: Column) -> str:
        """A value that a sum over some rows may reach: two to nine times one of the upper half of the range."""
        return str(self.rng.randint(2, 9) * round(column.low + self.rng.uniform(0.5, 1) * (column.high - column.low)))

    def number_word(self, number: str) -> str:
        """A small number, now and then as a word."""
        return SPELLED[number] if number in SPELLED and self.rng.random() < 0.25 else number
