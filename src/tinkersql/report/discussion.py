"""The exercise's questions for discussion, answered with this run's figures; every share with its 95 % interval."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tinkersql.evaluation import Cause, compare_paired, counted, detectable_difference, questions_needed
from tinkersql.report import wording
from tinkersql.report.pairs import Pair

DIFFERENCE = 0.05
"""The difference of two rates of which a reader is told how many questions it takes to see it."""
_SHOWN_CAUSES = 3
_NO_QUERY = frozenset((Cause.NOT_SQL, Cause.RUNAWAY))


@dataclass(frozen=True)
class Point:
    """A question for discussion and what the run's figures say to it."""

    question: str
    answer: str


def discuss(result: dict[str, Any], asked: Sequence[Pair]) -> list[Point]:
    """The questions that this run's figures can answer, in the exercise's order; ``asked``: both models' answers."""
    evaluations, found = result.get("evaluations", {}), result.get("memory")
    comparisons = result.get("comparisons", [])
    answers = {
        "What improved: syntax, grounding in the schema, or both?": _improved(evaluations, asked),
        "Where would retrieval do as well?": _retrieval(evaluations, comparisons),
        "How do the remaining errors fail?": _failures(evaluations.get("tuned", {})),
        "Memorised or learned?": _memory(found) if found else "",
        f"How many questions show a difference of {100 * DIFFERENCE:g} points?": _questions(comparisons),
    }
    return [Point(question, answer) for question, answer in answers.items() if answer]


def _improved(evaluations: dict[str, Any], asked: Sequence[Pair]) -> str:
    if any("causes" not in evaluations.get(key, {}) for key in ("base", "tuned")):
        return ""
    (sql, grounded), (sql_after, grounded_after) = (_funnel(evaluations[key]) for key in ("base", "tuned"))
    causes = [(pair.base.cause, pair.tuned.cause) for pair in asked if pair.base]
    judged = [both for both in causes if Cause.NOT_JUDGED not in both]
    queries = [both for both in judged if _NO_QUERY.isdisjoint(both)]
    tests = {
        "syntax": _paired([(a not in _NO_QUERY, b not in _NO_QUERY) for a, b in judged]),
        "grounding": _paired([(a != Cause.UNKNOWN_NAME, b != Cause.UNKNOWN_NAME) for a, b in queries]),
    }
    rose = [name for name, test in tests.items() if test and test["low"] > 0]
    verdict = {0: "Neither rose clearly", 1: f"Only {''.join(rose)} rose clearly", 2: "Both rose"}[len(rose)]
    return (
        f"{verdict}. Syntax: a query came out of {wording.share(sql)} answers of the base model and of "
        f"{wording.share(sql_after)} of the tuned model; {_change(tests['syntax'])}. Grounding: of these queries, "
        f"{wording.share(grounded)} and {wording.share(grounded_after)} named only tables and columns that exist; "
        f"where both models wrote a query, {_change(tests['grounding'])}."
    )


