"""How often the judge is right, beside other evaluators: on labelled pairs, on made-up mistakes, on hand-written traps.

    python benchmarks/judge.py FOLDER [--spider FOLDER] [--test-suite CHECKOUT --generator CHECKOUT]
        [--lookups N] [--disagreements N] [--json results/judge.json]

FOLDER holds ``labelled.jsonl`` (schema, gold, predicted, label) and ``hazards.jsonl`` (schema, gold, predicted, expect
and perhaps expect_strict). Labels: ``hard`` pairs differ although keys hold and nothing is NULL, ``equal`` pairs have
no known counterexample, ``open`` pairs differ only where keys may be violated, ``keys`` pairs only with NULLs or letter
case, ``error`` predictions do not run. A rejected ``equal`` pair whose witness replays and obeys the assumptions is a
counterexample to its label: it counts as right, and is listed.
"""

import argparse
import statistics
import time
from collections import Counter
from pathlib import Path

from figures import fresh_cache, is_vacuous, milliseconds, rate, read, replays, shown, witness_rows, write
from others import add_options, disagreements, labelled_table, lookup_table, open_evaluators
from rich.console import Console
from rich.table import Table
from witnesses import breaches

from tinkersql.equivalence import Assumptions, Comparison, Verdict, compare

HEADLINE, STRICT = Assumptions.HEADLINE, Assumptions.OPEN_WORLD
WANTED = {"hard": Verdict.DIFFERENT, "equal": Verdict.MATCH, "error": Verdict.PREDICTION_ERROR}


def judge_all(pairs: list[dict], assumptions: Assumptions) -> tuple[list[Comparison], list[float]]:
    answers, seconds = [], []
    for pair in pairs:
        started = time.perf_counter()
        answers.append(compare(pair["schema"], pair["gold"], pair["predicted"], assumptions=assumptions))
        seconds.append(time.perf_counter() - started)
    return answers, seconds


def is_counterexample(pair: dict, answer: Comparison) -> bool:
    """Whether a rejection proves itself: its witness replays in plain SQLite and obeys the assumptions."""
    witness = answer.witness
    return witness is not None and replays(witness) and not breaches(pair["schema"], witness, answer.assumptions)


def ladder(console: Console, pairs: list[dict]) -> tuple[dict, list[dict]]:
    """Accepted pairs by label at every step of the assumptions; and the ``equal`` pairs that the headline refutes."""
    found: dict = {}
    by_step: dict[Assumptions, list[Comparison]] = {}
    for assumptions in Assumptions:
        answers, seconds = judge_all(pairs, assumptions)
        by_step[assumptions] = answers
        found[str(assumptions)] = part = step_figures(pairs, answers)
        part["milliseconds"] = milliseconds(seconds)
        table = Table("label", "accepted", "verdicts", title=f"labelled pairs, {assumptions}", title_justify="left")
        for label, accepted in part["accepted"].items():
            verdicts = ", ".join(f"{n} {name}" for name, n in part["verdicts"][label].items())
            table.add_row(label, shown(accepted), verdicts)
        console.print(table)
        for name in ("undecided", "witnesses_replayed"):
            console.print(f"{name.replace('_', ' ')}: {shown(part[name])}")
        console.print(f"vacuous accepts: {part['vacuous_accepts']}; rows in a witness: {part['witness_rows_median']}")
        console.print(f"milliseconds a pair: {part['milliseconds']}\n")
    for assumptions, answers in by_step.items():
        surprises(console, pairs, answers, assumptions)
    explain(console, pairs, by_step)
    refuted = [
        pair
        for pair, answer in zip(pairs, by_step[HEADLINE], strict=True)
        if pair["label"] == "equal" and is_counterexample(pair, answer)
    ]
    return found, refuted


