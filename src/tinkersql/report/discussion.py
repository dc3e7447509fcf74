"""The exercise's questions for discussion, answered with this run's figures; every share with its 95 % interval."""

from dataclasses import dataclass
from typing import Any

from tinkersql.evaluation import Cause, counted, detectable_difference, questions_needed
from tinkersql.report import wording

DIFFERENCE = 0.05
"""The difference of two rates of which a reader is told how many questions it takes to see it."""
_SHOWN_CAUSES = 3


@dataclass(frozen=True)
class Point:
    """A question for discussion and what the run's figures say to it."""

    question: str
    answer: str


def discuss(result: dict[str, Any]) -> list[Point]:
    """The questions that this run's figures can answer, in the exercise's order."""
    evaluations, found = result.get("evaluations", {}), result.get("memory")
    answers = {
        "What improved: syntax, grounding in the schema, or both?": _improved(evaluations),
        "Where would retrieval do as well?": _retrieval(evaluations),
        "How do the remaining errors fail?": _failures(evaluations.get("tuned", {})),
        "Memorised or learned?": _memory(found) if found else "",
        f"How many questions show a difference of {100 * DIFFERENCE:g} points?": _questions(
            result.get("comparisons", [])
        ),
    }
    return [Point(question, answer) for question, answer in answers.items() if answer]


def _improved(evaluations: dict[str, Any]) -> str:
    if any("causes" not in evaluations.get(key, {}) for key in ("base", "tuned")):
        return ""
    (sql, grounded), (sql_after, grounded_after) = (_funnel(evaluations[key]) for key in ("base", "tuned"))
    findings = {"syntax": _rose(sql, sql_after), "grounding": _rose(grounded, grounded_after)}
    rose = [name for name, up in findings.items() if up]
    verdict = {0: "Neither rose clearly", 1: f"Only {''.join(rose)} rose clearly", 2: "Both rose"}[len(rose)]
    return (
        f"{verdict}. Syntax: a query came out of {wording.share(sql)} answers of the base model and of "
        f"{wording.share(sql_after)} of the tuned model. Grounding: of these queries, {wording.share(grounded)} and "
        f"{wording.share(grounded_after)} named only tables and columns that exist."
    )


def _funnel(figures: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Answers that are a query, and queries that name only what exists."""
    causes, asked = figures["causes"], figures["n"] - figures["causes"].get(Cause.NOT_JUDGED, 0)
    queries = asked - causes.get(Cause.NOT_SQL, 0) - causes.get(Cause.RUNAWAY, 0)
    return counted(queries, asked), counted(queries - causes.get(Cause.UNKNOWN_NAME, 0), queries)


def _rose(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether the intervals are apart."""
    return after["low"] > before["high"]


def _retrieval(evaluations: dict[str, Any]) -> str:
    tuned = evaluations.get("tuned")
    names = [name for name in evaluations if "retrieval" in name]
    if not tuned or not names:
        return ""
    best = max(names, key=lambda name: evaluations[name]["rate"])
    found = evaluations[best]
    as_good = [
        f"{kind} ({tally['matches']} against {tuned['by_kind'][kind]['matches']} of {tally['n']})"
        for kind, tally in found["by_kind"].items()
        if kind in tuned["by_kind"] and tally["matches"] >= tuned["by_kind"][kind]["matches"] > 0
    ]
    where = (
        f"It does at least as well on {', '.join(as_good)}." if as_good else "On no kind of query does it do as well."
    )
    return f"“{wording.label(best)}” answers {wording.share(found)}, the tuned model {wording.share(tuned)}. {where}"


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
    copies = found["copies"]
    return text + f"Copied word for word from training: {copies['n']} answers, {copies['matches']} of them right."


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
