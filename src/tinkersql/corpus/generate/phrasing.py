"""Conditions as a person says them, with the SQL that they mean.

A condition is a phrase after a plural noun, ``pastries [that cost more than 5 dollars]``, and where English has one
also a predicate, ``How many pastries [cost more than 5 dollars]?``. The phrases come from the column and from
a few general ones.
"""

import calendar
import random
from dataclasses import dataclass

from tinkersql.corpus.generate.domain import Column, Role

DECADE = 3653  # days
CLAUSES = ("that", "who", "whose")
COMPARISONS = {
    ">": ("more than", "over"),
    "<": ("less than", "under"),
    ">=": ("at least",),
    "<=": ("at most", "no more than"),
    "=": ("exactly",),
}
COUNTED = {**COMPARISONS, "<": ("fewer than",), "=": ("exactly", "")}
WITH = {
    ">": ("above", "over", "greater than", "of more than", "higher than"),
    "<": ("below", "under", "of less than", "lower than"),
    ">=": ("of at least",),
    "<=": ("of at most",),
    "=": ("of", "of exactly"),
}
WHOSE = {
    ">": ("more than", "above", "greater than", "over", "higher than"),
    "<": ("less than", "below", "under", "lower than"),
    ">=": ("at least",),
    "<=": ("at most", "no more than"),
    "=": ("", "exactly"),
}
WHEN = {
    ">": ("after {}",),
    "<": ("before {}",),
    ">=": ("in or after {}", "in {} or later"),
    "<=": ("in {} or earlier",),
    "=": ("in {}", "in the year {}"),
}
DAY = {">": ("after {}",), "<": ("before {}",), ">=": ("on or after {}",), "<=": ("on or before {}",)}


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: its wording and its SQL.

    Attributes:
        column: The column that is tested.
        phrase: The words after the row's plural noun.
        test: The SQL after the column's name: ``> 5``, ``= "rye"``; two tests of one column are joined by OR.
        others: Other SQL of the same meaning, with ``{}`` for the column's name.
    """

    column: Column
    phrase: str
    test: tuple[str, ...]
    others: tuple[str, ...] = ()

    def sql(self, alias: str = "") -> str:
        """The condition in SQL, its column qualified by `alias`."""
        name = f"{alias}.{self.column.name}" if alias else self.column.name
        return " OR ".join(f"{name} {test}" for test in self.test)

    def sqls(self) -> tuple[str, ...]:
        """The condition in SQL and what else says the same, for a query of one table."""
        return (self.sql(), *(other.format(self.column.name) for other in self.others))

    @property
    def slots(self) -> dict[str, str]:
        """The words for a wording with one condition."""
        # "How many pastries cost more than 5 dollars?" is left to the exercise, which asks just that of products.
        simple = "" if self.column.verb == "cost" else self.predicate
        return {"filter": self.phrase, "predicate": self.predicate, "simple": simple, "place": self.place}

    @property
    def place(self) -> str:
        """The phrase where it can stand without the noun: ``in the science track``; else empty."""
        return self.phrase if self.column.gathers and self.phrase.startswith(("in ", "at ", "on ")) else ""

    @property
    def rank(self) -> int:
        """The place among several conditions: ``from Lyon``, then ``with 3 rooms``, then ``that cost 5 dollars``."""
        first = self.phrase.partition(" ")[0]
        return 2 if first in CLAUSES else int(first in ("with", "without"))

    @property
    def predicate(self) -> str:
        """The words after ``How many pastries``; empty where that would not be English."""
        first, _, rest = self.phrase.partition(" ")
        if first in ("that", "who"):
            return rest
        if first == "with":
            return f"have {rest}"
        if first == "without":
            return f"have no {rest.removeprefix('a ')}"
        if first == "whose":
            return ""
        return ("were " if self.column.event else "are ") + self.phrase


def article(words: str) -> str:
    """The words with ``a`` or ``an`` before them."""
    return ("an " if words.startswith(("a", "e", "i", "o", "hour")) else "a ") + words


def possessive(value: str) -> str:
    """``Luna's``, ``Ashes'``."""
    return f"{value}'" if value.endswith("s") else f"{value}'s"


def amount(column: Column, value: str) -> str:
    """A value of a measure with its unit: ``5 dollars``, ``1 dollar``."""
    unit = column.unit
    if value == "1" and unit.endswith("s"):
        unit = unit[:-1]
    return f"{value} {unit}".rstrip()


def about_text(rng: random.Random, column: Column, values: tuple[str, ...]) -> Condition:
    """A condition that a text column has a value, or one of two values."""
    general = (f"whose {column.words} is {{}}", f"with the {column.words} {{}}")
    phrases = column.phrases if column.phrases and rng.random() < 0.75 else general
    return Condition(
        column,
        rng.choice(phrases).format(" or ".join(values)),
        tuple(f"= {column.literal(value)}" for value in values),
    )


def about_another(rng: random.Random, column: Column, value: str) -> Condition:
    """A condition that a text column has another value."""
    phrases = (f"whose {column.words} is not {{}}", f"with {article(column.words)} other than {{}}")
    return Condition(column, rng.choice(phrases).format(value), (f"<> {column.literal(value)}",))


def about_measure(rng: random.Random, column: Column, operator: str, value: str) -> Condition:
    """A condition that compares a number, year or date with a value."""
    return Condition(column, _comparison(rng, column, operator, value), (f"{operator} {column.literal(value)}",))


def about_range(rng: random.Random, column: Column, low: str, high: str) -> Condition:
    """A condition that a number, year or date lies between two values, both included."""
    span = f"between {low} and {amount(column, high)}"
    if column.event:
        phrases = [f"{column.event} {span}"]
    elif column.counted:
        phrases = [f"with {span} {column.counted}", f"with {article(column.words)} {span}"]
    else:
        phrases = [f"with {article(column.words)} {span}", f"whose {column.words} is {span}"]
        if column.verb:
            phrases.append(f"that {column.verb} {span}")
    return Condition(column, rng.choice(phrases), (f"BETWEEN {column.literal(low)} AND {column.literal(high)}",))


def about_period(rng: random.Random, column: Column, day: str) -> Condition:
    """A condition that a date lies in the month or the year of ``day``; in the year where dates span decades."""
    year, month, _ = day.split("-")
    if column.high - column.low > DECADE or rng.random() < 1 / 3:
        said, period, first, last, form = year, year, f"{year}-01-01", f"{year}-12-31", "%Y"
    else:
        said, period, form = f"{calendar.month_name[int(month)]} {year}", f"{year}-{month}", "%Y-%m"
        first, last = f"{period}-01", f"{period}-{calendar.monthrange(int(year), int(month))[1]}"
    phrases = (f"{column.event} in {said}", f"{column.event} in {said}", f"{column.event} during {said}")
    others = (f'{{}} BETWEEN "{first}" AND "{last}"', f'strftime("{form}", {{}}) = "{period}"')
    return Condition(column, rng.choice(phrases), (f'LIKE "{period}%"',), others)


def about_missing(rng: random.Random, column: Column, *, missing: bool) -> Condition:
    """A condition that a column has no value, or has one."""
    if missing:
        phrases = (
            f"without a recorded {column.words}",
            f"without a known {column.words}",
            f"that have no {column.words} recorded",
            f"whose {column.words} is missing",
            f"whose {column.words} is unknown",
        )
    else:
        phrases = (
            f"with a recorded {column.words}",
            f"that have {article(column.words)} recorded",
            f"whose {column.words} is known",
            f"with a known {column.words}",
        )
    return Condition(column, rng.choice(phrases), ("IS NULL" if missing else "IS NOT NULL",))


def about_part(rng: random.Random, column: Column, value: str) -> Condition:
    """A condition that a text starts with, contains or ends with a part of ``value``."""
    words = value.split()
    place = rng.choice(("starts", "starts", "contains", "contains", "ends"))
    if place == "starts":
        part = words[0] if len(words) > 1 and rng.random() < 0.5 else value[:1]
        test, said = f'LIKE "{part}%"', ("starts with", "begins with", "starting with")
    elif place == "contains":
        part = rng.choice([word for word in words if len(word) > 2] or [value[1:4]])
        test, said = f'LIKE "%{part}%"', ("contains", "includes", "containing")
    else:
        part = words[-1] if len(words) > 1 and rng.random() < 0.5 else value[-2:]
        test, said = f'LIKE "%{part}"', ("ends with", "ends in", "ending in")
    what = f"the letter {part}" if len(part) == 1 and rng.random() < 0.5 else f"'{part}'"
    phrases = (
        f"whose {column.words} {said[0]} {what}",
        f"whose {column.words} {said[1]} {what}",
        f"with {article(column.words)} {said[2]} {what}",
        f"with {article(column.words)} that {said[0]} {what}",
    )
    return Condition(column, rng.choice(phrases), (test,))


def _comparison(rng: random.Random, column: Column, operator: str, value: str) -> str:
    said = amount(column, value)
    if column.event:
        words = (WHEN if column.role is Role.YEAR else DAY)[operator]
        return f"{column.event} {rng.choice(words).format(said)}"
    if column.counted:
        return " ".join(f"with {rng.choice(COUNTED[operator])} {said} {column.counted}".split())
    phrases = [
        f"with {article(column.words)} {rng.choice(WITH[operator])} {said}",
        f"whose {column.words} is {rng.choice(WHOSE[operator])} {said}",
    ]
    if column.verb:
        phrases += [f"that {column.verb} {rng.choice(COMPARISONS[operator])} {said}"] * 3
    if column.comparative and operator in ("<", ">"):
        phrases += [f"{column.comparative[operator == '<']} than {said}"] * 2
    return " ".join(rng.choice(phrases).split())


def both(first: Condition, second: Condition) -> str:
    """Two conditions after one noun, given in the order of their rank: ``from Lyon that cost more than 5 dollars``."""
    one, two = first.phrase, second.phrase
    head, _, rest = two.partition(" ")
    if one.partition(" ")[0] != head or head == "without":
        return f"{one} and {two}" if first.rank == 2 else f"{one} {two}"
    return f"{one} and {rest if head in ('with', 'that', 'who') else two}"


def both_predicates(first: Condition, second: Condition) -> str:
    """Two predicates joined, or nothing where one of them has none: ``are from Lyon and cost more than 5 dollars``."""
    return f"{first.predicate} and {second.predicate}" if first.predicate and second.predicate else ""
