"""An HTTP proxy that does to requests what bad networks do: loses, delays, repeats and reorders them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import Counter
from collections.abc import Iterator

FAULTS = ("lost on the way", "answer lost", "delayed", "sent twice", "overtaken")


class FaultyProxy:
    """Forwards to a loopback port; `rate` of the requests meet one of `FAULTS`, each as likely as the others."""

    def __init__(self, upstream: int, *, seed: int, rate: float) -> None:
        self._upstream, self._rate = upstream, rate
        self._random = random.Random(seed)
        self._overtaking = asyncio.Event()
        self._repeats: set[asyncio.Task[bytes]] = set()
        self.done: Counter[str] = Counter()
        """How often each fault happened."""

    async def serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        """One connection of a client: one request, or the end before it."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            response = await self._meet(await _read_request(client))
            if response is not None:
                answer.write(response)
                await answer.drain()
        answer.close()

    async def _meet(self, request: bytes) -> bytes | None:
        """The answer to a request; None where the client gets none."""
        fault = self._random.choice(FAULTS) if self._random.random() < self._rate else ""
        self.done[fault] += 1
        self._overtaking.set()
        if fault == "lost on the way":
            return None
        if fault == "delayed":
            await asyncio.sleep(self._random.uniform(0, 0.3))
        if fault == "overtaken":
            self._overtaking = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._overtaking.wait(), 0.5)
            await asyncio.sleep(0.01)
        response = await self._forward(request)
        if fault == "sent twice":
            task = asyncio.create_task(self._again(request))
            self._repeats.add(task)
            task.add_done_callback(self._repeats.discard)
        return None if fault == "answer lost" else response

    async def _again(self, request: bytes) -> bytes:
        await asyncio.sleep(self._random.uniform(0, 0.5))
        return await self._forward(request)

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


@contextlib.contextmanager
def faulty_proxy(upstream: int, *, seed: int, rate: float) -> Iterator[tuple[str, FaultyProxy]]:
    """A running proxy: its address, and the proxy."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[FaultyProxy, asyncio.Server]:
        proxy = FaultyProxy(upstream, seed=seed, rate=rate)
        return proxy, await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=1 << 26)

    proxy, server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", proxy
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
