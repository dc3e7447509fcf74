"""Fixtures that several rooms share."""

import pytest

from hub_server import running_hub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hugging Face hub on a loopback port with an empty cache; ``HF_ENDPOINT`` points to it."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    with running_hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server
