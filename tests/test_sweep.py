"""Sweeps of a tiny model on a real server: who wins, who stops, and that neither company nor interruption matters."""

import io
import json
import math
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tinkersql import corpus
from tinkersql.cli import app
from tinkersql.cli.tables import print_sweep
from tinkersql.console import Silent
from tinkersql.corpus import read_file
from tinkersql.errors import Interrupted, RunError, SettingsError
from tinkersql.eval import evaluate
from tinkersql.evaluation.request import Request
from tinkersql.report import build_sweep
from tinkersql.runs import RunFolder
from tinkersql.settings import resolve
from tinkersql.sweep import Options, resume, sweep
from tinkersql.train import resume as resume_training
from tinkersql.tuning.cost import Consent
from tinkersql.tuning.racing import clear_losers, gap
from tuning.conftest import ROWS

SAME = ("step", "examples", "loss", "learning_rate", "tokens")
TOKENS = 900


class Sweeps:
    """Sweeps on one server, in a folder of their own."""

    def __init__(self, folder: Path, engine: Any) -> None:
        self.folder, self.engine = folder, engine
        self.data = folder / "ducks.json"
        self.data.write_text(json.dumps(ROWS))

    def settings(self) -> dict[str, Any]:
        return {
            **{"data": str(self.data), "model": self.engine.model, "base_url": self.engine.base_url, "test_size": 4},
            **{
                "recipe": "",
                "tokens": TOKENS,
                "epochs": 9,
                "rank": 4,
                "train_unembed": True,
                "max_tokens": 8,
                "save_every": 5,
                "judge_workers": 1,
            },
        }

    def run(
        self, name: str, cells: list[dict], reporter: Any = None, side_by_side: int = 2, questions: int = 2, **base: Any
    ) -> dict:
        options = Options(side_by_side, held_out=8, questions=questions)
        resolved = [resolve("cpu", self.settings() | base | each) for each in cells]
        common = resolve("cpu", self.settings() | base)
        return sweep(common, resolved, options, self.folder, name, reporter or Silent(), Consent())[1]

    def rows(self, name: str, key: str) -> list[list]:
        rows = RunFolder(self.folder / name / "cells" / key).rows("metrics.jsonl")
        return [[row[each] for each in SAME] for row in rows]

    def weights(self, name: str, key: str) -> bytes:
        [final] = [
            row
            for row in RunFolder(self.folder / name / "cells" / key).rows("checkpoints.jsonl")
            if row["kind"] == "final"
        ]
        run, kind, checkpoint = final["state_path"].split("/")[2:]
        return (
            self.engine.store / run.replace(":", "_") / kind / checkpoint / "adapter_model.safetensors"
        ).read_bytes()

    def assert_same(self, name: str, other: str) -> None:
        """Two sweeps came to the same, to the last bit."""
        one, two = (json.loads((self.folder / each / "sweep.json").read_text()) for each in (name, other))
        assert one["cells"] == two["cells"]
        for cell in one["cells"]:
            assert self.rows(name, cell["key"]) == self.rows(other, cell["key"])
            if cell["state"] == "finished":
                assert self.weights(name, cell["key"]) == self.weights(other, cell["key"])


