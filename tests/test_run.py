"""The main path from the outside: the real command, the real server as its child, a tiny model."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
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
        *(
            "--runs",
            str(tmp_path / "runs"),
            "--name",
            "ducks",
            "--max-tokens",
            "24",
            "--suites",
            "exercise",
            "--recipe",
            "",
            "--validate-every",
            "0",
            *options,
        ),
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
    assert versus_base["by_kind"]["plain list"]["b_only"] == versus_base["by_kind"]["plain list"]["n"] == 8


def test_mistakes_suites_and_memory_are_summed_up(finished) -> None:
    folder, result, _ = finished
    base, tuned = result["evaluations"]["base"], result["evaluations"]["tuned"]
    assert sum(base["causes"].values()) == 8
    assert tuned["causes"] == {}
    assert all(row["cause"] in base["causes"] for row in lines(folder / "predictions-base.jsonl"))
    assert {name: figures["n"] for name, figures in result["suites"]["exercise"].items()} == {"base": 5, "tuned": 5}
    assert result["memory"]["seen"]["matches"] == result["memory"]["copies"]["matches"] == 8
    assert result["memory"]["renamed"]["renamed"]["n"] == 8
    assert base["clustered"]["clusters"] == 1


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
    for name in ("base", "base-1-shot", "base-retrieval", "tuned"):
        assert len(lines(folder / f"predictions-{name}.jsonl")) == 8
    for name in ("exercise-base", "exercise-tuned"):
        assert len(lines(folder / f"predictions-{name}.jsonl")) == 5
    assert "<html" in (folder / "report.html").read_text()


def test_sources_and_hashes_of_data_and_model_are_kept(finished) -> None:
    _, result, _ = finished
    assert len(result["data"]["sha256"]) == len(result["model"]["sha256"]) == 64
    assert result["data"]["source"].endswith("ducks.json")
    assert (result["data"]["train"], result["data"]["test"]) == (184, 8)
    assert (result["data"]["split"], result["data"]["left_out"]) == ("row", 0)
    assert result["data"]["leaks"] == {
        **{"test": 8, "verbatim": 0, "same_words": 0, "near": 8},
        **{"table": 8, "guessed": 0, "columns": 8, "template": 8},
    }


def test_a_person_sees_the_phases(finished) -> None:
    _, _, seen = finished
    bars = [line for line in seen.splitlines() if line.strip().startswith("train ")]
    assert re.search(r"184/184 [\d.]+ examples/s \d\d:\d\d loss \d\.\d+", bars[-1])
    assert re.search(r"ask base .* 8/8 [\d.]+ questions/s", seen)
    assert "tuned: 8 of 8 right" in seen


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
    assert set(result["evaluations"]) == {"base", "base-3-shot", "base-retrieval", "tuned", "tuned-renamed"}
    [checkpoint] = lines(tmp_path / "runs" / "ducks" / "checkpoints.jsonl")
    assert checkpoint["sampler_path"].startswith("tinker://")


def start(tmp_path: Path, model: Path, *options: str) -> tuple[subprocess.Popen[str], Path]:
    """Start a run in a session of its own; returns it and its folder."""
    child = subprocess.Popen(
        command(tmp_path, model, "--shots", "0", *options),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return child, tmp_path / "runs" / "ducks"


def start_training(tmp_path: Path, model: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a run of many small steps, and wait until it has done two."""
    endless = ["--test-size", "2", "--batch-size", "1", "--save-every", "0", "--examples", "0"]
    child, folder = start(tmp_path, model, *endless)
    wait_until(lambda: len(lines(folder / "metrics.jsonl")) >= 2 or child.poll() is not None)
    assert child.poll() is None, child.communicate()[1]
    return child, folder


def server_of(child: subprocess.Popen[str]) -> psutil.Process:
    [server] = [p for p in psutil.Process(child.pid).children() if "tinkersql.engine" in p.cmdline()]
    return server


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended_with_one_line(child: subprocess.Popen[str], code: int) -> str:
    """The last line on standard error, after an end with ``code`` and without a traceback or the SDK's own log."""
    _, said = child.communicate(timeout=60)
    assert child.returncode == code, said
    assert "Traceback" not in said
    assert "request_id" not in said
    last = said.splitlines()[-1]
    assert last.startswith("error: ")
    return last


