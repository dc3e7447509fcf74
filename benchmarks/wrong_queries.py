"""Wrong predictions for a lookup, made by other operators than the judge's own mutations, and right paraphrases of it.

The judge builds its databases with mutants of the gold: other aggregates, comparisons, constants and columns, dropped
conditions and the like. What stands here are the mistakes of language models that are none of these: values on the
wrong condition, a condition that holds always, sets of rows where one row was meant. An operator may by chance leave a
query's meaning as it is, so each wrong prediction must be proved different before it counts; see ``truth``.
"""
# ruff: noqa: ARG001 - all operators have one signature

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

from lookups import Condition, Lookup, Value, literal, name

Operator = Callable[[Lookup, Random], str | None]


def _other_value(lookup: Lookup, value: Value, random: Random) -> Value:
    """Another value of the query, or one that is made up."""
    same_type = isinstance(value, str)
    values = [c.value for c in lookup.conditions if c.value != value and isinstance(c.value, str) == same_type]
    if values and random.random() < 0.5:
        return random.choice(values)
    return f"{value} ii" if isinstance(value, str) else value + random.choice((2, 5, -3))


def _pick(lookup: Lookup, random: Random) -> tuple[int, Condition] | None:
    if not lookup.conditions:
        return None
    index = random.randrange(len(lookup.conditions))
    return index, lookup.conditions[index]


def _with(lookup: Lookup, index: int, sql: str) -> str:
    """The query with one condition written anew."""
    parts = [c.sql() for c in lookup.conditions]
    parts[index] = sql
    return lookup.select(where=" AND ".join(parts))


def _rewritten(write: Callable[[Lookup, Condition, Random], str | None]) -> Operator:
    """An operator that writes one condition anew."""

    def operator(lookup: Lookup, random: Random) -> str | None:
        found = _pick(lookup, random)
        sql = write(lookup, found[1], random) if found else None
        return _with(lookup, found[0], sql) if found and sql else None

    operator.__name__ = write.__name__
    return operator


def swapped_values(lookup: Lookup, random: Random) -> str | None:
    if len(lookup.conditions) < 2:
        return None
    i, j = random.sample(range(len(lookup.conditions)), 2)
    parts = list(lookup.conditions)
    parts[i], parts[j] = replace(parts[i], value=parts[j].value), replace(parts[j], value=parts[i].value)
    return replace(lookup, conditions=tuple(parts)).select()


def shifted_columns(lookup: Lookup, random: Random) -> str | None:
    """Every condition on the column of the next: values keep their order, columns do not."""
    parts = lookup.conditions
    if len(parts) < 3:
        return None
    return lookup.select(where=" AND ".join(replace(c, column=parts[i - 1].column).sql() for i, c in enumerate(parts)))


def exchanged_columns(lookup: Lookup, random: Random) -> str | None:
    found = _pick(lookup, random)
    if not found or lookup.column == found[1].column:
        return None
    changed = replace(found[1], column=lookup.column)
    return replace(lookup, column=found[1].column).select(where=_with_condition(lookup, found[0], changed))


def _with_condition(lookup: Lookup, index: int, condition: Condition) -> str:
    return " AND ".join((condition if i == index else c).sql() for i, c in enumerate(lookup.conditions))


def elsewhere(lookup: Lookup, random: Random) -> str | None:
    """One condition replaced by one on an unused column with another value."""
    found = _pick(lookup, random)
    used = {c.column for c in lookup.conditions}
    spare = [column for column, _ in lookup.columns if column not in used]
    if not found or not spare:
        return None
    column = random.choice(spare)
    value = random.choice((1, 10)) if lookup.is_number(column) else _other_value(lookup, str(found[1].value), random)
    return lookup.select(where=_with_condition(lookup, found[0], Condition(column, "=", value)))


def either_and(lookup: Lookup, random: Random) -> str | None:
    if len(lookup.conditions) < 3:
        return None
    first, second, *rest = (c.sql() for c in lookup.conditions)
    return lookup.select(where=f"({first} OR {second}) AND " + " AND ".join(rest))


def separate_rows(lookup: Lookup, random: Random) -> str | None:
    """Each condition may be met by another row with the same selected value."""
    if len(lookup.conditions) < 2:
        return None
    first, *rest = lookup.conditions
    table, column = name(lookup.table), name(lookup.column)
    inner = f"{column} IN (SELECT {column} FROM {table} WHERE {first.sql()})"
    return lookup.select(where=" AND ".join([inner, *(c.sql() for c in rest)]))


def intersected(lookup: Lookup, random: Random) -> str | None:
    if len(lookup.conditions) < 2 or lookup.aggregate:
        return None
    return " INTERSECT ".join(lookup.select(where=c.sql()) for c in lookup.conditions)


def united(lookup: Lookup, random: Random) -> str | None:
    if len(lookup.conditions) < 2 or lookup.aggregate:
        return None
    return " UNION ".join(lookup.select(where=c.sql()) for c in lookup.conditions)