def step_figures(pairs: list[dict], answers: list[Comparison]) -> dict:
    part: dict = {"accepted": {}, "verdicts": {}}
    for label in sorted({pair["label"] for pair in pairs}):
        those = [answer for pair, answer in zip(pairs, answers, strict=True) if pair["label"] == label]
        verdicts = Counter(str(answer.verdict) for answer in those)
        part["accepted"][label] = rate(verdicts[Verdict.MATCH], len(those))
        part["verdicts"][label] = dict(verdicts)
    witnesses = [answer.witness for answer in answers if answer.witness]
    part["undecided"] = rate(sum(answer.verdict is Verdict.UNDECIDED for answer in answers), len(answers))
    part["vacuous_accepts"] = sum(map(is_vacuous, answers))
    part["witnesses_replayed"] = rate(sum(map(replays, witnesses)), len(witnesses))
    part["witness_rows_median"] = statistics.median(map(witness_rows, witnesses)) if witnesses else None
    part["refuted_equal"] = sum(
        pair["label"] == "equal" and is_counterexample(pair, answer)
        for pair, answer in zip(pairs, answers, strict=True)
    )
    return part


def surprises(console: Console, pairs: list[dict], answers: list[Comparison], assumptions: Assumptions) -> None:
    """List accepted hard pairs, rejected equal ones and errors that were not seen."""
    for pair, answer in zip(pairs, answers, strict=True):
        if answer.verdict != WANTED.get(pair["label"], answer.verdict):
            proof = f" (counterexample: {is_counterexample(pair, answer)})" if answer.witness else ""
            said = f"{pair['label']} judged {answer.verdict} in {assumptions}{proof}: {answer.reason}"
            console.print(said, markup=False, soft_wrap=True)
            print_pair(console, pair)


def explain(console: Console, pairs: list[dict], by_step: dict[Assumptions, list[Comparison]]) -> None:
    """The ``keys`` pairs one by one, and the ``open`` pairs that the open world does not tell apart."""
    for number, pair in enumerate(pairs):
        if pair["label"] == "keys":
            console.print("keys pair", markup=False)
            print_pair(console, pair)
            for assumptions, answers in by_step.items():
                console.print(f"  {assumptions:14} {answers[number].verdict}: {answers[number].reason}", markup=False)
        elif pair["label"] == "open" and by_step[STRICT][number].verdict is not Verdict.DIFFERENT:
            console.print(f"open pair, in the open world {by_step[STRICT][number].verdict}", markup=False)
            print_pair(console, pair)
    console.print()


def print_pair(console: Console, pair: dict) -> None:
    console.print(f"  gold      {pair['gold']}\n  predicted {pair['predicted']}", markup=False, soft_wrap=True)


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
    parser.add_argument("--lookups", type=int, default=20, help="WikiSQL-shaped golds for each number of conditions")
    parser.add_argument("--disagreements", type=int, default=0, help="only print N pairs that evaluators disagree on")
    parser.add_argument("--json", type=Path, help="write the figures, and no pairs, to this file")
    add_options(parser)
    options = parser.parse_args()
    console = Console(highlight=False, width=140)
    pairs = read(options.folder / "labelled.jsonl")
    with fresh_cache(), open_evaluators(options) as evaluators:
        compare("CREATE TABLE t (a INTEGER)", "SELECT a FROM t", "SELECT a FROM t")  # starts the worker, not timed
        if options.disagreements:
            unlabelled = options.folder / "unlabelled.jsonl"
            everything = pairs + (read(unlabelled) if unlabelled.is_file() else [])
            disagreements(console, everything, evaluators, options.disagreements)
            return
        figures: dict = {"command": "python benchmarks/judge.py FOLDER --json results/judge.json"}
        figures["labelled"], refuted = ladder(console, pairs)
        figures["hazards"] = hazards(console, read(options.folder / "hazards.jsonl"))
        usable = [pair for pair in pairs if pair not in refuted]
        figures["evaluators"] = labelled_table(console, usable, evaluators)
        if options.lookups:
            figures["lookups"] = lookup_table(console, options.lookups, evaluators)
    write(options.json, figures)


if __name__ == "__main__":
    main()
