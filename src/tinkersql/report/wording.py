"""Numbers and findings in words; every percentage comes with its sample and its interval."""

from datetime import datetime
from typing import Any

SMALL_SAMPLE = 30
"""Below this many questions a figure is marked as a small sample."""

LABELS = {"base": "Base model", "base_3_shot": "Base with 3 examples", "tuned": "Tuned model"}
"""The evaluations of a run, in the order of the page, by their key in ``result.json``."""

VERDICTS = {
    "match": "The same result as an acceptable query on every database that the judge built.",
    "different": "A database exists on which the results differ; it is shown as the witness.",
    "undecided": "No database told the two apart, but the evidence was too thin to call it a match; counted as wrong.",
    "prediction_error": "The answer holds no query that runs on this schema: a syntax error or an unknown name.",
    "prediction_over_budget": "The query ran beyond the limits on time or memory.",
    "gold_error": "The expected query itself does not run; counted as wrong.",
}
"""What each verdict means, in the order of the page."""

_SPACE = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"


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
    if seconds < 60:
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


def headline(comparison: dict[str, Any] | None, evaluations: dict[str, Any]) -> str:
    """The run's finding in one sentence."""
    if "tuned" not in evaluations:
        return "This run ended before the tuned model was evaluated."
    if comparison is None:
        tuned = evaluations["tuned"]
        return f"The tuned model answers {tuned['matches']} of {tuned['n']} questions correctly."
    bounds = f"(95{_SPACE}% interval {points(comparison['low'])} to {points(comparison['high'])})"
    size = f"{abs(100 * comparison['difference']):.1f} percentage points {bounds}"
    if comparison["low"] > 0:
        return f"Training raised execution match by {size}."
    if comparison["high"] < 0:
        return f"Training lowered execution match by {size}."
    return (
        f"No clear effect of training: a difference of {points(comparison['difference'])} percentage points {bounds}."
    )


def paired_test(comparison: dict[str, Any]) -> str:
    """A McNemar comparison, worded for somebody who meets the test for the first time."""
    fixed, broken = comparison["b_only"], comparison["a_only"]
    other = "the base model" if comparison["a"] == "base" else "the base model with 3 examples in its prompt"
    changed = (
        f"On the same {comparison['n']} questions, the tuned model gets {fixed} right that {other} gets wrong, and "
    )
    changed += f"{broken} wrong that {other} gets right. "
    if fixed + broken == 0:
        return changed + "The two agree on every question, so there is nothing to test."
    doubt = "chance alone would hardly split them so" if comparison["p_value"] < 0.05 else "chance alone could do that"
    return (
        changed
        + f"If the two models were equally good, these {fixed + broken} questions would fall to either side like "
        f"tosses of a coin: {doubt} ({p_value(comparison['p_value'])}, McNemar's test)."
    )
