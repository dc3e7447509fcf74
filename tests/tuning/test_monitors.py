"""What TensorBoard and W&B are told, read back from what their own libraries have written."""

import json
import os
import struct
import subprocess
import sys

import pytest

from tinkersql.console import Silent
from tinkersql.errors import SettingsError
from tinkersql.settings import parse_monitors, resolve
from tinkersql.train import resume, train
from tinkersql.tuning import check_monitors
from tinkersql.tuning.cost import Consent
from tuning.test_validation import Death, Person, settings  # noqa: F401  the fixture

LEVELDB_BLOCK = 1 << 15


def test_tensorboard_shows_every_step_once_and_every_validation(settings, tmp_path) -> None:  # noqa: F811
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with pytest.raises(Death):
        train(settings(steps=12, monitors="tensorboard"), tmp_path, "run", Person(16), Consent())
    folder, _ = resume(tmp_path / "run", 0, Silent(), Consent())
    shown = EventAccumulator(str(folder.path / "tensorboard"))
    shown.Reload()

    def scalars(tag: str) -> list[tuple[int, float]]:
        return [(event.step, event.value) for event in shown.Scalars(tag)]

    metrics, validations = folder.rows("metrics.jsonl"), folder.rows("validations.jsonl")
    assert scalars("train/loss") == [(row["step"], pytest.approx(row["loss"])) for row in metrics]
    assert scalars("train/learning_rate") == [(row["step"], pytest.approx(row["learning_rate"])) for row in metrics]
    assert scalars("train/examples") == [(row["step"], row["examples"]) for row in metrics]
    assert scalars("validation/loss") == [(row["step"], pytest.approx(row["loss"])) for row in validations]
    assert len(metrics) == 12


def wandb_figures(content: bytes) -> dict[tuple[str, int], float]:
    """The figures in a ``.wandb`` file, by name and step; it has LevelDB's log format, after 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    at, message, found = 7, b"", {}
    while len(content) - at > 7:
        if (left := LEVELDB_BLOCK - at % LEVELDB_BLOCK) < 7:
            at += left
            continue
        size, kind = struct.unpack("<HB", content[at + 4 : at + 7])
        message += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a whole record, or the last part of one
            items = Record.FromString(message).history.item
            row = {"".join([item.key, *item.nested_key]): json.loads(item.value_json) for item in items}
            found |= {(name, row["step"]): value for name, value in row.items() if "/" in name}
            message = b""
    return found


def test_a_resumed_training_goes_on_in_the_same_wandb_run(settings, tmp_path, monkeypatch) -> None:  # noqa: F811
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_PROJECT", "ponds")
    with pytest.raises(Death):
        train(settings(steps=12, monitors="wandb"), tmp_path, "run", Person(16), Consent())
    monkeypatch.setenv("WANDB_PROJECT", "elsewhere")
    folder, _ = resume(tmp_path / "run", 0, Silent(), Consent())
    ours = json.loads((folder.path / "wandb.json").read_text())
    assert ours["project"] == "ponds"
    kept = sorted((folder.path / "wandb").glob(f"offline-run-*/run-{ours['id']}.wandb"))
    assert len(kept) == 2
    sittings = [wandb_figures(path.read_bytes()) for path in kept]
    assert all(sittings)
    found = sittings[0] | sittings[1]
    for row in folder.rows("metrics.jsonl"):
        assert found["train/loss", row["step"]] == pytest.approx(row["loss"])
    for row in folder.rows("validations.jsonl"):
        assert found["validation/loss", row["step"]] == pytest.approx(row["loss"])


def test_a_monitor_that_fails_does_not_end_the_training(settings, tmp_path) -> None:  # noqa: F811
    person = Person()
    with pytest.raises(Death):
        train(settings(steps=4), tmp_path, "run", Person(2), Consent())
    (tmp_path / "run" / "tensorboard").write_text("in the way")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["settings"]["monitors"]["value"] = "tensorboard"
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    _, result = resume(tmp_path / "run", 0, person, Consent())
    assert result["training"]["steps"] == 4
    assert len([line for line in person.said if line.startswith("tensorboard failed and is told nothing more")]) == 1


def test_monitors_are_named_with_commas() -> None:
    assert parse_monitors("") == {}
    assert parse_monitors("tensorboard, wandb=ducks") == {"tensorboard": "", "wandb": "ducks"}
    for wrong in ("mlflow", "tensorboard=x", "wandb,mlflow"):
        with pytest.raises(SettingsError, match="--monitors"):
            resolve("cpu", {"monitors": wrong})


@pytest.mark.parametrize(("name", "module"), [("tensorboard", "torch.utils.tensorboard"), ("wandb", "wandb")])
def test_a_package_that_is_not_there_is_named_with_its_installation(name, module, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as Python marks a module that cannot be imported
    with pytest.raises(SettingsError, match=rf"pip install 'tinkersql\[{name}\]'"):
        check_monitors(resolve("cpu", {"monitors": name}).settings)


def test_wandb_without_an_account_says_how_to_do_without(tmp_path) -> None:
    elsewhere = {"NETRC": str(tmp_path / "none"), "WANDB_CONFIG_DIR": str(tmp_path), "HOME": str(tmp_path)}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    done = subprocess.run(
        [sys.executable, "-m", "tinkersql", "train", "--data", "built-in", "--monitors", "wandb"],
        cwd=tmp_path,
        env=kept | elsewhere,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("error: --monitors wandb: W&B knows no account here; set WANDB_API_KEY")
    assert not (tmp_path / "runs").exists()
