"""The process in which pairs are judged and queries checked: ``python -P -m tinkersql.equivalence.worker``.

It reads requests from standard input and writes answers to standard output (see ``messages``). It limits itself before
the first request: memory, time for each pair, no file can be written. It ends when its input or its parent does.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinkersql.equivalence.checking import check
from tinkersql.equivalence.golds import Gold
from tinkersql.equivalence.judge import Judge
from tinkersql.equivalence.messages import read_message, write_message
from tinkersql.equivalence.store import SuiteStore
from tinkersql.equivalence.suites import Suite
from tinkersql.equivalence.verdicts import Assumptions, Check, Comparison, Problem, Verdict

MEMORY = 1024 * 2**20
SECONDS_PER_PAIR = 5
"""Of processor time."""
DEADLINE = 30
"""Seconds for one pair by the clock; the budgets inside end it long before."""


def main() -> None:
    """Answer requests until the input ends."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    _limit_process()
    write_message(sink, {"ready": True})
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # nobody reads what is said from here on
    os.dup2(2, 1)
    suites = _Suites()
    judge = Judge(suites.get)
    with contextlib.suppress(BrokenPipeError):
        while (request := read_message(source)) is not None:
            for schema, sql in request.get("queries", ()):
                _allow_time()
                write_message(sink, {"answer": _checked(schema, sql).to_dict()})
            suites.folder = request.get("suites", "")
            for schema, golds, predicted in request.get("pairs", ()):
                _allow_time()
                answer = _answer(judge, schema, golds, predicted, Assumptions(request["assumptions"]))
                write_message(sink, {"answer": answer.to_dict(), "suites": suites.take_fresh()})
            _alarm_in(0)  # an idle worker may wait for ever


class _Suites:
    """Reads suites from the store, and remembers those that it had to build, for the parent to keep."""

    def __init__(self) -> None:
        self.folder = ""
        self._fresh: list[tuple[str, dict[str, Any]]] = []

    def get(self, gold: Gold, build: Callable[[], Suite]) -> Suite:
        key = gold.key
        with contextlib.suppress(KeyError, TypeError, AttributeError):  # nothing there, or of another shape
            return Suite.from_dict(SuiteStore(Path(self.folder)).read(key))
        suite = build()
        self._fresh.append((key, suite.to_dict()))
        return suite

    def take_fresh(self) -> list[tuple[str, dict[str, Any]]]:
        fresh, self._fresh = self._fresh, []
        return fresh


def _answer(judge: Judge, schema: str, golds: list[str], predicted: str, assumptions: Assumptions) -> Comparison:
    """Judge one pair; whatever goes wrong becomes a verdict, because no input may end the worker."""
    try:
        return judge.judge(schema, golds, predicted, assumptions)
    except (MemoryError, RecursionError):
        reason = "the prediction was stopped: it is nested too deeply or needs too much memory"
        return Comparison(Verdict.PREDICTION_OVER_BUDGET, reason, assumptions=assumptions)
    except Exception as error:  # one pair must never take the others with it
        reason = f"the judge failed on this pair ({type(error).__name__}); please report it"
        return Comparison(Verdict.UNDECIDED, reason, assumptions=assumptions)


def _checked(schema: str, sql: str) -> Check:
    """Check one query; as above, no input may end the worker."""
    try:
        return check(schema, sql)
    except Exception as error:
        return Check(Problem.RUNTIME, f"the check failed on this query ({type(error).__name__}); please report it")


def _limit_process() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        for limit, value in (
            (resource.RLIMIT_AS, MEMORY),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_CORE, 0),
        ):
            hard = resource.getrlimit(limit)[1]
            resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _allow_time() -> None:
    """Let the next pair use some seconds of processor time, counted from what has been used, and some by the clock."""
    _alarm_in(DEADLINE)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime) + SECONDS_PER_PAIR
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _alarm_in(seconds: int) -> None:
    """Let the system end this process then, whatever it is stuck in; 0 takes that back. Not on Windows."""
    with contextlib.suppress(AttributeError):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
