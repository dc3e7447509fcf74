"""The main path from the outside: the real command, the real server as its child, a tiny model."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCHEMA = "CREATE TABLE ducks (name VARCHAR, weight REAL, pond VARCHAR)"
PONDS = ["north", "south", "mill", "abbey", "forest", "castle", "lower", "upper"]
VERBS = ["List", "Show", "Give", "Name", "Print", "Tell me", "Return", "Find"]
# One answer for every question: the least that a two-layer model of random weights can learn, and a base never says.
ROWS = [
    {"question": f"{verb} the {kind} of the {pond} pond", "context": SCHEMA, "answer": "SELECT name FROM ducks"}
    for verb in VERBS
    for pond in PONDS
    for kind in ("ducks", "old ducks", "white ducks")
]
TRAINING = ["--examples", "0", "--batch-size", "8", "--learning-rate", "0.02", "--rank", "8", "--train-unembed"]


def command(tmp_path: Path, model: Path | str, *options: str) -> list[str]:
    data = tmp_path / "ducks.json"
    data.write_text(json.dumps(ROWS))
    return [
        *(sys.executable, "-m", "tinkersql", "run", "--data", str(data), "--model", str(model)),
        *("--runs", str(tmp_path / "runs"), "--name", "ducks", "--max-tokens", "24", *options),
    ]


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_model) -> tuple[Path, dict, str]:
    """A whole run: its folder, the document on standard output, and what a person saw on standard error."""
    tmp_path = tmp_path_factory.mktemp("run")
    options = ["--test-size", "8", "--shots", "1", "--save-every", "10", "--json", *TRAINING]
    done = subprocess.run(command(tmp_path, tiny_model, *options), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return tmp_path / "runs" / "ducks", json.loads(done.stdout), done.stderr


def test_training_turns_wrong_answers_into_right_ones(finished) -> None:
    _, result, _ = finished
    assert result["evaluations"]["base"]["matches"] == 0
    assert result["evaluations"]["tuned"]["matches"] == 8
    assert result["training"]["final_loss"] < result["training"]["first_loss"] / 10
    [versus_base] = [c for c in result["comparisons"] if c["a"] == "base"]
    assert (versus_base["b_only"], versus_base["a_only"]) == (8, 0)
    assert versus_base["p_value"] == pytest.approx(2 / 2**8)


def test_the_run_folder_is_complete(finished) -> None:
    folder, result, _ = finished
    config = json.loads((folder / "config.json").read_text())
    assert config["settings"]["rank"] == {"value": 8, "source": "--rank"}
    assert config["settings"]["max_tokens"]["source"] == "--max-tokens"
    metrics = lines(folder / "metrics.jsonl")
    assert [m["step"] for m in metrics] == list(range(1, 24))
    assert metrics[-1]["examples"] == 184
    assert [m["learning_rate"] for m in metrics] == sorted((m["learning_rate"] for m in metrics), reverse=True)
    checkpoints = lines(folder / "checkpoints.jsonl")
    assert [(c["kind"], c["step"]) for c in checkpoints] == [("periodic", 10), ("periodic", 20), ("final", 23)]
    assert json.loads((folder / "result.json").read_text()) == result
    for name in ("base", "base-1-shot", "tuned"):
        assert len(lines(folder / f"predictions-{name}.jsonl")) == 8
    for name in ("novel-base", "novel-tuned"):
        assert len(lines(folder / f"predictions-{name}.jsonl")) == 5
    assert "<html" in (folder / "report.html").read_text()


def test_sources_and_hashes_of_data_and_model_are_kept(finished) -> None:
    _, result, _ = finished
    assert len(result["data"]["sha256"]) == len(result["model"]["sha256"]) == 64
    assert result["data"]["source"].endswith("ducks.json")
    assert (result["data"]["train"], result["data"]["test"]) == (184, 8)


def test_a_person_sees_the_phases(finished) -> None:
    _, _, seen = finished
    for text in ("examples/s", "ask base", "train", "loss", "ask tuned", "8 of 8 right"):
        assert text in seen


def test_a_run_of_the_same_name_is_not_overwritten(finished, tiny_model) -> None:
    folder, _, _ = finished
    before = (folder / "result.json").read_bytes()
    again = subprocess.run(
        command(folder.parent.parent, tiny_model, "--test-size", "8"), capture_output=True, text=True, timeout=120
    )
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1].startswith("error: ")
    assert "choose another --name" in again.stderr
    assert (folder / "result.json").read_bytes() == before


def test_the_same_command_runs_on_any_compatible_service(tmp_path, engine) -> None:
    options = ["--base-url", engine.base_url, "--test-size", "4", "--examples", "8", "--batch-size", "8", "--json"]
    done = subprocess.run(
        command(tmp_path, engine.model, *options),
        env={**os.environ, "TINKER_API_KEY": engine.key},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["backend"] == {"kind": "url", "model": engine.model}
    assert result["model"]["sha256"] is None
    assert set(result["evaluations"]) == {"base", "base-3-shot", "tuned"}
    [checkpoint] = lines(tmp_path / "runs" / "ducks" / "checkpoints.jsonl")
    assert checkpoint["sampler_path"].startswith("tinker://")


def start_training(tmp_path: Path, model: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a run that would train for long, and wait until it has done some steps."""
    data = ["--test-size", "2", "--shots", "0", "--batch-size", "1", "--save-every", "0", "--examples", "0"]
    child = subprocess.Popen(
        command(tmp_path, model, *data),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    folder = tmp_path / "runs" / "ducks"
    deadline = time.monotonic() + 120
    while len(lines(folder / "metrics.jsonl")) < 2:
        assert child.poll() is None, child.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return child, folder


def no_server_left(folder: Path) -> bool:
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return str(folder / "store") not in processes


def test_ctrl_c_keeps_a_checkpoint_and_what_was_measured(tmp_path, tiny_model) -> None:
    child, folder = start_training(tmp_path, tiny_model)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in said
    assert "error: stopped after step" in said.splitlines()[-1]
    [checkpoint] = lines(folder / "checkpoints.jsonl")
    assert checkpoint["kind"] == "interrupted"
    assert checkpoint["step"] == len(lines(folder / "metrics.jsonl"))
    assert list((folder / "store").rglob("adapter_model.safetensors"))
    result = json.loads((folder / "result.json").read_text())
    assert "base" in result["evaluations"]
    assert "tuned" not in result["evaluations"]
    wait_until(lambda: no_server_left(folder))


def test_a_second_ctrl_c_ends_at_once(tmp_path, tiny_model) -> None:
    child, folder = start_training(tmp_path, tiny_model)
    # Two signals that arrive together would be one: wait until the first has been noticed.
    os.kill(child.pid, signal.SIGINT)
    assert child.stderr is not None
    for line in child.stderr:
        if "Stopping" in line:
            break
    os.kill(child.pid, signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 130
    wait_until(lambda: no_server_left(folder))


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
