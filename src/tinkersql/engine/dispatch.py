"""Between the event loop and the worker: work goes over with a future's id, and its answer comes back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tinkersql.engine.faults import UserFault
from tinkersql.engine.futures import Futures, Reply
from tinkersql.engine.worker import Worker

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Session:
    """One client's session: what it owns, and what it was answered."""

    session_id: str
    last_seen: float = field(default_factory=time.monotonic)
    replies: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    """What was answered to each numbered request, so that a repeated one gets the same answer."""
    models: list[str] = field(default_factory=list)
    samplers: list[str] = field(default_factory=list)
    futures: list[str] = field(default_factory=list)

    def seen(self) -> None:
        """Note that its client is alive."""
        self.last_seen = time.monotonic()


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

    def future(self, session: Session) -> str:
        """A new future's id."""
        request_id = self.futures.create()
        session.futures.append(request_id)
        return request_id

    def queue(self, request_id: str, work: Callable[[], Reply]) -> None:
        """Have the worker do this, after what was queued before, and answer the future with what it returns."""

        def job() -> None:
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
    if isinstance(error, OSError):
        return Reply.failure(f"the server could not use its disk: {error}", "server")
    return Reply.failure(f"{type(error).__name__}: {' '.join(str(error).split())}", "server")
