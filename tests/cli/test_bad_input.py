"""What a user does wrong, from the outside: one clear line, a non-zero exit, no traceback, nothing left behind."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROW = {
    "question": "How many ducks?",
    "context": "CREATE TABLE ducks (name VARCHAR)",
    "answer": "SELECT COUNT(*) FROM ducks",
}


def tinkersql(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TINKER", "HF_"))} | environment
    return subprocess.run(
        [sys.executable, "-m", "tinkersql", *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=120
    )


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line with which the command ended."""
    assert done.returncode not in (0, -9), done.stdout
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert done.stderr.splitlines()[-1] == errors[0]
    return errors[0]


@pytest.fixture
def data(tmp_path) -> str:
    file = tmp_path / "data.json"
    file.write_text(json.dumps([{**ROW, "question": f"{ROW['question']} {i}"} for i in range(20)]))
    return str(file)


def test_a_missing_data_file(tmp_path) -> None:
    assert "no such file" in refused(tinkersql("run", "--data", "nowhere.json", cwd=tmp_path))
    assert not (tmp_path / "runs").exists()


def test_a_row_without_a_key_is_named(tmp_path) -> None:
    (tmp_path / "bad.json").write_text(json.dumps([ROW, {"question": "x"}]))
    assert "row 2 has no 'context'" in refused(tinkersql("run", "--data", "bad.json", cwd=tmp_path))


def test_a_test_set_as_large_as_the_data(tmp_path, data) -> None:
    assert "--test-size 20 is too large" in refused(tinkersql("run", "--data", data, "--test-size", "20", cwd=tmp_path))
    assert not (tmp_path / "runs").exists()


def test_an_unreachable_hub_names_the_alternatives(tmp_path) -> None:
    line = refused(
        tinkersql(
            "run", cwd=tmp_path, HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=str(tmp_path), TINKERSQL_CACHE=str(tmp_path)
        )
    )
    assert "--data FILE" in line
    assert "--data built-in" in line


@pytest.mark.parametrize("command", [("train",), ("sweep", "--learning-rates", "1e-3,2e-3")])
def test_golds_that_do_not_run_are_not_trained_on(tmp_path, command) -> None:
    rows = [{**ROW, "question": f"{ROW['question']} {i}", "answer": "SELECT name FROM geese"} for i in range(30)]
    (tmp_path / "broken.json").write_text(json.dumps(rows))
    line = refused(tinkersql(*command, "--data", "broken.json", "--test-size", "5", cwd=tmp_path))
    assert "none of the 5 test questions has an expected query that runs" in line
    assert not (tmp_path / "runs").exists()


def test_an_unknown_model(tmp_path, data) -> None:
    done = tinkersql(
        *("run", "--data", data, "--test-size", "5", "--model", "nobody/nothing"),
        cwd=tmp_path,
        HF_ENDPOINT="http://127.0.0.1:9",
        HF_HOME=str(tmp_path),
    )
    assert "nobody/nothing" in refused(done)


def test_a_model_of_another_architecture(tmp_path, data) -> None:
    (tmp_path / "gpt").mkdir()
    (tmp_path / "gpt" / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}')
    line = refused(tinkersql("run", "--data", data, "--test-size", "5", "--model", "gpt", cwd=tmp_path))
    assert "GPT2LMHeadModel" in line
    assert "Llama" in line


def test_hosted_tinker_without_a_key(tmp_path, data) -> None:
    line = refused(tinkersql("run", "--data", data, "--test-size", "5", "--backend", "tinker", cwd=tmp_path))
    assert "TINKER_API_KEY is not set" in line
    assert not (tmp_path / "runs").exists()


def test_nobody_at_the_base_url(tmp_path, data) -> None:
    done = tinkersql(
        *("run", "--data", data, "--test-size", "5", "--base-url", "http://127.0.0.1:9"),
        cwd=tmp_path,
        TINKER_API_KEY="tml-x",
    )
    assert "nobody is listening" in refused(done)
    assert not list((tmp_path / "runs").iterdir())  # a run that measured nothing leaves nothing behind


def test_a_run_folder_that_cannot_be_made(tmp_path, data) -> None:
    (tmp_path / "occupied").write_text("a file, not a folder")
    done = tinkersql("run", "--data", data, "--test-size", "5", "--runs", "occupied", cwd=tmp_path)
    assert "occupied" in refused(done)
    assert (tmp_path / "occupied").read_text() == "a file, not a folder"


def test_an_unknown_suite_is_refused_before_the_data_are_read(tmp_path) -> None:
    done = tinkersql("run", "--data", "nowhere.json", "--suites", "nonsense", cwd=tmp_path)
    assert "suite nonsense: there is no such suite" in refused(done)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--preset", "gpu"], "--preset gpu"),
        (["--name", "../escape"], "--name"),
        (["--template", "no place for the question"], "--template"),
        (["--batch-size", "0"], "--batch-size"),
        (["--split", "column"], "--split"),
        (["--split", "table"], "too small to split by table"),
        (["--map", "frage=question"], "--map frage=question"),
        (["--suites", "exercise,nonsense"], "suite nonsense: there is no such suite"),
        (["--recipe", "nonsense"], "--recipe nonsense: no such recipe"),
    ],
)
def test_senseless_options(tmp_path, data, options, said) -> None:
    assert said in refused(tinkersql("run", "--data", data, "--test-size", "5", *options, cwd=tmp_path))


def test_an_option_of_the_wrong_type_is_explained(tmp_path) -> None:
    done = tinkersql("run", "--rank", "many", cwd=tmp_path)
    assert done.returncode == 2
    assert "--rank" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken(tmp_path, tiny_model) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = refused(tinkersql("serve", "--model", str(tiny_model), "--port", port, cwd=tmp_path))
    assert port in line


def test_generated_data_feeds_a_run_and_statistics(tmp_path) -> None:
    made = tinkersql("data", "generate", "made.json", "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    described = tinkersql("data", "stats", "made.json", "--json", cwd=tmp_path)
    assert json.loads(described.stdout)["examples"] == json.loads(made.stdout)["examples"] >= 5000
    assert "cannot be written" in refused(tinkersql("data", "generate", "no/such/folder.json", cwd=tmp_path))


def test_an_output_that_takes_nothing_is_one_line(tmp_path, data) -> None:
    with Path("/dev/full").open("w") as full_disk:
        command = [sys.executable, "-m", "tinkersql", "data", "stats", data]
        full = subprocess.run(command, stdout=full_disk, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert full.returncode == 1
    assert full.stderr == "error: the output cannot be written (No space left on device)\n"


def test_help_and_version(tmp_path) -> None:
    assert tinkersql("--version", cwd=tmp_path).stdout.strip()[0].isdigit()
    for command in ([], ["run"], ["compare"], ["serve"], ["report"], ["data"]):
        assert "Usage" in tinkersql(*command, "--help", cwd=tmp_path).stdout
