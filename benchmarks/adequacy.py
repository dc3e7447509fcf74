"""How well the judge's databases probe the golds: the share of each gold's mutants that they kill.

    python benchmarks/adequacy.py [--context SQL_CREATE_CONTEXT_JSON] [--spider SPIDER_FOLDER] [--golds N]
        [--workers N] [--json results/adequacy.json]

For a seeded sample of the exercise's golds, and for all of Spider's development set on schemas without keys and with
the true ones. Golds under the threshold are counted by the operators of the mutants that stay alive.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import spider
from figures import fresh_cache, quantile, read_json, take, write
from rich.console import Console

from tinkersql.equivalence import Verdict, compare_many

THRESHOLD = 0.9
"""Golds whose databases kill a smaller share of their mutants are listed."""
STEPS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


def measure(
    console: Console, title: str, golds: Iterable[tuple[str, str]], workers: int, listed: int
) -> dict[str, Any]:
    """The certificates of (schema, gold) pairs, summed up."""
    scores: list[float] = []
    histogram: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    alive: Counter[str] = Counter()
    equivalent: Counter[str] = Counter()
    low: list[tuple[float, str, str]] = []
    empty = mutants = killed = databases = 0
    golds = list(golds)
    started = time.perf_counter()
    for (_, gold), answer in zip(golds, compare_many(((s, g, g) for s, g in golds), workers), strict=True):
        certificate = answer.adequacy
        if answer.verdict is Verdict.GOLD_ERROR or certificate is None:
            errors[answer.reason[:60]] += 1
            continue
        mutants += certificate.mutants
        killed += certificate.killed
        databases += certificate.databases
        empty += certificate.non_empty == 0
        equivalent.update(certificate.equivalent)
        alive.update(certificate.alive)
        score = certificate.score
        if score is None:
            histogram["no mutants"] += 1
            continue
        scores.append(score)
        histogram[next((f"< {step}" for step in STEPS if score < step), "1.0")] += 1
        if score < THRESHOLD:
            low.append((score, ", ".join(sorted(set(certificate.alive))), gold))
    seconds = time.perf_counter() - started
    below: Counter[str] = Counter()
    for _, operators, _ in low:
        below.update(operators.split(", "))
    figures = {
        "golds": len(golds),
        "gold_errors": dict(errors.most_common(8)),
        "threshold": THRESHOLD,
        "mean_score": round(sum(scores) / len(scores), 4) if scores else None,
        "p10_score": round(quantile(scores, 0.1), 4) if scores else None,
        "histogram": {key: histogram[key] for key in [*(f"< {step}" for step in STEPS), "1.0", "no mutants"]},
        "mutants": mutants,
        "killed": killed,
        "alive": dict(alive.most_common()),
        "equivalent": dict(equivalent.most_common()),
        "without_a_telling_database": empty,
        "databases_per_gold": round(databases / max(len(golds) - sum(errors.values()), 1), 1),
        "below_threshold": len(low),
        "below_threshold_by_operator_alive": dict(below.most_common()),
        "seconds_per_gold": round(seconds / max(len(golds), 1), 4),
    }
    console.rule(title, align="left")
    for key, value in figures.items():
        console.print(f"{key.replace('_', ' ')}: {value}", soft_wrap=True)
    for score, operators, gold in sorted(low)[:listed]:
        console.print(f"{score:.2f} (alive: {operators}): {gold}", soft_wrap=True)
    return figures


def context_golds(path: Path) -> Iterator[tuple[str, str]]:
    """The exercise's golds in a seeded order."""
    rows = read_json(path)
    for row in Random(0).sample(rows, len(rows)):
        yield row["context"], row["answer"]


def spider_golds(folder: Path, *, keys: bool) -> list[tuple[str, str]]:
    """The distinct golds of Spider's development set, each on its database's whole schema."""
    schemas = spider.schemas(folder, keys=keys)
    found = {(row["db_id"], row["query"]): None for row in read_json(folder / "dev.json")}
    return [(schemas[db], gold) for db, gold in found if db in schemas]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--context", type=Path, help="sql_create_context.json")
    parser.add_argument("--spider", type=Path, help="Spider's folder, with dev.json and tables.json")
    parser.add_argument("--golds", type=int, default=2000, help="how many golds of each data set")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--listed", type=int, default=20, help="how many golds below the threshold are printed")
    parser.add_argument("--json", type=Path, help="write the figures, and no golds, to this file")
    options = parser.parse_args()
    console = Console(highlight=False, markup=False, width=140)
    sets: dict[str, Iterable[tuple[str, str]]] = {}
    if options.context:
        sets["sql-create-context"] = context_golds(options.context)
    if options.spider:
        for keys in (False, True):
            title = f"Spider's development set, {'with' if keys else 'without'} keys"
            golds = spider_golds(options.spider, keys=keys)
            sets[title] = Random(0).sample(golds, len(golds))
    figures: dict[str, Any] = {"command": "python benchmarks/adequacy.py --context FILE --spider FOLDER"}
    with fresh_cache():
        for title, golds in sets.items():
            figures[title] = measure(console, title, take(golds, options.golds), options.workers, options.listed)
    write(options.json, figures)


if __name__ == "__main__":
    main()
