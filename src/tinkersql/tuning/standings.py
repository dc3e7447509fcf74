"""What has become of each training of a sweep, the best first; JSON-ready."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tinkersql.settings import Settings
from tinkersql.tuning.racing import AXES, Cell, HeldOut, gap

_LONGEST = 60
"""Characters of a recipe in a folder's name."""


def name_cells(settings: Sequence[Settings]) -> list[str]:
    """A readable and unique folder name for each training: its number, and the settings in which it differs."""
    varied = _varied(settings)
    digits = len(str(len(settings)))
    names: list[str] = []
    for number, each in enumerate(settings, start=1):
        words = {
            "learning_rate": f"lr-{each.learning_rate:g}",
            "batch_size": f"batch-{each.batch_size}",
            "recipe": re.sub(r"[^A-Za-z0-9.]+", "-", each.recipe or "plain")[:_LONGEST].strip("-"),
            "seed": f"seed-{each.seed}",
        }
        names.append("-".join([f"{number:0{digits}d}", *(words[axis] for axis in varied)]))
    return names


def standings(cells: Sequence[Cell], losers: dict[str, int], held_out: HeldOut) -> dict[str, Any]:
    """All trainings, ranked, in which settings they differ, and the winner's name; None as long as none has ended.

    Those that have ended come first, then those that came farthest; among equals, the lower held-out loss.

    Args:
        cells: All of them.
        losers: The rung at which each clear loser was stopped, by name.
        held_out: What they were measured on.
    """
    ranked = sorted(cells, key=lambda cell: _order(cell, held_out))
    rows = [{"rank": rank, **_row(cell, cells, losers, held_out)} for rank, cell in enumerate(ranked, start=1)]
    winner = rows[0]["key"] if rows[0]["state"] == "finished" else None
    return {"cells": rows, "varied": _varied([cell.settings for cell in cells]), "winner": winner}


def _varied(settings: Sequence[Settings]) -> list[str]:
    """The `AXES` on which not all are the same."""
    return [axis for axis in AXES if len({getattr(each, axis) for each in settings}) > 1]


def _order(cell: Cell, held_out: HeldOut) -> tuple[bool, int, float]:
    measured = _measured(cell)
    if not measured:
        return bool(cell.diverged), 0, 0.0
    return bool(cell.diverged), -max(measured), held_out.loss(cell.measures[max(measured)].nll)


def _row(cell: Cell, cells: Sequence[Cell], losers: dict[str, int], held_out: HeldOut) -> dict[str, Any]:
    measured, result = _measured(cell), cell.folder.read_result()
    row = {
        "key": cell.key,
        **{axis: getattr(cell.settings, axis) for axis in AXES},
        "state": _state(cell, losers),
        "reason": cell.diverged,
        "step": max((measure.step for measure in cell.measures.values()), default=0),
        "steps": cell.leg.steps,
        "tokens": max((measure.tokens for measure in cell.measures.values()), default=0),
        "losses": [
            {"tokens": each.tokens, "loss": held_out.loss(each.nll)}
            for each in map(cell.measures.__getitem__, measured)
        ],
        "behind": None,
        "answers": None,
    }
    if measured:
        rung = max(measured)
        rivals = [other.measures[rung].nll for other in cells if rung in _measured(other)]
        best = min(rivals, key=sum)
        nll = cell.measures[rung].nll
        if nll is not best:
            row["behind"] = asdict(gap(nll, best, held_out.lengths, len(rivals)))
    if asked := result.get("held_out"):
        row["answers"] = {key: asked[key] for key in ("n", "matches", "rate", "low", "high")}
    return row


def _measured(cell: Cell) -> list[int]:
    """The rungs at which the loss is known."""
    return sorted(rung for rung, measure in cell.measures.items() if measure.nll)


def _state(cell: Cell, losers: dict[str, int]) -> str:
    if cell.diverged:
        return "diverged"
    if cell.key in losers:
        return "stopped"
    return "finished" if cell.ended else "going on"
