"""A training that was stopped, in whatever way, ends with the very weights of one that was not."""

import json
import random
import resource
import shutil
import signal
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from server_process import running_server
from tinkersql.console import Silent
from tinkersql.errors import BackendError
from tinkersql.settings import resolve
from tinkersql.train import resume, train
from tinkersql.tuning.cost import Consent
from tuning.conftest import ROWS, STEPS, Person, Trainings, ended, kill_at_random, stop_at, wait_until

SAME = ("step", "examples", "loss", "learning_rate", "tokens", "completion_tokens")


def assert_same(trainings: Trainings, name: str, whole: str) -> None:
    """Steps, rates, losses and final weights of a training are those of the undisturbed one."""
    found, expected = ([[row[key] for key in SAME] for row in trainings.rows(each)] for each in (name, whole))
    assert found == expected
    assert len(found) == STEPS
    assert trainings.weights(name) == trainings.weights(whole)


def test_ctrl_c_and_resume(trainings: Trainings, whole: str) -> None:
    child = trainings.start("stopped")
    said = stop_at(trainings, "stopped", child, 10, "ctrl-c")
    assert f"go on with: tinkersql train --resume {trainings.path('stopped')}" in "".join(said.split("\n"))
    kept = trainings.rows("stopped", "checkpoints")[-1]
    assert kept["kind"] == "interrupted"
    assert kept["step"] == len(trainings.rows("stopped")) < STEPS
    said = ended(trainings.resume("stopped"))
    assert f"Going on after step {kept['step']} of {STEPS}" in said
    assert_same(trainings, "stopped", whole)


def test_a_killed_client_resumes_from_the_run_folder_alone(trainings: Trainings, whole: str) -> None:
    child = trainings.start("killed")
    stop_at(trainings, "killed", child, 20, "client")
    assert child.returncode == -signal.SIGKILL
    with (trainings.path("killed") / "metrics.jsonl").open("a") as file:
        file.write('{"step": 9')  # it died while it wrote
    elsewhere = trainings.path("elsewhere")
    shutil.copytree(trainings.path("killed"), elsewhere)
    config = json.loads((elsewhere / "config.json").read_text())
    config["settings"]["data"]["value"] = "/nowhere/ducks.json"  # as on another machine
    config["settings"]["model"]["value"] = "/nowhere/llama"
    (elsewhere / "config.json").write_text(json.dumps(config))
    assert "there is no model '/nowhere/llama'" in ended(trainings.resume("elsewhere"), code=1)
    moved = shutil.copytree(trainings.model, trainings.folder / "moved-llama")
    said = ended(trainings.resume("elsewhere", "--model", str(moved)))
    assert json.loads((elsewhere / "config.json").read_text())["settings"]["model"]["value"] == str(moved)
    assert "the examples of the run folder are used" in said
    assert_same(trainings, "elsewhere", whole)


def test_whoever_is_stopped_is_told_where_to_go_on(trainings: Trainings) -> None:
    child = trainings.start("orphan", "--steps", "5000", "--epochs", "500")
    said = stop_at(trainings, "orphan", child, 1, "server").split("\n")
    assert child.returncode == 1
    assert "the embedded server died" in "".join(said)
    assert f"go on with: tinkersql train --resume {trainings.path('orphan')}" in "".join(said)


def test_of_the_checkpoints_in_between_only_the_latest_stay(trainings: Trainings, whole: str) -> None:
    noted = trainings.rows(whole, "checkpoints")
    assert [row["step"] for row in noted] == [*range(7, STEPS, 7), STEPS]
    stored = sorted(path.name for path in trainings.checkpoint(whole, 0).parent.iterdir())
    assert stored == ["final", "step-000049", "step-000056"]


@pytest.mark.parametrize("damage", ["cut short", "another byte"])
def test_a_damaged_checkpoint_is_passed_over(trainings: Trainings, whole: str, damage: str) -> None:
    shutil.copytree(trainings.path(whole), trainings.path(damage))
    rows = trainings.rows(damage, "checkpoints")
    (trainings.path(damage) / "checkpoints.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows[:-1])  # as if it had been killed before the end
    )
    file = trainings.checkpoint(damage, -1) / "adapter_model.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-100] if damage == "cut short" else content[:-100] + b"!" + content[-99:])
    said = " ".join(ended(trainings.resume(damage)).split())
    assert "The checkpoint of step 56 cannot be used" in said
    assert "Going on after step 49" in said
    assert_same(trainings, damage, whole)


