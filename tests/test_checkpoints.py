"""``tinkersql checkpoints`` from the outside: the real SDK and a real engine, on a store and on a served address."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tinkersql import checkpoints
from tinkersql.checkpoints import Saved
from tinkersql.cli.checkpoints import app
from tinkersql.errors import TinkersqlError
from tinkersql.runs import RunFolder
from tinkersql.settings import resolve

if TYPE_CHECKING:
    import tinker

    from conftest import RunningEngine


def tinkersql(*arguments: object, key: str | None = None) -> Result:
    """The command in this process; only one test needs it as a process of its own."""
    return CliRunner().invoke(app, [*map(str, arguments)], env={"TINKER_API_KEY": key})


def answer(*arguments: object, key: str | None = None) -> dict[str, Any]:
    done = tinkersql(*arguments, "--json", key=key)
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout)


def error_of(done: Result) -> str:
    assert isinstance(done.exception, TinkersqlError)
    assert "\n" not in str(done.exception)
    return str(done.exception)


def new_model(service: "tinker.ServiceClient", model: str) -> "tinker.TrainingClient":
    return service.create_lora_training_client(model, rank=4, seed=1, train_unembed=False).result()


def trained(engine: "RunningEngine") -> dict[str, str]:
    """What a training leaves: three steps on the way, and how it ended; name -> path, oldest first."""
    with engine.client() as service:
        client = new_model(service, engine.model)
        paths = {name: client.save_state(name).result().path for name in ("s1", "s2", "s3", "final")}
        paths["sampler"] = client.save_weights_for_sampler("final").result().path
    return paths


@pytest.fixture
def run(start_engine: Callable[..., Any], tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A run folder whose training has ended, and the paths of its checkpoints; the model is no longer there."""
    folder = RunFolder.create(tmp_path / "runs", "ducks")
    folder.write_config(resolve("cpu", {"model": "no/longer-there", "learning_rate": 0.001}))
    with start_engine(folder.store) as engine:
        paths = trained(engine)
    for step, name in enumerate(("s1", "s2", "s3"), 1):
        folder.add_checkpoint({"step": step, "kind": "periodic", "state_path": paths[name], "sampler_path": None})
    ended = {"state_path": paths["final"], "sampler_path": paths["sampler"]}
    folder.add_checkpoint({"step": 3, "kind": "final", **ended})
    return folder.path, paths


def test_a_run_s_checkpoints_are_listed_newest_first_without_its_model(run: tuple[Path, dict[str, str]]) -> None:
    folder, paths = run
    with (folder / "checkpoints.jsonl").open("a") as file:
        file.write('{"step": 9, "kind": "peri')  # torn by a crash
    listed = answer("list", "--run", folder)["checkpoints"]
    assert [c["path"] for c in listed] == [paths[name] for name in ("sampler", "final", "s3", "s2", "s1")]
    assert [c["step"] for c in listed] == [3, 3, 3, 2, 1]
    assert [c["latest"] for c in listed] == [False, True, False, False, False]
    assert [c["final"] for c in listed] == [True, True, False, False, False]
    assert [c["kind"] for c in listed] == ["sampler", *["training"] * 4]
    assert all(c["size_bytes"] > 1000 for c in listed)
    lines = tinkersql("list", "--run", folder).stdout.splitlines()
    assert len(lines) == 6
    assert lines[1].startswith(paths["final"])
    assert lines[1].endswith("latest final")
    assert lines[-1].startswith("5 checkpoints, ")


def test_a_damaged_checkpoint_does_not_hide_the_others(run: tuple[Path, dict[str, str]]) -> None:
    folder, paths = run
    [meta] = folder.glob("store/*/weights/s2/checkpoint.json")
    meta.write_text("{")
    listed = answer("list", "--store", folder / "store")["checkpoints"]
    assert [c["path"] for c in listed] == [paths[name] for name in ("sampler", "final", "s3", "s1")]


