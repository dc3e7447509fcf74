"""Validation on held-out examples: it changes nothing in the training, and is the same in however many sittings."""

import json
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tinkersql.console import Advance, Silent
from tinkersql.corpus import read_file
from tinkersql.errors import DataError, Interrupted, SettingsError
from tinkersql.report.wording import duration
from tinkersql.runs import RunFolder
from tinkersql.settings import Resolved, resolve
from tinkersql.train import resume, train
from tinkersql.tuning import best_of, gather
from tinkersql.tuning.cost import Consent
from tuning.conftest import ROWS, Death, Person, Trainings, ended, kill_at_random

SAME = {"metrics": ("step", "examples", "loss", "learning_rate"), "validations": ("step", "loss", "n", "n_questions")}


@pytest.fixture(scope="module")
def settings(engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Resolved]]:
    """Settings of a training of 24 steps on 40 of 44 examples, validated every 4 steps on the other 4."""
    data = tmp_path_factory.mktemp("data") / "ducks.json"
    data.write_text(json.dumps(ROWS))
    given = {
        **{"data": str(data), "base_url": engine.base_url, "model": engine.model, "recipe": ""},
        **{"test_size": 4, "batch_size": 2, "steps": 24, "epochs": 9, "rank": 4, "learning_rate": 0.02},
        **{"save_every": 3, "max_tokens": 24, "judge_workers": 1, "schedule": "constant"},
        **{"validate_every": 4, "validation_questions": 0},
    }
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TINKER_API_KEY", engine.key)
        yield lambda **changes: resolve("cpu", given | changes)


