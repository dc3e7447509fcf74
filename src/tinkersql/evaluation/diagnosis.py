"""Why is an answer wrong? One main cause, read off the syntax trees of the prediction and the nearest gold."""

import re
from dataclasses import dataclass
from enum import StrEnum

from tinkersql.corpus import Example
from tinkersql.equivalence import Comparison, Verdict
from tinkersql.equivalence.dialects import parse, parse_any
from tinkersql.equivalence.sandbox import OverBudgetError
from tinkersql.equivalence.schema import SchemaError, read_schema
from tinkersql.evaluation.answers import Answer
from tinkersql.evaluation.outline import Condition, Outline, outlines


class Cause(StrEnum):
    """What is wrong with an answer. An answer has the first cause of this list that applies to it.

    The order goes from what spoils everything after it to what spoils a single value: a query on the wrong tables
    cannot show the right columns, and one that shows the wrong columns may still test the right ones.
    """

    NOT_JUDGED = "not_judged"
    """The prompt was too long to be asked, or the expected query does not run: no mistake of the model's is known."""
    NOT_SQL = "not_sql"
    """The answer holds no query, or one that is no SQL."""
    RUNAWAY = "runaway"
    """The query was cut off at the token limit, or says the same three times in a row."""
    UNKNOWN_NAME = "unknown_name"
    """A table or column is not in the schema, or could be of several tables."""
    WRONG_JOIN = "wrong_join"
    """It reads other tables than the gold, or joins them on other columns; or, where nothing else differs, it nests
    what the gold joins, so that rows come less often."""
    WRONG_AGGREGATE = "wrong_aggregate"
    """It counts, sums or averages where the gold does not, or the other way round, or with another function."""
    WRONG_COLUMN = "wrong_column"
    """It shows another column, one too many or one too few; or it tests another column than the gold does."""
    SPURIOUS_CONDITION = "spurious_condition"
    """It tests all that the gold tests, and a further column."""
    DROPPED_CONDITION = "dropped_condition"
    """It lacks a condition of the gold."""
    WRONG_OPERATOR = "wrong_operator"
    """It compares or combines conditions in another way: ``>`` for ``>=``, OR for AND, UNION for INTERSECT."""
    WRONG_LITERAL = "wrong_literal"
    """It compares with another value."""
    WRONG_ARRANGEMENT = "wrong_arrangement"
    """Another DISTINCT, grouping, order or limit."""
    OTHER = "other"
    """Anything else: arithmetic, an outer join, the same parts put together in another way."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong with an answer.

    Attributes:
        cause: The main cause; None for a right answer.
        spurious: The columns that it compares with values although no gold tests them, as ``table.column``. Such an
            answer may still be right, where the condition changes nothing. Tests for NULL do not count: they
            often stand for NOT IN.
    """

    cause: Cause | None
    spurious: tuple[str, ...] = ()


_REPEATED = re.compile(r"(.{8,80}?)\1\1", re.DOTALL)
_LONGEST_SEARCHED = 2_000
"""Characters in which repetitions are looked for; the search takes time with each of them."""
_UNKNOWN = ("no such column", "no such table", "ambiguous column")


def diagnose(example: Example, answer: Answer, comparison: Comparison) -> Diagnosis:
    """Find the main cause of a wrong answer, by the gold that the prediction is nearest to.

    Args:
        example: The question, with its schema and golds.
        answer: What the model wrote.
        comparison: What the judge says about it.
    """
    found = _parts(example, comparison)
    if found is None:
        return Diagnosis(None if comparison.matches else _unfit(answer, comparison) or Cause.OTHER)
    golds, predicted = found
    known = frozenset(column for gold in golds for column in gold.tested())
    spurious = tuple(sorted(column for column in predicted.filtered() - known if "." in column))
    if comparison.matches:
        return Diagnosis(None, spurious)
    cause = _unfit(answer, comparison)
    if cause is None:
        cause = _difference(min(golds, key=predicted.distance), predicted)
    return Diagnosis(cause, spurious)


