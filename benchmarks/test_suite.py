"""The distilled test-suite evaluators of Zhong, Yu and Klein (2020), where the user has checked them out.

Their code needs ``sqlparse`` and ``tqdm``, and the generator ``numpy``; it runs in a process of its own, which may have
another Python.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from figures import LabelledPair

_CHILD = Path(__file__).with_name("test_suite_child.py")


class TestSuite:
    """An evaluator, to be closed after use.

    Attributes:
        build_seconds: the time in which the databases of each new gold were made.
        judge_seconds: the time in which each pair was judged on them.
        latest_build: what of the latest call's time went into making databases.
    """

    __test__ = False  # not for pytest, for which it is named

    def __init__(self, options: argparse.Namespace, schemas: Mapping[str, str] | None = None):
        """``schemas`` are used instead of a pair's own by the name of its database, such as the same with keys."""
        self.build_seconds: list[float] = []
        self.judge_seconds: list[float] = []
        self.latest_build = 0.0
        self._schemas = schemas or {}
        command = [options.test_suite_python, str(_CHILD), str(options.test_suite.resolve())]
        if options.generator:
            command += ["--generator", str(options.generator.resolve())]
        if options.keep_distinct:
            command += ["--keep-distinct"]
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the evaluator
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, encoding="utf-8"
        )

    def __call__(self, pair: LabelledPair) -> bool | None:
        """Whether the evaluator accepts; None when it has no databases for the gold, or fails."""
        assert self._process.stdin
        assert self._process.stdout
        db = str(pair.get("db", ""))
        record = {**pair, "schema": self._schemas.get(db, pair["schema"])}
        try:
            print(json.dumps(record), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._errors.seek(0)
            said = self._errors.read().strip().splitlines()
            sys.exit(f"error: the test-suite evaluator ended: {said[-1] if said else 'it gave no reason'}")
        said = json.loads(line)
        self.latest_build = said["build"]
        if self.latest_build > 0.001:
            self.build_seconds.append(self.latest_build)
        self.judge_seconds.append(said["seconds"])
        return said["accepts"]

    def close(self) -> None:
        """End the process and remove the databases."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        self._errors.close()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that say where the checkouts are."""
    group = parser.add_argument_group("the test-suite evaluators")
    group.add_argument("--test-suite", type=Path, help="a checkout of taoyds/test-suite-sql-eval")
    group.add_argument(
        "--generator",
        type=Path,
        help="a checkout of ruiqi-zhong/TestSuiteEval, which makes 20 databases for each gold; "
        "without it the suites in the first checkout's folder `database` are used",
    )
    group.add_argument(
        "--keep-distinct", action="store_true", help="do not let it strip DISTINCT, as it does by default"
    )
    group.add_argument("--test-suite-python", default=sys.executable, help="a Python that has sqlparse, tqdm and numpy")
