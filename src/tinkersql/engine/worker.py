"""The one thread that does all tensor work.

One thread, because each thread that runs PyTorch on a CPU brings its own pool of helper threads. Training jobs run in
the order of their arrival; between two of them, sampling gets a turn as long as the job before it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from tinkersql.engine.batching import Batcher
from tinkersql.engine.sampling import SampleRequest

SAMPLING_TURN = 2.0
"""Longest turn in seconds that sampling gets while training jobs wait."""

_log = logging.getLogger(__name__)


class Worker(threading.Thread):
    """Runs jobs and the batcher until `close`."""

    def __init__(self, batcher: Batcher) -> None:
        super().__init__(name="tinkersql-engine", daemon=True)
        self._batcher = batcher
        self._jobs: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def submit(self, job: Callable[[], None]) -> None:
        """Queue a job; it must report its own failures."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    def sample(self, request: SampleRequest) -> None:
        """Queue a sampling request."""
        with self._changed:
            self._batcher.submit(request)
            self._changed.notify()

    def close(self) -> None:
        """End the thread after the job or decoding step it is at; what is queued is dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def run(self) -> None:
        """The thread's loop."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._jobs or self._batcher.busy)
                if self._closed:
                    return
                job = self._jobs.popleft() if self._jobs else None
            started = time.monotonic()
            if job is not None:
                try:
                    job()
                except Exception:
                    _log.exception("a job did not report its own failure")
            ended = time.monotonic()
            turn_ends = ended + min(ended - started, SAMPLING_TURN)
            while self._batcher.busy and not self._closed and not (self._jobs and time.monotonic() > turn_ends):
                try:
                    self._batcher.step()
                except Exception:
                    _log.exception("sampling did not report its own failure")
