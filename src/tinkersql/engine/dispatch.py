"""Between the event loop and the worker: work goes over with a future's id, and its answer comes back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from tinkersql.engine.faults import UserFault, out_of_memory
from tinkersql.engine.futures import Futures, Reply
from tinkersql.engine.sessions import Session
from tinkersql.engine.worker import Worker

TRAIN, SAMPLE = "train", "sample"
"""Kinds of futures. A lost sample can be asked for again; what a training request did is lost with its model."""

_log = logging.getLogger(__name__)


class Dispatch:
    """Futures of the event loop, answered by the worker's thread."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.futures = Futures()
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start the worker; called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self.worker.start()

    def future(self, session: Session, kind: str, forget: Callable[[], object] = lambda: None) -> str:
        """A new future's id; `forget` is called when it is dropped."""

        def dropped(request_id: str) -> None:
            session.futures.discard(request_id)
            forget()

        request_id = self.futures.create(kind, dropped)
        session.futures.add(request_id)
        return request_id

    def queue(self, session: Session, request_id: str, work: Callable[[], Reply]) -> None:
        """Have the worker do this, after what was queued before, and answer the future with what it returns.

        It is not done any more once the session has ended.
        """

        def job() -> None:
            if session.ended:
                return
            try:
                reply = work()
            except Exception as error:
                reply = failure(error)
            self.on_loop(self.futures.resolve, request_id, reply)

        self.worker.submit(job)

    def on_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        """From the worker's thread: call this on the event loop."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits for an answer any more
            self._loop.call_soon_threadsafe(function, *arguments)


def failure(error: Exception) -> Reply:
    """A failed future's answer; what is not the client's fault is logged with its traceback."""
    if isinstance(error, UserFault):
        return Reply.failure(str(error), "user")
    _log.error("a request failed", exc_info=error)
    if out_of_memory(error):
        return Reply.failure(
            "the server ran out of memory and did not do this: send shorter or fewer sequences at once, "
            "or let it use more memory",
            "server",
        )
    if isinstance(error, OSError):
        return Reply.failure(f"the server could not use its disk: {error}", "server")
    return Reply.failure(f"{type(error).__name__}: {' '.join(str(error).split())}", "server")
