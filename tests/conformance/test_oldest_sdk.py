"""The oldest SDK that is claimed, 0.25.0, against the engine."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "clients" / "oldest_sdk.py"


@pytest.mark.slow
def test_it_trains_saves_loads_and_samples(run_client: "Callable[..., subprocess.CompletedProcess[str]]") -> None:
    assert run_client(sys.executable, SCRIPT, beside="sdk-0.25").stdout.splitlines()[-1] == "done"
