"""The judge beside other evaluators: what each wrongly accepts, what it rightly accepts, how long it takes."""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import spider
import test_suite
from evaluators import Evaluator, empty_tables, exercise, judge, one_database, real_databases
from figures import LabelledPair, rate, shown
from lookup_pairs import lookup_pairs
from rich.console import Console
from rich.table import Table

from tinkersql.equivalence import Verdict, compare

JUDGE, REAL, KEYED = "this judge", "Spider's own database", "test suites, true keys"


@dataclass
class Tally:
    """What one evaluator said of the pairs of one group."""

    accepted: int = 0
    asked: int = 0
    seconds: float = 0.0

    def add(self, accepts: bool, seconds: float) -> None:
        """Count one answer."""
        self.accepted += accepts
        self.asked += 1
        self.seconds += seconds


@dataclass
class Tallies:
    """For each evaluator and group the tally; and the pairs on which nothing could be said."""

    by_group: dict[str, dict[Any, Tally]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Tally)))
    silent: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def ask(self, evaluators: dict[str, Evaluator], pair: LabelledPair, *groups: Any) -> dict[str, bool | None]:
        """Ask each evaluator about a pair that belongs to these groups; what each said."""
        answers = {}
        for name, accepts in evaluators.items():
            started = time.perf_counter()
            said = answers[name] = accepts(pair)
            seconds = time.perf_counter() - started - getattr(accepts, "latest_build", 0.0)
            if said is None:
                self.silent[name] += 1
                continue
            for group in groups:
                self.by_group[name][group].add(said, seconds)
        return answers

    def figures(self, groups: Sequence[Any]) -> dict[str, Any]:
        """Rates and times as JSON."""
        found = {}
        for name, tallies in self.by_group.items():
            pairs = sum(tallies[group].asked for group in groups)
            seconds = sum(tallies[group].seconds for group in groups)
            found[name] = {
                **{str(group): rate(tallies[group].accepted, tallies[group].asked) for group in groups},
                "milliseconds_per_pair": round(seconds / pairs * 1e3, 2) if pairs else None,
                "without_answer": self.silent[name],
            }
        return found


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which evaluators there are."""
    parser.add_argument("--spider", type=Path, help="Spider's folder, for its databases and its keys")
    test_suite.add_options(parser)


@contextmanager
def open_evaluators(options: argparse.Namespace) -> Iterator[dict[str, Evaluator]]:
    """All evaluators that the options make possible, the judge first."""
    evaluators: dict[str, Evaluator] = {
        JUDGE: judge,
        "the exercise's method": exercise,
        "one random database": one_database,
        "empty tables": empty_tables,
    }
    if options.spider:
        evaluators[REAL] = real_databases(options.spider / "database")
    suites = []
    if options.test_suite:
        suites.append(test_suite.TestSuite(options))
        evaluators["test suites"] = suites[-1]
        if options.spider and options.generator:
            suites.append(test_suite.TestSuite(options, spider.schemas(options.spider, keys=True)))
            evaluators[KEYED] = suites[-1]
    try:
        yield evaluators
    finally:
        for suite in suites:
            suite.close()


def labelled_table(console: Console, pairs: Iterable[Any], evaluators: dict[str, Evaluator]) -> dict[str, Any]:
    """Accepted pairs by label, for each evaluator."""
    tallies = Tallies()
    for pair in pairs:
        tallies.ask(evaluators, pair, pair["label"])
    found = tallies.figures(("hard", "equal"))
    table = Table("evaluator", "wrongly accepts hard", "accepts equal", "ms a pair", "no answer")
    for name, figures in found.items():
        milliseconds = f"{figures['milliseconds_per_pair']:.1f}"
        table.add_row(
            name, shown(figures["hard"]), shown(figures["equal"]), milliseconds, str(figures["without_answer"])
        )
    console.print("labelled pairs, all evaluators (times without the making of a gold's suite)")
    console.print(table)
    return found


def lookup_table(console: Console, golds: int, evaluators: dict[str, Evaluator]) -> dict[str, Any]:
    """Wrong predictions and paraphrases of WikiSQL-shaped golds, by the number of the gold's conditions."""
    evaluators = {name: accepts for name, accepts in evaluators.items() if name not in (REAL, KEYED)}
    tallies, mistakes, seen = Tallies(), [], set()
    for pair in lookup_pairs(golds):
        seen.add((pair["label"], pair["conditions"]))
        bare = LabelledPair(schema=pair["schema"], gold=pair["gold"], predicted=pair["predicted"])
        answers = tallies.ask(evaluators, bare, (pair["label"], pair["conditions"]), pair["label"])
        if answers[JUDGE] != (pair["label"] == "equal"):
            mistakes.append(pair)
    groups = [*sorted(seen, key=str), "wrong", "equal"]
    found = {}
    for name, tallied in tallies.by_group.items():
        found[name] = {_group_name(group): rate(tallied[group].accepted, tallied[group].asked) for group in groups}
    for label, title in (("wrong", "wrongly accepts"), ("equal", "accepts paraphrases")):
        names = [label, *(_group_name(group) for group in groups if isinstance(group, tuple) and group[0] == label)]
        table = Table("evaluator", "all", *(name.removeprefix(f"{label}, ") for name in names[1:]), title=title)
        for name, figures in found.items():
            cells = [f"{figures[key]['hits']}/{figures[key]['n']} = {figures[key]['rate']:.1%}" for key in names[1:]]
            table.add_row(name, shown(figures[label]), *cells)
        console.print(table)
    for pair in mistakes:
        console.print(f"{pair['label']} ({pair['operator']}) judged otherwise:\n  {pair['schema']}", markup=False)
        console.print(f"  gold      {pair['gold']}\n  predicted {pair['predicted']}", markup=False)
    return found


def _group_name(group: Any) -> str:
    return f"{group[0]}, {group[1]} conditions" if isinstance(group, tuple) else group


def disagreements(
    console: Console, pairs: list[Any], evaluators: dict[str, Evaluator], count: int, seed: int = 0
) -> None:
    """Print ``count`` pairs on which the judge and another evaluator disagree, for a person to decide."""
    ours_or_weak = (JUDGE, "empty tables", "one random database")  # the weak ones accept nearly everything
    others = {name: accepts for name, accepts in evaluators.items() if name not in ours_or_weak}
    shuffled = Random(seed).sample(pairs, len(pairs))
    shown_pairs = 0
    for pair in shuffled:
        answer = compare(pair["schema"], pair["gold"], pair["predicted"])
        if answer.verdict in (Verdict.GOLD_ERROR, Verdict.PREDICTION_ERROR):
            continue
        against = [name for name, accepts in others.items() if accepts(pair) not in (None, answer.matches)]
        if not against:
            continue
        shown_pairs += 1
        console.rule(f"{shown_pairs}: {answer.verdict}, against {', '.join(against)}", align="left")
        write = partial(console.print, markup=False, soft_wrap=True)
        write(f"schema    {pair['schema']}\ngold      {pair['gold']}\npredicted {pair['predicted']}\n{answer.reason}")
        if answer.witness:
            write(answer.witness.script)
            write(f"gold returns      {answer.witness.gold_result.rows}")
            write(f"prediction returns {answer.witness.predicted_result.rows}")
        if shown_pairs == count:
            return
