"""How fast the judge is: on one core for golds whose suites exist, when it builds them, and with a second core.

    python benchmarks/judge_speed.py SQL_CREATE_CONTEXT_JSON SPIDER_FOLDER PAIRS_FOLDER [--golds N]
        [--test-suite CHECKOUT --generator CHECKOUT] [--json results/judge-speed.json]

Predictions are distinct and none is textually the gold. For the golds of the exercise's data they are wrong queries and
paraphrases, as many of each; for Spider's they are real predictions (``unlabelled.jsonl``). Every figure includes
reading the SQL and the way to the worker process and back. Ratios to other evaluators come from the same pairs in the
same run, and do not count the making of their databases either.
"""

import argparse
import itertools
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import spider
import test_suite
from evaluators import Evaluator, exercise
from figures import LabelledPair, fresh_cache, milliseconds, quantile, read_json, stream, write
from lookups import read_lookup
from paraphrases import EQUAL
from rich.console import Console
from wrong_queries import WRONG, applied

from tinkersql.equivalence import Verdict, compare, compare_many

FEWEST, MOST = 4, 16
"""How many predictions a gold needs to be measured, and how many are taken."""
Golds = list[tuple[str, str, str, list[str]]]
"""(Spider's database or nothing, schema, gold, predictions)."""


def plain(sql: str) -> str:
    """The text by which predictions are told apart."""
    return " ".join(sql.lower().rstrip("; ").split())


def distinct(gold: str, predictions: Iterator[str]) -> list[str]:
    """Predictions that differ from the gold and from one another as texts."""
    found = {plain(sql): sql for sql in predictions}
    found.pop(plain(gold), None)
    return list(found.values())[:MOST]


def context_golds(path: Path, count: int) -> Golds:
    """Golds of the exercise's data that have WikiSQL's shape."""
    random = Random(0)
    rows = read_json(path)
    found: Golds = []
    for row in random.sample(rows, len(rows)):
        lookup = read_lookup(row["context"], row["answer"])
        if lookup is None:
            continue
        kinds = [[sql for _, sql in applied(operators, lookup, random)] for operators in (WRONG, EQUAL)]
        mixed = itertools.chain.from_iterable(zip(*(random.sample(kind, len(kind)) for kind in kinds), strict=False))
        predictions = distinct(row["answer"], mixed)
        if len(predictions) >= FEWEST:
            found.append(("", row["context"], row["answer"], predictions))
        if len(found) == count:
            break
    return found


def spider_golds(path: Path, count: int) -> Golds:
    """Golds of Spider's development set with the real predictions for them."""
    grouped: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for pair in stream(path):
        grouped[pair["db"], pair["schema"], pair["gold"]].append(pair["predicted"])
    golds = [(*key, distinct(key[2], iter(said))) for key, said in sorted(grouped.items())]
    usable = [gold for gold in golds if len(gold[3]) >= FEWEST]
    return Random(0).sample(usable, min(count, len(usable)))


def one_core(golds: Golds, others: dict[str, Evaluator]) -> dict[str, Any]:
    """Building and judging on one core, and the same pairs through other evaluators."""
    builds: list[float] = []
    rates: list[float] = []
    by_verdict: dict[str, list[float]] = defaultdict(list)
    by_other: dict[str, list[float]] = defaultdict(list)
    ours = 0.0
    for db, schema, gold, predictions in golds:
        started = time.perf_counter()
        answer = compare(schema, gold, gold)
        took = time.perf_counter() - started
        if answer.verdict is Verdict.GOLD_ERROR:
            continue
        builds.append(took)
        seconds = []
        for sql in predictions:
            started = time.perf_counter()
            answer = compare(schema, gold, sql)
            seconds.append(time.perf_counter() - started)
            by_verdict[str(answer.verdict)].append(seconds[-1])
        rates.append(len(seconds) / sum(seconds))
        ours += sum(seconds)
        for name, accepts in others.items():
            for sql in predictions:
                pair = LabelledPair(schema=schema, gold=gold, predicted=sql, db=db)
                started = time.perf_counter()
                accepts(pair)
                took = time.perf_counter() - started - getattr(accepts, "latest_build", 0.0)
                by_other[name].append(took)
    return {
        "golds": len(rates),
        "pairs": sum(map(len, by_verdict.values())),
        "build": milliseconds(builds),
        "pairs_per_second": {
            "median_pair": round(1 / median(itertools.chain.from_iterable(by_verdict.values()))),
            "median": round(median(rates)),
            "p10": round(quantile(rates, 0.1)),
        },
        "milliseconds_by_verdict": {name: milliseconds(times) for name, times in sorted(by_verdict.items())},
        "other_milliseconds": {name: milliseconds(times) for name, times in by_other.items()},
        "times_as_fast": {name: round(sum(times) / ours, 2) for name, times in by_other.items()},
    }


def scaling(golds: Golds) -> dict[str, float]:
    """Pairs per second with one and two workers, the suites being on disk."""
    pairs = [(schema, gold, sql) for _, schema, gold, predictions in golds for sql in predictions]
    found = {}
    for workers in (1, 2):
        answers = compare_many(pairs, workers)
        next(answers)  # the processes have started
        started = time.perf_counter()
        count = sum(1 for _ in answers)
        found[f"{workers} workers"] = round(count / (time.perf_counter() - started), 1)
    found["second core adds"] = round(found["2 workers"] / found["1 workers"] - 1, 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("context", type=Path, help="sql_create_context.json")
    parser.add_argument("spider", type=Path, help="Spider's folder, with tables.json")
    parser.add_argument("pairs", type=Path, help="the folder with unlabelled.jsonl")
    parser.add_argument("--golds", type=int, default=200, help="golds of each data set")
    parser.add_argument("--json", type=Path, help="write the figures, and no pairs, to this file")
    test_suite.add_options(parser)
    options = parser.parse_args()
    console = Console(highlight=False, markup=False, width=140)
    cores = os.sched_getaffinity(0)
    figures: dict[str, Any] = {
        "command": "python benchmarks/judge_speed.py SQL_CREATE_CONTEXT_JSON SPIDER_FOLDER PAIRS_FOLDER"
    }
    sets = {
        "sql-create-context": context_golds(options.context, options.golds),
        "Spider": spider_golds(options.pairs / "unlabelled.jsonl", options.golds),
    }
    keyed = spider.schemas(options.spider, keys=True)
    for name, golds in sets.items():
        with fresh_cache():
            os.sched_setaffinity(0, {max(cores)})
            others: dict[str, Evaluator] = {"the exercise's method": exercise}
            suite = test_suite.TestSuite(options, keyed) if options.test_suite else None
            if suite:
                others["test suites"] = suite
            compare("CREATE TABLE t (a INTEGER)", "SELECT a FROM t", "SELECT 1 FROM t")  # starts the worker
            part = one_core(golds, others)
            if suite:
                part["test_suite_build"] = milliseconds(suite.build_seconds)
                suite.close()
            os.sched_setaffinity(0, cores)
            part["scaling"] = scaling(golds) if len(cores) > 1 else {}
        figures[name] = part
        console.rule(name, align="left")
        for key, value in part.items():
            console.print(f"{key.replace('_', ' ')}: {value}", soft_wrap=True)
    write(options.json, figures)


if __name__ == "__main__":
    main()
