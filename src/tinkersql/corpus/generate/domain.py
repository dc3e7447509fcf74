"""What a hand-written domain is: tables, columns and links, with the words in which people speak of them.

A domain reads as a description of a small database. ``Table``, ``Link`` and ``Domain`` are built directly; a column is
built by the constructor of its role: `key`, `label`, `text`, `number`, `count`, `year` or `date`. Lists of values are
written as one comma-separated string.
"""

import random
from dataclasses import dataclass
from datetime import date as calendar_date
from enum import Enum

YEAR_SPAN = (1950, 2023)
BIRTH_SPAN = ("1955-03-01", "2003-10-30")
DATE_SPAN = ("2019-01-01", "2024-12-28")


class Role(Enum):
    """What a column is for, which decides the questions that can be asked of it."""

    KEY = "key"  # an identifier or a reference to one; never asked for
    LABEL = "label"  # what the row is called: "List the pastries" means this column
    TEXT = "text"  # one of a few values: filters, groups, distinct values
    NUMBER = "number"  # a measure: comparisons, aggregates, order
    YEAR = "year"  # a year as a number: comparisons
    DATE = "date"  # a day as text, YYYY-MM-DD: comparisons


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column, its values and its wording. Use the constructors below.

    Attributes:
        name: The column's name in SQL.
        words: What people call it, singular: ``"opening year"``.
        plural: The plural of `words`.
        role: What the column is for.
        type: Its SQL type.
        values: The pool of a label or text column.
        low, high, step: The range of a number or year; of a date in days, as `datetime.date.toordinal` counts them.
        unit: Follows a number in a question: ``"dollars"``.
        phrases: Filters in words after the row's plural noun, with ``{}`` for the value: ``"from {}"``.
        gathers: Whether rows are said to be *in* its value, as a course is in a department.
        verb: Says the measure as a verb, plural: ``"cost"`` for pastries that cost more than 5 dollars.
        comparative: Adjectives for more and less: ``("longer", "shorter")``.
        superlative: Adjectives for most and least, put before the row's noun: ``("most expensive", "cheapest")``.
        extremes: Adjectives for the largest and smallest value, put before `words`: ``("highest", "lowest")``.
        counted: For a column that counts things, their plural: ``"pages"``.
        event: For a year or date, the participle of what happened then: ``"opened"``.
        additive: Whether a sum over rows makes sense.
    """

    name: str
    words: str
    plural: str
    role: Role
    type: str = "VARCHAR"
    values: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    step: float = 1
    unit: str = ""
    phrases: tuple[str, ...] = ()
    gathers: bool = False
    verb: str = ""
    comparative: tuple[str, str] | None = None
    superlative: tuple[str, str] | None = None
    extremes: tuple[str, str] = ("highest", "lowest")
    counted: str = ""
    event: str = ""
    additive: bool = True

    def at(self, fraction: float) -> str:
        """The value at this fraction of the range of a number, year, date or key, as text."""
        if self.role is Role.DATE:
            return calendar_date.fromordinal(round(self.low + fraction * (self.high - self.low))).isoformat()
        value = self.low + self.step * round(fraction * (self.high - self.low) / self.step)
        return f"{value:.6g}" if self.type == "REAL" else str(round(value))

    @property
    def size(self) -> int:
        """How many values the range of a number or year holds."""
        return round((self.high - self.low) / self.step) + 1

    def sample(self, rng: random.Random) -> str:
        """One value as text, without quotes, drawn evenly from the pool or the range."""
        return rng.choice(self.values) if self.values else self.at(rng.random())

    def literal(self, value: str) -> str:
        """A value as SQL: text in double quotes, the style of sql-create-context."""
        return value if self.type in ("INTEGER", "REAL") else f'"{value}"'


@dataclass(frozen=True, slots=True)
class Table:
    """One table, and what one and several of its rows are called.

    Attributes:
        name: The table's name in SQL.
        noun: One row: ``"pastry"``.
        plural: Several rows: ``"pastries"``.
        columns: Its columns; at most one is a label.
        participant: For a table whose rows say who takes part in what, the column that identifies the participant;
            `noun` then names the participant. Such a table is only asked about through its link.
        person: Whether a row is a person, for the pronoun.
    """

    name: str
    noun: str
    plural: str
    columns: tuple[Column, ...]
    participant: str = ""
    person: bool = False

    @property
    def it(self) -> str:
        """The pronoun for one row."""
        return "them" if self.person else "it"

    @property
    def its(self) -> str:
        """The possessive for one row."""
        return "their" if self.person else "its"

    @property
    def label(self) -> Column | None:
        """The column that says what a row is called, if there is one."""
        return next((column for column in self.columns if column.role is Role.LABEL), None)

    @property
    def key(self) -> Column | None:
        """The column that identifies a row: the first one, unless rows are participations."""
        first = self.columns[0]
        return first if first.role is Role.KEY and not self.participant else None

    @property
    def slots(self) -> dict[str, str]:
        """The words that every question about the table needs."""
        words = {"thing": self.noun, "things": self.plural, "its": self.its}
        return {**words, "label": self.label.words, "labels": self.label.plural} if self.label else words

    def having(self, *roles: Role) -> tuple[Column, ...]:
        """The columns with one of these roles."""
        return tuple(column for column in self.columns if column.role in roles)


@dataclass(frozen=True, slots=True)
class Link:
    """A join: every row of `child` refers to one row of `parent`.

    Attributes:
        child: The table with the reference.
        column: The referring column in `child`.
        parent: The table referred to.
        key: The referred column in `parent`.
        inside: How children belong to parents, a participle or preposition: ``"baked at"``.
        have: How parents have children, a plural verb: ``"sell"``.
        has: The same verb in the singular: ``"sells"``.
    """

    child: str
    column: str
    parent: str
    key: str
    inside: str
    have: str
    has: str


@dataclass(frozen=True, slots=True)
class Domain:
    """A subject: its tables and the links between them."""

    name: str
    tables: tuple[Table, ...]
    links: tuple[Link, ...] = ()

    def table(self, name: str) -> Table:
        """The table with this name."""
        return next(table for table in self.tables if table.name == name)


def key(name: str) -> Column:
    """An identifier, or a reference to one."""
    words = _spoken(name)
    return Column(name=name, words=words, plural=words + "s", role=Role.KEY, type="INTEGER", low=1, high=400)


def label(name: str, values: str, words: str = "", plural: str = "") -> Column:
    """What a row is called."""
    words = words or _spoken(name)
    return Column(name=name, words=words, plural=plural or words + "s", role=Role.LABEL, values=_items(values))


def text(name: str, values: str, *phrases: str, words: str = "", plural: str = "", gathers: bool = False) -> Column:
    """A text column with a few values; `phrases` say its filters, as in `Column`."""
    words = words or _spoken(name)
    return Column(
        name=name,
        words=words,
        plural=plural or words + "s",
        role=Role.TEXT,
        values=_items(values),
        phrases=phrases,
        gathers=gathers,
    )


def number(
    name: str,
    low: float,
    high: float,
    step: float = 1,
    unit: str = "",
    *,
    words: str = "",
    verb: str = "",
    comparative: tuple[str, str] | None = None,
    superlative: tuple[str, str] | None = None,
    extremes: tuple[str, str] = ("highest", "lowest"),
    additive: bool = True,
    real: bool = False,
) -> Column:
    """A measure; REAL when `real` is set or the step is not whole, else INTEGER."""
    words = words or _spoken(name)
    return Column(
        name=name,
        words=words,
        plural=words + "s",
        role=Role.NUMBER,
        type="REAL" if real or step != int(step) else "INTEGER",
        low=low,
        high=high,
        step=step,
        unit=unit,
        verb=verb,
        comparative=comparative,
        superlative=superlative,
        extremes=extremes,
        additive=additive,
    )


def count(name: str, low: int, high: int, counted: str, step: int = 1, *, additive: bool = True) -> Column:
    """A number of things, such as pages; `counted` is their plural."""
    words = f"number of {counted}"
    return Column(
        name=name,
        words=words,
        plural=f"numbers of {counted}",
        role=Role.NUMBER,
        type="INTEGER",
        low=low,
        high=high,
        step=step,
        counted=counted,
        additive=additive,
    )


def year(name: str, event: str, words: str, low: int = YEAR_SPAN[0], high: int = YEAR_SPAN[1]) -> Column:
    """The year of an event, as a number."""
    return Column(
        name=name,
        words=words,
        plural=words + "s",
        role=Role.YEAR,
        type="INTEGER",
        low=low,
        high=high,
        event=event,
        additive=False,
    )


def date(name: str, event: str, words: str = "", span: tuple[str, str] = DATE_SPAN) -> Column:
    """The day of an event, as text in the form YYYY-MM-DD; `span` is the first and the last possible day."""
    words = words or _spoken(name)
    low, high = (calendar_date.fromisoformat(day).toordinal() for day in span)
    return Column(
        name=name, words=words, plural=words + "s", role=Role.DATE, low=low, high=high, event=event, additive=False
    )


def _spoken(name: str) -> str:
    return name.lower().replace("_", " ")


def _items(values: str) -> tuple[str, ...]:
    return tuple(value.strip() for value in values.split(","))