@pytest.fixture(scope="module")
def whole(settings, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A training that nobody has disturbed."""
    return train(settings(), tmp_path_factory.mktemp("runs"), "whole", Silent(), Consent())[0]


def rows(folder: RunFolder, name: str) -> list[dict]:
    keys = SAME.get(name)
    return [{key: row[key] for key in keys or row} for row in folder.rows(f"{name}.jsonl")]


def weights(engine, tinker_path: str) -> bytes:
    run, kind, name = tinker_path.removeprefix("tinker://").split("/")
    return (engine.store / run.replace(":", "_") / kind / name / "adapter_model.safetensors").read_bytes()


def assert_same(engine, one: RunFolder, other: RunFolder) -> None:
    assert rows(one, "metrics") == rows(other, "metrics")
    assert rows(one, "validations") == rows(other, "validations")
    ends = [[row for row in folder.rows("checkpoints.jsonl") if row["kind"] == "final"][-1] for folder in (one, other)]
    assert ends[0]["step"] == ends[1]["step"]
    for path in ("state_path", "sampler_path"):
        assert weights(engine, ends[0][path]) == weights(engine, ends[1][path])


def test_validation_measures_often_and_changes_nothing(engine, settings, tmp_path) -> None:
    person = Person()
    often, result = train(settings(steps=20, validation_questions=2), tmp_path, "often", person, Consent())
    never, _ = train(settings(steps=20, validate_every=0), tmp_path, "never", Silent(), Consent())
    assert rows(often, "metrics") == rows(never, "metrics")
    assert weights(engine, often.tuned_model()) == weights(engine, never.tuned_model())
    assert not never.rows("validations.jsonl")

    validations = often.rows("validations.jsonl")
    assert [(row["step"], row["n"], row["n_questions"]) for row in validations] == [(s, 4, 2) for s in range(4, 21, 4)]
    assert validations[-1]["loss"] < validations[0]["loss"] / 2
    said = [f"validation: loss {row['loss']:.3f}, {row['right']} of 2 right" for row in validations]
    assert [line for line in person.said if line.startswith("validation: ")] == said
    best = best_of(validations)
    summary = result["training"]["validation"]
    assert (summary["best"], summary["last"], summary["result"]) == (best, validations[-1], "last")
    assert summary["stopped_early"] is False
    assert any(line.startswith(f"Lowest validation loss at step {best['step']}: tinker://") for line in person.said)


def test_only_the_best_and_nothing_of_the_others_stays(engine, whole) -> None:
    best = best_of(whole.rows("validations.jsonl"))
    assert best is not None
    noted = [row for row in whole.rows("checkpoints.jsonl") if row["kind"] == "best"]
    assert len(noted) > 1
    assert noted[-1]["step"] == best["step"]
    run = engine.store / noted[-1]["state_path"].removeprefix("tinker://").split("/")[0].replace(":", "_")
    name = f"best-{best['step']:06d}"
    assert sorted(path.name for path in (run / "weights").iterdir()) == [name, "final", "step-000018", "step-000021"]
    assert sorted(path.name for path in (run / "sampler_weights").iterdir()) == [name, "final"]
    assert whole.tuned_model().endswith("/final")


def test_held_out_examples_are_not_trained_on(settings, tmp_path) -> None:
    repeated = [*ROWS, *ROWS]
    (tmp_path / "twice.json").write_text(json.dumps(repeated))
    material = gather(settings(data=str(tmp_path / "twice.json"), test_size=1).settings, Silent())
    assert len(material.held_out) == 9
    assert not set(material.held_out) & set(material.enriched.examples)
    assert (material.facts["held_out"], material.facts["train"]) == (9, len(material.split.train))
    assert "Validation takes 9 examples, a tenth of those that could be trained on." in material.facts["notes"]
    two = gather(settings(validation_size=2).settings, Silent())
    assert len(two.held_out) == 2
    with pytest.raises(DataError, match="1 examples to train on are too few"):
        gather(settings(test_size=len(ROWS) - 1).settings, Silent())


@pytest.mark.parametrize("dies_at", [4, 30])
def test_a_killed_training_goes_on_the_same(engine, settings, whole, tmp_path, dies_at: int) -> None:
    with pytest.raises(Death):
        train(settings(), tmp_path, "run", Person(dies_at), Consent())
    resume(tmp_path / "run", 0, Silent(), Consent())
    assert_same(engine, RunFolder.open(tmp_path / "run"), whole)


def test_death_between_saving_the_best_and_noting_it_loses_nothing(engine, settings, whole, tmp_path) -> None:
    with pytest.raises(Death):
        train(settings(), tmp_path, "run", Person(18), Consent())
    folder = RunFolder.open(tmp_path / "run")
    saved = folder.rows("checkpoints.jsonl")[-1]
    assert (saved["kind"], saved["step"]) == ("best", 8)
    folder.write_rows("validations.jsonl", folder.rows("validations.jsonl")[:-1])
    with (folder.path / "validations.jsonl").open("a") as file:
        file.write('{"step": 8, "lo')
    resume(folder.path, 0, Silent(), Consent())
    assert_same(engine, folder, whole)


def test_patience_ends_early_with_the_best_weights_and_can_be_extended(engine, settings, tmp_path) -> None:
    person = Person()
    chosen = {"patience": 1, "learning_rate": 0.1}
    folder, result = train(settings(steps=60, **chosen), tmp_path, "run", person, Consent())
    validations, checkpoints = folder.rows("validations.jsonl"), folder.rows("checkpoints.jsonl")
    best, last = best_of(validations), len(folder.rows("metrics.jsonl"))
    assert best is not None
    assert best["step"] + 4 == validations[-1]["step"] == last < 60
    assert f"Stopping early after step {last}: no lower validation loss since step {best['step']}" in person.said
    assert f"The result are the weights of step {best['step']}, with the lowest validation loss" in person.said
    summary = result["training"]["validation"]
    assert (summary["stopped_early"], summary["result"], summary["best"]) == (True, "best", best)
    kept = next(row for row in reversed(checkpoints) if row["kind"] == "best")
    final = checkpoints[-1]
    assert (final["kind"], final["step"]) == ("final", best["step"])
    assert final["sampler_path"] == kept["sampler_path"] == result["checkpoint"] == folder.tuned_model()
    shorter, _ = train(
        settings(steps=best["step"], validate_every=99, **chosen | {"patience": 0}),
        tmp_path,
        "shorter",
        Silent(),
        Consent(),
    )
    assert weights(engine, folder.tuned_model()) == weights(engine, shorter.tuned_model())

    with pytest.raises(OSError, match="its training has come to its end"):
        resume(folder.path, 0, Silent(), Consent())
    shutil.copytree(folder.path, tmp_path / "killed")  # shares the checkpoints, and so deletes none
    resume(folder.path, 3, Silent(), Consent())
    steps = folder.rows("metrics.jsonl")
    assert [row["step"] for row in steps] == [*range(1, best["step"] + 4)]
    assert steps[-1]["examples"] == 2 * len(steps)
    assert [leg["kept"] for leg in json.loads((folder.path / "plan.json").read_text())["legs"]] == [best["step"], None]
    with pytest.raises(Death):
        resume(tmp_path / "killed", 3, Person(2 * best["step"] + 2), Consent())
    again = RunFolder.open(tmp_path / "killed")
    resume(again.path, 0, Silent(), Consent())
    assert_same(engine, again, folder)


def test_examples_after_the_best_step_do_not_count_as_trained_on(settings, tmp_path) -> None:
    wild = settings(steps=20, validate_every=1, patience=1, learning_rate=1.0)
    folder, result = train(wild, tmp_path, "run", Silent(), Consent())
    best = best_of(folder.rows("validations.jsonl"))
    assert best is not None
    assert result["data"]["trained_on"] == 2 * best["step"] < result["training"]["examples"] < 40


def test_the_seconds_of_a_run_are_those_of_all_its_sittings(settings, tmp_path) -> None:
    with pytest.raises(Death):
        train(settings(), tmp_path, "run", Person(24), Consent())
    folder = RunFolder.open(tmp_path / "run")
    first = folder.rows("metrics.jsonl")[-1]["elapsed"]
    before = folder.read_result()["seconds"]
    started = time.monotonic()
    _, result = resume(folder.path, 0, Silent(), Consent())
    took = time.monotonic() - started
    assert result["seconds"] == folder.read_result()["seconds"]
    assert max(first, before) < result["seconds"] <= before + first + took
    assert result["seconds"] > result["training"]["seconds"]
    assert f"took {duration(result['seconds'])}" in (folder.path / "report.html").read_text()
    _, again = resume(folder.path, 1, Silent(), Consent())
    assert again["seconds"] > result["seconds"]


def test_ctrl_c_before_a_validation_leaves_it_to_the_next_sitting(engine, settings, whole, tmp_path) -> None:

    class Impatient(Person):
        @contextmanager
        def track(self, label: str, total: int | None, unit: str) -> Iterator[Advance]:
            with super().track(label, total, unit) as counted:
                seen = 0.0

                def advance(by: float = 1, note: str = "") -> None:
                    nonlocal seen
                    seen += by
                    counted(by, note)
                    if label == "train" and by and seen == 14:  # while step 8 is in flight
                        signal.raise_signal(signal.SIGINT)

                yield advance

    with pytest.raises(Interrupted, match="stopped after step 8 of 24"):
        train(settings(), tmp_path, "stopped", Impatient(), Consent())
    stopped = RunFolder.open(tmp_path / "stopped")
    assert [row["step"] for row in stopped.rows("validations.jsonl")] == [4]
    resume(stopped.path, 0, Silent(), Consent())
    assert_same(engine, stopped, whole)


def test_changed_validation_examples_are_refused(settings, tmp_path) -> None:
    with pytest.raises(Death):
        train(settings(), tmp_path, "run", Person(8), Consent())
    held_out = tmp_path / "run" / "held-out.jsonl"
    assert len(read_file(held_out)) == 4
    held_out.write_text(held_out.read_text().replace("pond", "lake"))
    with pytest.raises(OSError, match=r"held-out.jsonl: changed since training began"):
        resume(tmp_path / "run", 0, Silent(), Consent())


def test_patience_without_validation_makes_no_sense() -> None:
    with pytest.raises(SettingsError, match="give --validate-every STEPS as well"):
        resolve("exercise", {"patience": 2})
    assert resolve("exercise", {"patience": 2, "validate_every": 10}).settings.patience == 2
    with pytest.raises(SettingsError, match="--patience: leave it out with --objective rl"):
        resolve("cpu", {"patience": 2, "objective": "rl", "start": "runs/first"})


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_random_kills(trainings: Trainings, seed: int) -> None:
    options = ("--validate-every", "5", "--validation-questions", "1", "--patience", "2", "--learning-rate", "0.1")
    if not trainings.path("validated").exists():
        ended(trainings.start("validated", *options))
    name = f"validated-{seed}"
    kill_at_random(trainings, name, len(trainings.rows("validated")), random.Random(seed), *options)
    for file, keys in SAME.items():
        one, other = ([[row[key] for key in keys] for row in trainings.rows(n, file)] for n in (name, "validated"))
        assert one == other
    assert trainings.rows(name, "checkpoints")[-1]["step"] == trainings.rows("validated", "checkpoints")[-1]["step"]
    assert trainings.weights(name) == trainings.weights("validated")
