"""The page of a sweep: one table and one plot, from the files in its folder alone."""

from pathlib import Path
from typing import Any

from jinja2 import UndefinedError
from markupsafe import Markup

from tinkersql.errors import RunError
from tinkersql.report.charts import Charts, Line
from tinkersql.report.files import read_object
from tinkersql.report.page import fill, write

TONES = {"finished": "base", "stopped": "shots", "diverged": "shots", "going on": "base"}
"""Colours of the lines by state, as the style sheet names them; the winner's is ``tuned``."""
_LONGEST = 16
"""Characters of a recipe beside its line."""


def build_sweep(folder: Path) -> Path:
    """Write ``sweep.html`` into a sweep's folder and return its path.

    Raises:
        RunError: ``sweep.json`` is damaged, or the page cannot be written.
    """
    found = read_object(folder / "sweep.json")
    try:
        html = fill("sweep.html", sweep=found, plot=plot(found), finding=finding(found))
    except (AttributeError, KeyError, TypeError, ValueError, UndefinedError) as error:
        raise RunError(f"{folder / 'sweep.json'}: damaged ({error!r})") from error
    return write(folder / "sweep.html", html)


def plot(sweep: dict[str, Any]) -> Markup:
    """The loss on held-out examples by tokens trained on, a line for each training."""
    lines = [
        Line(
            f"{cell['rank']}: {short(cell, sweep['varied'])}",
            [(each["tokens"], each["loss"]) for each in cell["losses"]],
            "tuned" if cell["key"] == sweep["winner"] else TONES[cell["state"]],
        )
        for cell in sweep["cells"]
        if cell["losses"]
    ]
    return Charts().lines(lines, x_label="tokens trained on", y_label="Loss (nats per completion token)", height=320)


def short(cell: dict[str, Any], varied: list[str]) -> str:
    """In what a training differs from the others, in a few letters."""
    recipe = cell["recipe"] or "plain"
    words = {
        "learning_rate": f"{cell['learning_rate']:g}",
        "batch_size": f"× {cell['batch_size']}",
        "recipe": recipe if len(recipe) <= _LONGEST else recipe[: _LONGEST - 1] + "…",
        "seed": f"seed {cell['seed']}",
    }
    return " ".join(words[axis] for axis in varied)


def finding(sweep: dict[str, Any]) -> str:
    """What came out, in one sentence."""
    cells = {cell["key"]: cell for cell in sweep["cells"]}
    if sweep["winner"] is None:
        return "No training has ended yet"
    best = cells[sweep["winner"]]
    close = sum(
        cell["state"] == "finished" and cell["behind"] is not None and cell["behind"]["low"] <= 0
        for cell in cells.values()
    )
    rivals = f"; {close} more cannot be told from it" if close else ""
    words = {
        "learning_rate": f"learning rate {best['learning_rate']:g}",
        "batch_size": f"batches of {best['batch_size']}",
        "recipe": f"recipe {best['recipe'] or 'plain'}",
        "seed": f"seed {best['seed']}",
    }
    return f"Best of {len(cells)}: {', '.join(words[axis] for axis in sweep['varied'])}{rivals}"
