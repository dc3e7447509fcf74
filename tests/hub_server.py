"""As much of the Hugging Face hub's HTTP interface as ``huggingface_hub`` needs to download files."""

import hashlib
import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubServer(ThreadingHTTPServer):
    """Repositories on a loopback port.

    Attributes:
        repositories: ``org/name`` (``datasets/org/name`` for a data set) -> file name -> content.
        lost_bytes: How many bytes at the end of each file get lost on the way.
        failure: The HTTP status with which everything is refused, or 0.
        requests: ``GET /path`` of every request so far.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.lost_bytes = 0
        self.failure = 0
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def running_hub():
    with HubServer() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def do_GET(self):
        self.server.requests.append(f"{self.command} {self.path}")
        parts = urlsplit(self.path).path.strip("/").split("/")
        if self.server.failure:
            self._send(self.server.failure, b"")
        elif parts == [""]:
            self._send(200, b"")
        elif parts[0] == "api":  # api/models/org/name[/revision/main | /tree/commit]
            kind, owner, name, *rest = parts[1:]
            self._listing(f"{owner}/{name}" if kind == "models" else f"{kind}/{owner}/{name}", rest)
        else:  # [datasets/]org/name/resolve/revision/file
            at = parts.index("resolve")
            self._file("/".join(parts[:at]), "/".join(parts[at + 2 :]))

    do_HEAD = do_GET

    def _listing(self, repository, rest):
        files = self.server.repositories.get(repository)
        if files is None:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif rest[:1] == ["tree"]:
            entries = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in files.items()
            ]
            self._send(200, json.dumps(entries).encode())
        else:
            siblings = [{"rfilename": name} for name in files]
            self._send(200, json.dumps({"id": repository, "sha": COMMIT, "siblings": siblings}).encode())

    def _file(self, repository, name):
        files = self.server.repositories.get(repository)
        if files is None:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif name not in files:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        else:
            content = files[name]
            headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
            if self.command == "GET" and self.server.lost_bytes:
                content = content[: -self.server.lost_bytes]
            self._send(200, content, headers)

    def _send(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format, *args):
        pass
