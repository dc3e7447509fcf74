"""Waiting for a service: for as long as the SDK has hope, saying so, and why.

The SDK repeats by itself what can be repeated; docs/training.md says for how long. Here is what people see meanwhile.
"""

import concurrent.futures
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from tinkersql.console import Reporter, printable

if TYPE_CHECKING:
    from tinker import APIFuture

T = TypeVar("T")

QUIET_SECONDS = 10.0
"""A wait that is shorter is not worth a word."""

LONG_SECONDS = 60.0
"""A wait without any sign of trouble is not worth a word before: steps may take that long on a CPU."""

TICK_SECONDS = 1.0
"""How often the notice is renewed."""

PAUSE_REPEATED_SECONDS = 90.0
"""The SDK repeats every minute that it is paused; what it said longer ago is over."""

_PAUSES = (
    *("tinker.lib.queue_state_logger", "tinker.lib.internal_client_holder"),
    "tinker.lib.public_interfaces.sampling_client",
)
"""Loggers of the SDK that say when it is paused."""

_BACKGROUND = ("session_heartbeat", "telemetry", "config")
"""Ends of paths whose answers say nothing about the work."""


def awaited(future: "APIFuture[T]", reporter: Reporter) -> T:
    """Await what the SDK has promised, for as long as the SDK itself tries; Ctrl-C acts meanwhile.

    Args:
        future: The promise.
        reporter: Told what is being waited for: after `QUIET_SECONDS`, or `LONG_SECONDS` where all seems well.

    Raises:
        tinker.TinkerError: The service refused, failed, or could not be reached for as long as the SDK tries. What the
            SDK raises as another class, such as ValueError for a refused poll, is raised as this one, too.
    """
    import tinker

    pending = future.future()
    until(lambda seconds: bool(concurrent.futures.wait([pending], seconds).done), reporter)
    try:
        return pending.result()
    except tinker.TinkerError:
        raise
    except Exception as error:
        raise tinker.TinkerError(str(error) or type(error).__name__) from error


def until(ready: Callable[[float], bool], reporter: Reporter) -> None:
    """Wait until ``ready(seconds)``, which waits for so long at most, is true; tell the reporter when it takes long."""
    started = time.monotonic()
    for name in _PAUSES:
        logging.getLogger(name).addFilter(_overheard.pause)
    if ready(QUIET_SECONDS):
        return
    with _overheard.listening():
        try:
            while not ready(TICK_SECONDS):
                waited, trouble = time.monotonic() - started, _overheard.trouble()
                reason = trouble or _overheard.state
                loud = bool(trouble) or waited >= LONG_SECONDS
                reporter.waiting(f"waiting for the service ({reason}), {_duration(waited)}" if loud else "")
        finally:
            reporter.waiting("")


def told_by(error: Exception) -> str:
    """What a service says in an error of the SDK, on one line and without the internals that the SDK appends."""
    return printable(str(error)).split(" for self.request_id")[0]


def connection_trouble(error: BaseException) -> str:
    """Why a connection failed, in a few words."""
    import httpx

    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any("refused" in str(cause).lower() for cause in causes):
        return "connection refused"
    if any(isinstance(cause, httpx.ConnectError) for cause in causes):
        return "no connection"
    return "no answer" if any(isinstance(cause, httpx.TimeoutException) for cause in causes) else "connection lost"


class _Overheard:
    """What the SDK last logged about its troubles.

    It logs pauses as warnings, answers and connection errors at DEBUG only, and offers no other sign of either. The
    methods are filters of its loggers, so that nothing changes for those who read its log.
    """

    def __init__(self) -> None:
        self._pause, self._pause_time = "", float("-inf")
        self._trouble, self._paused = "", False
        self.state = ""
        """How the service is doing where there is no trouble."""

    def trouble(self) -> str:
        """What stands in the way of a result, in a few words; "" where nothing does."""
        if self._paused and time.monotonic() - self._pause_time < PAUSE_REPEATED_SECONDS:
            return self._pause
        return self._trouble

    def pause(self, record: logging.LogRecord) -> bool:
        """A warning: paused for lack of capacity, for a rate limit, for billing."""
        text = printable(record.getMessage())
        if record.levelno >= logging.WARNING and "paused" in text:
            self._pause = text.rpartition("Reason: ")[2][:160].rstrip(".")
            self._pause_time = time.monotonic()
        return True

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear every answer and every connection error; afterwards, pauses are over."""
        from tinker.lib import queue_state_logger

        logger = logging.getLogger("tinker._base_client")
        usual, level = logger.getEffectiveLevel(), logger.level
        self._trouble, self._paused, self.state = "", False, "no answer yet"

        def kept(record: logging.LogRecord) -> bool:
            self._answer(record)
            return record.levelno >= usual

        # The SDK keeps a pause of a training to itself for a quarter of an hour; whoever waits wants to know at once.
        grace, queue_state_logger.PAUSE_GRACE_PERIOD = queue_state_logger.PAUSE_GRACE_PERIOD, 0
        logger.addFilter(kept)
        logger.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            logger.setLevel(level)
            logger.removeFilter(kept)
            self._pause_time = float("-inf")
            queue_state_logger.PAUSE_GRACE_PERIOD = grace

    def _answer(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self._paused, self._trouble = False, connection_trouble(record.exc_info[1])
        elif str(record.msg).startswith("HTTP Response:") and isinstance(record.args, tuple):
            _, url, status, reason, *_ = record.args
            if not str(url).endswith(_BACKGROUND):
                self._paused = status in (402, 408)
                at_work = isinstance(status, int) and (status < 400 or status == 408)
                self._trouble = "" if at_work else f"HTTP {status} {reason}".rstrip()
                self.state = "it is still at work"


_overheard = _Overheard()


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
