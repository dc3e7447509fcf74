import json
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from tinkersql import embedded
from tinkersql.backend import connect
from tinkersql.console import Silent
from tinkersql.errors import BackendError, ModelError, SettingsError
from tinkersql.settings import resolve


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path) -> None:
    """Whatever is written beside a store of no name is written here."""
    monkeypatch.chdir(tmp_path)


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
    reply = {
        "requests": [],
        "location": "",
        "status": 200,
        "body": json.dumps({"supported_models": [{"model_name": "org/one"}]}),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply["requests"].append(self.path)
            body = reply["body"].encode()
            self.send_response(reply["status"])
            if reply["location"]:
                self.send_header("Location", reply["location"])
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


@pytest.mark.parametrize("key", ["tml-ü", "tml-a\nb"])
def test_a_key_with_characters_that_no_key_has(monkeypatch, key) -> None:
    assert "copy it again" in str(failure(monkeypatch, key, backend="tinker"))


def test_nobody_listening(monkeypatch) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    assert f"{url}: nobody is listening" in str(failure(monkeypatch, "tml-x", base_url=url))


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", "http://[::bad", "http://user:pw@host"])
def test_an_address_that_is_none(monkeypatch, url) -> None:
    assert "--base-url" in str(failure(monkeypatch, "tml-x", base_url=url))


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, "{}", "refuses this TINKER_API_KEY"),
        (404, "{}", "HTTP 404"),
        (302, "{}", "HTTP 302"),
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


def test_a_redirect_does_not_carry_the_key_away(monkeypatch, service) -> None:
    url, reply = service
    reply.update(status=302, location=f"{url}/elsewhere")
    assert "HTTP 302" in str(failure(monkeypatch, "tml-secret", base_url=url, model="org/one"))
    assert reply["requests"] == ["/api/v1/get_server_capabilities"]


def test_a_tokenizer_that_cannot_be_loaded_is_one_line(tiny_model, tmp_path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    settings = resolve("cpu", {"model": str(folder)}).settings
    (tmp_path / "run" / "store").mkdir(parents=True)
    with connect(settings, tmp_path / "run" / "store", Silent()) as backend, backend.service() as service:
        trainer = service.create_lora_training_client(backend.model, rank=2, train_unembed=False).result()
        for file in folder.glob("*token*"):
            file.unlink()
        with pytest.raises(ModelError) as caught:
            backend.tokenizer(trainer)
    assert "\n" not in str(caught.value)
    assert "tokenizer cannot be loaded" in str(caught.value)


def test_a_server_that_dies_is_noticed_at_once(tiny_model, tmp_path) -> None:
    settings = resolve("cpu", {"model": str(tiny_model)}).settings
    (tmp_path / "run" / "store").mkdir(parents=True)

    def wait_for_a_killed_server() -> None:
        with connect(settings, tmp_path / "run" / "store", Silent()):
            [child] = [p for p in psutil.Process().children() if "tinkersql.engine" in p.cmdline()]
            child.kill()
            threading.Event().wait(60)  # whatever the main thread waits for is interrupted

    with pytest.raises(BackendError, match="the embedded server died: exit code -9"):
        wait_for_a_killed_server()


@pytest.mark.parametrize(
    ("says", "told"), [("sleep 0", "after 1 seconds"), ("echo hello", "it said 'hello'"), ("echo []", "it said '[]'")]
)
def test_a_server_that_never_gets_ready_is_one_line_and_ended(says, told, tiny_model, tmp_path, monkeypatch) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{says}\nexec sleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(embedded, "START_SECONDS", 1.0 if told.startswith("after") else 60.0)
    (tmp_path / "run" / "store").mkdir(parents=True)
    settings = resolve("cpu", {"model": str(tiny_model)}).settings
    with pytest.raises(BackendError) as caught, connect(settings, tmp_path / "run" / "store", Silent()):
        pass
    assert str(caught.value).startswith("the embedded server did not start: ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [child for child in psutil.Process().children() if "1000" in child.cmdline()] == []


def test_an_unknown_local_model(monkeypatch, tmp_path) -> None:
    (tmp_path / "gpt").mkdir()
    (tmp_path / "gpt" / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"]}')
    error = failure(monkeypatch, None, model=str(tmp_path / "gpt"))
    assert isinstance(error, ModelError)