def test_show_names_the_model(run: tuple[Path, dict[str, str]]) -> None:
    folder, paths = run
    facts = answer("show", paths["s2"], "--run", folder)
    assert (facts["base_model"], facts["lora_rank"], facts["train_unembed"]) == ("test/tiny-llama", 4, False)
    assert (facts["step"], facts["latest"]) == (2, False)
    assert "test/tiny-llama" in tinkersql("show", paths["s2"], "--run", folder).stdout
    assert "no such checkpoint" in error_of(tinkersql("show", paths["s2"] + "x", "--run", folder))


def test_delete_asks_and_refuses_what_would_be_missed(run: tuple[Path, dict[str, str]]) -> None:
    folder, paths = run
    assert "--yes" in error_of(tinkersql("delete", paths["s1"], "--run", folder))
    assert "--force" in error_of(tinkersql("delete", paths["s1"], paths["sampler"], "--run", folder, "--yes"))
    assert "no such" in error_of(tinkersql("delete", paths["s1"], "tinker://a/weights/b", "--run", folder, "--yes"))
    assert len(answer("list", "--run", folder)["checkpoints"]) == 5, "nothing is deleted by halves"
    done = answer("delete", paths["s1"], paths["s1"], "--run", folder, "--yes")
    assert done["deleted"] == [paths["s1"]]
    assert done["freed_bytes"] > 1000
    forced = answer("delete", paths["sampler"], "--run", folder, "--yes", "--force")
    assert forced["deleted"] == [paths["sampler"]]
    assert not list(folder.glob("store/*/sampler_weights/*"))


def test_prune_shows_what_goes_and_keeps_the_final_one(run: tuple[Path, dict[str, str]]) -> None:
    folder, paths = run
    asked = tinkersql("prune", "--keep", 2, "--run", folder)
    assert "2 checkpoints, " in error_of(asked)
    assert [line.split()[0] for line in asked.stdout.splitlines()] == [paths["s2"], paths["s1"]]
    assert answer("prune", "--keep", 2, "--run", folder, "--yes")["deleted"] == [paths["s2"], paths["s1"]]
    assert answer("prune", "--keep", 2, "--run", folder)["deleted"] == [], "nothing to ask about"


def test_the_best_so_far_stays(run: tuple[Path, dict[str, str]]) -> None:
    folder, paths = run
    noted = RunFolder(folder)
    for name, sampler in (("s1", None), ("s2", paths["sampler"])):
        noted.add_checkpoint({"step": 1, "kind": "best", "state_path": paths[name], "sampler_path": sampler})
    assert [c["path"] for c in answer("list", "--run", folder)["checkpoints"] if c["best"]] == [
        paths["sampler"],
        paths["s2"],
    ]
    assert "--force" in error_of(tinkersql("delete", paths["s2"], "--run", folder, "--yes"))
    assert answer("prune", "--keep", 1, "--run", folder, "--yes")["deleted"] == [paths["s3"], paths["s1"]]


def test_a_cell_of_a_sweep_shows_its_own(start_engine: Callable[..., Any], tmp_path: Path) -> None:
    with start_engine(tmp_path / "store") as engine:
        trained(engine)
        mine = trained(engine)
    cell = RunFolder.create(tmp_path / "cells", "mine")
    cell.write_config(resolve("cpu", {}))
    cell.store.rmdir()
    cell.store.symlink_to(Path("..", "..", "store"))
    assert answer("list", "--run", cell.path)["checkpoints"] == [], "nothing is on its record yet"
    cell.add_checkpoint({"step": 1, "kind": "periodic", "state_path": mine["s1"], "sampler_path": None})
    listed = answer("list", "--run", cell.path)["checkpoints"]
    assert [c["path"] for c in listed] == list(reversed(mine.values()))


