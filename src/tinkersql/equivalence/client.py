"""The public functions: comparisons and checks run in a worker process, so that no query can harm the caller."""

import atexit
import contextlib
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, TypeVar, cast

from tinkersql.equivalence.messages import read_message, write_message
from tinkersql.equivalence.store import SuiteStore, suites_folder
from tinkersql.equivalence.verdicts import Assumptions, Check, Comparison, Problem, Verdict
from tinkersql.errors import TinkersqlError

_PACKAGES = str(Path(__file__).resolve().parents[2])
_PAIRS_AT_ONCE, _MOST_AT_ONCE = 8, 32
"""Sent to a worker in one message: few enough to share work evenly, enough to make the messages cheap. Pairs of one
gold stay together as far as the second number goes, so that not every worker loads its databases."""
_LENGTH_AT_ONCE = 1_000_000
"""Characters, about, so that a caller never holds many long texts."""
Pair = tuple[str, str | Sequence[str], str]
"""(schema, gold or acceptable golds, raw model answer)."""
Query = tuple[str, str]
"""(schema, SQL)."""
Item = TypeVar("Item", Pair, Query)
Answer = TypeVar("Answer", Comparison, Check)


class Worker:
    """One worker process, started when first needed and again after it died. Not for use by several threads at once."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def compare_all(self, pairs: Sequence[Pair], assumptions: Assumptions) -> list[Comparison]:
        """Judge some pairs; a pair that ends the worker gets a verdict, too.

        Raises:
            TinkersqlError: the process cannot be started.
        """
        return _all_answers(
            pairs, lambda some: self._compare(some, assumptions), lambda pair: self._alone(pair, assumptions)
        )

    def check_all(self, queries: Sequence[Query]) -> list[Check]:
        """Check some queries; one that ends the worker is over budget.

        Raises:
            TinkersqlError: the process cannot be started.
        """
        return _all_answers(queries, self._check, self._check_alone)

    def _check(self, queries: Sequence[Query]) -> list[Check]:
        return [Check.from_dict(answer) for answer in self._ask({"queries": queries}, len(queries))]

    def _check_alone(self, query: Query) -> Check:
        reason = "it used up the time or memory of the process that tries it out"
        return next(iter(self._check([query])), Check(Problem.OVER_BUDGET, reason))

    def _alone(self, pair: Pair, assumptions: Assumptions) -> Comparison:
        """Judge one pair in a fresh process, and if that dies, find out whether the gold alone is to blame."""
        schema, gold, _ = pair
        if answers := self._compare([pair], assumptions):
            return answers[0]
        if self._compare([(schema, gold, "")], assumptions):
            reason = "the comparison was stopped: it used up the time or memory of its process"
            return Comparison(Verdict.PREDICTION_OVER_BUDGET, reason, assumptions=assumptions)
        reason = "the gold used up the time or memory of the process that tries it out"
        return Comparison(Verdict.GOLD_ERROR, reason, assumptions=assumptions)

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

    def _compare(self, pairs: Sequence[Pair], assumptions: Assumptions) -> list[Comparison]:
        listed = [(schema, [gold] if isinstance(gold, str) else list(gold), said) for schema, gold, said in pairs]
        request = {"pairs": listed, "assumptions": str(assumptions), "suites": str(suites_folder())}
        return [Comparison.from_dict(answer) for answer in self._ask(request, len(pairs))]

    def _ask(self, request: dict[str, Any], count: int) -> list[dict[str, Any]]:
        """The answers; fewer than asked for when the process died."""
        process = self._started()
        answers: list[dict[str, Any]] = []
        try:
            write_message(cast(IO[bytes], process.stdin), request)
            while len(answers) < count:
                message = read_message(cast(IO[bytes], process.stdout))
                if message is None:
                    break
                answers.append(message["answer"])
                for key, suite in message.get("suites", ()):
                    SuiteStore(Path(request["suites"])).write(key, suite)
        except (OSError, ValueError):
            pass
        except BaseException:  # such as Ctrl-C: an answer left in the pipe would be taken for the next pair's
            self.close()
            raise
        if len(answers) < count:
            self.close()
        return answers

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


class Crew:
    """Some worker processes that stay for the next pairs; `close` ends them. Not for use by several threads at once."""

    def __init__(self, workers: int = 1) -> None:
        self._workers = [Worker() for _ in range(max(1, workers))]
        self._free: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._workers:
            self._free.put(worker)

    def compare_many(self, pairs: Iterable[Pair]) -> Iterator[Comparison]:
        """As the function of that name, under the headline's assumptions."""
        return self.each(pairs, lambda worker, some: worker.compare_all(some, Assumptions.HEADLINE))

    def each(self, items: Iterable[Item], work: Callable[[Worker, list[Item]], list[Answer]]) -> Iterator[Answer]:
        """The answers to all items, in order; items are taken as they are needed."""

        def some(batch: list[Item]) -> list[Answer]:
            worker = self._free.get()
            try:
                return work(worker, batch)
            finally:
                self._free.put(worker)

        waiting: deque[Future[list[Answer]]] = deque()
        pool = ThreadPoolExecutor(len(self._workers), thread_name_prefix="compare")
        try:
            for batch in _batches(items):
                waiting.append(pool.submit(some, batch))
                if len(waiting) > 2 * len(self._workers):
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            pool.shutdown(wait=True)

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.close()


