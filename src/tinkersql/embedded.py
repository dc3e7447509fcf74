"""The embedded Tinker server as a child process: started, watched and stopped."""

import contextlib
import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinkersql.errors import BackendError, RunError
from tinkersql.models import Model

START_SECONDS = 900.0
"""How long the server may take to load its model, which may have to come from a slow disk."""


@contextlib.contextmanager
def server(model: Model, store: Path, logs: Path | None = None, *, exact: bool = False) -> Iterator[tuple[str, str]]:
    """Run ``python -m tinkersql.engine`` as a child on a free loopback port; yields its address and key.

    What it has to say goes to ``server.log`` in ``logs``, by default the folder of the store. With ``exact`` it
    computes in float32, also where bfloat16 is faster.

    Raises:
        BackendError: It does not start, or dies.
        RunError: The log cannot be written.
    """
    key = f"tml-{secrets.token_urlsafe(24)}"
    command = [
        *(sys.executable, "-m", "tinkersql.engine", "--exit-with-parent"),
        *("--model-folder", str(model.folder), "--model-name", model.name, "--store", str(store)),
        *("--logprobs", "weighted"),  # our loop reads no others
        *(("--dtype", "float32") if exact else ()),
    ]
    keep_loopback_off_proxies()
    log = (logs or store.parent) / "server.log"
    try:
        opened = log.open("w", encoding="utf-8")
    except OSError as error:
        raise RunError(f"{log}: cannot be written ({error.strerror})") from None
    with opened as errors:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # closed when this process ends, however it ends: the child's sign to stop
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "TINKERSQL_SERVER_KEY": key},
            start_new_session=True,  # a Ctrl-C in the terminal is for us: the server must live to save the checkpoint
        )
    try:
        import tinker  # noqa: F401  takes as long as the server's start, and is wanted next: so meanwhile

        address = _address(child, log)
        with _death_noticed(child, log):
            yield address, key
    except KeyboardInterrupt:
        child.kill()  # nobody waits for what it still does
        raise
    finally:
        _stop(child)


def _address(child: "subprocess.Popen[str]", log: Path) -> str:
    """The address in the server's ready line."""
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    assert child.stdout is not None
    read = child.stdout.readline
    threading.Thread(target=lambda: said.put(read()), daemon=True).start()
    try:
        line = said.get(timeout=START_SECONDS)
    except queue.Empty:
        reason = f"it was not ready after {START_SECONDS:.0f} seconds"
    else:
        try:
            ready: Any = json.loads(line)
            return str(ready["base_url"])
        except (ValueError, KeyError, TypeError):
            reason = f"it said {line.strip()[:200]!r}" if line else ""
    if not reason:  # it has ended, or is about to
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=30)
    child.kill()
    child.wait()
    raise BackendError(f"the embedded server did not start: {reason or _last_words(child, log)}")


@contextlib.contextmanager
def _death_noticed(child: "subprocess.Popen[str]", log: Path) -> Iterator[None]:
    """Raise in the main thread, whatever it waits for, when the child dies: the SDK would retry for minutes."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return

    def a_child_ended(*_: object) -> None:
        if child.poll() is not None:
            reason = _last_words(child, log)
            raise BackendError(
                f"the embedded server died: {reason}; is there enough memory? Try a smaller --batch-size"
            )

    usual = signal.signal(signal.SIGCHLD, a_child_ended)
    try:
        a_child_ended()  # perhaps before anybody listened
        yield
    finally:
        signal.signal(signal.SIGCHLD, usual)


def _last_words(child: "subprocess.Popen[str]", log: Path) -> str:
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return said[-1].removeprefix("error: ") if said else f"exit code {child.returncode}"


def _stop(child: "subprocess.Popen[str]") -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.close()
    try:
        child.wait(timeout=15)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    child.stdout.close()


def keep_loopback_off_proxies() -> None:
    """Both HTTP transports of the SDK honour HTTP_PROXY, and hang when it is set and loopback is not excluded."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))