class Stops(Silent):
    """A person who presses Ctrl-C when so many steps have been taken."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    @contextmanager
    def track(self, label: str, total: int | None, unit: str) -> Iterator[Any]:  # noqa: ARG002
        def advance(by: float = 1, note: str = "") -> None:  # noqa: ARG001
            if note:
                self.left -= 1
                if self.left == 0:
                    signal.raise_signal(signal.SIGINT)

        yield advance


FOUR = [{"learning_rate": rate, "batch_size": batch} for rate in (0.005, 0.02) for batch in (2, 4)]
HOPELESS = {"learning_rate": 100.0, "batch_size": 2}


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory, engine: Any) -> Iterator[Sweeps]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINKER_API_KEY", engine.key)
        yield Sweeps(tmp_path_factory.mktemp("sweeps"), engine)


@pytest.fixture(scope="module")
def whole(sweeps: Sweeps) -> dict:
    """A sweep of four sensible settings and a hopeless one, which nobody has disturbed."""
    return sweeps.run("whole", [*FOUR, HOPELESS])


def test_all_have_the_same_budget_and_the_lowest_loss_wins(sweeps: Sweeps, whole: dict) -> None:
    finished = [cell for cell in whole["cells"] if cell["state"] == "finished"]
    assert whole["winner"] == whole["cells"][0]["key"] == finished[0]["key"]
    assert [cell["rank"] for cell in whole["cells"]] == [1, 2, 3, 4, 5]
    losses = [cell["losses"][-1]["loss"] for cell in finished]
    assert losses == sorted(losses)
    assert losses[0] < whole["untrained_loss"] / 2
    longest = max(
        row["tokens"] for row in RunFolder(sweeps.folder / "whole/cells" / whole["winner"]).rows("metrics.jsonl")
    )
    for cell in finished:
        assert TOKENS <= cell["tokens"] <= TOKENS + longest
        assert cell["step"] == cell["steps"] == len(sweeps.rows("whole", cell["key"]))
        assert (cell["answers"]["n"], len(cell["losses"])) == (2, 3)
        assert cell["behind"] is None or cell["behind"]["difference"] > 0
    assert {cell["steps"] for cell in finished if cell["batch_size"] == 2} != {
        cell["steps"] for cell in finished if cell["batch_size"] == 4
    }


def test_who_diverges_stops_and_the_others_finish(sweeps: Sweeps, whole: dict) -> None:
    last = whole["cells"][-1]
    assert (last["learning_rate"], last["state"]) == (100, "diverged")
    assert last["reason"]
    assert last["step"] == len(sweeps.rows("whole", last["key"])) < last["steps"]
    assert {cell["state"] for cell in whole["cells"][:-1]} <= {"finished", "stopped"}


def test_where_all_diverge_nobody_wins(sweeps: Sweeps) -> None:
    result = sweeps.run("lost", [HOPELESS, HOPELESS | {"batch_size": 4}])
    assert (result["winner"], {cell["state"] for cell in result["cells"]}) == (None, {"diverged"})
    assert "train_with" not in result
    assert "No training has ended" in (sweeps.folder / "lost" / "sweep.html").read_text()


def test_nobody_trains_on_what_is_held_out(sweeps: Sweeps, whole: dict) -> None:
    held_out = set(read_file(sweeps.folder / "whole" / "held-out.jsonl"))
    assert len(held_out) == 8
    for cell in whole["cells"]:
        assert not held_out & set(read_file(sweeps.folder / "whole/cells" / cell["key"] / "train.jsonl"))


def test_nobody_trains_on_what_repeats_a_held_out_row(sweeps: Sweeps) -> None:
    twice = sweeps.folder / "twice.json"
    twice.write_text(json.dumps(ROWS * 2))
    result = sweeps.run("twice", FOUR[:2], questions=0, tokens=150, data=str(twice))
    held_out = set(read_file(sweeps.folder / "twice" / "held-out.jsonl"))
    for cell in result["cells"]:
        assert not held_out & set(read_file(sweeps.folder / "twice/cells" / cell["key"] / "train.jsonl"))


def test_all_trainings_together_are_asked_about_before_the_first(sweeps: Sweeps, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(f'["{sweeps.engine.model}"]\ntrain = 1000\nprefill = 0\nsample = 0\n')
    common, *cells = (resolve("cpu", sweeps.settings() | each) for each in ({}, *FOUR[:3]))
    options = Options(held_out=8, questions=2)
    each = 1000e-6 * TOKENS
    with pytest.raises(SettingsError, match=r"more than \$1.80: .* in .* steps.*add --yes") as caught:
        sweep(common, cells, options, sweeps.folder, "dear", Silent(), Consent(2 * each, prices=prices))
    [usd] = re.findall(r"at most \$([0-9.]+)", str(caught.value))
    assert float(usd) > 3 * each
    assert not (sweeps.folder / "dear").exists()


def test_the_estimate_is_kept_beside_the_truth(whole: dict) -> None:
    cost = whole["cost"]
    assert cost["tokens"] == sum(cell["tokens"] for cell in whole["cells"]) > 0
    assert cost["estimated"]["work"]["train_tokens"] >= cost["tokens"]
    assert 0 < cost["seconds"] < whole["seconds"]
    assert (cost["estimated"]["seconds"], cost["error"]) == (None, None)  # only the embedded server's speed is measured


def test_a_cell_is_a_run_like_any_other(sweeps: Sweeps, whole: dict) -> None:
    path = sweeps.folder / "whole" / "cells" / whole["winner"]
    assert RunFolder(path).store.resolve() == sweeps.folder / "whole" / "store"
    assert (path / "report.html").is_file()
    _, asked = evaluate(Request(run=path, suite="exercise", limit=2), sweeps.folder / "asked", Silent())
    assert asked["evaluations"]["tuned"]["n"] == 2
    with pytest.raises(RunError, match="a sweep; go on with tinkersql sweep --resume"):
        resume_training(sweeps.folder / "whole", 0, Silent(), Consent())
    assert whole["train_with"] == f"tinkersql train --config {path / 'config.toml'}"
    assert f"learning_rate = {whole['cells'][0]['learning_rate']}" in (path / "config.toml").read_text()


def test_company_changes_nothing(sweeps: Sweeps, whole: dict) -> None:  # noqa: ARG001
    sweeps.run("alone", [*FOUR, HOPELESS], side_by_side=1)
    sweeps.assert_same("alone", "whole")


def test_ctrl_c_saves_all_and_a_resume_ends_as_if_nothing_had_happened(sweeps: Sweeps, whole: dict) -> None:
    with pytest.raises(Interrupted, match=r"go on with: tinkersql sweep --resume \S+/stopped$"):
        sweeps.run("stopped", [*FOUR, HOPELESS], Stops(9))
    path = sweeps.folder / "stopped"
    kinds = [
        row["kind"]
        for cell in whole["cells"]
        for row in RunFolder(path / "cells" / cell["key"]).rows("checkpoints.jsonl")
    ]
    assert kinds.count("interrupted") == 2
    for after in (7, 12, 3, 1000):
        try:
            resume(path, Stops(after))
        except Interrupted:
            continue
    sweeps.assert_same("stopped", "whole")
    cost = json.loads((path / "sweep.json").read_text())["cost"]
    assert (cost["estimated"], cost["tokens"]) == (whole["cost"]["estimated"], whole["cost"]["tokens"])
    before = (path / "cells" / whole["winner"] / "metrics.jsonl").read_bytes()
    resume(path, Stops(1))  # nothing is left to do, so nobody presses Ctrl-C
    assert (path / "cells" / whole["winner"] / "metrics.jsonl").read_bytes() == before


def test_a_resume_decides_as_the_first_sitting_did(sweeps: Sweeps, whole: dict) -> None:
    path = sweeps.folder / "decided"
    shutil.copytree(sweeps.folder / "whole", path, symlinks=True)
    winner = whole["winner"]
    best, close, worse = [cell["key"] for cell in whole["cells"] if cell["key"] != winner and cell["losses"]]
    # The best of the first rung diverges at the second; two were stopped at the first because they were behind it.
    for key, loss in ((best, 1), (winner, 2), (close, 3), (worse, 4)):
        file = path / "cells" / key / "held-out-losses.jsonl"
        first, *later = map(json.loads, file.read_text().splitlines())
        rows = [first | {"nll": [loss] * len(first["nll"])}, *(later if key == winner else ())]
        if key == best:
            rows.append(first | {"rung": 1, "nll": [], "diverged": "made to"})
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, result = resume(path, Stops(1))  # nothing is left to do, so nobody presses Ctrl-C
    states = {cell["key"]: cell["state"] for cell in result["cells"]}
    assert [states[key] for key in (best, winner, close, worse)] == ["diverged", "finished", "stopped", "stopped"]


def test_who_diverged_at_the_last_rung_is_not_trained_again(sweeps: Sweeps, whole: dict) -> None:
    path = sweeps.folder / "late"
    shutil.copytree(sweeps.folder / "whole", path, symlinks=True)
    cell = path / "cells" / whole["winner"]
    losses = [json.loads(row) for row in (cell / "held-out-losses.jsonl").read_text().splitlines()]
    losses[-1] |= {"nll": [], "diverged": "made to"}
    (cell / "held-out-losses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in losses))
    saved = [row for row in RunFolder(cell).rows("checkpoints.jsonl") if row["kind"] != "final"]
    (cell / "checkpoints.jsonl").write_text("".join(json.dumps(row) + "\n" for row in saved))
    _, result = resume(path, Stops(1))
    assert {row["key"]: row["state"] for row in result["cells"]}[whole["winner"]] == "diverged"


@pytest.mark.slow
def test_a_killed_sweep_goes_on(sweeps: Sweeps, whole: dict) -> None:
    options = {**sweeps.settings(), "name": "killed", "runs": str(sweeps.folder)}
    (sweeps.folder / "killed.toml").write_text(
        "".join(f"{key} = {json.dumps(each)}\n" for key, each in options.items())
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "tinkersql", "sweep", "--config", str(sweeps.folder / "killed.toml"),
         "--learning-rates", "0.005,0.02", "--batch-sizes", "2,4", "--held-out", "8", "--questions", "2",
         "--side-by-side", "2", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    cells = sweeps.folder / "killed" / "cells"
    deadline = time.monotonic() + 120
    while child.poll() is None and sum(path.read_text().count("\n") for path in cells.glob("*/metrics.jsonl")) < 8:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    child.kill()
    _, said = child.communicate()
    assert child.returncode == -signal.SIGKILL, said
    _, result = resume(sweeps.folder / "killed", Silent())
    assert len(result["cells"]) == 4
    for cell in result["cells"]:
        both = list(zip(*(sweeps.rows(name, cell["key"]) for name in ("killed", "whole")), strict=False))
        assert both
        assert all(one == other for one, other in both)
    assert result["winner"] == whole["winner"]
    assert sweeps.weights("killed", result["winner"]) == sweeps.weights("whole", result["winner"])


def test_a_sweep_that_was_tampered_with_is_refused(sweeps: Sweeps, whole: dict) -> None:  # noqa: ARG001
    plan = json.loads((sweeps.folder / "whole" / "sweep.json").read_text())
    without_cost = json.dumps({key: value for key, value in plan.items() if key != "cost"})
    for name, content in (
        *(("sweep.json", text) for text in ("{}", "{", without_cost)),
        ("held-out.jsonl", ""),
    ):
        path = sweeps.folder / "tampered"
        shutil.copytree(sweeps.folder / "whole", path, symlinks=True)
        (path / name).write_text(content)
        with pytest.raises(RunError, match=name):
            resume(path, Silent())
        shutil.rmtree(path)


def test_seeds_and_recipes_train_on_no_test_question_of_each_other(sweeps: Sweeps) -> None:
    cells = [{"recipe": recipe, "seed": seed} for recipe in ("", "value-case,shuffle-columns=1") for seed in (0, 1)]
    result = sweeps.run("seeds", cells, questions=0, tokens=150)
    assert {cell["key"] for cell in result["cells"]} == {
        *("1-plain-seed-0", "2-plain-seed-1"),
        *("3-value-case-shuffle-columns-1-seed-0", "4-value-case-shuffle-columns-1-seed-1"),
    }
    data = corpus.load(str(sweeps.data), Silent(), "")
    asked = {example.question for seed in (0, 1) for example in corpus.split(data, 4, seed, "row").test}
    assert len(asked) > 4
    for cell in result["cells"]:
        path = sweeps.folder / "seeds" / "cells" / cell["key"] / "train.jsonl"
        assert not asked & {example.question for example in read_file(path)}


def test_one_table_and_one_plot(sweeps: Sweeps, whole: dict) -> None:
    page = build_sweep(sweeps.folder / "whole").read_text()
    labels = re.findall(r'class="lane">([^<]*)<', page)
    assert sorted(labels) == sorted(
        f"{cell['rank']}: {cell['learning_rate']:g} × {cell['batch_size']}" for cell in whole["cells"] if cell["losses"]
    )
    assert page.count("<polyline") == len(labels) >= 4
    assert page.count('class="curve tuned"') == 1
    assert whole["train_with"] in page
    assert "src=" not in page
    console = Console(width=140, record=True, file=io.StringIO())
    print_sweep(console, whole)
    shown = console.export_text()
    assert "recipe" not in shown  # all have the same
    best = whole["cells"][0]
    [row] = [line for line in shown.splitlines() if line.startswith("│ 1 ")]
    for word in (f"{best['learning_rate']:g}", f"{best['losses'][-1]['loss']:.4f}", "/2 (", "finished"):
        assert word in row
    assert "diverged" in shown


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "there is nothing to vary"),
        (("--learning-rates", "1e-3"), "there is nothing to vary"),
        (("--learning-rates", "1e-3,0.001"), "some trainings would be the same"),
        (("--learning-rates", "1e-3,fast"), "--learning-rates fast: give numbers"),
        (("--learning-rates", "1e-3,,1e-2"), "a value is missing"),
        (("--learning-rates", "1e-3,-1"), "--learning-rate -1: must be a positive number"),
        (("--learning-rates", "1e-3,nan"), "--learning-rate nan: must be a positive number"),
        (("--batch-sizes", "8,1.5"), "--batch-sizes 1.5: give whole numbers"),
        (("--batch-sizes", "8,0"), "--batch-size 0: must be at least 1"),
        (("--batch-sizes", "8,16", "--batch-size", "8"), "leave --batch-size out"),
        (("--recipes", "plain;nonsense"), "--recipe nonsense: no such recipe"),
        (("--seeds", "0,1", "--steps", "9"), "the same budget in tokens"),
        (("--seeds", "0,1", "--preset", "exercise"), "give --tokens"),
        (("--seeds", "0,1", "--side-by-side", "0"), "--side-by-side 0: must be at least 1"),
        (("--seeds", ",".join(map(str, range(101)))), "101 trainings of 250,000 tokens each are 25,250,000 tokens"),
        (("--seeds", "0,1", "--held-out", "44"), "--held-out 44 is too large"),
        (("--seeds", "0,1", "--config", "taken/start.toml"), "leave --from and --objective rl out"),
        (("--seeds", "0,1", "--config", "taken/patient.toml", "--held-out", "44"), "--held-out 44 is too large"),
        (("--seeds", "0,1", "--name", "taken"), "choose another --name"),
        (("--resume", "taken", "--seeds", "0,1"), "leave --seeds out"),
        (("--resume", "taken"), "no sweep lies there"),
    ],
)
def test_what_makes_no_sense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ducks.json").write_text(json.dumps(ROWS))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/start.toml").write_text('start = "runs/one"')
    (tmp_path / "taken/patient.toml").write_text('validate_every = 5\npatience = 2\nmonitors = "tensorboard"')
    if "--resume" not in options:
        options = (*options, "--data", "ducks.json", "--test-size", "4", "--runs", ".")
    done = CliRunner().invoke(app, ["sweep", *options])
    assert isinstance(done.exception, SettingsError | RunError), done.exception
    assert said in str(done.exception)
    assert "\n" not in str(done.exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ducks.json", "taken"]


def test_a_gap_is_per_token_and_certain_where_all_examples_agree() -> None:
    same = gap([3.0, 6.0, 3.0], [1.0, 2.0, 1.0], [1, 2, 1])
    assert (same.difference, same.low, same.high) == pytest.approx((2.0, 2.0, 2.0))
    # By hand: d = 1, 0, 2 on one token each: mean 1, standard error √(1/3), and t(0.975, 2) = 4.3027.
    unsure = gap([2.0, 1.0, 3.0], [1.0, 1.0, 1.0], [1, 1, 1])
    assert (unsure.low, unsure.high) == pytest.approx((1 - 4.3027 / math.sqrt(3), 1 + 4.3027 / math.sqrt(3)), rel=1e-4)
    assert gap([2.0, 1.0, 3.0], [1.0, 1.0, 1.0], [1, 1, 1], rivals=4).low < unsure.low


def test_equals_are_seldom_stopped_and_clear_losers_always() -> None:
    rng = random.Random(0)
    lengths = [rng.randint(5, 40) for _ in range(100)]
    common = [length * rng.expovariate(2) for length in lengths]

    def noisy(worse: float = 0.0) -> list[float]:
        pairs = zip(common, lengths, strict=True)
        return [loss + length * (worse + rng.gauss(0, 0.1)) for loss, length in pairs]

    stopped = sum(bool(clear_losers({str(i): noisy() for i in range(6)}, lengths)) for _ in range(300))
    assert stopped <= 27  # of 300, where a true 5 % stays below in 999 of 1,000 tries
    mixed = {"best": noisy(), "close": noisy(), "bad": noisy(0.3), "worse": noisy(0.6)}
    assert set(clear_losers(mixed, lengths)) == {"bad", "worse"}
    assert set(clear_losers({"best": noisy(), "bad": noisy(0.3), "worse": noisy(0.6)}, lengths)) == {"worse"}
