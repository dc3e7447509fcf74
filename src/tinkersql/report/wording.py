"""Numbers and findings in words; every percentage comes with its sample and its interval."""

import re
from datetime import datetime
from typing import Any

from tinkersql.evaluation import Cause
from tinkersql.evaluation import interval as bounds_of

SMALL_SAMPLE = 30
"""Below this many questions a figure is marked as a small sample."""

VERDICTS = {
    "match": "The same result as an acceptable query on every database that the judge built.",
    "different": "A database exists on which the results differ; it is shown as the witness.",
    "undecided": "No difference was found, but on no database did the expected result mean anything; counted as wrong.",
    "prediction_error": "The answer holds no query, or one that does not run on this schema.",
    "prediction_over_budget": "The query was stopped: too many steps, too much memory or too many rows.",
    "gold_error": "The expected query itself does not run; counted as wrong.",
}
"""What each verdict means, in the order of the page."""

CAUSES = {
    Cause.NOT_JUDGED: "The prompt was too long to be asked, or the expected query does not run.",
    Cause.NOT_SQL: "The answer holds no query, or one that is no SQL.",
    Cause.RUNAWAY: "The query was cut off at the token limit, or says the same three times in a row.",
    Cause.UNKNOWN_NAME: "A table or column is not in the schema, or could be of several tables.",
    Cause.WRONG_JOIN: "It reads other tables than the expected query, or joins them on other columns.",
    Cause.WRONG_AGGREGATE: "It counts, sums or averages where it should not, or the other way round.",
    Cause.WRONG_COLUMN: "It shows or tests another column, or shows one too many or too few.",
    Cause.SPURIOUS_CONDITION: "It tests all that the expected query tests, and a further column.",
    Cause.DROPPED_CONDITION: "It lacks a condition.",
    Cause.WRONG_OPERATOR: "It compares or combines in another way: > for >=, OR for AND.",
    Cause.WRONG_LITERAL: "It compares with another value.",
    Cause.WRONG_ARRANGEMENT: "Another DISTINCT, grouping, order or limit.",
    Cause.OTHER: "Anything else.",
}
"""What each cause means; a wrong answer has the first that applies."""

_SUITES = {"exercise": "The exercise's questions", "novel": "Further novel schemas"}

_SPACE = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"


def label(evaluation: str) -> str:
    """The name of an evaluation by its key in ``result.json``: ``base``, ``base-3-shot``, ``tuned``."""
    if shots := re.fullmatch(r"base-(\d+)-shot", evaluation):
        return f"Base with {shots[1]} {'example' if shots[1] == '1' else 'examples'}"
    known = {"base": "Base model", "base-retrieval": "Base with retrieval", "tuned": "Tuned model"}
    return known.get(evaluation, evaluation.replace("-", " ").capitalize())


def suite(name: str) -> str:
    """The title of a suite of questions by its name in the run folder."""
    return _SUITES.get(name, name)


def words(name: str) -> str:
    """A verdict's or a cause's name as a reader sees it."""
    return name.replace("_", " ").replace("sql", "SQL")


def share(tally: dict[str, Any]) -> str:
    """A tally as ``3 of 9 (33.3 %; 12.1 to 64.6 %)``; without a percentage where nothing was counted."""
    counted = f"{tally['matches']} of {tally['n']}"
    return f"{counted} ({percent(tally['rate'])}; {bounds(tally)})" if tally["n"] else counted


def number(value: float | None) -> str:
    """A count or a measurement, with thousands separated and at most four significant digits after rounding."""
    if value is None:
        return "–"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def percent(fraction: float) -> str:
    """A fraction between 0 and 1 as a percentage with one decimal."""
    return f"{100 * fraction:.1f}{_SPACE}%"


def interval(low: float, high: float) -> str:
    """The bounds of an interval of fractions, as percentages."""
    return f"{100 * low:.1f} to {100 * high:.1f}{_SPACE}%"


def bounds(tally: dict[str, Any]) -> str:
    """A tally's interval as percentages."""
    return interval(*bounds_of(tally))


def points(difference: float) -> str:
    """A difference of fractions in percentage points, with its sign."""
    sign = _MINUS if difference < 0 else "+" if difference > 0 else ""
    return f"{sign}{abs(100 * difference):.1f}"


def p_value(value: float) -> str:
    """A p-value as one writes it."""
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.4f}" if value < 0.01 else f"p = {value:.2f}"


def duration(seconds: float | None) -> str:
    """Seconds as hours, minutes and seconds."""
    if seconds is None:
        return "–"
    if seconds < 59.95:
        return f"{seconds:.1f}{_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{value}{_SPACE}{unit}" for value, unit in parts if value)


def date(iso: str) -> str:
    """An ISO time for people; unchanged where it is no ISO time."""
    try:
        time = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{time.day} {time:%B %Y, %H:%M} {time.tzname() or ''}".strip()


def headline(comparison: dict[str, Any] | None, evaluations: dict[str, Any]) -> tuple[str, str]:
    """The run's finding in one sentence, and a second one on how sure it is."""
    if "tuned" not in evaluations:
        return "This run ended before the tuned model was evaluated", ""
    tuned = evaluations["tuned"]
    if comparison is None or "base" not in evaluations:
        return f"The tuned model answers {tuned['matches']} of {tuned['n']} questions correctly", ""
    before, after = percent(evaluations["base"]["rate"]), percent(tuned["rate"])
    if comparison["low"] > 0:
        claim = f"Execution match rose from {before} to {after}"
    elif comparison["high"] < 0:
        claim = f"Execution match fell from {before} to {after}"
    else:
        claim = f"No clear change in execution match: {before} before, {after} after"
    support = (
        f"{points(comparison['difference'])} percentage points (95{_SPACE}% interval {points(comparison['low'])} to "
        f"{points(comparison['high'])}), base model to tuned model, on the same {comparison['n']} held-out questions."
    )
    return claim, support


def paired_test(comparison: dict[str, Any]) -> str:
    """A McNemar comparison in words: what training fixed and broke, and what chance has to say about it."""
    fixed, broken, same = comparison["b_only"], comparison["a_only"], comparison["both"] + comparison["neither"]
    result = (
        f"the tuned model got {fixed} right that the other got wrong (fixed) and {broken} wrong that the other got "
        f"right (broken); on {same} the two agreed."
    )
    if fixed + broken == 0:
        return f"{result} There is nothing to test."
    verdict = "Chance alone would hardly do that" if comparison["p_value"] < 0.05 else "Chance alone could do that"
    return f"{result} {verdict}: {p_value(comparison['p_value'])} (exact McNemar test)."