def negated(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    return f"NOT ({condition.sql()})"


def substring(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    return f"{name(condition.column)} LIKE {literal(f'%{condition.value}%')}" if condition.operator == "=" else None


def magnitude(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    value = condition.value
    return None if isinstance(value, str) or not value else replace(condition, value=value * 10).sql()


def columns_compared(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    others = [column for column, _ in lookup.columns if column != condition.column]
    return f"{name(condition.column)} {condition.operator} {name(random.choice(others))}" if others else None


def self_compared(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    return f"{name(condition.column)} = {name(condition.column)}"


def quoted_column(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    return f"'{condition.column}' {condition.operator} {literal(condition.value)}"


def always(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    return f"({condition.sql()} OR 1 = 1)"


def contradicted(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    return f"{condition.sql()} AND {replace(condition, value=_other_value(lookup, condition.value, random)).sql()}"


def longer_list(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    if condition.operator != "=":
        return None
    values = f"{literal(condition.value)}, {literal(_other_value(lookup, condition.value, random))}"
    return f"{name(condition.column)} IN ({values})"


def value_or(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    """``column = a OR b``, where ``b`` alone is taken for a truth value."""
    return f"({condition.sql()} OR {literal(_other_value(lookup, condition.value, random))})"


def interval(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    if condition.operator != "=":
        return None
    value = condition.value
    last = value + "z" if isinstance(value, str) else value + 3
    return f"{name(condition.column)} BETWEEN {literal(value)} AND {literal(last)}"


def not_null(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    return f"{name(condition.column)} IS NOT NULL"


def extreme(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    column = name(condition.column)
    return f"{column} = (SELECT MAX({column}) FROM {name(lookup.table)})"


def cut_value(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    value = condition.value
    return replace(condition, value=value[:-2]).sql() if isinstance(value, str) and len(value) > 4 else None


def typing_error(lookup: Lookup, condition: Condition, random: Random) -> str | None:
    value = condition.value
    if not isinstance(value, str) or len(value) < 3:
        return None
    place = random.randrange(1, len(value) - 1)
    return replace(condition, value=value[:place] + value[place] + value[place:]).sql()


def grouped(lookup: Lookup, random: Random) -> str | None:
    others = [column for column, _ in lookup.columns if column != lookup.column]
    if not others and lookup.aggregate:
        return None
    column = random.choice(others) if lookup.aggregate else lookup.column
    return f"{lookup.select()} GROUP BY {name(column)}"


def only_repeated(lookup: Lookup, random: Random) -> str | None:
    return None if lookup.aggregate else f"{lookup.select()} GROUP BY {name(lookup.column)} HAVING COUNT(*) > 1"


def self_joined(lookup: Lookup, random: Random) -> str | None:
    if not lookup.conditions or lookup.aggregate in ("MAX", "MIN"):
        return None
    table, on = name(lookup.table), name(lookup.conditions[0].column)
    head = f"{lookup.aggregate}(a.{name(lookup.column)})" if lookup.aggregate else f"a.{name(lookup.column)}"
    where = " AND ".join(f"a.{c.sql()}" for c in lookup.conditions)
    return f"SELECT {head} FROM {table} AS a JOIN {table} AS b ON a.{on} = b.{on} WHERE {where}"


def own_division(lookup: Lookup, random: Random) -> str | None:
    """The mean as a quotient of integers, or rounded."""
    if lookup.aggregate != "AVG":
        return None
    column = name(lookup.column)
    head = random.choice((f"SUM({column}) / COUNT({column})", f"ROUND(AVG({column}))"))
    return lookup.select().replace(f"AVG({column})", head, 1)


def of_distinct_rows(lookup: Lookup, random: Random) -> str | None:
    if lookup.aggregate not in ("COUNT", "SUM", "AVG"):
        return None
    column = name(lookup.column)
    inner = replace(lookup, aggregate="").select().replace("SELECT", "SELECT DISTINCT", 1)
    return f"SELECT {lookup.aggregate}({column}) FROM ({inner})"


def with_condition_column(lookup: Lookup, random: Random) -> str | None:
    found = _pick(lookup, random)
    return lookup.select().replace(" FROM ", f", {name(found[1].column)} FROM ", 1) if found else None


_CONDITIONS = (negated, substring, magnitude, columns_compared, self_compared, quoted_column, always, contradicted)
_MORE_CONDITIONS = (longer_list, value_or, interval, not_null, extreme, cut_value, typing_error)
WRONG: tuple[Operator, ...] = (
    *(swapped_values, shifted_columns, exchanged_columns, elsewhere, either_and, separate_rows, intersected, united),
    *(grouped, only_repeated, self_joined, own_division, of_distinct_rows, with_condition_column),
    *map(_rewritten, _CONDITIONS + _MORE_CONDITIONS),
)
"""All operators; those that do not apply to a lookup return None."""


def applied(operators: tuple[Operator, ...], lookup: Lookup, random: Random) -> Iterator[tuple[str, str]]:
    """(operator's name, SQL) for each operator that applies and writes another text than the gold's."""
    for operator in operators:
        sql = operator(lookup, random)
        if sql is not None and sql != lookup.select():
            yield operator.__name__, sql
