"""The values that each column may take: few of them, and the interesting ones among them."""

import re
from collections import defaultdict
from datetime import date, timedelta

from sqlglot import exp

from tinkersql.equivalence.facts import Facts
from tinkersql.equivalence.functions import Value
from tinkersql.equivalence.keys import ColumnName, Keys
from tinkersql.equivalence.schema import Column, Schema

WORDS = """amber birch cedar delta ember fable grove hazel inlet jetty karst larch maple nickel olive pearl quartz raven
    slate tulip umber viola walnut yarrow zephyr alder basil clover dahlia elder fern ginger heron iris juniper kelp
    linden mallow nutmeg orchid poppy quince rowan sage thistle""".split()  # noqa: SIM905
NUMBERS: tuple[int | float, ...] = (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 15, 20, 28, 35, 41, 50, 64, 73, 99, 100, 250)
DATES = ("2019-01-01", "2019-03-15", "2020-02-29", "2021-12-31", "2022-07-04", "2018-11-30")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?\Z")
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_DATE_PIECE = re.compile(r"(?P<year>\d{4})?-?(?:(?P<month>\d{2})(?:-(?P<day>\d{2})?)?)?\Z")
_YEAR = re.compile(r"[12]\d{3}\Z")
MAX_POOL = 60
MAX_DISTINCT = 50
"""The largest LIMIT for which a column has as many different values."""


class Domains:
    """Pools of values by column; columns that must be able to meet share one.

    Attributes:
        special: by column, the values that the queries' own literals suggest.
        plain: by column, ordinary values.
        groups: the columns that share a pool, group by group.
    """

    def __init__(self, schema: Schema, facts: Facts, keys: Keys, ignore_case: bool):
        self._facts, self._ignore_case = facts, ignore_case
        self._leader: dict[ColumnName, ColumnName] = {}
        self._columns = {
            (name, column.name.lower()): column for name, table in schema.tables.items() for column in table.columns
        }
        for one, other in (*facts.meets, *keys.references.items()):
            if one in self._columns and other in self._columns:
                self._leader[self._find(one)] = self._find(other)
        groups: dict[ColumnName, list[ColumnName]] = defaultdict(list)
        for name in self._columns:
            groups[self._find(name)].append(name)
        identifying = {(table, names[0]) for table, sets in keys.unique.items() for names in sets if len(names) == 1}
        self.special: dict[ColumnName, list[Value]] = {}
        self.plain: dict[ColumnName, list[Value]] = {}
        self.groups = list(groups.values())
        for number, members in enumerate(self.groups):
            is_key = any(name in identifying or name in keys.references for name in members)
            special, plain = self._pools(members, number, is_key)
            for name in members:
                self.special[name], self.plain[name] = special, plain

    def _find(self, name: ColumnName) -> ColumnName:
        while name in self._leader and self._leader[name] != name:
            name = self._leader[name]
        return name

    def same(self, one: ColumnName, other: ColumnName) -> bool:
        """Whether two columns share a pool."""
        return self._find(one) == self._find(other)

    def _pools(self, members: list[ColumnName], number: int, is_key: bool) -> tuple[list[Value], list[Value]]:
        columns = [self._columns[name] for name in members]
        literals = [literal for name in members for literal in self._facts.values.get(name, ())]
        patterns = [pattern for name in members for pattern in self._facts.patterns.get(name, ())]
        solved = [value for name in members for value in self._facts.solved.get(name, ())]
        as_date = any(name in self._facts.dates for name in members) or any(column.is_date for column in columns)
        numeric = any(column.affinity in ("INTEGER", "REAL", "NUMERIC") for column in columns) and not as_date
        special: list[Value] = []
        if numeric:
            special += _numeric_neighbours(literals, columns)
        special += _text_neighbours(literals, self._ignore_case, as_date, numeric)
        likely = _solved_neighbours(solved, numeric)
        likely += [value for pattern in patterns for value in _pattern_values(pattern, as_date)]
        special += likely
        if not self._ignore_case:
            special += [value.swapcase() for value in likely if isinstance(value, str)]
        words = [WORDS[(number * 5 + index) % len(WORDS)] for index in range(12)]
        many = 2 * self._facts.limit + 8 if self._facts.limit <= MAX_DISTINCT else 0
        used_as_number = any(name in self._facts.numeric for name in members)
        number_literals = any(_NUMBER.match(literal.name) for literal in literals)
        in_order = any(name in self._facts.ordered for name in members)
        plain: list[Value]
        if as_date:
            plain = list(DATES)
        elif numeric:
            plain = list(range(1, 25)) if is_key else list(NUMBERS)
            if any(column.affinity == "REAL" for column in columns) and not is_key:
                plain += [0.5, 2.5, 7.25]
        elif used_as_number or number_literals:
            plain = [str(value) for value in (9, 10, 2, 100, 7, 35, 4, 12, 1, 20, 3, 99)]
        elif is_key:
            plain = [str(index) for index in range(1, 25)] if not literals else [*words, "1", "2", "3"]
        else:
            plain = [*words, "9", "10", "100"] if in_order else list(words)
            if any(name in self._facts.shortened for name in members):
                plain = [spelling for word in words[:6] for spelling in (word, f"{word}s", word.upper())]
        special, plain = (_distinct(values, self._ignore_case) for values in (special[: 2 * MAX_POOL], plain))
        return special[:MAX_POOL], plain + _further(plain, many)


