"""The public functions: every comparison runs in a worker process, so that no query can harm the caller."""

import atexit
import contextlib
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, cast

from tinkersql.equivalence.messages import read_message, write_message
from tinkersql.equivalence.verdicts import Assumptions, Comparison, Verdict
from tinkersql.errors import TinkersqlError

DEADLINE = 30.0
"""Seconds of silence after which a worker is ended; its step budget stops queries long before."""
_PACKAGES = str(Path(__file__).resolve().parents[2])
Pair = tuple[str, str | Sequence[str], str]
"""(schema, gold or acceptable golds, raw model answer)."""


class Worker:
    """One worker process, started when first needed and again after it died. Not for use by several threads at once."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def compare(self, schema: str, golds: Sequence[str], predicted: str, assumptions: Assumptions) -> Comparison:
        """Judge one pair; a pair that ends the worker is over budget.

        Raises:
            TinkersqlError: the process cannot be started.
        """
        request = {"schema": schema, "golds": list(golds), "predicted": predicted, "assumptions": str(assumptions)}
        for attempt in range(2):
            fresh = not self._alive()
            answer = self._ask(request)
            if answer is not None:
                return Comparison.from_dict(answer)
            if fresh or attempt:
                break
        reason = "the comparison was stopped: it used up the time or memory of its process"
        return Comparison(Verdict.PREDICTION_OVER_BUDGET, reason, assumptions=assumptions)

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        process.kill()
        process.wait()

    def _alive(self) -> bool:
        return self._process is not None and self._owner == os.getpid() and self._process.poll() is None

    def _ask(self, request: dict[str, Any]) -> dict[str, Any] | None:
        process = self._started()
        timer = threading.Timer(DEADLINE, process.kill)
        timer.daemon = True
        timer.start()
        try:
            write_message(cast(IO[bytes], process.stdin), request)
            answer = read_message(cast(IO[bytes], process.stdout))
        except (OSError, ValueError):
            answer = None
        except BaseException:  # such as Ctrl-C: an answer left in the pipe would be taken for the next pair's
            self.close()
            raise
        finally:
            timer.cancel()
        if answer is None:
            self.close()
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._alive():
            return self._process
        if self._owner == os.getpid():
            self.close()
        paths = [_PACKAGES, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tinkersql.equivalence.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=os.sep,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        self._owner = os.getpid()
        try:
            ready = read_message(cast(IO[bytes], self._process.stdout))
        except BaseException:  # such as Ctrl-C: a ready message left in the pipe would be taken for an answer
            self.close()
            raise
        if ready is None:
            said = cast(IO[bytes], self._process.stderr).read().decode("utf-8", "replace").strip().splitlines()
            self.close()
            raise TinkersqlError(
                f"the process that runs the comparisons did not start: {said[-1] if said else 'no reason'}"
            )
        return self._process


_shared = Worker()
_lock = threading.Lock()
atexit.register(_shared.close)


def compare(
    schema: str,
    gold: str | Sequence[str],
    predicted: str,
    *,
    assumptions: Assumptions = Assumptions.HEADLINE,
) -> Comparison:
    """Does the prediction mean the same as the gold?

    Both queries run on small databases that are built to tell them apart. ``match`` promises that no difference was
    found under ``assumptions`` and that the databases gave the gold something to return; it is a proof only where the
    reason says so. ``different`` is certain, and its witness shows it. Same input, same answer, on any machine.

    Args:
        schema: CREATE TABLE statements.
        gold: the right query, or several acceptable ones: a match with any of them is a match.
        predicted: SQL, or a model's raw answer that holds it.
        assumptions: what the databases may hold.
    """
    golds = [gold] if isinstance(gold, str) else list(gold)
    with _lock:
        return _shared.compare(schema, golds, predicted, Assumptions(assumptions))


def compare_many(
    pairs: Iterable[Pair], workers: int = 1, *, assumptions: Assumptions = Assumptions.HEADLINE
) -> Iterator[Comparison]:
    """Compare many pairs in ``workers`` processes; answers come in order, and pairs are taken only as they are needed.

    Args:
        pairs: (schema, gold or golds, raw model answer), possibly endless.
        workers: how many processes, at least one.
        assumptions: what the databases may hold.
    """
    free: SimpleQueue[Worker] = SimpleQueue()
    crew = [Worker() for _ in range(max(1, workers))]
    for worker in crew:
        free.put(worker)

    def one(pair: Pair) -> Comparison:
        schema, gold, predicted = pair
        worker = free.get()
        try:
            golds = [gold] if isinstance(gold, str) else list(gold)
            return worker.compare(schema, golds, predicted, Assumptions(assumptions))
        finally:
            free.put(worker)

    waiting: deque[Future[Comparison]] = deque()
    pool = ThreadPoolExecutor(len(crew), thread_name_prefix="compare")
    try:
        for pair in pairs:
            waiting.append(pool.submit(one, pair))
            if len(waiting) >= 4 * len(crew):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        pool.shutdown(wait=True)
        for worker in crew:
            worker.close()


def sql_matches(generated: str, expected: str, schema: str = "") -> bool:
    """Whether a generated query means the same as the expected one: the exercise's signature, a stricter judge.

    Without a schema nothing can be run, and only texts that are equal but for spaces, case of keywords and a semicolon
    are taken for the same.

    Args:
        generated: SQL, or a model's raw answer that holds it.
        expected: the right query.
        schema: CREATE TABLE statements.
    """
    if schema.strip():
        return compare(schema, expected, generated).matches
    from tinkersql.equivalence.extraction import extract_sql, first_statement
    from tinkersql.equivalence.lexing import meaningful

    one, other = (
        [token.word or token.text for token in meaningful(text)]
        for text in (extract_sql(generated), first_statement(expected))
    )
    return bool(one) and one == other
