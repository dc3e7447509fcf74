"""How often the judge is right, on labelled pairs and on hand-written traps; and how fast it is.

    python benchmarks/judge.py FOLDER [--json results/judge.json]

FOLDER holds ``labelled.jsonl`` (schema, gold, predicted, label) and ``hazards.jsonl`` (schema, gold, predicted, expect
and perhaps expect_strict). Labels: ``hard`` pairs differ although keys hold and nothing is NULL, ``equal`` pairs have
no known counterexample, ``open`` pairs differ only where keys may be violated, ``keys`` pairs only with NULLs or letter
case, ``error`` predictions do not run. A rejected ``equal`` pair whose witness replays is a
counterexample, and is listed.
"""

import argparse
import json
import sqlite3
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from tinkersql.equivalence import Assumptions, Comparison, Verdict, compare

HEADLINE, STRICT = Assumptions.HEADLINE, Assumptions.OPEN_WORLD


def read(path: Path) -> list[dict]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        sys.exit(f"error: cannot read {path}: {error.strerror}")


def replays(answer: Comparison) -> bool:
    """Whether the witness, rebuilt from its text, gives both recorded results."""
    witness = answer.witness
    if witness is None:
        return False
    connection = sqlite3.connect(":memory:")
    connection.executescript(witness.script)
    pairs = ((witness.gold_sql, witness.gold_result), (witness.predicted_sql, witness.predicted_result))
    same = all([list(row) for row in connection.execute(sql).fetchall()] == result.rows for sql, result in pairs)
    return same and (witness.gold_result.rows, len(witness.gold_result.columns)) != (
        witness.predicted_result.rows,
        len(witness.predicted_result.columns),
    )


def rate(hits: int, total: int) -> dict:
    """Hits of all, with the 95 % Wilson interval."""
    interval = binomtest(hits, total).proportion_ci(method="wilson") if total else None
    return {
        "hits": hits,
        "n": total,
        "rate": round(hits / total, 4) if total else None,
        "low": round(float(interval.low), 4) if interval else None,
        "high": round(float(interval.high), 4) if interval else None,
    }


def shown(figure: dict) -> str:
    if not figure["n"]:
        return "–"
    low, high = figure["low"], figure["high"]
    return f"{figure['hits']}/{figure['n']} = {figure['rate']:.1%} [{low:.1%}, {high:.1%}]"


def judge_all(pairs: list[dict], assumptions: Assumptions) -> tuple[list[Comparison], list[float]]:
    answers, seconds = [], []
    for pair in pairs:
        started = time.perf_counter()
        answers.append(compare(pair["schema"], pair["gold"], pair["predicted"], assumptions=assumptions))
        seconds.append(time.perf_counter() - started)
    return answers, seconds


def labelled(console: Console, pairs: list[dict]) -> dict:
    """Accepted pairs by label, under the headline and in the open world."""
    found: dict = {}
    for assumptions in (HEADLINE, STRICT):
        answers, seconds = judge_all(pairs, assumptions)
        table = Table("label", "accepted", "verdicts", title=f"labelled pairs, {assumptions}", title_justify="left")
        part: dict = {"accepted": {}, "verdicts": {}}
        for label in sorted({pair["label"] for pair in pairs}):
            those = [answer for pair, answer in zip(pairs, answers, strict=True) if pair["label"] == label]
            verdicts = Counter(str(answer.verdict) for answer in those)
            part["accepted"][label] = rate(verdicts[Verdict.MATCH], len(those))
            part["verdicts"][label] = dict(verdicts)
            table.add_row(
                label, shown(part["accepted"][label]), ", ".join(f"{n} {name}" for name, n in verdicts.items())
            )
        console.print(table)
        witnesses = [answer for answer in answers if answer.witness]
        rows = [answer.witness.script.count("\n  (") for answer in witnesses if answer.witness]
        vacuous = [
            answer
            for answer in answers
            if answer.matches and answer.adequacy is not None and answer.adequacy["non_empty"] == 0
        ]
        part["undecided"] = rate(sum(answer.verdict is Verdict.UNDECIDED for answer in answers), len(answers))
        part["vacuous_accepts"] = len(vacuous)
        part["witnesses_replayed"] = rate(sum(map(replays, witnesses)), len(witnesses))
        part["witness_rows_median"] = statistics.median(rows) if rows else None
        part["milliseconds"] = {
            "median": round(statistics.median(seconds) * 1e3, 1),
            "p90": round(sorted(seconds)[int(len(seconds) * 0.9)] * 1e3, 1),
            "max": round(max(seconds) * 1e3, 1),
        }
        for name in ("undecided", "witnesses_replayed"):
            console.print(f"{name.replace('_', ' ')}: {shown(part[name])}")
        console.print(
            f"vacuous accepts: {part['vacuous_accepts']}; rows in a witness, median: {part['witness_rows_median']}"
        )
        console.print(f"milliseconds a pair: {part['milliseconds']}\n")
        if assumptions is HEADLINE:
            surprises(console, pairs, answers)
        found[str(assumptions)] = part
    return found


def surprises(console: Console, pairs: list[dict], answers: list[Comparison]) -> None:
    """List accepted hard pairs, rejected equal ones and errors that were not seen."""
    wanted = {"hard": Verdict.DIFFERENT, "equal": Verdict.MATCH, "error": Verdict.PREDICTION_ERROR}
    for pair, answer in zip(pairs, answers, strict=True):
        if answer.verdict != wanted.get(pair["label"], answer.verdict):
            replayed = f" (witness replays: {replays(answer)})" if answer.witness else ""
            console.print(f"{pair['label']} judged {answer.verdict}{replayed}: {answer.reason}", markup=False)
            console.print(f"  gold      {pair['gold']}\n  predicted {pair['predicted']}\n", markup=False)


def hazards(console: Console, pairs: list[dict]) -> dict:
    """Traps as expected; each that is not, is listed."""
    found: dict = {}
    for key, assumptions in (("expect", HEADLINE), ("expect_strict", STRICT)):
        those = [pair for pair in pairs if key in pair]
        answers, _ = judge_all(those, assumptions)
        hits = sum(answer.verdict == pair[key] for pair, answer in zip(those, answers, strict=True))
        found[str(assumptions)] = rate(hits, len(those))
        console.print(f"hazards as expected, {assumptions}: {shown(found[str(assumptions)])}")
        for pair, answer in zip(those, answers, strict=True):
            if answer.verdict != pair[key]:
                console.print(f"  {pair['id']}: {answer.verdict}, expected {pair[key]}: {answer.reason}", markup=False)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="write the figures, and no pairs, to this file")
    options = parser.parse_args()
    console = Console(highlight=False, width=140)
    compare("CREATE TABLE t (a INTEGER)", "SELECT a FROM t", "SELECT a FROM t")  # starts the worker, outside the timing
    figures = {
        "command": "python benchmarks/judge.py FOLDER --json results/judge.json",
        "labelled": labelled(console, read(options.folder / "labelled.jsonl")),
        "hazards": hazards(console, read(options.folder / "hazards.jsonl")),
    }
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
