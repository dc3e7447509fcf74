"""What hostile predictions cost: the time and the memory of the process that judges them, and what they leave behind.

    python benchmarks/containment.py [--json results/containment.json]

Every probe of ``tests/equivalence/probes.py`` goes through the public ``compare``, each followed by pairs whose answers
must stay the same. The memory is the worker's high-water mark above what it held before the first probe, so what one
probe leaves behind counts against all later ones. Linux only, because the mark is read and reset in /proc.

It fails when a probe takes more than half a second of the worker's processor time or more than 64 MiB, when it ends the
worker, is taken for a match, makes the judge fail or writes a file, or when a following pair is answered otherwise.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tinkersql.equivalence import Comparison, Verdict, compare

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "equivalence"))
from probes import CONTROLS, GOLD, SCHEMA, probes  # pyright: ignore[reportMissingImports]

SECONDS, MIB = 0.5, 64.0
SLOWEST_SHOWN = 15


def worker() -> psutil.Process:
    """The process behind ``compare``."""
    return psutil.Process().children()[0]


def memory(process: psutil.Process, field: str) -> float:
    """VmRSS or VmHWM in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) / 1024


def processor_seconds(process: psutil.Process) -> float:
    """From the scheduler's own count, in nanoseconds."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{process.pid}/task").glob("*/schedstat")) / 1e9


def measure(name: str, attack: str, baseline: float, folder: Path, expected: list[Comparison]) -> dict:
    """One probe and the pairs behind it; ``faults`` says in words what is wrong."""
    process = worker()
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # resets the high-water mark
    used, started = processor_seconds(process), time.perf_counter()
    answer = compare(SCHEMA, GOLD, attack)
    wall = time.perf_counter() - started
    found = {"probe": name, "verdict": str(answer.verdict), "reason": answer.reason, "wall_seconds": round(wall, 4)}
    faults = []
    if process.is_running():
        seconds, mib = processor_seconds(process) - used, memory(process, "VmHWM") - baseline
        found |= {"seconds": round(seconds, 4), "mib": round(mib, 1)}
        faults += [f"{seconds:.2f} s"] if seconds > SECONDS else []
        faults += [f"{mib:.0f} MiB"] if mib > MIB else []
    else:
        faults.append("it ended the worker")
    faults += ["taken for a match"] if answer.verdict is Verdict.MATCH else []
    faults += [answer.reason] if "the judge failed" in answer.reason else []
    faults += ["it wrote a file"] if any(folder.iterdir()) else []
    faults += ["the next pair is answered otherwise"] if [compare(*pair) for pair in CONTROLS] != expected else []
    return found | {"faults": faults}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    options = parser.parse_args()
    if not Path("/proc/self/clear_refs").exists():
        sys.exit("error: this benchmark reads the memory of a process in /proc, which only Linux has")
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as target:
        os.environ["TINKERSQL_CACHE"] = cache
        expected = [compare(*pair) for pair in CONTROLS]
        baseline = memory(worker(), "VmRSS")
        console = Console(stderr=True)
        attacks = probes(Path(target)).items()
        found = [
            measure(name, attack, baseline, Path(target), expected)
            for name, attack in track(attacks, "Probing", console=console, transient=True)
        ]
    faulty = [item for item in found if item["faults"]]
    dearest = sorted(found, key=lambda item: item.get("seconds", SECONDS) / SECONDS + item.get("mib", MIB) / MIB)
    shown = {item["probe"]: item for item in [*reversed(dearest[-SLOWEST_SHOWN:]), *faulty]}
    table = Table("probe", "verdict", "seconds", "MiB", "fault")
    for item in shown.values():
        figures = [str(item.get(key, "-")) for key in ("seconds", "mib")]
        table.add_row(item["probe"], item["verdict"], *figures, "; ".join(item["faults"]))
    Console().print(table)
    summary = {
        "probes": len(found),
        "baseline_mib": round(baseline, 1),
        "most_seconds": max(item.get("seconds", 0) for item in found),
        "most_wall_seconds": max(item["wall_seconds"] for item in found),
        "most_mib": max(item.get("mib", 0) for item in found),
        "faulty": len(faulty),
    }
    print(json.dumps(summary))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(summary | {"found": found}, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if faulty else 0)


if __name__ == "__main__":
    main()