def test_ctrl_c_in_training_keeps_a_checkpoint_and_what_was_measured(tmp_path, tiny_model) -> None:
    child, folder = start_training(tmp_path, tiny_model)
    server = server_of(child)
    child.send_signal(signal.SIGINT)
    assert "stopped after step" in ended_with_one_line(child, 130)
    [checkpoint] = lines(folder / "checkpoints.jsonl")
    assert checkpoint["kind"] == "interrupted"
    assert checkpoint["step"] == len(lines(folder / "metrics.jsonl"))
    assert list((folder / "store").rglob("adapter_model.safetensors"))
    result = json.loads((folder / "result.json").read_text())
    assert "base" in result["evaluations"]
    assert "tuned" not in result["evaluations"]
    assert "<html" in (folder / "report.html").read_text()
    wait_until(lambda: not server.is_running())


def test_a_run_that_was_stopped_goes_on_to_the_same_end(finished, tmp_path, tiny_model) -> None:
    """Killed in the midst of training; what was measured before is not measured again."""
    whole, expected, _ = finished
    options = ["--test-size", "8", "--shots", "1", "--save-every", "10", "--json", *TRAINING]
    child = subprocess.Popen(command(tmp_path, tiny_model, *options), stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "runs" / "ducks"
    wait_until(lambda: len(lines(folder / "checkpoints.jsonl")) >= 1 or child.poll() is not None)
    child.kill()
    child.communicate(timeout=60)
    asked_before = (folder / "predictions-base.jsonl").stat().st_mtime_ns
    done = subprocess.run(
        [sys.executable, "-m", "tinkersql", "run", "--resume", str(folder), "--json"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (folder / "predictions-base.jsonl").stat().st_mtime_ns == asked_before
    for key in ("comparisons", "memory"):
        assert result[key] == expected[key]
    assert "--resume" not in result["command"]
    assert result["cost"]["tokens"] < result["training"]["tokens"]  # of this sitting alone
    left, whole_work = (each["cost"]["estimated"]["work"] for each in (result, expected))
    assert left["prefill_tokens"] < whole_work["prefill_tokens"] / 2  # the base model's prompts are more than half
    for name, figures in expected["evaluations"].items():
        assert result["evaluations"][name]["verdicts"] == figures["verdicts"]
    assert result["suites"].keys() == expected["suites"].keys()
    assert [m["loss"] for m in lines(folder / "metrics.jsonl")] == [m["loss"] for m in lines(whole / "metrics.jsonl")]
    assert (folder / "predictions-tuned.jsonl").read_bytes() == (whole / "predictions-tuned.jsonl").read_bytes()


def test_a_run_that_has_ended_is_not_resumed(finished) -> None:
    folder, _, _ = finished
    before = (folder / "result.json").read_bytes()
    again = [sys.executable, "-m", "tinkersql", "run", "--resume", str(folder)]
    refused = subprocess.run(again, capture_output=True, text=True, timeout=120)
    assert refused.returncode == 1
    assert "this run has come to its end" in refused.stderr.splitlines()[-1]
    assert (folder / "result.json").read_bytes() == before


def test_an_extended_run_has_no_scores_of_its_old_weights(finished, tmp_path) -> None:
    whole, old, _ = finished
    folder = tmp_path / "runs" / "ducks"
    shutil.copytree(whole, folder)

    def go_on(*words: str) -> dict:
        command = [sys.executable, "-m", "tinkersql", *words, "--resume", str(folder), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    extended = go_on("train", "--more-steps", "2")
    assert extended["training"]["steps"] == 25
    assert set(extended["evaluations"]) == {"base", "base-1-shot", "base-retrieval"}
    assert set(extended["suites"]["exercise"]) == {"base"}
    assert (extended["comparisons"], extended["memory"]) == ([], None)
    assert "there is no evaluation of the tuned model" in (folder / "report.html").read_text()
    away = folder / "measured-at-step-23"
    assert json.loads((away / "result.json").read_text())["evaluations"] == old["evaluations"]
    for name in ("tuned", "tuned-renamed", "exercise-tuned"):
        assert (away / f"predictions-{name}.jsonl").is_file()
        assert not (folder / f"predictions-{name}.jsonl").exists()
    measured = go_on("run")
    assert (measured["training"]["steps"], measured["evaluations"]["tuned"]["n"]) == (25, 8)
    assert measured["evaluations"].keys() == old["evaluations"].keys()
    assert measured["memory"]["seen"]["n"] == 8


def test_a_run_at_work_is_left_alone_by_another_process(tmp_path, tiny_model) -> None:
    child, folder = start_training(tmp_path, tiny_model)
    again = [sys.executable, "-m", "tinkersql", "run", "--resume", str(folder)]
    refused = subprocess.run(again, capture_output=True, text=True, timeout=120)
    assert refused.stderr.splitlines()[-1].endswith("another process works on this run; wait for it, or stop it")
    assert child.poll() is None
    assert folder.exists()
    child.send_signal(signal.SIGINT)
    ended_with_one_line(child, 130)


@pytest.mark.slow
def test_a_second_ctrl_c_does_not_wait_for_the_service(tmp_path, tiny_model) -> None:
    child, folder = start_training(tmp_path, tiny_model)
    server = server_of(child)
    server.suspend()  # the step in flight will never end, so only the second Ctrl-C can end the run
    child.send_signal(signal.SIGINT)
    assert child.stderr is not None
    assert any("Stopping" in line for line in child.stderr)
    child.send_signal(signal.SIGINT)
    assert ended_with_one_line(child, 130) == "error: stopped"
    assert not lines(folder / "checkpoints.jsonl")
    assert "base" in json.loads((folder / "result.json").read_text())["evaluations"]
    wait_until(lambda: not server.is_running())


def test_ctrl_c_before_anything_is_measured_leaves_nothing(tmp_path, tiny_model) -> None:
    child, folder = start(
        tmp_path, tiny_model, "--test-size", "150", "--evaluation-workers", "1", "--max-tokens", "200"
    )
    wait_until(lambda: bool(list(folder.glob("server.log"))) and bool(psutil.Process(child.pid).children()))
    child.send_signal(signal.SIGINT)
    assert ended_with_one_line(child, 130) == "error: stopped"
    assert not folder.exists()


def test_a_server_that_dies_ends_the_run_at_once_with_its_name(tmp_path, tiny_model) -> None:
    child, folder = start_training(tmp_path, tiny_model)
    server_of(child).kill()
    assert "the embedded server died" in ended_with_one_line(child, 1)
    assert "base" in json.loads((folder / "result.json").read_text())["evaluations"]


@pytest.mark.slow
def test_rows_longer_than_the_context_cost_only_themselves(tmp_path, tiny_model) -> None:
    long = {"question": "duck " * 2000, "context": SCHEMA, "answer": "SELECT name FROM ducks"}
    data = tmp_path / "long.json"
    data.write_text(json.dumps([*ROWS[:20], *[long] * 20]))
    options = ["--data", str(data), "--test-size", "20", "--shots", "0", "--batch-size", "8", "--json"]
    done = subprocess.run(command(tmp_path, tiny_model, *options), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    asked_in_vain = [
        p for p in lines(tmp_path / "runs/ducks/predictions-tuned.jsonl") if p["stop_reason"] == "too_long"
    ]
    assert 0 < len(asked_in_vain) < 20
    assert all(p["verdict"] == "prediction_error" for p in asked_in_vain)
    assert result["evaluations"]["tuned"]["n"] == 20
    left_out = 20 - result["training"]["examples"]
    assert any(note.startswith(f"{left_out} training examples are longer") for note in result["data"]["notes"])
    assert result["evaluations"]["tuned"]["too_long"] == len(asked_in_vain)
    assert f"{len(asked_in_vain)} of 20 prompts of 'tuned' are longer" in done.stderr


def test_golds_that_do_not_run_are_the_data_s_fault_and_nothing_is_trained(tmp_path, tiny_model) -> None:
    broken = [{**row, "answer": "SELECT name FROM geese"} for row in ROWS[:12]]
    data = tmp_path / "broken.json"
    data.write_text(json.dumps(broken))
    options = ["--data", str(data), "--test-size", "4", "--shots", "0", "--json"]
    done = subprocess.run(command(tmp_path, tiny_model, *options), capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "error: none of the 4 test questions has an expected query that runs on its schema (question 1: the gold does "
        "not run: no such table: geese); check that each schema holds"
    )
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_budget_in_tokens_ends_with_the_example_that_meets_it(tmp_path, tiny_model) -> None:
    options = ["--test-size", "4", "--shots", "0", "--json", "--batch-size", "1", "--tokens", "300"]
    done = subprocess.run(command(tmp_path, tiny_model, *options), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    steps = lines(tmp_path / "runs/ducks/metrics.jsonl")
    assert sum(step["tokens"] for step in steps[:-1]) < 300 <= sum(step["tokens"] for step in steps)
    assert result["data"]["trained_on"] == len(steps)
    assert any(note.startswith(f"Training takes {len(steps)} examples") for note in result["data"]["notes"])


def test_memory_is_measured_against_what_training_took(tmp_path, tiny_model) -> None:
    """Ten examples could be in a budget of 200 tokens; few are, and no other gold counts as seen, on resume either."""
    rows = [row | {"answer": f"SELECT name FROM ducks WHERE weight > {i % 6}"} for i, row in enumerate(ROWS[:60])]
    data = tmp_path / "golds.json"
    data.write_text(json.dumps(rows))
    options = ["--data", str(data), "--test-size", "12", "--shots", "0", "--suites", "", "--json"]
    budget = ["--tokens", "200", "--batch-size", "1", "--recipe", "declared-keys=1"]
    done = subprocess.run(command(tmp_path, tiny_model, *options, *budget), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    folder, result = tmp_path / "runs" / "ducks", json.loads(done.stdout)
    steps = len(lines(folder / "metrics.jsonl"))
    learnt = {row["answer"] for row in lines(folder / "train.jsonl")[:steps]}
    asked = [row["golds"][0] for row in lines(folder / "predictions-tuned.jsonl")]
    assert 0 < steps < 5
    assert result["memory"]["golds_in_training"] == sum(gold in learnt for gold in asked) < len(asked)
    assert result["data"]["trained_on"] == steps
    assert any("Recipes have made 10 examples, of which" in note for note in result["data"]["notes"])
    (folder / "result.json").write_text(json.dumps({**result, "memory": None}))
    again = [sys.executable, "-m", "tinkersql", "run", "--resume", str(folder), "--json"]
    resumed = subprocess.run(again, capture_output=True, text=True, timeout=120)
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["memory"] == result["memory"]


def test_recipes_change_the_training_examples_alone(tmp_path, tiny_model) -> None:
    recipe = ["--recipe", "declared-keys=1,mix-generated=0.25", "--examples", "8"]
    options = ["--test-size", "4", "--shots", "0", "--json", *recipe]
    done = subprocess.run(command(tmp_path, tiny_model, *options), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert 6 <= result["training"]["examples"] <= 8  # a generated one may be longer than the tiny model's context
    assert result["data"]["recipes"] == {"declared-keys": 6, "mix-generated": 2}
    assert "declared-keys 6, mix-generated 2" in " ".join(done.stderr.split())
    assert {p["schema"] for p in lines(tmp_path / "runs/ducks/predictions-tuned.jsonl")} == {SCHEMA}


def test_ctrl_c_in_the_last_step_is_not_lost(tmp_path, tiny_model) -> None:
    one_step = ["--test-size", "2", "--batch-size", "500", "--examples", "0", "--rank", "64"]
    child, folder = start(tmp_path, tiny_model, *one_step)
    wait_until(
        lambda: "exercise-base" in "".join(p.name for p in folder.glob("predictions-*")) or child.poll() is not None
    )
    child.send_signal(signal.SIGINT)
    ended_with_one_line(child, 130)
    assert not (folder / "predictions-tuned.jsonl").exists()


@pytest.mark.slow
def test_a_polite_kill_is_as_tidy_as_ctrl_c(tmp_path, tiny_model) -> None:
    child, folder = start_training(tmp_path, tiny_model)
    server = server_of(child)
    child.send_signal(signal.SIGTERM)
    assert ended_with_one_line(child, 130) == "error: stopped"
    assert (folder / "report.html").exists()
    wait_until(lambda: not server.is_running())