def test_a_checkpoint_that_comes_back_is_of_steps_that_were_forgotten(trainings: Trainings, whole: str) -> None:
    child = trainings.start("returned", "--keep-checkpoints", "9")
    stop_at(trainings, "returned", child, 30, "both")
    latest = trainings.rows("returned", "checkpoints")[-1]["step"]
    checkpoint = trainings.checkpoint("returned", -1)
    checkpoint.rename(trainings.folder / "away")
    child = trainings.resume("returned")
    # The steps after the one before are forgotten, and taken anew: it is killed before it comes so far.
    wait_until(lambda: len(trainings.rows("returned")) < latest - 3, child)
    stop_at(trainings, "returned", child, latest - 5, "both")
    taken = len(trainings.rows("returned"))
    assert latest - 7 < taken < latest
    (trainings.folder / "away").rename(checkpoint)
    assert f"Going on after step {latest - 7} of {STEPS}" in ended(trainings.resume("returned"))
    assert_same(trainings, "returned", whole)


def test_a_service_in_trouble_is_no_damaged_checkpoint(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ducks.json").write_text(json.dumps(ROWS))
    with running_server(tiny_model, tmp_path / "store") as server:
        monkeypatch.setenv("TINKER_API_KEY", server.key)
        given = {"data": str(tmp_path / "ducks.json"), "base_url": server.base_url, "recipe": "", "rank": 4}
        given |= {"test_size": 4, "validate_every": 0, "save_every": 2, "batch_size": 2, "steps": 6}
        folder, result = train(resolve("cpu", given), tmp_path, "run", Silent(), Consent())
        final = (folder.path / "checkpoints.jsonl").read_text().splitlines(keepends=True)
        (folder.path / "checkpoints.jsonl").write_text("".join(final[:-1]))  # as if it had been killed before the end
        steps, person = (folder.path / "metrics.jsonl").read_bytes(), Person()
        with (
            server.limited(resource.RLIMIT_FSIZE, 0),
            pytest.raises(BackendError, match="could not use its disk"),
        ):
            resume(folder.path, 0, person, Consent())
        assert not any("cannot be used" in line for line in person.said)
        assert (folder.path / "metrics.jsonl").read_bytes() == steps
        assert resume(folder.path, 0, Silent(), Consent())[1]["training"]["steps"] == result["training"]["steps"]


def test_without_any_checkpoint_it_begins_again(trainings: Trainings, whole: str) -> None:
    child = trainings.start("early", "--save-every", "0")
    stop_at(trainings, "early", child, 3, "both")
    assert not trainings.rows("early", "checkpoints")
    assert f"Going on after step 0 of {STEPS}" in ended(trainings.resume("early"))
    assert_same(trainings, "early", whole)


def test_a_training_that_has_ended_can_be_extended(trainings: Trainings, whole: str) -> None:
    shutil.copytree(trainings.path(whole), trainings.path("extended"))
    said = ended(trainings.resume("extended"), code=1)
    assert said.splitlines()[-1].endswith("its training has come to its end; --more-steps N adds steps to it")
    said = ended(trainings.resume("extended", "--more-steps", "5"))
    assert "5 more steps, over the run's 44 examples, in a further pass" in said
    rates = [row["learning_rate"] for row in trainings.rows("extended")]
    assert rates[STEPS:] == pytest.approx([0.01, 0.008, 0.006, 0.004, 0.002])
    assert rates[:STEPS] == [row["learning_rate"] for row in trainings.rows(whole)]
    assert trainings.weights("extended") != trainings.weights(whole)
    result = json.loads((trainings.path("extended") / "result.json").read_text())
    assert result["training"]["steps"] == STEPS + 5


def test_an_end_that_cannot_be_loaded_is_trained_again(trainings: Trainings, whole: str) -> None:
    shutil.copytree(trainings.path(whole), trainings.path("endless"))
    (trainings.checkpoint("endless", -1) / "optimizer.safetensors").unlink()
    assert "Going on after step 56 of 60" in ended(trainings.resume("endless"))
    assert_same(trainings, "endless", whole)
    assert [row["kind"] for row in trainings.rows("endless", "checkpoints")].count("final") == 1


def test_minutes_become_a_number_of_steps_that_is_kept(trainings: Trainings) -> None:
    said = ended(trainings.start("timed", "--minutes", "0.02", "--schedule", "linear"))
    [leg] = json.loads((trainings.path("timed") / "plan.json").read_text())["legs"]
    rates = [row["learning_rate"] for row in trainings.rows("timed")]
    assert f"0.02 minutes are {leg['steps']:,} steps" in said
    assert f" {leg['examples']}/{leg['examples']} " in said
    assert len(rates) == leg["steps"] <= STEPS
    assert set(rates[:5]) == {0.01}
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert trainings.rows("timed", "checkpoints")[0]["step"] == 5


def test_the_checkpoint_before_the_steps_are_known_is_saved_once(trainings: Trainings) -> None:
    child = trainings.start("once", "--minutes", "5", "--save-every", "5", "--keep-checkpoints", "1")
    stop_at(trainings, "once", child, 6, "client")
    steps = [row["step"] for row in trainings.rows("once", "checkpoints")]
    assert steps == [*range(5, steps[-1] + 1, 5)]
    assert trainings.checkpoint("once", -1).exists()
    assert f"Going on after step {steps[-1]} of" in ended(trainings.resume("once"))


def test_what_has_changed_is_refused(trainings: Trainings, whole: str) -> None:
    def refusal(name: str, *options: str) -> str:
        last = ended(trainings.resume(name, *options), code=1).splitlines()[-1]
        assert last.startswith("error: ")
        return last

    for name in ("data", "rows", "version", "plan"):
        shutil.copytree(trainings.path(whole), trainings.path(name))
    other = trainings.folder / "other.json"
    other.write_text(json.dumps(ROWS[1:]))
    for name, change in (("data", {"data": str(other)}), ("version", {})):
        config = json.loads((trainings.path(name) / "config.json").read_text())
        for key, value in change.items():
            config["settings"][key]["value"] = value
        config["tinkersql"] = "0.0.7" if name == "version" else config["tinkersql"]
        (trainings.path(name) / "config.json").write_text(json.dumps(config))
    examples = trainings.path("rows") / "train.jsonl"
    examples.write_text(examples.read_text().replace("pond 3", "pond 4"))
    (trainings.path("plan") / "plan.json").write_text("{}")
    assert "other.json: changed since the run began" in refusal("data")
    assert "pip install tinkersql==0.0.7" in refusal("version")
    assert "train.jsonl: changed since training began" in refusal("rows")
    assert "plan.json: damaged" in refusal("plan")
    model = shutil.copytree(trainings.model, trainings.folder / "trained-on")
    weights = {name: tensor * 1.3 for name, tensor in load_file(model / "model.safetensors").items()}
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    assert "trained-on: not the weights that the run began with" in refusal(whole, "--model", str(model))
    unknown = json.loads((trainings.path(whole) / "plan.json").read_text())
    del unknown["sha256"]["model"]
    shutil.copytree(trainings.path(whole), trainings.path("unknown"))
    (trainings.path("unknown") / "plan.json").write_text(json.dumps(unknown))
    assert "no hash of its base model is on record" in refusal("unknown", "--model", str(model))
    assert "its training has come to its end" in refusal("unknown")
    assert "no run lies there" in refusal("nothing-at-all")


@pytest.mark.parametrize("name", [".lock", "server.log"])
def test_a_file_that_cannot_be_written_is_named(trainings: Trainings, whole: str, name: str) -> None:
    path = trainings.path(f"no{name}")
    shutil.copytree(trainings.path(whole), path)
    (path / name).unlink(missing_ok=True)
    (path / name).mkdir()
    said = ended(trainings.resume(path.name, "--more-steps", "1"), code=1)
    assert said.splitlines()[-1] == f"error: {path / name}: cannot be written (Is a directory)"


def test_two_processes_do_not_work_on_one_run(trainings: Trainings) -> None:
    child = trainings.start("contested", "--steps", "5000", "--epochs", "500")
    wait_until(lambda: len(trainings.rows("contested")) >= 1, child)
    assert "another process works on this run" in ended(trainings.resume("contested"), code=1)
    child.send_signal(signal.SIGINT)
    ended(child, code=130)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_random_kills(trainings: Trainings, whole: str, seed: int) -> None:
    name = f"killed-{seed}"
    kill_at_random(trainings, name, STEPS, random.Random(seed))
    assert_same(trainings, name, whole)
