"""The SDK's clock, made fast: its sleeps are short, and hours pass while a test looks on.

This is the one hook into the SDK: `fast` replaces the names ``asyncio``, ``anyio`` and ``time`` in those of its modules
that retry, and in those of this project that forget or tell the time. All else is as it always is; connections, too,
take the time that they take.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from types import ModuleType
from typing import Any

import pytest

RETRYING = (
    "tinker._base_client",
    "tinker.lib.api_future_impl",
    "tinker.lib.internal_client_holder",
    "tinker.lib.retry_handler",
    "tinker.lib.queue_state_logger",
    "tinker.lib.public_interfaces.sampling_client",
)
FORGETTING = ("tinkersql.engine.futures", "tinkersql.engine.server", "tinkersql.engine.sessions")

SHORTER = 50.0
"""By how much sleeps are shorter while time goes its usual way."""


class Clock:
    """Time that goes `rate` times as fast as usual."""

    def __init__(self) -> None:
        self._rate, self._real, self._passed = 1.0, time.monotonic(), 0.0

    def now(self) -> float:
        """Seconds since the clock was made."""
        return self._passed + (time.monotonic() - self._real) * self._rate

    def run(self, rate: float) -> None:
        """Go at that rate from now on."""
        self._passed, self._real = self.now(), time.monotonic()
        self._rate = rate

    async def sleep(self, seconds: float) -> None:
        """As long as it takes."""
        await asyncio.sleep(seconds / max(self._rate, SHORTER))


class _Instead:
    """A module with some of its names replaced."""

    def __init__(self, module: ModuleType, **replaced: Any) -> None:
        self._module = module
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def fast(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock for the SDK, for the engine in this process and for the notices, until the test ends."""
    clock = Clock()
    started, began = time.time(), time.monotonic()
    times: dict[str, Any] = {"time": lambda: started + clock.now(), "monotonic": lambda: began + clock.now()}
    for name in (*RETRYING, *FORGETTING, "tinkersql.waiting"):
        module = importlib.import_module(name)
        for attribute, replaced in (
            ("asyncio", {"sleep": clock.sleep}),
            ("anyio", {"sleep": clock.sleep}),
            ("time", times),
        ):
            if isinstance(vars(module).get(attribute), ModuleType):
                monkeypatch.setattr(module, attribute, _Instead(vars(module)[attribute], **replaced))
    return clock