def _parts(example: Example, comparison: Comparison) -> tuple[list[Outline], Outline] | None:
    """The outlines of all golds and of the prediction; None where one of them cannot be read."""
    witness = comparison.witness
    tree = parse(witness.predicted_sql) if witness else None  # there other dialects are translated already
    tree = tree or parse_any(comparison.predicted)
    golds = [gold for gold in map(parse_any, example.golds) if gold is not None]
    if tree is None or not golds:
        return None
    try:
        *expected, predicted = outlines([*golds, tree], read_schema(example.schema))
    except (SchemaError, OverBudgetError, RecursionError):
        return None
    return expected, predicted


def _unfit(answer: Answer, comparison: Comparison) -> Cause | None:
    """The causes that need no look at the golds."""
    sql, reason = comparison.predicted, comparison.reason
    if answer.stop_reason == "too_long" or comparison.verdict is Verdict.GOLD_ERROR:
        return Cause.NOT_JUDGED
    if not sql:
        return Cause.NOT_SQL
    cut_off = answer.stop_reason == "length" and answer.text.rstrip().endswith(sql[-20:])
    if cut_off or _REPEATED.search(sql[:_LONGEST_SEARCHED]):
        return Cause.RUNAWAY
    if any(words in reason for words in _UNKNOWN):
        return Cause.UNKNOWN_NAME
    if comparison.verdict is Verdict.PREDICTION_ERROR and ("syntax error" in reason or parse_any(sql) is None):
        return Cause.NOT_SQL
    return None


def _difference(gold: Outline, predicted: Outline) -> Cause:
    """The first cause by which two queries differ."""
    # What is excluded (NOT IN, EXCEPT) is joined on nothing: a query that excludes has other joins for this alone.
    comparable = ("except" in gold.connectives) == ("except" in predicted.connectives)
    if gold.tables != predicted.tables or (comparable and gold.joins != predicted.joins):
        return Cause.WRONG_JOIN
    lacking, further = gold.aggregates - predicted.aggregates, predicted.aggregates - gold.aggregates
    # A count beside all that is wanted is a column too many; in the place of what is wanted it is a wrong aggregate.
    if lacking or (further and len(predicted.width) <= len(gold.width)):
        return Cause.WRONG_AGGREGATE
    if gold.selected != predicted.selected or gold.width != predicted.width:
        return Cause.WRONG_COLUMN
    return (
        _condition(gold.conditions, predicted.conditions)
        or (Cause.WRONG_OPERATOR if gold.connectives != predicted.connectives else None)
        or (Cause.WRONG_ARRANGEMENT if gold.shape != predicted.shape else None)
        or (Cause.DROPPED_CONDITION if gold.conditions - predicted.conditions else None)
        or (Cause.SPURIOUS_CONDITION if predicted.conditions - gold.conditions else None)
        or (Cause.WRONG_JOIN if gold.outer != predicted.outer else Cause.OTHER)
    )


def _condition(gold: frozenset[Condition], predicted: frozenset[Condition]) -> Cause | None:
    """The first cause by which conditions differ.

    A comparison with a subquery counts only if the other query compares the same columns: ``WHERE weight = (SELECT
    MAX(weight) …)`` may stand for an order and a limit.
    """
    lacking = {each.columns for each in gold if each.constant} - {each.columns for each in predicted}
    further = {each.columns for each in predicted if each.constant} - {each.columns for each in gold}
    if lacking or further:
        both = bool(lacking and further)
        return Cause.WRONG_COLUMN if both else Cause.DROPPED_CONDITION if lacking else Cause.SPURIOUS_CONDITION
    shared = {each.columns for each in gold} & {each.columns for each in predicted}
    expected = {(each.columns, each.operator) for each in gold if each.columns in shared}
    compared = {(each.columns, each.operator) for each in predicted if each.columns in shared}
    if expected != compared:
        return Cause.WRONG_OPERATOR if compared - expected else Cause.DROPPED_CONDITION
    if any(each.columns in shared for each in predicted - gold):
        return Cause.WRONG_LITERAL
    return Cause.DROPPED_CONDITION if any(each.columns in shared for each in gold - predicted) else None
