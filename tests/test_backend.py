import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tinkersql.backend import connect
from tinkersql.console import Silent
from tinkersql.errors import BackendError, ModelError, SettingsError
from tinkersql.settings import resolve


def failure(monkeypatch, key: str | None, **changes) -> Exception:
    """The error with which `connect` ends for these settings."""
    monkeypatch.delenv("TINKER_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("TINKER_API_KEY", key)
    with (
        pytest.raises((BackendError, ModelError, SettingsError)) as caught,
        connect(resolve("cpu", changes).settings, Path("unused"), Silent()),
    ):
        pass
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.fixture
def service() -> Iterator[tuple[str, dict]]:
    """A socket that answers every request with whatever ``reply`` says."""
    reply = {"status": 200, "body": json.dumps({"supported_models": [{"model_name": "org/one"}]})}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = reply["body"].encode()
            self.send_response(reply["status"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", reply
    server.shutdown()
    server.server_close()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_hosted_tinker_without_a_key(monkeypatch) -> None:
    assert "TINKER_API_KEY is not set" in str(failure(monkeypatch, None, backend="tinker"))


def test_a_key_of_another_service(monkeypatch) -> None:
    assert "tml-" in str(failure(monkeypatch, "sk-123", backend="tinker"))


def test_nobody_listening(monkeypatch) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    assert f"{url}: nobody is listening" in str(failure(monkeypatch, "tml-x", base_url=url))


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", "http://[::bad"])
def test_an_address_that_is_none(monkeypatch, url) -> None:
    assert "--base-url" in str(failure(monkeypatch, "tml-x", base_url=url))


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, "{}", "refuses this TINKER_API_KEY"),
        (404, "{}", "HTTP 404"),
        (200, "<html>", "not that of a Tinker service"),
        (200, "[]", "not that of a Tinker service"),
        (200, '{"supported_models": [{}]}', "not that of a Tinker service"),
    ],
)
def test_a_service_that_is_not_what_it_should_be(monkeypatch, service, status, body, said) -> None:
    url, reply = service
    reply.update(status=status, body=body)
    assert said in str(failure(monkeypatch, "tml-x", base_url=url, model="org/one"))


def test_a_model_that_the_service_has_not_got(monkeypatch, service) -> None:
    error = failure(monkeypatch, "tml-x", base_url=service[0], model="org/two")
    assert isinstance(error, ModelError)
    assert "org/two" in str(error)
    assert "org/one" in str(error)


def test_several_models_need_a_name(monkeypatch, service) -> None:
    service[1]["body"] = json.dumps({"supported_models": [{"model_name": "org/one"}, {"model_name": "org/two"}]})
    assert "--model is needed" in str(failure(monkeypatch, "tml-x", base_url=service[0]))


def test_the_only_model_is_taken(monkeypatch, service) -> None:
    monkeypatch.setenv("TINKER_API_KEY", "tml-x")
    with connect(resolve("cpu", {"base_url": service[0] + "/"}).settings, Path("unused"), Silent()) as backend:
        assert (backend.kind, backend.base_url, backend.model) == ("url", service[0], "org/one")


def test_an_unknown_local_model(monkeypatch, tmp_path) -> None:
    (tmp_path / "gpt").mkdir()
    (tmp_path / "gpt" / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"]}')
    error = failure(monkeypatch, None, model=str(tmp_path / "gpt"))
    assert isinstance(error, ModelError)
