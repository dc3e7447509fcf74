"""From a model's name to a folder: local folders, and the hub by the real ``huggingface_hub`` over a real socket."""

import hashlib
import json
import threading

import pytest

from hub_server import COMMIT
from tinkersql import models
from tinkersql.errors import ModelError

NAME = "someone/tiny-llama"


def refusal(name) -> str:
    """The message with which ``name`` is refused: one line."""
    with pytest.raises(ModelError) as error:
        models.resolve(str(name))
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.fixture
def published(hub, llama_folder):
    """The tiny model on the hub, beside files that nobody needs."""
    files = {path.name: path.read_bytes() for path in llama_folder.iterdir()}
    hub.repositories[NAME] = files | {"pytorch_model.bin": b"pickle", "onnx/model.onnx": b"copy"}
    return hub


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_local_folder(llama_folder, monkeypatch):
    model = models.resolve(str(llama_folder))
    assert model == models.Model(
        name="tiny-llama",
        folder=llama_folder,
        source=f"local folder {llama_folder}",
        sha256=sha256((llama_folder / "model.safetensors").read_bytes()),
        license="llama3.2",
    )
    monkeypatch.chdir(llama_folder.parent)
    assert models.resolve("tiny-llama") == model
    (llama_folder / "README.md").unlink()
    assert models.resolve("./tiny-llama").license == "unknown"


def test_shards_are_hashed_as_their_listing(llama_folder):
    weights = (llama_folder / "model.safetensors").read_bytes()
    (llama_folder / "model.safetensors").unlink()
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for name in names:
        (llama_folder / name).write_bytes(weights)
    index = {"weight_map": {"b": names[1], "a": names[0], "c": names[1]}}
    (llama_folder / "model.safetensors.index.json").write_text(json.dumps(index))
    listing = "".join(f"{sha256(weights)}  {name}\n" for name in names)
    assert models.resolve(str(llama_folder)).sha256 == sha256(listing.encode())
    (llama_folder / names[1]).unlink()
    assert f"lacks {names[1]}" in refusal(llama_folder)


def test_what_is_missing_is_named(llama_folder):
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        (llama_folder / name).unlink()
        message = refusal(llama_folder)
        assert f"has no {name}" in message
        assert "LlamaForCausalLM" in message


def test_pickled_weights_are_not_loaded(llama_folder):
    (llama_folder / "model.safetensors").rename(llama_folder / "pytorch_model.bin")
    assert "pickled *.bin files are not loaded" in refusal(llama_folder)


def test_an_adapter_is_no_base_model(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "LoRA adapter" in refusal(tmp_path)


def test_truncated_weights_are_found(llama_folder):
    weights = llama_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert f"{weights} cannot be read" in refusal(llama_folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_damaged_json_is_found(llama_folder, name, content):
    (llama_folder / name).write_bytes(content)
    assert str(llama_folder / name) in refusal(llama_folder)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model_type": "mistral", "architectures": ["MistralForCausalLM"]},
        {"model_type": "qwen2", "architectures": ["Qwen2ForTokenClassification"]},
        {"model_type": "llama", "architectures": ["LlamaForSequenceClassification"]},
    ],
)
def test_another_architecture_is_refused(llama_folder, config):
    (llama_folder / "config.json").write_text(json.dumps(config))
    assert "which the engine does not run: use a folder or hub name of a model (LlamaForCausalLM" in refusal(
        llama_folder
    )


def test_quantised_weights_are_refused(llama_folder):
    config = json.loads((llama_folder / "config.json").read_text())
    (llama_folder / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "awq"}}))
    assert "quantised weights" in refusal(llama_folder)


@pytest.mark.parametrize("name", ["", "SmolLM2", "/no/such/folder", "./none", "a/b/c", "C:\\model", "two words/x"])
def test_a_name_that_can_be_nothing_is_refused_with_what_it_could_be(hub, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert models.DEFAULT in refusal(name)
    assert hub.requests == []


def test_a_hub_model_is_downloaded_once_without_pickles(published, llama_folder):
    calls = []
    model = models.resolve(NAME, progress=lambda *call: calls.append(call))
    weights = (llama_folder / "model.safetensors").read_bytes()
    assert (model.name, model.license, model.sha256) == (NAME, "llama3.2", sha256(weights))
    assert model.source == f"Hugging Face hub, {NAME} at {COMMIT}"
    assert model.folder.is_absolute()
    assert {path.name for path in model.folder.iterdir()} == {path.name for path in llama_folder.iterdir()}
    assert any(label == f"download {NAME}" and done == total for label, done, total in calls)
    asked = len(published.requests)
    assert models.resolve(NAME) == model
    assert len(published.requests) == asked


@pytest.mark.usefixtures("published")
def test_a_download_starts_no_thread_that_may_block_it_for_ever(monkeypatch):
    began: list[str] = []
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (began.append(thread.name), start(thread)))
    models.resolve(NAME)
    assert began
    assert "tqdm_monitor" not in began


@pytest.mark.usefixtures("published")
def test_a_cached_model_needs_no_hub(monkeypatch):
    model = models.resolve(NAME)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert models.resolve(NAME) == model


def test_a_broken_download_is_no_model_and_the_next_attempt_mends_it(published, llama_folder):
    published.lost_bytes = 3
    assert "broke off" in refusal(NAME)
    published.lost_bytes = 0
    assert models.resolve(NAME).sha256 == sha256((llama_folder / "model.safetensors").read_bytes())


@pytest.mark.usefixtures("published")
def test_a_damaged_file_in_the_hubs_cache_is_mended_as_the_message_says():
    model = models.resolve(NAME)
    blob = (model.folder / "model.safetensors").resolve()
    blob.write_bytes(blob.read_bytes()[:-1])
    assert f"delete {blob} and download the model again" in refusal(NAME)
    blob.unlink()
    assert models.resolve(NAME) == model


def test_a_hub_model_of_another_architecture_costs_only_its_configuration(published):
    config = {"model_type": "mistral", "architectures": ["MistralForCausalLM"]}
    published.repositories[NAME]["config.json"] = json.dumps(config).encode()
    assert f"{NAME} is a MistralForCausalLM model" in refusal(NAME)
    fetched = {request.rsplit("/", 1)[1] for request in published.requests if request.startswith("GET")}
    assert fetched == {"config.json"}


def test_a_hub_model_with_pickles_only_is_refused_without_fetching_them(published):
    del published.repositories[NAME]["model.safetensors"]
    assert "pickled *.bin files are not loaded" in refusal(NAME)
    assert not any(request.endswith(".bin") for request in published.requests)


@pytest.mark.usefixtures("hub")
def test_a_model_that_the_hub_has_not_got():
    message = refusal("someone/nothing")
    assert "there is no someone/nothing" in message
    assert "--model FOLDER" in message


@pytest.mark.usefixtures("hub")
def test_a_hub_that_cannot_be_reached(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    message = refusal(NAME)
    assert "http://127.0.0.1:1 cannot be reached" in message
    assert f"--model {models.DEFAULT}" in message
