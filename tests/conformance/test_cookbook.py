"""tinker-cookbook 0.6.1, unmodified: its recipes run to their end against the engine."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import RunningEngine

pytestmark = pytest.mark.slow

RunClient = Callable[..., "subprocess.CompletedProcess[str]"]
CLIENTS = Path(__file__).parent / "clients"


@pytest.fixture
def recipe(run_client: RunClient, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Run a recipe's command line; returns the metrics of its steps."""

    def run(command: str | list[str | Path], **settings: object) -> list[dict[str, Any]]:
        module = ["-m", f"tinker_cookbook.{command}"] if isinstance(command, str) else command
        log = tmp_path / "log"
        settings["log_path"] = log
        run_client(sys.executable, *module, *(f"{k}={v}" for k, v in settings.items()), beside="cookbook")
        return [json.loads(line) for line in (log / "metrics.jsonl").read_text().splitlines()]

    return run


@pytest.fixture
def conversations(tmp_path: Path) -> Path:
    rows = [
        [
            {"role": "user", "content": f"How many orders does customer {i} have?"},
            {"role": "assistant", "content": f"SELECT COUNT(*) FROM orders WHERE customer = {i}"},
        ]
        for i in range(24)
    ]
    path = tmp_path / "conversations.jsonl"
    path.write_text("\n".join(json.dumps({"messages": row}) for row in rows))
    return path


def on_policy(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The training steps among the rows; the policy that was sampled from must be the one that is trained."""
    trained = [step for step in steps if "env/all/reward/total" in step]
    assert all(abs(step["optim/kl_sample_train_v1"]) < 1e-4 for step in trained)
    return trained


def checkpoints(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (log / "checkpoints.jsonl").read_text().splitlines()]


def test_supervised_training_runs_to_its_end_and_resumes(
    recipe: Callable[..., list[dict[str, Any]]],
    conversations: Path,
    tiny_model: Path,
    tmp_path: Path,
    served: "RunningEngine",
) -> None:
    def train(epochs: int) -> list[dict[str, Any]]:
        return recipe(
            "recipes.prompt_distillation.train",
            model_name=tiny_model,
            renderer_name="role_colon",
            file_path=conversations,
            batch_size=8,
            max_length=400,
            learning_rate=1e-2,
            lr_schedule="constant",
            num_epochs=epochs,
            save_every=2,
            behavior_if_log_dir_exists="resume",
        )

    first = train(1)
    assert len(first) == 3
    saved = checkpoints(tmp_path / "log")
    assert [record["name"] for record in saved] == ["000002", "final"]
    steps = train(3)
    assert [step["step"] for step in steps] == list(range(9)), "the finished epoch is not trained again"
    assert steps[:3] == first
    assert "Resumed training from " + saved[-1]["state_path"] in (tmp_path / "log" / "logs.log").read_text()
    assert steps[-1]["train_mean_nll"] < steps[3]["train_mean_nll"] < steps[0]["train_mean_nll"]
    with served.client() as service:
        assert service.create_sampling_client(model_path=checkpoints(tmp_path / "log")[-1]["sampler_path"]).result()


@pytest.mark.parametrize("loss", ["importance_sampling", "ppo"])
def test_reinforcement_learning_on_arithmetic(
    loss: str, recipe: Callable[..., list[dict[str, Any]]], tiny_model: Path
) -> None:
    steps = recipe(
        "recipes.math_rl.train",
        env="arithmetic",
        model_name=tiny_model,
        renderer_name="role_colon",
        loss_fn=loss,
        group_size=4,
        groups_per_batch=3,
        max_tokens=12,
        max_steps=2,
        eval_every=0,
        save_every=1,
        learning_rate=1e-3,
    )
    assert len(on_policy(steps)) == 2


def test_preference_learning_by_comparing_answers_in_pairs(
    recipe: Callable[..., list[dict[str, Any]]], tiny_model: Path
) -> None:
    steps = recipe(
        "recipes.preference.shorter.train",
        model_name=tiny_model,
        renderer_name="role_colon",
        batch_size=2,
        group_size=4,
        max_tokens=8,
        eval_every=0,
        max_steps=2,
        learning_rate=1e-3,
    )
    assert len(on_policy(steps)) == 2


def test_the_flat_supervised_loop(recipe: Callable[..., list[dict[str, Any]]], tiny_model: Path) -> None:
    command = [CLIENTS / "cookbook_loops.py", "recipes.sl_loop", tiny_model]
    steps = recipe(command, batch_size=6, max_length=400, learning_rate=1e-2, save_every=2)
    assert len(steps) == 4
    assert steps[-1]["train_mean_nll"] < steps[0]["train_mean_nll"]


def test_the_flat_reinforcement_loop(
    recipe: Callable[..., list[dict[str, Any]]], tiny_model: Path, tmp_path: Path
) -> None:
    command = [CLIENTS / "cookbook_loops.py", "recipes.rl_loop", tiny_model]
    steps = recipe(command, batch_size=3, group_size=2, max_tokens=8, loss_fn="importance_sampling", max_steps=2)
    assert len(steps) == 2
    assert checkpoints(tmp_path / "log")[-1]["name"] == "final"


def test_direct_preference_optimization(run_client: RunClient, tiny_model: Path, tmp_path: Path) -> None:
    run_client(sys.executable, CLIENTS / "cookbook_dpo.py", tiny_model, tmp_path / "log", beside="cookbook")
    steps = [json.loads(line) for line in (tmp_path / "log" / "metrics.jsonl").read_text().splitlines()]
    assert len(steps) == 4
    assert steps[0]["dpo_loss"] == pytest.approx(0.6931, abs=1e-3), "log 2: the policy is still the reference"
    assert steps[-1]["dpo_loss"] < 0.6


def test_its_tools_read_what_the_engine_saves(
    run_client: RunClient, tiny_model: Path, tmp_path: Path, served: "RunningEngine"
) -> None:
    with served.client() as service:
        client = service.create_lora_training_client(base_model=served.model, rank=4).result()
        path = client.save_weights_external("out").result().path
    script = (
        "import sys\n"
        "from tinker_cookbook import weights\n"
        "path, model, adapter, merged, peft = sys.argv[1:]\n"
        "weights.download(tinker_path=path, output_dir=adapter)\n"
        "weights.build_hf_model(base_model=model, adapter_path=adapter, output_path=merged)\n"
        "weights.build_lora_adapter(base_model=model, adapter_path=adapter, output_path=peft)\n"
    )
    folders = [tmp_path / name for name in ("adapter", "merged", "peft")]
    run_client(sys.executable, "-c", script, path, tiny_model, *folders, beside="cookbook")
    assert (tmp_path / "merged" / "model.safetensors").is_file()
    assert (tmp_path / "peft" / "adapter_model.safetensors").is_file()
