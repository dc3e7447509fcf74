"""The figures of a run, drawn: matches with intervals, verdicts, causes, curves, and results by kind of query."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from tinkersql.evaluation import counted, interval
from tinkersql.report import wording
from tinkersql.report.charts import Charts, Dot, Part


def tone(evaluation: str) -> str:
    """The colour of an evaluation, as the style sheet names it."""
    return evaluation if evaluation in ("base", "tuned") else "shots"


def match_chart(charts: Charts, evaluations: dict[str, Any]) -> Markup:
    """The share of matches of each evaluation with its interval."""
    dots = [
        _dot(key, tally, wording.label(key), f"{wording.percent(tally['rate'])} ({tally['matches']} of {tally['n']})")
        for key, tally in evaluations.items()
    ]
    described = "; ".join(
        f"{dot.label} {dot.figure}, 95 % interval {wording.interval(dot.low, dot.high)}" for dot in dots
    )
    return charts.intervals(dots, title="Execution match with 95 % intervals", description=described)


def verdict_bar(charts: Charts, key: str, figures: dict[str, Any]) -> Markup:
    """One evaluation's answers by verdict."""
    parts = [Part(verdict, figures["verdicts"].get(verdict, 0)) for verdict in wording.VERDICTS]
    return charts.stacked(parts, title=f"Verdicts of the {wording.label(key).lower()}")


def causes(evaluations: dict[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """For each cause that occurs, how many answers of each evaluation have it; none where causes were not recorded."""
    found = {key: figures for key, figures in evaluations.items() if "causes" in figures}
    return {
        str(cause): {key: counted(each["causes"].get(cause, 0), each["n"]) for key, each in found.items()}
        for cause in wording.CAUSES
        if any(each["causes"].get(cause) for each in found.values())
    }


def cause_chart(charts: Charts, causes: dict[str, dict[str, dict[str, Any]]]) -> Markup:
    """The share of all answers with each cause: a lane for each evaluation, the first of them lettered."""
    dots: list[Dot] = []
    for cause, tallies in causes.items():
        figure = " → ".join(str(tally["matches"]) for tally in tallies.values())
        for number, (key, tally) in enumerate(tallies.items()):
            dots.append(_dot(key, tally, *((wording.words(cause), figure) if number == 0 else ("", ""))))
    return charts.intervals(
        dots,
        title="Share of all answers by cause of failure, with 95 % Wilson intervals",
        description="For each cause a lane for each evaluation, in the order of the table, which has the figures.",
    )


def curves(
    charts: Charts, metrics: Sequence[dict[str, Any]], validations: Sequence[dict[str, Any]]
) -> dict[str, Markup]:
    """The loss, with that of validations, the reward and the learning rate by step; each "" where no step has it."""

    def points(rows: Sequence[dict[str, Any]], name: str) -> list[tuple[float, float]]:
        return [(row["step"], row[name]) for row in rows if row.get("step") is not None and row.get(name) is not None]

    def curve(name: str, y_label: str, height: int, colour: str, dots: Sequence[tuple[float, float]] = ()) -> Markup:
        axes = {"x_label": "training step", "y_label": y_label}
        return charts.curve(points(metrics, name), **axes, height=height, tone=colour, dots=dots)

    return {
        "loss": curve("loss", "Loss (nats per completion token)", 220, "tuned", points(validations, "loss")),
        "reward": curve("reward", "Mean reward of an answer", 220, "tuned"),
        "learning_rate": curve("learning_rate", "Learning rate", 70, "base"),
    }


def kinds(evaluations: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """For each kind of query, the most frequent first, the tallies of the base and of the tuned model."""
    found: dict[str, dict[str, Any]] = {}
    for key in ("base", "tuned"):
        for kind, tally in evaluations.get(key, {}).get("by_kind", {}).items():
            found.setdefault(kind, {})[key] = tally
    return dict(sorted(found.items(), key=lambda item: -max(tally["n"] for tally in item[1].values())))


def kind_chart(charts: Charts, kinds: dict[str, dict[str, Any]]) -> Markup:
    """Two lanes for each kind, base above tuned; only the first of them is lettered."""
    dots: list[Dot] = []
    for kind, tallies in kinds.items():
        matches = " → ".join(str(tally["matches"]) for tally in tallies.values())
        n = next(iter(tallies.values()))["n"]
        for number, (key, tally) in enumerate(tallies.items()):
            dots.append(_dot(key, tally, *((kind, f"{matches} of {n}") if number == 0 else ("", ""))))
    return charts.intervals(
        dots,
        title="Execution match by kind of query, with 95 % intervals",
        description="For each kind the base model's lane is above the tuned model's; the figures are in the table.",
    )


def _dot(evaluation: str, tally: dict[str, Any], label: str, figure: str) -> Dot:
    small = tally["n"] < wording.SMALL_SAMPLE
    return Dot(tally["rate"], *interval(tally), tone(evaluation), label, figure, faint=small)
