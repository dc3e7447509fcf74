"""A store's checkpoints over HTTP, in this process and without a model: for who only lists, describes and deletes."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from tinkersql.engine.api import shelf
from tinkersql.engine.server import listen
from tinkersql.engine.store import Store


@contextlib.contextmanager
def serve(store: Path) -> Iterator[tuple[str, str]]:
    """Serve the folder on a free loopback port; yields address and key.

    Other servers may have the same store open. Raises RunError where it cannot be written.
    """
    key = f"tml-{secrets.token_urlsafe(24)}"
    with contextlib.closing(Store(store)) as opened, contextlib.closing(listen("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(shelf(opened, key), log_level="critical", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()  # the socket listens already: what comes before the server is ready waits there
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", key
        finally:
            server.should_exit = True
            thread.join()
