"""The examples of docs/adapters.md do what the page says."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text(encoding="utf-8")


def block(section: str, language: str = "python") -> str:
    """The first code block of a section."""
    text = PAGE.partition(f"\n## {section}\n")[2]
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def _without_values(text: str) -> str:
    """The text without the values of the witness, which may change from version to version, and their widths."""
    return re.sub(r"'\w+'", "'text'", re.sub(r"\d+(\.\d+)?", "0", re.sub(r"[ -]{2,}", "  ", text)))


def test_the_assertion():
    names: dict = {}
    exec(block("An assertion for tests"), names)
    with pytest.raises(AssertionError) as caught:
        names["test_high_trees"]()
    shown = block("An assertion for tests", "text")
    assert _without_values(f"AssertionError: {caught.value}\n") == _without_values(shown)


def test_the_reward():
    exec(block("A reward for TRL"), {})


def test_the_scorer(tmp_path):
    from inspect_ai import eval as run
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    names: dict = {"__name__": "high_trees"}
    exec(block("A scorer for inspect-ai"), names)
    output = ModelOutput.from_content("mockllm/model", "SELECT name FROM trees WHERE 5 < height")
    output.usage = ModelUsage()  # or the mock counts tokens, with a tokenizer that it downloads
    model = get_model("mockllm/model", custom_outputs=[output])
    (log,) = run(names["high_trees"](), model=model, log_dir=str(tmp_path), display="none")
    assert log.results is not None
    assert log.results.scores[0].metrics["accuracy"].value == 1.0
