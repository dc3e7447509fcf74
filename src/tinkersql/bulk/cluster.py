"""The parts of a folder on a Ray cluster, by Ray Data. Needs the ``[ray]`` extra.

A part is one row of the data set, and an actor turns it into its receipt. Ray starts an actor again when its process or
node dies, and gives it the part anew; the part's journal and receipt make that harmless: nothing is judged twice that
was written, nothing is lost, and the output is the same to the byte as without Ray.
"""

import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tinkersql.bulk.jobs import Receipt, Task, Watcher, compare_part, finished, replay, resumable
from tinkersql.equivalence import Assumptions, Comparison, Pair, compare
from tinkersql.errors import SettingsError, TinkersqlError
from tinkersql.extras import need

LOCAL = "local"
"""The address that starts a Ray of our own on this machine, for as long as the job lasts."""
_STORE = 128 * 2**20
"""Bytes of shared memory for a Ray of our own: only names of parts and receipts travel through it."""
_PATIENCE = 5.0
"""Seconds for a cluster to answer at its address; Ray itself would try for minutes."""


def compare_on_ray(
    tasks: Sequence[Task], address: str, workers: int | None, assumptions: Assumptions, watch: Watcher
) -> Iterator[tuple[Task, Receipt]]:
    """Compare the parts on ``workers`` actors of one processor each; they come in the order in which they are done.

    Args:
        tasks: the parts, by paths that mean the same on every node.
        address: ``local``, ``auto`` for the cluster that runs on this machine, or ``HOST:PORT`` of one.
        workers: how many actors; None: as many as the cluster has processors.
        assumptions: what the databases may hold.
        watch: who hears of it.

    Raises:
        SettingsError: Ray is not installed, or cannot be started or reached.
        TinkersqlError: the job failed on Ray.
    """
    waiting: list[dict[str, Any]] = []
    for number, task in enumerate(tasks):
        receipt = finished(task)
        if receipt is None:
            waiting.append({"number": number, "task": _packed(task)})
        else:
            replay(task, receipt, Watcher(watch.say))
            yield task, receipt
    if not waiting:
        return
    with _connected(address, workers) as ray, resumable(tasks[0]):
        size = min(workers or int(ray.cluster_resources().get("CPU", 1)), len(waiting))
        answers = ray.data.from_items(waiting, override_num_blocks=len(waiting)).map(
            _Actor,
            fn_kwargs={"assumptions": assumptions},
            compute=ray.data.ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=1),
            num_cpus=1,
        )
        for row in _one_line_errors(answers.iter_rows()):
            if row["error"]:
                raise TinkersqlError(row["error"])
            task, receipt = tasks[row["number"]], Receipt(**json.loads(row["receipt"]))
            replay(task, receipt, watch)
            yield task, receipt


class _Actor:
    """Lives in a Ray worker; the judge's own process is its child, and serves all parts that it is given."""

    def __call__(self, row: dict[str, Any], assumptions: Assumptions) -> dict[str, Any]:
        def judge(pairs: Iterable[Pair]) -> Iterator[Comparison]:
            return (compare(*pair, assumptions=assumptions) for pair in pairs)

        task, receipt, error = _unpacked(row["task"]), Receipt(), ""
        try:
            receipt = finished(task) or compare_part(task, judge, Watcher())
        except TinkersqlError as found:
            error = str(found)
        return {"number": row["number"], "receipt": json.dumps(asdict(receipt)), "error": error}


def _packed(task: Task) -> str:
    return json.dumps([str(task.source), str(task.target), task.identity, task.rows])


def _unpacked(text: str) -> Task:
    source, target, identity, rows = json.loads(text)
    return Task(Path(source), Path(target), identity, rows)


@contextmanager
def _connected(address: str, workers: int | None) -> Iterator[Any]:
    """Ray, quiet and connected; a Ray of our own ends with the block."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is sent to anybody
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    need("ray.data", "--ray needs Ray", "ray")
    import ray.data

    if address != LOCAL:
        _knock(address)
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    own: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": _STORE}
    options = own if address == LOCAL else {}
    try:
        with _no_stderr():
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **options)
    except (Exception, SystemExit) as error:
        hint = "" if address == LOCAL else "; a cluster that asks for a token needs RAY_AUTH_MODE and RAY_AUTH_TOKEN"
        raise SettingsError(f"Ray cannot be used at --ray {address}: {_first_line(error)}{hint}") from None
    for number, handler in handlers.items():  # Ray puts its own in their place
        signal.signal(number, handler)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    try:
        with redirect_stdout(sys.stderr):  # Ray prints that a worker died, and standard output is for results
            yield ray
    finally:
        ray.shutdown()


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Ray's core, which is no Python, says on standard error that its log level was set, however high that is."""
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def _knock(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or "/" in host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), _PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise SettingsError(f"nobody answers at --ray {address} ({error})") from None


def _one_line_errors(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    try:
        yield from rows
    except Exception as error:  # of Ray, whose classes and wording differ by version
        raise TinkersqlError(f"the job failed on Ray: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
