"""Queries of WikiSQL's shape, ``SELECT [aggregate] column FROM table WHERE condition AND ...``: made up or read.

They are what the exercise's data mostly holds, and simple enough to be changed in ways whose effect is understood.
"""

import re
import sqlite3
from dataclasses import dataclass
from functools import lru_cache
from random import Random

import sqlglot
from figures import quoted, tables_of
from sqlglot import exp
from sqlglot.errors import SqlglotError

Value = str | int | float
_AGGREGATES = {exp.Max: "MAX", exp.Min: "MIN", exp.Sum: "SUM", exp.Avg: "AVG", exp.Count: "COUNT"}
_COMPARISONS = {exp.EQ: "=", exp.GT: ">", exp.LT: "<", exp.GTE: ">=", exp.LTE: "<="}
_TURNED = {"=": "=", ">": "<", "<": ">", ">=": "<=", "<=": ">="}
_NUMBER_TYPE = re.compile(r"int|real|num|dec|doub|float", re.IGNORECASE)
_TABLES = ("results", "stations", "albums", "matches", "ships", "episodes", "mountains", "elections")
_TEXTS = {
    "player": ("ann lee", "bo karlsson", "c. diaz", "dee o'neil", "eva maria"),
    "club": ("rovers", "north end", "st. anne", "harbour fc", "rovers b"),
    "venue": ("old park", "new park", "the oval", "pier 7", "dome (east)"),
    "date": ("may 4, 1998", "june 12", "1999-03-02", "2 april", "december"),
    "score": ("2-1", "2–1", "0-0", "6-4, 6-3", "12"),
    "country": ("france", "fiji", "new zealand", "peru", "n/a"),
    "season": ("1998-99", "1999-00", "2001", "2001-02", "spring"),
    "result": ("w", "l", "won 3-0", "lost", "draw"),
}
_NUMBERS = {
    "points": (0, 3, 12, 45, 100),
    "year": (1987, 1998, 1999, 2004, 2012),
    "goals": (0, 1, 2, 17, 30),
    "height": (1.5, 2, 178, 8848, 0.3),
    "attendance": (950, 12000, 12500, 54012, 7),
    "laps": (1, 5, 52, 53, 70),
}


@dataclass(frozen=True)
class Condition:
    """``column operator value``; a number may be compared with a text column, as the data sets do."""

    column: str
    operator: str
    value: Value

    def sql(self) -> str:
        """The condition as SQL."""
        return f"{name(self.column)} {self.operator} {literal(self.value)}"


@dataclass(frozen=True)
class Lookup:
    """One such query with its table: column names and declared types in order. ``aggregate`` is empty for none."""

    table: str
    columns: tuple[tuple[str, str], ...]
    aggregate: str
    column: str
    conditions: tuple[Condition, ...]

    @property
    def schema(self) -> str:
        """The CREATE TABLE statement."""
        return f"CREATE TABLE {name(self.table)} ({', '.join(f'{name(c)} {kind}' for c, kind in self.columns)})"

    @property
    def where(self) -> str:
        """The conditions as SQL; empty when there are none."""
        return " AND ".join(condition.sql() for condition in self.conditions)

    def is_number(self, column: str) -> bool:
        """Whether the column is declared to hold numbers."""
        return any(c == column and _NUMBER_TYPE.search(kind) for c, kind in self.columns)

    def select(self, column: str | None = None, where: str | None = None) -> str:
        """The query's SQL, perhaps with another selected column or another condition; an empty condition means none."""
        chosen = name(column or self.column)
        head = f"{self.aggregate}({chosen})" if self.aggregate else chosen
        where = self.where if where is None else where
        return f"SELECT {head} FROM {name(self.table)}" + (f" WHERE {where}" if where else "")


@lru_cache(maxsize=4096)
def name(identifier: str) -> str:
    """An identifier, quoted where SQLite asks for it."""
    if not re.fullmatch(r"[A-Za-z_]\w*", identifier):
        return quoted(identifier)
    try:
        sqlite3.connect(":memory:").execute(f"CREATE TABLE t ({identifier} TEXT)")
    except sqlite3.Error:
        return quoted(identifier)
    return identifier


