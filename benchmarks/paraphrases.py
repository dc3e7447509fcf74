"""Right predictions for a lookup: other SQL that means the same where nothing is NULL and letter case is ignored."""
# ruff: noqa: ARG001 - all operators have one signature

from dataclasses import replace
from random import Random

from lookups import Condition, Lookup, literal, name
from wrong_queries import Operator

_OPPOSITE = {"=": "<>", ">": "<=", "<": ">=", ">=": "<", "<=": ">"}
_TURNED = {"=": "=", ">": "<", "<": ">", ">=": "<=", "<=": ">="}


def _each(write) -> Operator:
    """A paraphrase that writes every condition anew."""

    def operator(lookup: Lookup, random: Random) -> str | None:
        return lookup.select(where=" AND ".join(map(write, lookup.conditions))) if lookup.conditions else None

    operator.__name__ = write.__name__
    return operator


def _capitals(text: str) -> str:
    return "".join(letter.upper() if letter.isascii() else letter for letter in text)


def reordered(lookup: Lookup, random: Random) -> str | None:
    parts = list(lookup.conditions)
    random.shuffle(parts)
    return replace(lookup, conditions=tuple(parts)).select() if len(parts) > 1 else None


def double_quoted(lookup: Lookup, random: Random) -> str | None:
    if not any(isinstance(c.value, str) for c in lookup.conditions):
        return None
    doubled = (
        '"' + c.value.replace('"', '""') + '"' if isinstance(c.value, str) else repr(c.value) for c in lookup.conditions
    )
    parts = zip(lookup.conditions, doubled, strict=True)
    return lookup.select(where=" AND ".join(f"{name(c.column)} {c.operator} {value}" for c, value in parts))


def other_case(lookup: Lookup, random: Random) -> str | None:
    """Values in capitals, but for letters outside ASCII, whose case SQLite itself never ignores."""
    parts = [replace(c, value=_capitals(c.value)) if isinstance(c.value, str) else c for c in lookup.conditions]
    return replace(lookup, conditions=tuple(parts)).select()


def aliased(lookup: Lookup, random: Random) -> str | None:
    head = f"{lookup.aggregate}(T1.{name(lookup.column)})" if lookup.aggregate else f"T1.{name(lookup.column)}"
    where = " AND ".join(f"T1.{c.sql()}" for c in lookup.conditions)
    return f"SELECT {head} AS answer FROM {name(lookup.table)} AS T1" + (f" WHERE {where}" if where else "")


def from_subquery(lookup: Lookup, random: Random) -> str | None:
    table = name(lookup.table)
    where = f" WHERE {lookup.where}" if lookup.where else ""
    return lookup.select(where="").replace(f"FROM {table}", f"FROM (SELECT * FROM {table}{where}) AS chosen", 1)


def from_cte(lookup: Lookup, random: Random) -> str | None:
    table = name(lookup.table)
    where = f" WHERE {lookup.where}" if lookup.where else ""
    query = lookup.select(where="").replace(f"FROM {table}", "FROM chosen", 1)
    return f"WITH chosen AS (SELECT * FROM {table}{where}) {query}"


def counted_rows(lookup: Lookup, random: Random) -> str | None:
    if lookup.aggregate != "COUNT":
        return None
    return lookup.select().replace(f"COUNT({name(lookup.column)})", random.choice(("COUNT(*)", "COUNT(1)")), 1)


def own_mean(lookup: Lookup, random: Random) -> str | None:
    column = name(lookup.column)
    quotient = f"SUM({column}) * 1.0 / COUNT({column})"
    return lookup.select().replace(f"AVG({column})", quotient, 1) if lookup.aggregate == "AVG" else None


def de_morgan(lookup: Lookup, random: Random) -> str | None:
    if not lookup.conditions:
        return None
    return lookup.select(
        where="NOT (" + " OR ".join(replace(c, operator=_OPPOSITE[c.operator]).sql() for c in lookup.conditions) + ")"
    )


def repeated(lookup: Lookup, random: Random) -> str | None:
    return lookup.select(where=f"{lookup.where} AND {lookup.conditions[-1].sql()}") if lookup.conditions else None


def not_opposite(condition: Condition) -> str:
    return f"NOT ({replace(condition, operator=_OPPOSITE[condition.operator]).sql()})"


def turned(condition: Condition) -> str:
    return f"{literal(condition.value)} {_TURNED[condition.operator]} {name(condition.column)}"


def two_bounds(condition: Condition) -> str:
    if condition.operator != "=":
        return condition.sql()
    return f"{replace(condition, operator='>=').sql()} AND {replace(condition, operator='<=').sql()}"


def between(condition: Condition) -> str:
    value = literal(condition.value)
    return f"{name(condition.column)} BETWEEN {value} AND {value}" if condition.operator == "=" else condition.sql()


def listed(condition: Condition) -> str:
    return f"{name(condition.column)} IN ({literal(condition.value)})" if condition.operator == "=" else condition.sql()


def by_case(condition: Condition) -> str:
    return f"CASE WHEN {condition.sql()} THEN 1 ELSE 0 END = 1"


def like(condition: Condition) -> str:
    plain = isinstance(condition.value, str) and condition.operator == "=" and not set("%_") & set(condition.value)
    return f"{name(condition.column)} LIKE {literal(condition.value)}" if plain else condition.sql()


EQUAL: tuple[Operator, ...] = (
    *(
        reordered,
        double_quoted,
        other_case,
        aliased,
        from_subquery,
        from_cte,
        counted_rows,
        own_mean,
        de_morgan,
        repeated,
    ),
    *map(_each, (not_opposite, turned, two_bounds, between, listed, by_case, like)),
)
"""All paraphrases; those that do not apply to a lookup return None."""
