"""Reinforcement learning from execution beside the supervised model that it starts from, and beside more supervision.

    python benchmarks/reinforcement.py --data FILE --scratch FOLDER [--tokens 40000] [--steps 20] [--rates 3e-4 …]
        [--json results/reinforcement.json]

FILE has rows as in sql-create-context. 200 rows of tables that occur in no training row are the questions. Of the
others one part is for supervised training, and another, which that training never sees, for what follows it:
reinforcement learning at each rate, and, for comparison, supervised training on the golds of the very questions that
reinforcement learning has seen. All of them are `tinkersql train` and `tinkersql eval` with their defaults, but for
what is printed in the figures. Whatever lies complete in the scratch folder is not done again, and a training that was
stopped goes on.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from figures import rate, read, read_json, shown, write

from tinkersql import corpus
from tinkersql.console import Terminal
from tinkersql.corpus import Corpus, Example
from tinkersql.eval import evaluate
from tinkersql.evaluation import compare_paired
from tinkersql.evaluation.request import Request
from tinkersql.settings import resolve
from tinkersql.train import resume, train
from tinkersql.tuning.cost import Consent
from tinkersql.tuning.start import inherited

QUESTIONS, SPLIT_SEED = 200, 0
"""The table-disjoint questions of benchmarks/generalisation.py."""
ROWS = 4000
"""For each of the two parts of the training rows: more than the budgets take."""
BATCH, GROUP, LONGEST = 6, 8, 64
"""Questions a step, answers to each, and tokens of an answer."""
CURVE = ("reward", "match", "runs", "cut_off", "groups_with_signal", "answer_tokens", "entropy", "kl", "seconds")


def prepare(data: str, scratch: Path, reporter: Terminal) -> None:
    """Write the questions and both parts of the training rows."""
    loaded = corpus.load(data, reporter)
    disjoint = corpus.split(loaded, QUESTIONS, SPLIT_SEED, by="table")
    rows = corpus.split(Corpus(disjoint.train, loaded.source, loaded.sha256), 1, SPLIT_SEED).train
    parts = {"questions": disjoint.test, "supervised": rows[:ROWS], "further": rows[ROWS : 2 * ROWS]}
    for name, examples in parts.items():
        records = [_record(example) for example in examples]
        (scratch / f"{name}.json").write_text(json.dumps(records), encoding="utf-8")


def _record(example: Example) -> dict[str, str]:
    return {"question": example.question, "context": example.schema, "answer": example.gold}


def trained(scratch: Path, name: str, reporter: Terminal, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a training: from its folder, gone on with, or from the start."""
    folder = scratch / name
    if not folder.exists():
        taken = inherited(Path(changes["start"])) if "start" in changes else {}
        resolved = resolve("cpu", {"test_size": 1, "recipe": "", "save_every": 5, **changes}, inherited=taken)
        return train(resolved, scratch, name, reporter, Consent(yes=True))[1]
    result = read_json(folder / "result.json")
    return result if "training" in result else resume(folder, 0, reporter)[1]


def asked(scratch: Path, name: str, reporter: Terminal) -> list[bool]:
    """Which questions a trained model answers rightly."""
    out = scratch / f"{name}-eval"
    if not (out / "result.json").exists():
        questions = scratch / "questions.json"
        evaluate(Request(questions=questions, run=scratch / name, changes={"max_tokens": LONGEST}), out, reporter)
    return [row["verdict"] == "match" for row in read(out / "predictions-tuned.jsonl")]


def figures(options: argparse.Namespace, reporter: Terminal) -> dict[str, Any]:
    scratch = options.scratch
    if not (scratch / "further.json").exists():
        prepare(options.data, scratch, reporter)
    further = {"start": str(scratch / "supervised"), "data": str(scratch / "further.json"), "steps": options.steps}
    arms: dict[str, dict[str, Any]] = {
        "supervised": {"data": str(scratch / "supervised.json"), "tokens": options.tokens}
    }
    for learning_rate in options.rates:
        arms[f"reinforced-{learning_rate:g}"] = further | {
            "objective": "rl",
            "batch_size": BATCH,
            "group_size": GROUP,
            "max_tokens": LONGEST,
            "learning_rate": learning_rate,
        }
    arms["more-golds"] = further | {"batch_size": BATCH}
    found: dict[str, Any] = {}
    before: Sequence[bool] = ()
    for name, changes in arms.items():
        reporter.heading(name)
        result = trained(scratch, name, reporter, changes)
        right = asked(scratch, name, reporter)
        before = before or right
        settings = {key: value for key, value in changes.items() if key not in ("data", "start")}
        found[name] = {"settings": settings, "training": result["training"], "right": rate(sum(right), len(right))}
        if name != "supervised":
            found[name]["against_supervised"] = asdict(compare_paired(before, right))
        if changes.get("objective") == "rl":
            steps = read(scratch / name / "metrics.jsonl")
            found[name]["steps"] = [{key: round(row[key], 4) for key in CURVE} for row in steps]
        reporter.say(f"  {name}: {shown(found[name]['right'])}")
        write(options.json, {"command": command(options), "questions": QUESTIONS, "arms": found})
    return found


def command(options: argparse.Namespace) -> str:
    rates = " ".join(f"{each:g}" for each in options.rates)
    return (
        f"python benchmarks/reinforcement.py --data FILE --scratch FOLDER --tokens {options.tokens} "
        f"--steps {options.steps} --rates {rates} --json FILE"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=40_000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rates", nargs="+", type=float, default=[3e-4])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.scratch = options.scratch.absolute()
    options.scratch.mkdir(parents=True, exist_ok=True)
    figures(options, Terminal())


if __name__ == "__main__":
    main()
