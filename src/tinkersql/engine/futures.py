"""Results that clients poll for: each request gets an id at once and its answer later."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

KEEP_SECONDS = 7200.0
"""How long an answer stays after it was first fetched: it may have been lost on its way, and its client for an hour."""

KEEP_BYTES = 32 << 20
"""Answers that were fetched stay within this; the oldest go first."""

UNFETCHED_SECONDS = 7200.0
"""How long an answer stays that nobody fetches: its client may have lost its network for an hour."""

_BYTES_EACH = 2048
"""About what a future takes beside its answer."""


@dataclass(frozen=True)
class Reply:
    """The final answer of a future, as it goes over the wire."""

    body: bytes
    media_type: str = "application/json"

    @classmethod
    def json(cls, content: Mapping[str, Any]) -> Reply:
        """A JSON answer."""
        return cls(json.dumps(content).encode())

    @classmethod
    def protobuf(cls, body: bytes) -> Reply:
        """A serialised protobuf message."""
        return cls(body, "application/x-protobuf")

    @classmethod
    def failure(cls, message: str, category: str) -> Reply:
        """A failed operation; category "user" or "server"."""
        return cls.json({"error": message, "category": category})


@dataclass(slots=True)
class _Future:
    forget: Callable[[], object]
    done: asyncio.Event = field(default_factory=asyncio.Event)
    reply: Reply | None = None

    @property
    def size(self) -> int:
        return _BYTES_EACH + (len(self.reply.body) if self.reply else 0)


class Futures:
    """All futures of the server; used on the event loop's thread only."""

    def __init__(self) -> None:
        self._futures: dict[str, _Future] = {}
        self._unfetched: OrderedDict[str, float] = OrderedDict()
        self._fetched: OrderedDict[str, float] = OrderedDict()
        self._fetched_bytes = 0
        self._closed = False

    def create(self, kind: str, forget: Callable[[str], object]) -> str:
        """A new future's id, which begins with its kind; `forget` is called with it when the future is dropped."""
        request_id = f"{kind}-{uuid.uuid4().hex}"
        self._futures[request_id] = _Future(lambda: forget(request_id))
        return request_id

    def resolve(self, request_id: str, reply: Reply) -> None:
        """Answer a future; the first answer stays."""
        future = self._futures.get(request_id)
        if future is not None and future.reply is None:
            future.reply = reply
            future.done.set()
            self._unfetched[request_id] = time.monotonic()

    async def wait(self, request_id: str, seconds: float) -> Reply | None:
        """The answer, or None where it takes longer than that. Raises KeyError for an id that is unknown or gone."""
        future = self._futures[request_id]
        if not self._closed:
            try:
                await asyncio.wait_for(future.done.wait(), seconds)
            except TimeoutError:
                return None
        if self._unfetched.pop(request_id, None) is not None:
            self._fetched[request_id] = time.monotonic()
            self._fetched_bytes += future.size
            self.forget_old()
        return future.reply

    def drop(self, request_id: str) -> None:
        """Forget a future."""
        future = self._futures.pop(request_id, None)
        if future is None:
            return
        self._unfetched.pop(request_id, None)
        if self._fetched.pop(request_id, None) is not None:
            self._fetched_bytes -= future.size
        future.forget()

    def forget_old(self) -> None:
        """Drop the answers that need not be kept any longer."""
        now = time.monotonic()
        while self._fetched:
            request_id, fetched = next(iter(self._fetched.items()))
            if fetched > now - KEEP_SECONDS and self._fetched_bytes <= KEEP_BYTES:
                break
            self.drop(request_id)
        while self._unfetched:
            request_id, answered = next(iter(self._unfetched.items()))
            if answered > now - UNFETCHED_SECONDS:
                break
            self.drop(request_id)

    def close(self) -> None:
        """Let every waiting poll return now."""
        self._closed = True
        for future in self._futures.values():
            future.done.set()


class InOrder:
    """Releases numbered actions in the order of their numbers 1, 2, 3, ..., whatever the order of their arrival."""

    def __init__(self) -> None:
        self._next = 1
        self._waiting: dict[int, Any] = {}

    def is_past(self, number: int) -> bool:
        """Whether the action of that number was released already."""
        return number < self._next

    def add(self, number: int, action: Any) -> list[Any]:
        """Hand in an action; returns those that are now due, in order. Each number is handed in once."""
        self._waiting[number] = action
        due = []
        while self._next in self._waiting:
            due.append(self._waiting.pop(self._next))
            self._next += 1
        return due
