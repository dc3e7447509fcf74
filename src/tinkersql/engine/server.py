"""Starts the engine: binds the port, loads the model, serves until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from tinkersql.engine.api import Api
from tinkersql.engine.loading import load_llama, load_tokenizer, preferred_dtype
from tinkersql.engine.names import ModelNames
from tinkersql.engine.service import Service
from tinkersql.engine.store import Store
from tinkersql.errors import BackendError, SettingsError

SWEEP_SECONDS = 60.0
"""How often idle sessions, old answers and expired checkpoints are looked for."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How to run the engine.

    names: the model's own name, then aliases that it answers to as well. key: what clients must send as X-API-Key;
    starts with "tml-", or the SDK refuses to send it. port 0 = any free one. device "auto" = a CUDA GPU if there is
    one, else the CPU. dtype "auto" = bfloat16 where the device is fast at it. threads 0 = as many as the machine has
    cores. allow_remote: permit a host other than loopback. every_logprob: whether training passes answer
    log-probabilities also where no loss is, as the protocol has it; without, they are 0.0 there and training is some
    percent faster.
    """

    model_folder: Path
    names: tuple[str, ...]
    store: Path
    key: str
    host: str = "127.0.0.1"
    port: int = 0
    dtype: str = "auto"
    threads: int = 0
    allow_remote: bool = False
    device: str = "auto"
    every_logprob: bool = True
    poll_seconds: float = 30.0
    max_chunk_len: int = 1024


class EngineServer:
    """A running, or soon running, engine.

    Creating it binds the port and loads the model. Raises SettingsError for impossible options, BackendError where the
    port is taken, ModelError for a model that cannot be run, RunError for a store that cannot be written.
    """

    def __init__(self, options: Options) -> None:
        _check(options)
        self._socket = listen(options.host, options.port)
        try:
            store = Store(options.store)
            torch.set_num_threads(options.threads or _physical_cores())
            device = _device(options.device)
            dtype = preferred_dtype(device) if options.dtype == "auto" else getattr(torch, options.dtype)
            model = load_llama(options.model_folder, dtype, device)
            tokenizer = load_tokenizer(options.model_folder)
            names = ModelNames(options.names[0], options.names[1:], options.model_folder.absolute())
            self._service = Service(model, tokenizer, store, names, every_logprob=options.every_logprob)
        except BaseException:
            self._socket.close()
            raise
        api = Api(self._service, poll_seconds=options.poll_seconds, max_chunk_len=options.max_chunk_len)
        self._on_ready: Callable[[], None] = lambda: None
        config = uvicorn.Config(
            _Lifespan(api.app(options.key), self),
            log_level="warning",
            lifespan="on",
            timeout_graceful_shutdown=5,
            timeout_keep_alive=75,
            ws="none",
        )
        self._uvicorn = _Uvicorn(config, self._service.futures.close)
        host, port = self._socket.getsockname()[:2]
        self.base_url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        """Where clients find it."""
        self.dtype = str(dtype).removeprefix("torch.")
        """What the model computes in."""

    def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop`, SIGINT or SIGTERM; `on_ready` is called when requests are answered.

        Raises KeyboardInterrupt after SIGINT, once everything is closed.
        """
        self._on_ready = on_ready
        with contextlib.closing(self._socket):
            self._uvicorn.run(sockets=[self._socket])
        if self._uvicorn.interrupted:
            raise KeyboardInterrupt

    def stop(self) -> None:
        """End `run` soon; safe from any thread."""
        self._uvicorn.should_exit = True

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Start and stop what works behind the requests."""
        self._service.start()
        sweeper = asyncio.create_task(self._sweep())
        self._on_ready()
        try:
            yield
        finally:
            sweeper.cancel()
            await asyncio.to_thread(self._service.close)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                self._service.tidy_up()
            except Exception:  # what stands in the way now may be gone next time
                _log.exception("tidying up failed; it is tried again in %g seconds", SWEEP_SECONDS)


class _Uvicorn(uvicorn.Server):
    """Lets waiting polls go when it shuts down, so that it need not wait for them."""

    def __init__(self, config: uvicorn.Config, release_polls: Callable[[], None]) -> None:
        super().__init__(config)
        self._release_polls = release_polls
        self.interrupted = False
        """Whether SIGINT ended it: uvicorn's own re-raised signal may get lost in asyncio's handler."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.interrupted = self.interrupted or sig == signal.SIGINT
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._release_polls()
        await super().shutdown(sockets)


class _Lifespan:
    """An ASGI application with the server's lifespan in front."""

    def __init__(self, app: ASGIApp, server: EngineServer) -> None:
        self._app, self._server = app, server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await receive()
        async with self._server.lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def _check(options: Options) -> None:
    if not options.key.startswith("tml-"):
        raise SettingsError("the server's key must start with 'tml-': the Tinker SDK sends no other")
    if not options.allow_remote and not is_loopback(options.host):
        raise SettingsError(f"{options.host} is reachable from other machines: add --allow-remote if you mean it")
    if options.dtype not in ("auto", "bfloat16", "float32"):
        raise SettingsError(f"dtype {options.dtype!r} is unknown: auto, bfloat16 or float32")
    if options.threads < 0:
        raise SettingsError(f"--threads {options.threads} is impossible: a number from 1 on, or 0 for all cores")
    if not options.names or not all(name.strip() for name in options.names):
        raise SettingsError("the server needs at least one model name to answer to, and no empty one")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """A TCP socket that takes connections from now on. Raises BackendError where the address cannot be had."""
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it, answers can wait for 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise BackendError(f"cannot listen on {host}:{port}: {reason}: choose another --port") from error
    return listener


def _device(wanted: str) -> torch.device:
    try:
        device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"--device {wanted} cannot be used ({reason}): choose auto, cpu or cuda") from error
    if device.type not in ("cpu", "cuda"):
        raise SettingsError(f"--device {wanted} is not supported: choose auto, cpu or cuda")
    return device


def _physical_cores() -> int:
    cores = torch.cpu.get_capabilities().get("num_physical_cores") or torch.get_num_threads()
    try:
        return max(1, min(int(cores), len(os.sched_getaffinity(0))))
    except AttributeError:
        return max(1, int(cores))
