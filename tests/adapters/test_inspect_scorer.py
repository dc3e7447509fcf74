"""The scorer in a real evaluation of inspect-ai with its mock model, and what is said where inspect-ai is missing."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tinkersql.equivalence import Comparison, Verdict

SCHEMA = "CREATE TABLE trees (id INTEGER, name VARCHAR, height REAL)"
GOLD = "SELECT name FROM trees WHERE height > 5"


def evaluate(folder: Path, rows: list[tuple[Any, str]], metadata: dict[str, Any] | None = None, **options: Any) -> Any:
    """The log of an evaluation with one sample for each (target, answer)."""
    from inspect_ai import Task
    from inspect_ai import eval as run
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    from tinkersql.adapters.inspect import sql_scorer

    metadata = {"schema": SCHEMA} if metadata is None else metadata
    samples = [
        Sample(input="Which?", target=target, metadata=metadata, id=str(n)) for n, (target, _) in enumerate(rows)
    ]
    outputs = [ModelOutput.from_content("mockllm/model", answer) for _, answer in rows]
    for output in outputs:
        output.usage = ModelUsage()  # or the mock counts tokens, with a tokenizer that it downloads
    (log,) = run(
        Task(dataset=samples, scorer=sql_scorer(**options)),
        model=get_model("mockllm/model", custom_outputs=outputs),
        log_dir=str(folder),
        max_samples=1,  # the mock model hands its outputs out in the order of calls
        display="none",
    )
    return log


def test_scores_and_accuracy(tmp_path: Path):
    log = evaluate(
        tmp_path,
        [
            (GOLD, f"```sql\n{GOLD};\n```"),
            (GOLD, "SELECT name FROM trees WHERE height >= 5"),
            (["SELECT id FROM trees", GOLD], GOLD),
            (GOLD, "SELECT nothing FROM trees"),
            ("SELECT name FROM gone", GOLD),
            (GOLD, ""),
        ],
    )
    assert log.status == "success"
    scores = [sample.scores["sql_scorer"] for sample in log.samples]
    assert [score.value for score in scores[:4]] == ["C", "I", "C", "I"]
    assert [score.answer for score in scores] == [
        GOLD,
        "SELECT name FROM trees WHERE height >= 5",
        GOLD,
        "SELECT nothing FROM trees",
        GOLD,
        "",
    ]
    assert scores[4].reason == "scoring_failed"
    assert scores[5].value == "I"
    (summary,) = log.results.scores
    assert (summary.scored_samples, summary.unscored_samples) == (5, 1)
    assert summary.metrics["accuracy"].value == pytest.approx(2 / 5)
    assert summary.metrics["stderr"].value > 0


def test_the_log_holds_the_comparison(tmp_path: Path):
    from inspect_ai.log import read_eval_log

    log = evaluate(tmp_path, [(GOLD, "SELECT name FROM trees WHERE height >= 5")])
    (sample,) = read_eval_log(log.location).samples or []
    (score,) = (sample.scores or {}).values()
    answer = Comparison.from_dict(score.metadata or {})
    assert answer.verdict is Verdict.DIFFERENT
    assert answer.witness is not None
    assert score.explanation is not None
    assert "INSERT INTO trees" in score.explanation
    assert "| predicted" in score.explanation


def test_options_reach_the_judge_and_the_log(tmp_path: Path):
    pair = [("SELECT count(*) FROM trees", "SELECT count(name) FROM trees")]
    assert evaluate(tmp_path, pair).samples[0].scores["sql_scorer"].value == "C"
    log = evaluate(tmp_path, pair, {"tables": SCHEMA}, schema="tables", assumptions="open_world")
    assert log.samples[0].scores["sql_scorer"].value == "I"
    assert log.eval.scorers[0].options == {"schema": "tables", "assumptions": "open_world"}


def test_a_sample_without_schema_is_named(tmp_path: Path):
    log = evaluate(tmp_path, [(GOLD, GOLD)], {"context": SCHEMA})
    assert log.status == "error"
    assert "sample 0 has no text in metadata['schema']" in log.error.message


def test_a_missing_inspect_is_one_line_that_says_what_to_install():
    code = (
        "import sys; sys.modules['inspect_ai'] = None\n"
        "try:\n    import tinkersql.adapters.inspect\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    (line,) = done.stdout.splitlines()
    assert "pip install 'tinkersql[inspect]'" in line
