"""The engine as a child process: the ready line, the ways to stop it, the failures to start."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tinkersql.engine.server import listen

KEY = "tml-child"


@pytest.fixture
def start(tiny_model: Path, tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    children: list[subprocess.Popen[str]] = []

    def run(*options: str, key: str = KEY, folder: Path = tiny_model, store: Path = tmp_path / "store") -> Any:
        command = [sys.executable, "-m", "tinkersql.engine", "--model-folder", str(folder), "--model-name", "tiny"]
        command += ["--store", str(store), "--threads", "1", *options]
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TINKERSQL_SERVER_KEY": key},
        )
        children.append(child)
        return child

    yield run
    for child in children:
        child.kill()
        child.communicate()


def ready(child: "subprocess.Popen[str]") -> dict[str, Any]:
    assert child.stdout is not None
    return json.loads(child.stdout.readline())


def test_it_says_when_it_is_ready_and_ends_with_its_parent(start: Callable[..., "subprocess.Popen[str]"]) -> None:
    child = start("--exit-with-parent")
    line = ready(child)
    assert line["pid"] == child.pid
    get = httpx.get(f"{line['base_url']}/api/v1/get_server_capabilities", headers={"X-API-Key": KEY}, trust_env=False)
    assert get.json()["supported_models"][0]["model_name"] == "tiny"
    out, errors = child.communicate(timeout=20)  # closes its standard input
    assert (child.returncode, out, errors) == (0, "", "")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_without_a_traceback(
    sent: signal.Signals, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    child = start()
    ready(child)
    child.send_signal(sent)
    child.wait(timeout=20)
    assert child.stderr is not None
    assert child.stderr.read() == ""
    assert child.returncode != 0


def test_failures_to_start_are_one_line(
    start: Callable[..., "subprocess.Popen[str]"], tiny_model: Path, tmp_path: Path
) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    foreign = tmp_path / "gpt2"
    shutil.copytree(tiny_model, foreign)
    (foreign / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"]}')
    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_model, damaged)
    (damaged / "model.safetensors").write_bytes(b"\0" * 100)
    (tmp_path / "file").write_text("")
    failures = [
        (start("--port", str(taken.getsockname()[1])), "choose another --port"),
        (start(folder=foreign), "GPT2LMHeadModel is not supported"),
        (start(folder=damaged), "damaged"),
        (start(folder=tmp_path / "nothing"), "no config.json"),
        (start(store=tmp_path / "file" / "store"), "cannot be written"),
        (start(key=""), "TINKERSQL_SERVER_KEY"),
        (start(key="secret"), "must start with 'tml-'"),
        (start("--host", "0.0.0.0"), "--allow-remote"),
        (start("--threads", "-1"), "--threads -1"),
    ]
    with taken:
        for child, message in failures:
            out, errors = child.communicate(timeout=300)
            assert child.returncode in (1, 2)
            assert out == ""
            assert errors.startswith("error: ")
            assert message in errors
            assert errors.count("\n") == 1


def test_answers_are_not_held_back_until_earlier_ones_are_acknowledged() -> None:
    async def accepted() -> int:
        seen: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(connected, sock=(listener := listen("127.0.0.1", 0))):
            _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            writer.close()
            return await seen

    assert asyncio.run(accepted())