def _funnel(figures: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Answers that are a query, and queries that name only what exists."""
    causes, asked = figures["causes"], figures["n"] - figures["causes"].get(Cause.NOT_JUDGED, 0)
    queries = asked - sum(causes.get(cause, 0) for cause in _NO_QUERY)
    return counted(queries, asked), counted(queries - causes.get(Cause.UNKNOWN_NAME, 0), queries)


def _paired(both: Sequence[tuple[bool, bool]]) -> dict[str, Any]:
    """The comparison of two models on the same questions; empty without any."""
    return asdict(compare_paired([a for a, _ in both], [b for _, b in both])) | {"n": len(both)} if both else {}


def _change(test: dict[str, Any]) -> str:
    """A paired comparison as ``+4.0 points (95 % interval 1.0 to 7.1) on the same 200 questions``."""
    if not test:
        return "there is no question to compare them on"
    interval = f"95 % interval {wording.points(test['low'])} to {wording.points(test['high'])}"
    return f"{wording.points(test['difference'])} points ({interval}) on the same {test['n']} questions"


def _retrieval(evaluations: dict[str, Any], comparisons: list[dict[str, Any]]) -> str:
    """Where the figures tell retrieval and the tuned model apart, question by question, and where they do not."""
    tuned = evaluations.get("tuned")
    names = [name for name in evaluations if "retrieval" in name]
    if not tuned or not names:
        return ""
    best = max(names, key=lambda name: evaluations[name]["rate"])
    label = f"“{wording.label(best)}”"
    text = f"{label} answers {wording.share(evaluations[best])}, the tuned model {wording.share(tuned)}"
    test = next((each for each in comparisons if (each["a"], each["b"]) == (best, "tuned")), None)
    if test is None:
        return f"{text}."
    text += f"; tuning makes a difference of {_change(test)}."
    by_kind = test.get("by_kind", {})
    ahead = [f"{kind} ({_change(each)})" for kind, each in by_kind.items() if each["low"] > 0]
    behind = [f"{kind} ({_change(each)})" for kind, each in by_kind.items() if each["high"] < 0]
    open_ = [f"{kind} ({each['n']})" for kind, each in by_kind.items() if each["low"] <= 0 <= each["high"]]
    text += f" The tuned model is clearly better on {', '.join(ahead)}." if ahead else ""
    text += f" {label} is clearly better on {', '.join(behind)}." if behind else ""
    if open_:
        text += f" The questions do not tell the two apart, which does not make them equal, on {', '.join(open_)}."
    return text


def _failures(tuned: dict[str, Any]) -> str:
    causes = tuned.get("causes")
    if not causes:
        return ""
    wrong = sum(causes.values())
    most = sorted(causes.items(), key=lambda item: -item[1])[:_SHOWN_CAUSES]
    named = ", ".join(f"{wording.words(cause)} in {wording.share(counted(number, wrong))}" for cause, number in most)
    spurious = counted(tuned.get("spurious_conditions", 0), tuned["n"])
    return (
        f"Of the tuned model's wrong answers most have these causes: {named}. Of all its answers, right or wrong, "
        f"{wording.share(spurious)} test a column that no expected query tests."
    )


def _memory(found: dict[str, Any]) -> str:
    text = f"Right where the expected query's template stood in training: {wording.share(found['seen'])}; "
    text += f"where it did not: {wording.share(found['unseen'])}. "
    if renamed := found["renamed"]:
        test, n = renamed["comparison"], renamed["renamed"]["n"]
        lost = (
            "clearly costs answers, so it leans on names as it met them" if test["high"] < 0 else "costs no clear share"
        )
        text += (
            f"Giving tables and columns other names {lost}: {wording.points(test['difference'])} points (95 % interval "
            f"{wording.points(test['low'])} to {wording.points(test['high'])}) on {n} questions. "
        )
    share, right = wording.share(found["copied"]), found["copies"]["matches"]
    return text + f"Copied word for word from training: {share}; {right} of these are right."


def _questions(comparisons: list[dict[str, Any]]) -> str:
    if not comparisons:
        return ""
    test = max(comparisons, key=lambda each: each["both"] + each["a_only"])  # the strongest baseline
    discordance = (test["a_only"] + test["b_only"]) / test["n"]
    if discordance < DIFFERENCE:
        return ""
    disagree = wording.share(counted(test["a_only"] + test["b_only"], test["n"]))
    shown = detectable_difference(test["n"], discordance)
    found = f"a difference of {wording.points(shown).lstrip('+')} points or more" if shown else "no difference reliably"
    return (
        f"{questions_needed(DIFFERENCE, discordance):,}, for two models that disagree as often as the tuned model and "
        f"the {wording.label(test['a']).lower()} do here: on {disagree} questions. This holds for a paired test at the "
        f"5 % level and a power of 80 %. The {test['n']} questions of this run show {found}."
    )
