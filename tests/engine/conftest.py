"""Fixtures of the engine's tests."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


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
