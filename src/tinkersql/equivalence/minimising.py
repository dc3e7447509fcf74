"""Witnesses: the smallest database found on which two queries differ, as text that anyone can replay."""

from dataclasses import dataclass, replace

from tinkersql.equivalence.golds import Gold, words
from tinkersql.equivalence.integrity import Instance, obeys
from tinkersql.equivalence.reading import Query
from tinkersql.equivalence.results import ColumnOrders, Outcome, normal_rows
from tinkersql.equivalence.sandbox import Budget, OverBudgetError, QueryError, Result, Sandbox, jsonable, script
from tinkersql.equivalence.schema import Schema
from tinkersql.equivalence.verdicts import Table, Witness

_MOST_RUNS = 80


@dataclass(frozen=True)
class Found:
    """A database on which the two differ, and both results."""

    instance: Instance
    gold: Result
    predicted: Result


def differ_on(instance: Instance, gold: Gold, predicted: Query, sandbox: Sandbox, budget: Budget) -> Found | None:
    """Both results, if the database obeys the keys and tells the two apart for certain."""
    if not obeys(instance, gold.schema, gold.keys):
        return None
    sandbox.load(instance)
    expected = gold.expected(sandbox)
    if expected is None:
        return None
    try:
        result = sandbox.run(predicted.sql, budget)
    except (QueryError, OverBudgetError):
        return None
    found = Found(instance, expected.result, result)
    width = len(expected.result.columns)
    if width != len(result.columns):
        return found
    rows = normal_rows(result.rows, gold.ignore_case)
    if expected.open:
        return found if expected.forbids(rows) else None
    outcome = Outcome(expected.rows, rows, expected.blocks)
    return found if ColumnOrders(width).separates_alone(outcome) else None


def with_fewer_rows(found: Found, gold: Gold, predicted: Query, sandbox: Sandbox, budget: Budget) -> Found:
    """Take rows away, first halves and then one by one, while the two still differ (delta debugging)."""
    runs = _MOST_RUNS
    step = max((len(rows) for rows in found.instance.values()), default=0) // 2 or 1
    while step and runs > 0:
        removed = False
        for name in list(found.instance):
            start = 0
            while start < len(found.instance[name]) and runs > 0:
                rows = found.instance[name]
                smaller = {**found.instance, name: rows[:start] + rows[start + step :]}
                runs -= 1
                tried = differ_on(smaller, gold, predicted, sandbox, budget)
                if tried is None:
                    start += step
                else:
                    found, removed = tried, True
        step = step if removed and step == 1 else step // 2
    return found


def witness_of(found: Found, gold: Gold, predicted: Query, nocase: bool) -> Witness:
    """The database as text, without the tables and columns that neither query mentions."""
    schema, instance = _mentioned_only(found, gold, predicted, nocase)
    return Witness(
        script(schema, instance, nocase),
        gold.query.sql,
        predicted.sql,
        Table(found.gold.columns, jsonable(found.gold.rows)),
        Table(found.predicted.columns, jsonable(found.predicted.rows)),
    )


def _mentioned_only(found: Found, gold: Gold, predicted: Query, nocase: bool) -> tuple[Schema, Instance]:
    """The reduced database if both queries return the same on it; with ``*`` or NATURAL every column is mentioned."""
    whole = gold.schema, found.instance
    ours, theirs = gold.words, words(predicted.sql)
    if ours is None or theirs is None:
        return whole
    mentioned = ours | theirs
    tables, instance = {}, {}
    for name, table in gold.schema.tables.items():
        places = [index for index, column in enumerate(table.columns) if column.name.lower() in mentioned]
        if name not in mentioned:
            continue
        places = places or [0]
        tables[name] = replace(table, columns=[table.columns[place] for place in places])
        instance[name] = [tuple(row[place] for place in places) for row in found.instance.get(name, ())]
    if not tables:
        return whole
    schema = Schema(tables)
    sandbox = Sandbox(schema, nocase)
    try:
        sandbox.load(instance)
        same = sandbox.run(gold.query.sql) == found.gold and sandbox.run(predicted.sql) == found.predicted
    except (QueryError, OverBudgetError):
        return whole
    finally:
        sandbox.close()
    return (schema, instance) if same else whole
