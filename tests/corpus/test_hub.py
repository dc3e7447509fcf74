"""Fetching the data set with the real ``huggingface_hub`` over a real socket."""

import json
import socket

import pytest

from tinkersql.corpus.hub import DATASET, FILENAME, ROWS, fetch
from tinkersql.errors import DataError

ROW = {"question": "How many?", "context": "CREATE TABLE t (a INT)", "answer": "SELECT COUNT(*) FROM t"}


def publish(hub, content: bytes) -> None:
    hub.repositories[f"datasets/{DATASET}"] = {FILENAME: content}


def rows(count: int) -> bytes:
    return json.dumps([ROW] * count).encode()


def one_line(error: pytest.ExceptionInfo) -> str:
    message = str(error.value)
    assert "\n" not in message
    assert "--data FILE" in message
    assert "--data built-in" in message
    return message


def test_the_file_is_downloaded_once_with_progress_and_then_taken_from_the_cache(hub):
    content = rows(ROWS)
    publish(hub, content)
    calls = []
    path = fetch(progress=lambda *call: calls.append(call))
    assert path.read_bytes() == content
    assert calls[-1] == (f"download {FILENAME}", len(content), len(content))
    asked = len(hub.requests)
    assert fetch() == path
    assert len(hub.requests) == asked


def test_a_cached_file_needs_no_hub(hub, monkeypatch):
    publish(hub, rows(ROWS))
    path = fetch()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert fetch() == path


@pytest.mark.parametrize("count", [0, 1, ROWS - 1, ROWS + 1])
def test_another_number_of_rows_is_refused(hub, count):
    publish(hub, rows(count))
    with pytest.raises(DataError) as error:
        fetch()
    message = one_line(error)
    assert f"{count:,} rows, not the {ROWS:,}" in message


@pytest.mark.parametrize("content", [b'[{"question": "cut', b"\xff\xfe", b'{"rows": []}'])
def test_what_is_no_json_array_is_refused(hub, content):
    publish(hub, content)
    with pytest.raises(DataError) as error:
        fetch()
    one_line(error)


def test_a_broken_download_is_no_data_and_the_next_attempt_mends_it(hub):
    publish(hub, rows(ROWS))
    hub.lost_bytes = 1000
    with pytest.raises(DataError) as error:
        fetch()
    assert "broke off" in one_line(error)
    hub.lost_bytes = 0
    assert fetch().read_bytes() == rows(ROWS)


def test_a_hub_without_the_data_set_or_without_the_file(hub):
    with pytest.raises(DataError) as error:
        fetch()
    assert f"there is no {DATASET}" in one_line(error)
    hub.repositories[f"datasets/{DATASET}"] = {"README.md": b"moved"}
    with pytest.raises(DataError) as error:
        fetch()
    assert f"{DATASET} lacks a file" in one_line(error)


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_hub_that_refuses_the_file(hub, status):
    publish(hub, rows(ROWS))
    hub.failure = status
    with pytest.raises(DataError) as error:
        fetch()
    assert str(status) in one_line(error)


def test_somebody_listening_who_never_answers(hub, monkeypatch):
    monkeypatch.setattr("tinkersql.hub._PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(DataError) as error:
            fetch()
    assert "cannot be reached" in one_line(error)
    assert hub.requests == []


def test_nobody_listening(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(DataError) as error:
        fetch()
    assert "the Hugging Face hub at http://127.0.0.1:1 cannot be reached" in one_line(error)
    assert hub.requests == []


def test_offline_mode_is_respected(hub, monkeypatch):
    publish(hub, rows(ROWS))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError) as error:
        fetch()
    assert "HF_HUB_OFFLINE" in one_line(error)
    assert hub.requests == []
