"""An HTTP proxy that does to requests what bad networks and busy services do: loses, delays, repeats, refuses them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the proxy answers in place of the server."""

    status: int
    body: Any = field(default_factory=lambda: {"detail": "said by the proxy"}, hash=False)
    headers: str = ""

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        body = json.dumps(self.body).encode()
        head = f"HTTP/1.1 {self.status} Proxy\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        return f"{head}{self.headers}connection: close\r\n\r\n".encode() + body


LOST, ANSWER_LOST, DELAYED, TWICE, OVERTAKEN, REPEATED = (
    *("lost on the way", "answer lost", "delayed", "sent twice", "overtaken", "old answer repeated"),
)
Fault = str | Answer

STATUSES = {
    "408": Answer(408),
    "429": Answer(429),
    "429, come back": Answer(429, headers="retry-after: 2\r\n"),
    "500": Answer(500),
    "502": Answer(502),
    "503": Answer(503),
}
FAULTS: dict[str, Fault] = {
    **{name: name for name in (LOST, ANSWER_LOST, DELAYED, TWICE, OVERTAKEN, REPEATED)},
    **STATUSES,
}
"""All that a client survives, by name."""

Choose = Callable[[str], Fault | None]
"""From the last part of a request's path to what happens to the request."""


def seeded(seed: int, rate: float, faults: Sequence[Fault] = tuple(FAULTS.values())) -> Choose:
    """One of the faults, each as likely as the others, for such a share of the requests."""
    generator = random.Random(seed)
    return lambda _: generator.choice(faults) if generator.random() < rate else None


class FaultyProxy:
    """Forwards to a loopback port, but for what `choose` says; one request a connection."""

    def __init__(self, upstream: int, choose: Choose) -> None:
        self._upstream, self.choose = upstream, choose
        self._overtaking = asyncio.Event()
        self._tasks: set[asyncio.Task[bytes]] = set()
        self._answered: dict[bytes, bytes] = {}
        self.done: Counter[Fault | None] = Counter()
        """How often each fault happened."""
        self.delivered: Counter[str] = Counter()
        """How many requests of each path the server has answered."""
        self.listener: asyncio.Server | None = None

    async def listen(self, port: int = 0) -> int:
        """Take connections; returns the port."""
        self.listener = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=1 << 26)
        return self.listener.sockets[0].getsockname()[1]

    async def _serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await _read_request(client)
            path = request.split(b" ", 2)[1].decode().rsplit("/", 1)[-1]
            response = await self._meet(path, request)
            if response is not None:
                answer.write(response)
                await answer.drain()
                self.delivered[path] += 1
        answer.close()

    async def _meet(self, path: str, request: bytes) -> bytes | None:
        """The answer to a request; None where the client gets none."""
        fault = self.choose(path)
        self.done[fault] += 1
        self._overtaking.set()
        if isinstance(fault, Answer):
            return fault.encoded()
        if fault == LOST:
            return None
        if fault == DELAYED:
            await asyncio.sleep(0.05)
        if fault == OVERTAKEN:
            self._overtaking = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._overtaking.wait(), 0.2)
            await asyncio.sleep(0.01)
        if fault == REPEATED:
            key = request.split(b"\r\n\r\n", 1)[1] + path.encode()
            if key in self._answered:
                return self._answered.pop(key)
            self._answered[key] = await self._forward(request)
            return None  # the client asks again, and gets this answer without the server
        response = await self._forward(request)
        if fault == TWICE:
            task = asyncio.create_task(self._forward(request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return None if fault == ANSWER_LOST else response

    async def _forward(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()


async def _read_request(client: asyncio.StreamReader) -> bytes:
    """A whole request, that asks for its connection to be closed. Chunks are forwarded as they are."""
    head = (await client.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n")
    lines = [line for line in head.split("\r\n") if not line.lower().startswith("connection:")]
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    body = b""
    if fields.get("transfer-encoding") == "chunked":
        while not body.endswith(b"0\r\n\r\n"):
            size = await client.readuntil(b"\r\n")
            body += size + await client.readexactly(int(size, 16) + 2)
    else:
        body = await client.readexactly(int(fields.get("content-length", 0)))
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body


class RunningProxy:
    """A proxy on a thread of its own."""

    def __init__(self, base_url: str, choose: Choose) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.proxy = self._call(self._make(int(base_url.rsplit(":", 1)[1]), choose))
        self._port = self._call(self.proxy.listen())
        self.base_url = f"http://127.0.0.1:{self._port}"

    async def _make(self, upstream: int, choose: Choose) -> FaultyProxy:
        return FaultyProxy(upstream, choose)

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def leave(self) -> None:
        """From any thread: nobody listens any more. Requests that have come are answered."""
        assert self.proxy.listener is not None
        self._loop.call_soon_threadsafe(self.proxy.listener.close)

    def come_back(self) -> None:
        """From any thread: listen again, on the same port."""
        asyncio.run_coroutine_threadsafe(self.proxy.listen(self._port), self._loop)

    def stop(self) -> None:
        """End it, and whatever is on its way."""
        self.leave()
        self._call(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _cancel_all(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@contextlib.contextmanager
def faulty_proxy(base_url: str, choose: Choose = lambda _: None) -> Iterator[RunningProxy]:
    """A proxy before the server at that address."""
    running = RunningProxy(base_url, choose)
    try:
        yield running
    finally:
        running.stop()
