"""``tinkersql serve`` as a person starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import tinker

SERVE = [sys.executable, "-m", "tinkersql", "serve", "--threads", "1"]


def run_until_ready(command: list[str], lines: int) -> tuple["subprocess.Popen[str]", list[str]]:
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    return child, [child.stdout.readline().strip() for _ in range(lines)]


def test_the_printed_lines_make_any_tinker_script_work(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    command = [*SERVE, "--model", str(tiny_model), "--port", "0", "--store", str(tmp_path / "store")]
    command += ["--alias", "org/large"]
    child, lines = run_until_ready(command, 2)
    try:
        for line in lines:
            name, value = line.removeprefix("export ").split("=", 1)
            monkeypatch.setenv(name, value)
        assert os.environ["TINKER_API_KEY"].startswith("tml-")
        with tinker.ServiceClient() as service:
            client = service.create_lora_training_client(base_model=tiny_model.name, rank=2).result()
            assert client.save_state("here").result().path.endswith("/weights/here")
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=20)
        assert child.returncode == 0
        said = " ".join(errors.split())
        assert f"org/large is an alias of {tiny_model.name}" in said
        assert "by its hub name cannot work" in said
        assert "Traceback" not in errors
    finally:
        child.kill()
    assert list((tmp_path / "store").glob("*/weights/here/adapter_model.safetensors"))


def test_json_is_one_document(tiny_model: Path, tmp_path: Path) -> None:
    command = [*SERVE, "--model", str(tiny_model), "--port", "0", "--store", str(tmp_path / "s"), "--key", "tml-mine"]
    child, lines = run_until_ready([*command, "--json"], 1)
    try:
        document = json.loads(lines[0])
        assert (document["key"], document["model"]) == ("tml-mine", tiny_model.name)
    finally:
        child.kill()
        assert child.communicate()[0] == ""


def test_a_taken_port_and_an_unknown_model_are_one_line(tiny_model: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for options, message in (
            (["--model", str(tiny_model), "--port", port, "--store", str(tmp_path / "s")], "choose another --port"),
            (["--model", "no such model"], "there is no model"),
            (["--model", str(tiny_model), "--host", "0.0.0.0", "--key", "tml-mine"], "--allow-remote"),
            (["--model", str(tiny_model), "--host", "0.0.0.0", "--allow-remote"], "--key"),
        ):
            failed = subprocess.run([*SERVE, *options], capture_output=True, text=True, timeout=60, cwd=tmp_path)
            last = failed.stderr.strip().splitlines()[-1]
            assert failed.returncode != 0
            assert last.startswith("error: ")
            assert message in last
            assert failed.stdout == ""
