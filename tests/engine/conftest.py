"""Fixtures of the engine's tests."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """The models are tiny: helper threads would only get in each other's way."""
    torch.set_num_threads(1)


@pytest.fixture
def edit_config() -> Callable[[Path, Path, Callable[[dict[str, Any]], object]], Path]:
    """Copy a model folder and change the copy's config.json."""

    def edit(source: Path, target: Path, change: Callable[[dict[str, Any]], object]) -> Path:
        shutil.copytree(source, target)
        path = target / "config.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))
        return target

    return edit