_shared = Worker()
_lock = threading.Lock()
atexit.register(_shared.close)


def _after_fork() -> None:
    """A lock that another thread of the parent held would never be released in the child."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


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
    with _lock:
        return _shared.compare_all([(schema, gold, predicted)], Assumptions(assumptions))[0]


def compare_many(
    pairs: Iterable[Pair], workers: int = 1, *, assumptions: Assumptions = Assumptions.HEADLINE
) -> Iterator[Comparison]:
    """Compare many pairs in ``workers`` processes; answers come in order, and pairs are taken only as they are needed.

    Args:
        pairs: (schema, gold or golds, raw model answer), possibly endless.
        workers: how many processes, at least one.
        assumptions: what the databases may hold.
    """
    chosen = Assumptions(assumptions)
    return _by_crew(pairs, lambda worker, some: worker.compare_all(some, chosen), workers)


def check_many(queries: Iterable[Query], workers: int = 1) -> Iterator[Check]:
    """Find out which queries run on their schemas, in ``workers`` processes; in order, taken as they are needed.

    A query that checks out is one that ``compare`` takes as a gold.

    Args:
        queries: (schema, SQL), possibly endless.
        workers: how many processes, at least one.
    """
    return _by_crew(queries, Worker.check_all, workers)


def _all_answers(
    items: Sequence[Item], ask: Callable[[Sequence[Item]], list[Answer]], ask_alone: Callable[[Item], Answer]
) -> list[Answer]:
    """One answer for each item, where ``ask`` gives fewer when the worker died over the first without one."""
    answers: list[Answer] = []
    while len(answers) < len(items):
        answers += ask(items[len(answers) :])
        if len(answers) < len(items):  # it died of this item, or of what earlier ones left in it
            answers.append(ask_alone(items[len(answers)]))
    return answers


def _by_crew(
    items: Iterable[Item], work: Callable[[Worker, list[Item]], list[Answer]], workers: int
) -> Iterator[Answer]:
    """The answers to all items, in order, from so many worker processes."""
    with contextlib.closing(Crew(workers)) as crew:
        yield from crew.each(items, work)


def _batches(pairs: Iterable[Item]) -> Iterator[list[Item]]:
    """The items in messages: fewer in one where the texts are long, more where the gold stays the same."""
    batch: list[Item] = []
    length = 0
    for pair in pairs:
        ends_gold = bool(batch) and pair[:2] != batch[-1][:2]
        enough = len(batch) >= _PAIRS_AT_ONCE and ends_gold
        if enough or len(batch) >= _MOST_AT_ONCE or length >= _LENGTH_AT_ONCE:
            yield batch
            batch, length = [], 0
        batch.append(pair)
        length += sum(map(len, pair))
    if batch:
        yield batch


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