def literal(value: Value) -> str:
    """A value as SQL."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def invent(random: Random, conditions: int) -> Lookup:
    """A query over a made-up table, which in half of the cases has columns that the query does not use."""
    aggregate = random.choice(("", "", "", "COUNT", "MAX", "MIN", "SUM", "AVG"))
    texts, numbers = random.sample(list(_TEXTS), 5), random.sample(list(_NUMBERS), 3)
    column = random.choice(numbers if aggregate not in ("", "COUNT") else texts + numbers)
    others = [c for c in random.sample(texts, 5) + numbers if c != column]
    chosen = random.sample(others[:4] + numbers if random.random() < 0.5 else others[:5], 5)
    asked = [c for c in dict.fromkeys(chosen) if c != column][:conditions]
    spare = [c for c in others if c not in asked][: random.randint(1, 3) if random.random() < 0.5 else 0]
    found = []
    for c in asked:
        number = c in _NUMBERS
        operator = random.choice(("=", "=", ">", "<")) if number else "="
        found.append(Condition(c, operator, random.choice((_NUMBERS if number else _TEXTS)[c])))
    used = list(dict.fromkeys([column, *asked, *spare]))
    random.shuffle(used)
    kinds = {c: ("REAL" if c == "height" else "INTEGER") if c in _NUMBERS else "VARCHAR" for c in used}
    for condition in found:  # the data sets declare VARCHAR wherever no order is asked
        if condition.operator == "=" and random.random() < 0.5:
            kinds[condition.column] = "VARCHAR"
    return Lookup(random.choice(_TABLES), tuple((c, kinds[c]) for c in used), aggregate, column, tuple(found))


def read_lookup(schema: str, sql: str) -> Lookup | None:
    """The query as a lookup if it has this shape, stands on one table, and SQLite accepts the schema; else None."""
    try:
        tables, tree = tables_of(schema), sqlglot.parse_one(sql, dialect="sqlite")
    except (sqlite3.Error, SqlglotError):
        return None
    if not isinstance(tree, exp.Select) or {k for k, v in tree.args.items() if v} - {"expressions", "from_", "where"}:
        return None
    source = tree.args["from_"].this if tree.args.get("from_") else None
    if not isinstance(source, exp.Table) or source.alias or len(tree.expressions) != 1 or len(tables) != 1:
        return None
    ((table, columns),) = tables.items()
    if table.lower() != source.name.lower():
        return None
    known = {c.lower(): c for c in columns}
    head, aggregate = tree.expressions[0], ""
    if type(head) in _AGGREGATES:
        head, aggregate = head.this, _AGGREGATES[type(head)]
    if not isinstance(head, exp.Column) or head.name.lower() not in known:
        return None
    where = tree.args.get("where")
    parts = list(where.this.flatten() if isinstance(where.this, exp.And) else [where.this]) if where else []
    conditions = [_condition(part, known) for part in parts]
    if None in conditions:
        return None
    found = tuple(condition for condition in conditions if condition)
    return Lookup(table, tuple(columns.items()), aggregate, known[head.name.lower()], found)


def _condition(node: exp.Expr, known: dict[str, str]) -> Condition | None:
    if type(node) not in _COMPARISONS:
        return None
    operator, left, right = _COMPARISONS[type(node)], node.this, node.expression
    if not (isinstance(left, exp.Column) and left.name.lower() in known):
        operator, left, right = _TURNED[operator], right, left
    if not isinstance(left, exp.Column) or left.name.lower() not in known:
        return None
    value = _value(right, known)
    return None if value is None else Condition(known[left.name.lower()], operator, value)


def _value(node: exp.Expr, known: dict[str, str]) -> Value | None:
    if isinstance(node, exp.Literal) and node.is_string:
        return node.this
    if isinstance(node, exp.Literal):
        return float(node.this) if re.search(r"[.eE]", node.this) else int(node.this)
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
        value = _value(node.this, known)
        return None if value is None or isinstance(value, str) else -value
    is_text = isinstance(node, exp.Column) and node.this.args.get("quoted") and node.name.lower() not in known
    return node.name if is_text else None
