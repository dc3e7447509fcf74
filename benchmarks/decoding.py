"""What votes and repair gain and cost: evaluations of the same questions, compared in pairs.

    python benchmarks/decoding.py FOLDER FOLDER… [--json results/votes.json]

Each folder is one that ``tinkersql eval … --out FOLDER`` has made of one model. The others are compared with the first.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from figures import read, read_json, write
from rich.console import Console
from rich.table import Table

from tinkersql.evaluation import compare_paired

KEPT = ("n", "matches", "rate", "low", "high", "clustered", "causes", "per_question", "repaired")
"""Of an evaluation; ``repaired`` is how many answers were asked for again."""


def load(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The only evaluation in a folder, and its predictions."""
    result = read_json(folder / "result.json")
    if len(result["evaluations"]) != 1:
        sys.exit(f"error: {folder}: {len(result['evaluations'])} evaluations; one is expected")
    [(name, figures)] = result["evaluations"].items()
    kept = {key: figures[key] for key in KEPT if key in figures}
    return {"name": name, "command": result["command"], **kept}, read(folder / f"predictions-{name}.jsonl")


def compare(folders: list[Path]) -> dict[str, Any]:
    """The figures of all folders, and paired comparisons with the first."""
    found = [load(folder) for folder in folders]
    (first, before), *others = found
    comparisons: list[dict[str, Any]] = []
    for figures, after in others:
        if [(row["question"], row["schema"]) for row in before] != [(row["question"], row["schema"]) for row in after]:
            sys.exit(f"error: {figures['name']} was asked other questions than {first['name']}")
        rights = ([row["verdict"] == "match" for row in rows] for rows in (before, after))
        comparisons.append({"a": first["name"], "b": figures["name"], **asdict(compare_paired(*rights))})
    return {
        "command": "python benchmarks/decoding.py " + " ".join(folder.name for folder in folders),
        "evaluations": [figures for figures, _ in found],
        "comparisons": comparisons,
    }


def show(console: Console, figures: dict[str, Any]) -> None:
    table = Table("how", "right", "tokens written", "seconds a question", "gained", "lost", "p")
    for index, e in enumerate(figures["evaluations"]):
        cost = e["per_question"]
        c = figures["comparisons"][index - 1] if index else None
        paired = (str(c["b_only"]), str(c["a_only"]), f"{c['p_value']:.2g}") if c else ("", "", "")
        right = f"{e['matches']} of {e['n']}"
        table.add_row(e["name"], right, f"{cost['tokens']:.0f}", f"{cost['seconds']:.2f}", *paired)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = compare(options.folders)
    write(options.json, figures)
    show(Console(width=140), figures)


if __name__ == "__main__":
    main()