def _further(values: list[Value], count: int) -> list[Value]:
    """Values of the same kind, so many that there are ``count`` of them; none where a column holds dates."""
    missing = range(len(values), count)
    if isinstance(values[-1], str):
        return [] if values == list(DATES) else [f"{values[number % len(values)]} {number}" for number in missing]
    return [1_000 + number for number in missing]


def _distinct(values: list[Value], ignore_case: bool) -> list[Value]:
    """Each value once; where case is ignored, in the spelling that came first (the gold's)."""
    seen: dict[tuple[str, Value], Value] = {}
    for value in values:
        key = value.casefold() if ignore_case and isinstance(value, str) else value
        seen.setdefault((type(value).__name__, key), value)
    return list(seen.values())


def number_of(text: str) -> int | float | None:
    """The number that a literal says, or None."""
    if not _NUMBER.match(text) or len(text) > 15:
        return None
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _numeric_neighbours(literals: list[exp.Literal], columns: list[Column]) -> list[Value]:
    """For each number c: c, c - 1, c + 1 (and halves for reals); for numbers combined by arithmetic, their results."""
    numbers = list(dict.fromkeys(value for item in literals if (value := number_of(item.name)) is not None))[:12]
    found: list[Value] = []
    real = any(column.affinity in ("REAL", "NUMERIC") for column in columns)
    for value in numbers:
        found += [value, value - 1, value + 1]
        if real or isinstance(value, float):
            found += [value + 0.5, value - 0.5]
        if isinstance(value, float) and not real:
            found += [int(value), int(value) + 1]
    for one in numbers[:4]:
        for other in numbers[:4]:
            if one is not other and one > 1 and abs(one * other) < 1e9:
                found += [one * other, one * other + 1, one + other, other - one]
    return found


def _text_neighbours(literals: list[exp.Literal], ignore_case: bool, as_date: bool, numeric: bool) -> list[Value]:
    """For each string its near misses; for each number on a text column its spellings."""
    found: list[Value] = []
    texts = list(dict.fromkeys(item.name for item in literals))[:16]
    dated = any(_ISO_DATE.match(text) for text in texts)
    for text in texts:
        value = number_of(text)
        if numeric and value is not None:
            continue
        if as_date and (value is not None and _YEAR.match(text)):
            found += [f"{text}-03-15", f"{text}-12-31", f"{int(value) - 1}-12-31", f"{int(value) + 1}-01-01"]
            continue
        if iso := _ISO_DATE.match(text):
            found += _near_dates(text, iso)
            continue
        if as_date and dated and _YEAR.match(text[:4]):
            continue  # half a date, which a column of dates does not hold
        if value is not None:
            found += [text, str(value)]
            found += [str(value + step) for step in (-1, 1)] if isinstance(value, int) else [str(int(value))]
            if isinstance(value, int) and not numeric:
                found += [f"{text}0", text[:-1]] if len(text) > 1 else [f"{text}0"]
            elif not numeric:
                found += [f"{text}1", text[:-1]]
            continue
        found.append(text)
        if numeric:
            continue
        if len(text) > 1:
            found.append(text[:-1])
        found += [f"{text} 1", f"new {text}"]
        if any(other != text and other.strip() == text.strip() for other in texts):
            found.append(text.strip())
        if not ignore_case:
            found += [text.lower(), text.upper(), text.swapcase()]
        pieces = [piece for piece in re.split(r"[\s,]+", text) if piece]
        if 1 < len(pieces) <= 4:
            found += pieces
    return found


def _solved_neighbours(values: list[Value], numeric: bool) -> list[Value]:
    """The values that make a function of the column come out as asked; for numbers also those around them."""
    if not numeric:
        return [value if isinstance(value, str) else str(value) for value in values]
    numbers = [value for item in values if (value := number_of(str(item))) is not None]
    return [value + step for value in numbers for step in (0, -1, 1)]


def _near_dates(text: str, iso: re.Match[str]) -> list[Value]:
    try:
        day = date(*(int(part) for part in iso.groups()))
        near = [day + timedelta(days=step) for step in (-1, 1, 40)]
    except (ValueError, OverflowError):
        return [text]
    rest = text[iso.end() :]
    return [text, *(f"{item.isoformat()}{rest}" for item in near)]


def _dates_with(piece: re.Match[str]) -> list[Value]:
    """Dates that a pattern such as ``2018-03%`` or ``%-05-%`` takes, and those a month, a year and a day beside."""
    year, month, day = (int(piece[name] or default) for name, default in (("year", 2020), ("month", 6), ("day", 15)))
    around = [(year, month, day), (year, month % 12 + 1, day), (year + 1, month, day), (year, month, day % 28 + 1)]
    return [f"{year:04}-{month:02}-{day:02}" for year, month, day in around]


def _pattern_values(pattern: str, as_date: bool) -> list[Value]:
    """Values that a LIKE or GLOB pattern takes, and some that it just misses; dates where the column holds dates."""
    core = re.sub(r"[%*]", "", pattern).replace("_", "e").replace("?", "e")
    if as_date and (piece := _DATE_PIECE.fullmatch(core)) and int(piece["month"] or 0) <= 12:
        return _dates_with(piece)
    filled = re.sub(r"[%*]", "qu ", pattern).replace("_", "o").replace("?", "o").strip()
    values = [core, filled, f"{core} qu", f"qu {core}", f"qu {core} qu", core[:-1]]
    return [value for value in dict.fromkeys(values) if value]