@pytest.mark.slow
def test_a_terminal_is_asked(run: tuple[Path, dict[str, str]]) -> None:
    folder, _ = run
    command = [sys.executable, "-m", "tinkersql", "checkpoints", "prune", "--keep", "1", "--run", str(folder)]
    for said, code, left in (("n\n", 130, 5), ("y\n", 0, 2)):
        outside, inside = pty.openpty()
        with subprocess.Popen(
            command, stdin=inside, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as asked:
            os.write(outside, said.encode())
            _, errors = asked.communicate(timeout=60)
        os.close(outside)
        os.close(inside)
        assert asked.returncode == code
        assert "3 checkpoints" in errors
        assert "Go on? [y/N]" in errors
        assert ("error: not confirmed: nothing has been done" in errors) == (code == 130)
        assert len(answer("list", "--run", folder)["checkpoints"]) == left


def test_any_service_is_served_alike(engine: "RunningEngine") -> None:
    paths = trained(engine)
    there = ("--base-url", engine.base_url)
    listed = answer("list", *there, key=engine.key)["checkpoints"]
    assert [c["path"] for c in listed if c["path"] in paths.values()] == list(reversed(paths.values()))
    assert answer("delete", paths["s1"], *there, "--yes", key=engine.key)["deleted"] == [paths["s1"]]
    assert "refuses this TINKER_API_KEY" in error_of(tinkersql("list", *there, key="tml-wrong"))
    assert "TINKER_API_KEY is not set" in error_of(tinkersql("list", "--backend", "tinker"))


def test_of_a_shared_service_a_run_shows_its_own(engine: "RunningEngine", tmp_path: Path) -> None:
    trained(engine)
    mine = trained(engine)
    folder = RunFolder.create(tmp_path, "mine")
    folder.write_config(resolve("cpu", {"base_url": engine.base_url}))
    folder.add_checkpoint({"step": 1, "kind": "periodic", "state_path": mine["s1"], "sampler_path": None})
    listed = answer("list", "--run", folder.path, key=engine.key)["checkpoints"]
    assert [c["path"] for c in listed] == list(reversed(mine.values()))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "name one place"),
        (("--run", "a", "--store", "b"), "name one place"),
        (("--backend", "embedded"), "use --run or --store"),
        (("--run", "nowhere"), "no run lies there"),
        (("--store", "nowhere"), "no checkpoints lie there"),
    ],
)
def test_places_that_are_none(options: tuple[str, ...], said: str) -> None:
    assert said in error_of(tinkersql("list", *options))


@pytest.fixture
def rest(engine: "RunningEngine") -> "tinker.RestClient":
    import tinker

    return tinker.RestClient(base_url=engine.base_url, api_key=engine.key)


def test_all_pages_are_read(engine: "RunningEngine", rest: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = trained(engine)
    monkeypatch.setattr(checkpoints, "PAGE", 2)
    listed = checkpoints.Shelf(rest, checkpoints.Place(resolve("cpu", {}).settings, Path())).list()
    assert len({saved.path for saved in listed}) == len(listed)
    assert set(paths.values()) <= {saved.path for saved in listed}


def saved(name: str, kind: str = "training", run: str = "a") -> Saved:
    return Saved(f"tinker://{run}/{kind}/{name}", kind, run, 1, time.ctime(), None, None, False, name == "final")


def test_each_run_and_kind_keeps_its_own_newest() -> None:
    there = [saved("3"), saved("9", run="b"), saved("2"), saved("2", "sampler"), saved("1"), saved("final")]
    assert checkpoints.superfluous(there, 1) == [there[2], there[4]]
    assert checkpoints.superfluous(there, 2) == [there[4]]


def test_the_last_to_go_on_from_is_missed_and_not_the_one_before() -> None:
    there = [saved("2"), saved("1"), saved("2", "sampler"), saved("1", run="b")]
    assert checkpoints.irreplaceable(there, there[1:3]) == []
    assert [one for one, _ in checkpoints.irreplaceable(there, there[:2])] == there[:2]
    assert [one for one, _ in checkpoints.irreplaceable(there, there[3:])] == there[3:]
