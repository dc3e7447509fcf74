"""Tables of evaluations, as the commands print them."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def print_evaluations(console: Console, evaluations: Mapping[str, Mapping[str, Any]]) -> None:
    """One row per model: right answers with interval, and ill-formed answers."""
    table = _table("model", "right", "match (95 % interval)", "empty", "no SQL", "cut off")
    for label, e in evaluations.items():
        ill_formed = (str(e[key]) for key in ("empty", "not_sql", "cut_off"))
        table.add_row(label, f"{e['matches']} of {e['n']}", rate_of(e), *ill_formed)
    console.print()
    console.print(table)


def print_costs(console: Console, evaluations: Mapping[str, Mapping[str, Any]]) -> None:
    """What a question cost, one row per model; nothing where no model was asked."""
    table = _table("per question", "tokens read", "tokens written", "seconds")
    for label, e in evaluations.items():
        if cost := e.get("per_question"):
            table.add_row(label, f"{cost['prompt_tokens']:.0f}", f"{cost['tokens']:.0f}", f"{cost['seconds']:.2f}")
    if table.rows:
        console.print(table)


def print_groups(console: Console, evaluations: Mapping[str, Mapping[str, Any]]) -> None:
    """Rates by kind of query and by difficulty, one column per model; nothing where all questions are in one group."""
    for key, title in (("by_kind", "kind of query"), ("by_difficulty", "difficulty")):
        groups = next(iter(evaluations.values()))[key]
        if len(groups) > 1:
            table = _table(title, "questions", *evaluations)
            for name, first in groups.items():
                table.add_row(name, str(first["n"]), *(rate_of(e[key][name]) for e in evaluations.values()))
            console.print(table)


def print_causes(console: Console, evaluations: Mapping[str, Mapping[str, Any]]) -> None:
    """What is wrong with the wrong answers, one line per model, the most common cause first."""
    for label, e in evaluations.items():
        causes = sorted(e["causes"].items(), key=lambda item: -item[1])
        if causes:
            listed = ", ".join(f"{cause.replace('_', ' ')} {count}" for cause, count in causes)
            console.print(f"Wrong answers of {label}: {listed}")


def print_comparisons(console: Console, comparisons: Sequence[Mapping[str, Any]]) -> None:
    """One line for each pair of models."""
    for c in comparisons:
        console.print(
            f"{c['b']} against {c['a']}: {c['difference']:+.1%} ({c['low']:+.1%} to {c['high']:+.1%}), "
            f"{c['b_only']} gained, {c['a_only']} lost, McNemar p = {c['p_value']:.1g}"
        )


def print_sweep(console: Console, sweep: Mapping[str, Any]) -> None:
    """One row per training, the best first; settings that all have in common have no column."""
    varied = sweep["varied"]
    table = _table("rank", *(axis.replace("_", " ") for axis in varied), "steps", "loss", "behind", "right", "state")
    for cell in sweep["cells"]:
        behind, asked = cell["behind"], cell["answers"]
        table.add_row(
            str(cell["rank"]),
            *(f"{cell[axis]:g}" if axis == "learning_rate" else str(cell[axis]) or "plain" for axis in varied),
            f"{cell['step']}/{cell['steps']}",
            f"{cell['losses'][-1]['loss']:.4f}" if cell["losses"] else "–",
            f"{behind['difference']:.3f} ({behind['low']:.3f}–{behind['high']:.3f})" if behind else "–",
            f"{asked['matches']}/{asked['n']} ({asked['low']:.0%}–{asked['high']:.0%})" if asked else "–",
            cell["state"],
        )
    console.print()
    console.print(table)


def rate_of(e: Mapping[str, Any]) -> str:
    """A rate with its interval, which counts questions on the same tables as one cluster."""
    from tinkersql.evaluation import interval  # imports scipy: --help need not wait for it

    low, high = interval(e)
    return f"{e['rate']:.1%} ({low:.1%} – {high:.1%})"


def _table(*columns: str) -> Table:
    table = Table(*columns)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    return table
