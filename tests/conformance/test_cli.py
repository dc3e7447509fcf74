"""The official ``tinker`` command, as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from safetensors.torch import load_file

if TYPE_CHECKING:
    from conftest import RunningEngine

pytestmark = pytest.mark.slow

RunClient = Callable[..., "subprocess.CompletedProcess[str]"]
TINKER = Path(sys.executable).with_name("tinker")


@pytest.fixture
def run_id(served: "RunningEngine") -> str:
    """A run with the checkpoints weights/one, weights/two and sampler_weights/one."""
    with served.client() as service:
        client = service.create_lora_training_client(base_model=served.model, rank=4).result()
        for save in (client.save_state("one"), client.save_state("two"), client.save_weights_for_sampler("one")):
            save.result()
        return client.model_id


@pytest.fixture
def cli(run_client: RunClient) -> Callable[..., Any]:
    """Run ``tinker --format json ...``; returns what it prints."""

    def run(*arguments: str) -> Any:
        printed = run_client(TINKER, "--format", "json", *arguments).stdout
        return json.loads(printed) if printed.strip() else None

    return run


def names(listed: dict[str, Any]) -> set[str]:
    return {checkpoint["checkpoint_id"] for checkpoint in listed["checkpoints"]}


def test_runs_and_models_are_listed(cli: Callable[..., Any], run_id: str, served: "RunningEngine") -> None:
    runs = cli("run", "list", "--limit", "1000")["runs"]
    (found,) = [run for run in runs if run["training_run_id"] == run_id]
    assert (found["base_model"], found["lora_rank"]) == (served.model, 4)
    assert cli("run", "info", run_id)["last_checkpoint"]["checkpoint_id"] == "weights/two"
    assert served.model in json.dumps(cli("model", "list"))


def test_checkpoints_are_listed_described_and_changed(
    cli: Callable[..., Any], run_id: str, run_client: RunClient
) -> None:
    assert names(cli("checkpoint", "list", "--run-id", run_id)) == {"weights/one", "weights/two", "sampler_weights/one"}
    path = f"tinker://{run_id}/weights/one"

    def info() -> dict[str, Any]:
        return cli("checkpoint", "info", path)

    assert (info()["public"], info()["expires_at"]) == (False, None)
    cli("checkpoint", "publish", path)
    cli("checkpoint", "set-ttl", path, "--ttl", "7200")
    assert info()["public"] is True
    assert info()["expires_at"] is not None
    cli("checkpoint", "unpublish", path)
    cli("checkpoint", "set-ttl", path, "--remove")
    assert (info()["public"], info()["expires_at"]) == (False, None)
    assert "weights/one" in run_client(TINKER, "checkpoint", "info", path).stdout, "as a table, too"


def test_a_checkpoint_is_downloaded_and_the_export_deleted(
    run_id: str, tmp_path: Path, run_client: RunClient, served: "RunningEngine"
) -> None:
    run_client(TINKER, "checkpoint", "download", f"tinker://{run_id}/weights/two", "--output", tmp_path / "got")
    (folder,) = (tmp_path / "got").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    saved = served.store / run_id.replace(":", "_") / "weights" / "two" / "adapter_model.safetensors"
    got, kept = load_file(folder / "adapter_model.safetensors"), load_file(saved)
    assert got.keys() == kept.keys()
    assert all(bool((got[name] == kept[name]).all()) for name in kept)
    assert not list(served.store.glob("*/external_weights/*"))
    refused = run_client(TINKER, "checkpoint", "download", f"tinker://{run_id}/sampler_weights/one", fails=True)
    assert "cannot be downloaded" in refused.stderr


def test_checkpoints_are_deleted(cli: Callable[..., Any], run_id: str, run_client: RunClient) -> None:
    cli("checkpoint", "delete", "--yes", f"tinker://{run_id}/weights/one")
    assert names(cli("checkpoint", "list", "--run-id", run_id)) == {"weights/two", "sampler_weights/one"}
    gone = run_client(TINKER, "checkpoint", "info", f"tinker://{run_id}/weights/one", fails=True)
    assert "Traceback" not in gone.stderr
    cli("checkpoint", "delete", "--yes", "--run-id", run_id)
    assert names(cli("checkpoint", "list", "--run-id", run_id)) == set()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["session", "export-trace", "any"], "no traces"),
        (["billing", "checkpoint-storage"], "bills nothing"),
        (["run", "info", "no-such-run:train:0"], "no training run"),
        (["checkpoint", "publish", "tinker://x:train:0/weights/none"], "no checkpoint"),
    ],
)
def test_what_cannot_be_had_is_said_in_a_line(command: list[str], message: str, run_client: RunClient) -> None:
    refused = run_client(TINKER, *command, fails=True)
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr
