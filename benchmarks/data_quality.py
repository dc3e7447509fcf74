"""What is wrong with a data file, how much of it can be repaired, and how long it takes to find out.

    python benchmarks/data_quality.py --data SQL_CREATE_CONTEXT_JSON [--workers N] [--json results/data-quality.json]

The cleaned copy is checked again: it must show no error.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from figures import write

from tinkersql.console import Terminal
from tinkersql.corpus.quality import Audit, Severity, audit, clean
from tinkersql.corpus.reading import read_file


def counted(found: Audit) -> dict[str, Any]:
    """For each cause: its severity, how many rows show it, and how many of those have a repair."""
    return {
        cause.name: {
            "severity": str(cause.severity),
            "rows": count,
            "share": round(count / len(found.examples), 5),
            "repaired": sum(bool(finding.repair) for finding in found.of(cause)),
        }
        for cause, count in found.counts.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a JSON array of rows")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that run golds")
    parser.add_argument("--json", type=Path, help="where the figures go")
    args = parser.parse_args()
    terminal = Terminal()
    started = time.perf_counter()
    found = audit(read_file(args.data), terminal, args.workers)
    seconds = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        cleaned = clean(found, Path(folder) / "clean.json")
        again = audit(read_file(cleaned.path), terminal, args.workers)
    figures = {
        "command": f"python benchmarks/data_quality.py --data {args.data.name} --workers {args.workers}",
        "rows": len(found.examples),
        "causes": counted(found),
        "cleaned": {"rows": cleaned.rows, "dropped": cleaned.dropped, "repaired": cleaned.repaired},
        "errors_left": sum(count for cause, count in again.counts.items() if cause.severity is Severity.ERROR),
        "seconds": round(seconds, 1),
        "workers": args.workers,
        "rows_per_second": round(len(found.examples) / seconds),
    }
    for name, cause in figures["causes"].items():
        terminal.say(f"{cause['rows']:>8,}  {cause['share']:>7.2%}  {cause['repaired']:>6,} repaired  {name}")
    terminal.say(f"{figures['cleaned']}, {figures['errors_left']} errors left; {figures['seconds']} s")
    write(args.json, figures)


if __name__ == "__main__":
    main()
