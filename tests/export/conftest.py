"""A tiny model whose tokenizer llama.cpp's converter knows, and a run that has tuned it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tiny_model import write_tiny_model

SCHEMA = "CREATE TABLE ducks (name VARCHAR, weight REAL, pond VARCHAR)"
# One answer for every question: the least that a two-layer model of random weights can learn, and a base never says.
ROWS = [
    {"question": f"{verb} the {kind} of the {pond} pond", "context": SCHEMA, "answer": "SELECT name FROM ducks"}
    for verb in ("List", "Show", "Give", "Name", "Print", "Tell me", "Return", "Find")
    for pond in ("north", "south", "mill", "abbey", "forest", "castle", "lower", "upper")
    for kind in ("ducks", "old ducks", "white ducks")
]
OPTIONS = (
    *("--examples", "0", "--batch-size", "8", "--learning-rate", "0.02", "--rank", "8", "--train-unembed"),
    *("--shots", "0", "--suites", "", "--recipe", "", "--max-tokens", "24", "--test-size", "8"),
    *("--validate-every", "0", "--save-every", "20"),
)


@pytest.fixture(scope="session")
def base(tmp_path_factory) -> Path:
    """A random Llama with tied embeddings and a SentencePiece tokenizer, as Llama 2 has it.

    The converter recognises a byte-level tokenizer by what it makes of one text, so no made-up one passes.
    """
    import sentencepiece
    from transformers import LlamaTokenizer

    folder = write_tiny_model(
        tmp_path_factory.mktemp("base") / "tiny-llama", vocab_size=400, bos_token_id=1, eos_token_id=2
    )
    texts = (f"{row['context']} {row['question']} {row['answer']}" for row in ROWS)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=texts,
        model_prefix=str(folder / "tokenizer"),
        vocab_size=400,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    LlamaTokenizer.from_pretrained(folder).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def run(base, tmp_path_factory) -> Path:
    """The folder of a run that taught the tiny model one answer, unembedding included."""
    room = tmp_path_factory.mktemp("room")
    (room / "ducks.json").write_text(json.dumps(ROWS))
    command = ["run", "--data", "ducks.json", "--model", str(base), "--name", "ducks", *OPTIONS]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TINKER")}
    done = subprocess.run(
        [sys.executable, "-m", "tinkersql", *command], cwd=room, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return room / "runs" / "ducks"
