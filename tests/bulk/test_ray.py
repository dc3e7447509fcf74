"""The same folder with and without Ray: a real one, of two workers, one of which is killed."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time

import psutil
import pytest
from bulk_command import command, contents, pairs, run, write_lines, write_table

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four parts in both formats, with a line that is none, and a part that is none."""
    found = tmp_path_factory.mktemp("in")
    for number in range(2):
        write_lines(found / f"{number}.jsonl", pairs(600, 600 * number))
        write_table(found / f"{number}.parquet", pairs(600, 600 * number))
    with (found / "1.jsonl").open("a") as lines:
        lines.write("{nonsense\n")
    (found / "2.parquet").write_bytes(b"nothing")
    return found


@pytest.fixture(scope="module")
def local(folder, tmp_path_factory):
    """The folder's output without Ray, and the summary."""
    out = tmp_path_factory.mktemp("local")
    done = run("--pairs", folder, "--out", out, "--json", "--workers", "2")
    assert done.returncode == 2, done.stderr
    return contents(out), json.loads(done.stdout)


@pytest.fixture
def start(folder, tmp_path):
    """Start the job on a Ray of two workers; gives the process and the output folder."""
    out = tmp_path / "out"
    environment = {**os.environ, "TINKERSQL_CACHE": str(tmp_path / "cache")}
    started = []

    def start():
        process = subprocess.Popen(
            command("--pairs", folder, "--out", out, "--json", "--ray", "local", "--workers", "2"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        started.append(process)
        return process, out

    yield start
    for process in started:
        process.kill()
        process.communicate()


def actors_at_work(process):
    """The Ray workers of this job that have a judge, once there are two and each has written answers."""
    while process.poll() is None:
        found = []
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                if "tinkersql.equivalence.worker" in child.cmdline():
                    found.append(child.parent())
            except psutil.NoSuchProcess:
                continue
        if len(found) == 2:
            return found
        time.sleep(0.1)
    pytest.fail(f"the job ended early: {process.communicate()[1]}")


def wait_for_answers(out):
    while not any(path.stat().st_size > 20_000 for path in out.glob("*.partial")):
        time.sleep(0.05)


def test_a_killed_worker_loses_and_doubles_nothing(start, local):
    process, out = start()
    actor = actors_at_work(process)[0]
    wait_for_answers(out)
    actor.kill()
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 2, stderr
    assert (contents(out), json.loads(stdout)) == local
    assert "1.jsonl, line 601: not JSON" in stderr
    assert "Traceback" not in stderr


def test_an_interrupted_job_goes_on(start, local):
    process, out = start()
    actors = actors_at_work(process)
    wait_for_answers(out)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130
    assert f"is kept in {out}" in stderr
    assert "Traceback" not in stderr
    psutil.wait_procs(actors, timeout=30)
    assert not any(actor.is_running() for actor in actors)
    kept = {path.name.removesuffix(".partial") for path in out.glob("*.partial")}
    assert kept
    process, _ = start()
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 2, stderr
    assert (contents(out), json.loads(stdout)) == local


def test_a_cluster_that_runs_already(folder, local, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    script = (
        "import ray; print(ray.init('local', num_cpus=2, include_dashboard=False,"
        " object_store_memory=2**27).address_info['gcs_address'], flush=True); input()"
    )
    cluster = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert cluster.stdout is not None
        address = cluster.stdout.readline().strip()
        done = run("--pairs", folder, "--out", tmp_path / "out", "--json", "--ray", address)
        monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        refused = run("--pairs", folder, "--out", tmp_path / "other", "--json", "--ray", address)
    finally:
        cluster.communicate("\n")
    assert done.returncode == 2, done.stderr
    assert (contents(tmp_path / "out"), json.loads(done.stdout)) == local
    assert refused.returncode == 2
    assert "RAY_AUTH_TOKEN" in refused.stderr
    assert "Traceback" not in refused.stderr
