"""The example script, unmodified, against the embedded server over a real socket."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from tinkersql.corpus.reading import built_in, to_row
from tinkersql.evaluation.suites import EXERCISE

SCRIPT = Path(__file__).parent.parent / "examples" / "exercise.py"


def test_the_exercise_runs_to_its_end(tmp_path, engine) -> None:
    data = tmp_path / "data.json"
    short = [
        example for example in built_in().examples[:200] if len(example.schema) < 200
    ]  # the tiny model reads little
    data.write_text(json.dumps([to_row(example) for example in short[:60]]))
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(data), "--test-size", "6", "--batch-size", "16", "--examples", "48"],
        env={**os.environ, "TINKER_BASE_URL": engine.base_url, "TINKER_API_KEY": engine.key},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    losses = [float(line.rsplit(" ", 1)[1]) for line in done.stdout.splitlines() if line.startswith("step")]
    assert len(losses) == 3
    assert losses[-1] < losses[0]
    assert "to answer: tinker://" in done.stdout
    assert "Warning" not in done.stderr
    assert "How many students are enrolled in each department?" in done.stdout


def test_its_novel_questions_are_those_of_the_suite() -> None:
    spec = importlib.util.spec_from_file_location("exercise", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    exercise = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(exercise)
    assert [(example.schema, example.question) for example in EXERCISE] == exercise.NOVEL


def test_it_is_short_enough_to_read() -> None:
    assert len(SCRIPT.read_text().splitlines()) < 150
