"""The engine as a process of its own that can be killed and started again, and raw requests to it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    import tinker


class ServerProcess:
    """``python -m tinkersql.engine``; the port it first got stays its own when it is started again."""

    key = "tml-process"
    model = "test/tiny-llama"

    def __init__(self, model_folder: Path, store: Path) -> None:
        self.store = store
        self._model_folder = model_folder
        self._port = 0
        self.start()
        self.http = httpx.Client(
            base_url=f"{self.base_url}/api/v1/", headers={"X-API-Key": self.key}, trust_env=False, timeout=60
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "tinkersql.engine", "--model-folder", str(self._model_folder)]
        command += ["--model-name", self.model, "--store", str(self.store), "--port", str(self._port)]
        command += ["--dtype", "float32", "--threads", "1"]
        self.child = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TINKERSQL_SERVER_KEY": self.key}
        )
        assert self.child.stdout is not None
        self.base_url: str = json.loads(self.child.stdout.readline())["base_url"]
        self._port = int(self.base_url.rsplit(":", 1)[1])

    def kill(self) -> None:
        """``kill -9``, and wait until it is dead."""
        self.child.kill()
        self.child.communicate()

    @contextlib.contextmanager
    def limited(self, kind: int, limit: int) -> Iterator[None]:
        """Bound a resource of the running process (``resource.RLIMIT_...``) for a while."""
        before = resource.prlimit(self.child.pid, kind)
        resource.prlimit(self.child.pid, kind, (limit, before[1]))
        try:
            yield
        finally:
            resource.prlimit(self.child.pid, kind, before)

    @contextlib.contextmanager
    def client(self) -> Iterator[tinker.ServiceClient]:
        """The unmodified SDK's client."""
        import tinker

        with tinker.ServiceClient(base_url=self.base_url, api_key=self.key) as client:
            yield client

    def post(self, path: str, /, **body: Any) -> Any:
        """A raw request's answer."""
        answer = self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def result(self, future: Any) -> httpx.Response:
        """The answer of a future, however long it takes."""
        while True:
            answer = self.http.post("retrieve_future", json={"request_id": future["request_id"]})
            if answer.status_code != 408:
                return answer


@contextlib.contextmanager
def running_server(model_folder: Path, store: Path) -> Iterator[ServerProcess]:
    """A server process that ends with the block."""
    server = ServerProcess(model_folder, store)
    try:
        yield server
    finally:
        server.http.close()
        server.kill()
