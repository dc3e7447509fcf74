"""Checkpoints on disk: PEFT reads them, names stay inside the store, an interrupted save is never listed."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaForCausalLM

from tinkersql.engine import store as store_module
from tinkersql.engine.adapters import read_adapter, read_optimizer
from tinkersql.engine.attention import Packing, causal_attention
from tinkersql.engine.disk import Owner
from tinkersql.engine.faults import UserFault
from tinkersql.engine.llama import Llama
from tinkersql.engine.loading import load_llama
from tinkersql.engine.lora import LoraConfig
from tinkersql.engine.losses import find_loss
from tinkersql.engine.store import Checkpoint, RunInfo, Store
from tinkersql.engine.training import AdamParams, Datum, Trainer
from tinkersql.errors import RunError

LORA = LoraConfig(rank=4, seed=3, train_unembed=False)
RUN = RunInfo("5e55-10n:train:0", "test/tiny-llama", LORA, {"note": "hello"})


@pytest.fixture
def model(tiny_model: Path) -> Llama:
    return load_llama(tiny_model, torch.float32)


@pytest.fixture
def trainer(model: Llama) -> Trainer:
    """A trainer after two steps."""
    trainer = Trainer(model, LORA)
    tokens = torch.arange(20)
    for _ in range(2):
        trainer.forward_backward([Datum(tokens, tokens + 1, {"weights": torch.ones(20)})], find_loss("cross_entropy"))
        trainer.optim_step(AdamParams(learning_rate=1e-2))
    return trainer


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    store.create_run(RUN)
    return store


def test_peft_reads_an_adapter_and_computes_the_same(
    store: Store, trainer: Trainer, model: Llama, tiny_model: Path
) -> None:
    checkpoint = store.save(RUN, "sampler_weights", "final", trainer)
    base = LlamaForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    wrapped = peft.PeftModel.from_pretrained(base, checkpoint.folder)
    tokens = torch.arange(30)
    packing = Packing([30])
    adapter = trainer.layout.adapter(read_adapter(checkpoint.folder, model.config, LORA))
    with torch.no_grad():
        hidden = model.hidden_states(
            tokens,
            packing.positions,
            lambda _, qkv, cos, sin: causal_attention(qkv, cos, sin, packing, model.config.heads),
            adapter,
        )
        ours = model.logits(hidden, adapter)
        theirs = wrapped(tokens[None]).logits[0]
        with wrapped.disable_adapter():
            plain = wrapped(tokens[None]).logits[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert (ours - plain).abs().max() > 0.1


def test_a_training_checkpoint_restores_weights_and_optimizer_exactly(
    store: Store, trainer: Trainer, model: Llama
) -> None:
    folder = store.save(RUN, "weights", "ckpt", trainer).folder
    assert torch.equal(read_adapter(folder, model.config, LORA), trainer.masters)
    state = read_optimizer(folder, model.config, LORA)
    assert torch.equal(state.exp_avg, trainer.optimizer.exp_avg)
    assert torch.equal(state.exp_avg_sq, trainer.optimizer.exp_avg_sq)
    assert state.step == 2


def test_a_sampler_checkpoint_has_no_optimizer(store: Store, trainer: Trainer, model: Llama) -> None:
    folder = store.save(RUN, "sampler_weights", "s", trainer).folder
    with pytest.raises(UserFault, match="no optimizer state"):
        read_optimizer(folder, model.config, LORA)


def test_checkpoints_are_found_listed_and_deleted(store: Store, trainer: Trainer) -> None:
    store.save(RUN, "weights", "one", trainer, user_metadata={"a": "b"}, ttl_seconds=60)
    store.save(RUN, "sampler_weights", "one", trainer)
    paths = {f"tinker://{RUN.run_id}/weights/one", f"tinker://{RUN.run_id}/sampler_weights/one"}
    assert {checkpoint.path for checkpoint in store.checkpoints()} == paths
    found = Store(store.root).find(f"tinker://{RUN.run_id}/weights/one")
    assert found.user_metadata == {"a": "b"}
    assert found.expires_at is not None
    assert found.size_bytes > 1000
    store.delete(found.path)
    assert len(store.checkpoints(RUN.run_id)) == 1
    with pytest.raises(UserFault, match="no checkpoint"):
        store.find(found.path)
    assert Store(store.root).run(RUN.run_id).user_metadata == {"note": "hello"}


def test_a_taken_name_is_refused_unless_it_may_be_overwritten(store: Store, trainer: Trainer, model: Llama) -> None:
    folder = store.save(RUN, "weights", "x", trainer).folder
    before = trainer.masters.clone()
    trainer.masters.add_(1)
    with pytest.raises(UserFault, match="exists already"):
        store.save(RUN, "weights", "x", trainer)
    assert torch.equal(read_adapter(folder, model.config, LORA), before)
    store.save(RUN, "weights", "x", trainer, overwrite=True)
    assert torch.equal(read_adapter(folder, model.config, LORA), before + 1)
    assert len(store.checkpoints()) == 1


def test_a_checkpoint_that_is_being_overwritten_is_there_all_the_time(store: Store, trainer: Trainer) -> None:
    path = store.save(RUN, "weights", "x", trainer).path
    looked, done = threading.Event(), threading.Event()

    def look() -> int:
        looks = 0
        while not done.is_set():
            assert store.find(path).path == path
            assert [checkpoint.path for checkpoint in store.checkpoints()] == [path]
            looks += 1
            looked.set()
        return looks

    with ThreadPoolExecutor() as pool:
        looks = pool.submit(look)
        try:
            for _ in range(60):
                store.save(RUN, "weights", "x", trainer, overwrite=True)
                looked.wait(60)  # at least once between any two saves, and mostly during them
                looked.clear()
        finally:
            done.set()
        assert looks.result() >= 60


@pytest.fixture
def held_save(
    store: Store, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Future[Checkpoint], threading.Event]]:
    """An overwriting save of "x" that has come half-way, and what lets it go on."""
    store.save(RUN, "weights", "x", trainer)
    trainer.masters.add_(1)
    half_way, go_on = threading.Event(), threading.Event()
    write_optimizer = store_module.write_optimizer

    def held(path: Path, trainer: Trainer) -> None:
        half_way.set()
        assert go_on.wait(60)
        write_optimizer(path, trainer)

    monkeypatch.setattr(store_module, "write_optimizer", held)
    with ThreadPoolExecutor() as pool:
        save = pool.submit(store.save, RUN, "weights", "x", trainer, overwrite=True)
        assert half_way.wait(60)
        try:
            yield save, go_on
        finally:
            go_on.set()


@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_a_delete_during_an_overwriting_save_leaves_the_new_weights(
    how: str, held_save: tuple[Future[Checkpoint], threading.Event], store: Store, trainer: Trainer, model: Llama
) -> None:
    save, go_on = held_save
    path = f"tinker://{RUN.run_id}/weights/x"
    if how == "deleted":
        store.delete(path)
    else:
        store.change(path, expires_at="2020-01-01T00:00:00+00:00")
        store.delete_expired()
    assert store.checkpoints() == []
    go_on.set()
    assert torch.equal(read_adapter(save.result(60).folder, model.config, LORA), trainer.masters)
    assert [checkpoint.path for checkpoint in store.checkpoints()] == [path]
    assert list(store.root.rglob(".*~*")) == []


def test_a_change_never_undoes_an_overwrite(store: Store, trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.save(RUN, "weights", "x", trainer, user_metadata={"save": "first"}).path
    write_json = store.owner.write_json
    with ThreadPoolExecutor() as pool:
        saves: list[Future[Checkpoint]] = []

        def write_late(target: Path, content: Mapping[str, Any]) -> None:
            second = {"overwrite": True, "user_metadata": {"save": "second"}}
            saves.append(pool.submit(store.save, RUN, "weights", "x", trainer, **second))
            wait(saves, timeout=0.5)  # time enough to replace what was read, were that possible
            write_json(target, content)

        monkeypatch.setattr(store.owner, "write_json", write_late)
        store.change(path, public=True)
        assert saves[0].result(60).user_metadata == {"save": "second"}
    assert store.find(path).user_metadata == {"save": "second"}


def test_what_an_overwrite_could_not_delete_neither_blocks_the_next_nor_comes_back(
    store: Store, trainer: Trainer
) -> None:
    folder = store.save(RUN, "weights", "x", trainer).folder
    for act in (
        lambda: store.save(RUN, "weights", "x", trainer, overwrite=True),
        lambda: store.delete(f"tinker://{RUN.run_id}/weights/x"),
    ):
        shutil.copytree(folder, store.owner.aside(folder))
        act()
    assert list(folder.parent.iterdir()) == []
    store.close()
    assert Store(store.root).checkpoints() == []


NAMES = ["", ".", "..", "../x", "a/b", "/etc", "a\0b", ".hidden", "x" * 129, "a b", "é", "~", "weights\n"]


@given(st.sampled_from(NAMES) | st.text().filter(lambda name: not name.isascii() or not name.isalnum()))
def test_names_cannot_leave_the_store(name: str) -> None:
    store = Store.__new__(Store)
    store.root = Path("/nowhere/store")
    for parts in ((name, "weights", "x"), (RUN.run_id, name, "x"), (RUN.run_id, "weights", name)):
        try:
            folder = store._checkpoint_folder(*parts)
        except UserFault:
            continue
        assert folder.parent == Path("/nowhere/store/5e55-10n_train_0/weights")
        assert folder.name == name not in (".", "..")


def test_a_save_that_fails_leaves_nothing_behind(
    store: Store, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module, "write_optimizer", full)
    with pytest.raises(OSError, match="No space"):
        store.save(RUN, "weights", "x", trainer)
    assert store.checkpoints() == []
    assert list((store.root).glob("*/weights/.*")) == []


def test_what_a_killed_process_left_is_tidied_up(store: Store, trainer: Trainer) -> None:
    kept = store.save(RUN, "weights", "kept", trainer).folder
    moved = store.save(RUN, "weights", "moved", trainer).folder
    # Killed while it wrote; and between the two renames of an overwrite.
    half = kept.parent / ".new~0123456789abcdef~half"
    half.mkdir()
    moved.rename(moved.parent / ".old~0123456789abcdef~moved")
    (kept.parent.parent / ".new~0123456789abcdef~run.json").write_text("{")
    starting = store.root / ".new~0123456789abcdef~.owner-0123456789abcdef"  # a process that locks it this moment
    starting.write_text("")
    busy = store.owner.temporary(kept.parent / "busy")  # this store still lives
    busy.mkdir()
    other = Store(store.root)
    assert {checkpoint.name for checkpoint in other.checkpoints()} == {"kept", "moved"}
    assert [path.name for path in kept.parent.glob(".*")] == [busy.name]
    assert list(kept.parent.parent.glob(".*")) == []
    other.close()
    store.close()
    Store(store.root).close()
    assert not busy.exists()
    assert starting.exists()
    assert list(store.root.glob(".owner-*")) == []


def test_a_process_counts_as_alive_until_it_is_killed(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from tinkersql.engine.disk import Owner\n"
    script += "owner = Owner(Path(sys.argv[1])); print(owner.token, flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, str(tmp_path)]
    own = Owner(tmp_path)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        token = child.stdout.readline().strip()
        assert own.is_alive(token)
        own.forget_the_dead()
        assert own.is_alive(token)
        child.kill()
        child.wait()
        assert not own.is_alive(token)
    own.forget_the_dead()
    assert len(list(tmp_path.glob(".owner-*"))) == 1
    assert own.is_alive(own.token)


def test_links_do_not_lead_out_of_the_store(store: Store, trainer: Trainer, tmp_path: Path) -> None:
    folder = store.save(RUN, "weights", "good", trainer).folder
    outside = Store(tmp_path / "outside")
    outside.create_run(RUN)
    foreign = outside.save(RUN, "weights", "foreign", trainer).folder
    (folder.parent / "linked").symlink_to(foreign)
    (folder.parent / "partly").mkdir()
    for path in foreign.iterdir():
        if path.suffix == ".safetensors":
            (folder.parent / "partly" / path.name).symlink_to(path)
        else:
            (folder.parent / "partly" / path.name).write_bytes(path.read_bytes())
    (folder.parent.parent / "sampler_weights").symlink_to(foreign.parent)
    for path in ("weights/linked", "weights/partly", "sampler_weights/foreign"):
        for use in (store.find, store.delete):
            with pytest.raises(UserFault, match="no checkpoint"):
                use(f"tinker://{RUN.run_id}/{path}")
    with pytest.raises(UserFault, match="does not lie"):
        store.save(RUN, "sampler_weights", "new", trainer)
    assert {path.name for path in foreign.parent.iterdir()} == {"foreign"}
    assert [checkpoint.name for checkpoint in store.checkpoints()] == ["good"]
    (store.root / "other_train_0").symlink_to(outside.root / "5e55-10n_train_0")
    assert [run.run_id for run in store.runs()] == [RUN.run_id]
    with pytest.raises(UserFault, match="no training run"):
        store.run("other:train:0")
    through_a_link = tmp_path / "link"
    through_a_link.symlink_to(store.root)
    assert Store(through_a_link).find(f"tinker://{RUN.run_id}/weights/good").name == "good"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"time": 5}',
        '{"time": "soon"}',
        '{"time": "2026-01-01T00:00:00+00:00", "expires_at": 5, "public": false}',
        '{"time": "2026-01-01T00:00:00+00:00", "expires_at": "2026-01-01T00:00:00", "public": false}',
        '{"time": "2026-01-01T00:00:00+00:00", "user_metadata": "x", "public": false}',
    ],
)
def test_a_damaged_checkpoint_does_not_hide_the_others(content: str, store: Store, trainer: Trainer) -> None:
    store.save(RUN, "weights", "good", trainer)
    bad = store.save(RUN, "weights", "bad", trainer)
    (bad.folder / "checkpoint.json").write_text(content)
    store.close()
    store = Store(store.root)
    assert [checkpoint.name for checkpoint in store.checkpoints()] == ["good"]
    with pytest.raises(UserFault, match="is damaged"):
        store.find(bad.path)
    assert store.time_of(bad.folder) == ""
    store.save(RUN, "weights", "bad", trainer, overwrite=True)
    assert len(store.checkpoints()) == 2


def test_a_checkpoint_of_another_shape_or_a_damaged_one_is_refused(
    store: Store, trainer: Trainer, model: Llama
) -> None:
    folder = store.save(RUN, "weights", "x", trainer).folder
    with pytest.raises(UserFault, match="does not fit"):
        read_adapter(folder, model.config, LoraConfig(rank=8, train_unembed=False))
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserFault, match="damaged"):
        read_adapter(folder, model.config, LORA)


def test_a_store_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        Store(tmp_path / "file" / "store")


def test_run_files_hold_what_they_say(store: Store, trainer: Trainer) -> None:
    folder = store.save(RUN, "weights", "x", trainer).folder
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (4, 32)
    assert config["target_modules"] == sorted(
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    )
