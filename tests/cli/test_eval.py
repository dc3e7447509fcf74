"""``tinkersql eval`` from the outside: the real command, the real server as its child, a model that a run has tuned."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tinkersql.console import Silent, Terminal
from tinkersql.corpus import Example, load
from tinkersql.errors import DataError, TinkersqlError
from tinkersql.eval import evaluate
from tinkersql.evaluation.questions import read_questions
from tinkersql.evaluation.request import Request

SCHEMA = "CREATE TABLE ducks (name VARCHAR, weight REAL, pond VARCHAR)"
GOLD = "SELECT name FROM ducks"
# One answer for every question: the least that a two-layer model of random weights can learn, and a base never says.
ROWS = [
    {"question": f"{verb} the {kind} of the {pond} pond", "context": SCHEMA, "answer": GOLD}
    for verb in ("List", "Show", "Give", "Name", "Print", "Tell me", "Return", "Find")
    for pond in ("north", "south", "mill", "abbey", "forest", "castle", "lower", "upper")
    for kind in ("ducks", "old ducks", "white ducks")
]
TRAINING = ["--examples", "0", "--batch-size", "8", "--learning-rate", "0.02", "--rank", "8", "--train-unembed"]
SHORT = ["--max-tokens", "24", "--test-size", "6"]
QUICK = ["--shots", "0", "--suites", "", "--recipe", ""]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def tinkersql(cwd: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tinkersql", *map(str, arguments)]
    env = {k: v for k, v in os.environ.items() if not k.startswith("TINKER")} | environment
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)


def result_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one line with which the command ended."""
    assert done.returncode not in (0, -9), done.stdout
    assert "Traceback" not in done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return line


@pytest.fixture(scope="module")
def room(tmp_path_factory, tiny_model) -> Path:
    """A folder with ``ducks.json`` and ``runs/ducks``, the run of a tiny model that learnt it."""
    room = tmp_path_factory.mktemp("eval")
    (room / "ducks.json").write_text(json.dumps(ROWS))
    options = ["--data", "ducks.json", "--model", tiny_model, "--name", "ducks", *QUICK, *SHORT, *TRAINING]
    result_of(tinkersql(room, "run", *options, "--json"))
    return room


@pytest.fixture(scope="module")
def compared(room) -> dict[str, Any]:
    """Base and tuned model, each with the plain prompt and with retrieval, on the run's own test questions."""
    methods = ["--compare", "--method", "plain", "--method", "retrieval", "--shots", "1"]
    options = ["--run", "runs/ducks", "--data", "ducks.json", *methods, "--out", "compared", "--json"]
    return result_of(tinkersql(room, "eval", *options))


def test_base_and_tuned_with_and_without_retrieval(room, compared) -> None:
    rights = {name: e["matches"] for name, e in compared["evaluations"].items()}
    assert list(rights) == ["base", "base-retrieval", "tuned", "tuned-retrieval"]
    assert (rights["base"], rights["tuned"]) == (0, 6)
    for name, e in compared["evaluations"].items():
        rows = lines(room / "compared" / f"predictions-{name}.jsonl")
        assert [row["verdict"] for row in rows].count("match") == e["matches"]
        assert {row["shots"] for row in rows} == ({1} if "retrieval" in name else {0})
        mean = sum(row["prompt_tokens"] for row in rows) / 6
        assert e["per_question"]["prompt_tokens"] == pytest.approx(mean)
        assert e["per_question"]["seconds"] > 0
    costs = {name: e["per_question"]["prompt_tokens"] for name, e in compared["evaluations"].items()}
    assert costs["tuned-retrieval"] > 1.5 * costs["tuned"]
    assert json.loads((room / "compared" / "result.json").read_text()) == compared


def test_every_pair_is_tested_by_kind_of_query_too(compared) -> None:
    pairs = {(c["a"], c["b"]): c for c in compared["comparisons"]}
    assert len(pairs) == 6
    plain = pairs["base", "tuned"]
    assert (plain["a_only"], plain["b_only"]) == (0, 6)
    assert plain["p_value"] == pytest.approx(2 / 2**6)
    assert plain["by_kind"]["plain list"]["b_only"] == 6


def test_the_questions_and_the_settings_are_those_of_the_run(room, compared) -> None:
    asked = [row["question"] for row in lines(room / "compared" / "predictions-tuned.jsonl")]
    assert asked == [row["question"] for row in lines(room / "runs/ducks/predictions-tuned.jsonl")]
    assert compared["settings"]["max_tokens"] == 24
    assert compared["questions"]["pool"] == len(ROWS) - 6
    assert compared["checkpoint"].startswith("tinker://")


def test_the_run_s_own_files_stay_as_they_are(room, compared) -> None:
    assert compared["evaluations"]
    files = [path.name for path in (room / "runs/ducks").iterdir()]
    assert "predictions-base-retrieval.jsonl" not in files
    assert len(lines(room / "runs/ducks/checkpoints.jsonl")) >= 1
    assert (room / "compared" / "server.log").exists()


@pytest.mark.slow
def test_a_checkpoint_answers_questions_of_a_file_with_votes_and_repair(room, tiny_model) -> None:
    write_lines(
        room / "questions.jsonl",
        {"question": "Name the ducks of the mill pond", "schema": SCHEMA, "gold": ["SELECT pond FROM ducks", GOLD]},
        {"question": "Name the ducks of the castle pond", "context": SCHEMA, "answer": "SELECT weight FROM ducks"},
    )
    checkpoint = lines(room / "runs/ducks/checkpoints.jsonl")[-1]["sampler_path"]
    where = ["--checkpoint", checkpoint, "--store", "runs/ducks/store", "--model", tiny_model]
    how = ["--votes", "3", "--temperature", "0.1", "--repair", "--max-tokens", "24"]
    done = tinkersql(room, "eval", "--questions", "questions.jsonl", *where, *how, "--out", "voted")
    assert done.returncode == 0, done.stderr
    assert "tuned-votes-3-repair" in done.stdout
    rows = lines(room / "voted" / "predictions-tuned-votes-3-repair.jsonl")
    assert [row["verdict"] for row in rows] == ["match", "different"]
    assert [row["votes"] for row in rows] == [[3], [3]]


def test_a_base_model_answers_a_suite_of_any_service(tmp_path, engine, monkeypatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", engine.key)
    request = Request(suite="exercise", changes={"base_url": engine.base_url, "max_tokens": 8})
    _, result = evaluate(request, tmp_path / "out", Silent())
    assert result["evaluations"]["base"]["n"] == 5
    assert (result["backend"]["kind"], result["checkpoint"]) == ("url", None)


def test_predictions_are_judged_without_a_model(tmp_path) -> None:
    file = write_lines(
        tmp_path / "given.jsonl",
        {"schema": SCHEMA, "gold": GOLD, "predicted": "```sql\nselect d.name from ducks d\n```"},
        {"schema": SCHEMA, "gold": [GOLD], "predicted": "SELECT pond FROM ducks", "question": "Which ducks?"},
        {"schema": SCHEMA, "gold": GOLD, "predicted": ""},
    )
    folder, result = evaluate(Request(predictions=file), tmp_path / "out", Silent())
    assert [row["verdict"] for row in lines(folder.path / "predictions-predictions.jsonl")] == [
        "match",
        "different",
        "prediction_error",
    ]
    assert result["evaluations"]["predictions"]["matches"] == 1
    assert not list(tmp_path.rglob("server.log"))


def test_what_training_knows_of_the_questions_is_said(tmp_path, engine, monkeypatch, capsys) -> None:
    monkeypatch.setenv("TINKER_API_KEY", engine.key)
    (tmp_path / "ducks.json").write_text(json.dumps(ROWS))
    changes = {"base_url": engine.base_url, "max_tokens": 8, "test_size": 2}
    _, result = evaluate(Request(data=str(tmp_path / "ducks.json"), changes=changes), tmp_path / "out", Terminal())
    said = " ".join(capsys.readouterr().err.split())
    assert result["questions"]["notes"][-1].startswith("Leaks: of 2 test questions")
    assert all(note in said for note in result["questions"]["notes"])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("names", [("question", "context", "answer"), ("question", "schema", "gold")])
def test_a_table_names_its_columns_as_json_does(tmp_path, ending, names) -> None:
    row = dict(zip((*names, "predicted"), ("Which ducks?", SCHEMA, GOLD, "SELECT pond FROM ducks"), strict=True))
    file = tmp_path / f"given.{ending}"
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist([row]), file)
    else:
        file.write_text(",".join(row) + "\n" + ",".join(f'"{cell}"' for cell in row.values()) + "\n")
    assert read_questions(file) == (Example("Which ducks?", SCHEMA, (GOLD,)),)
    _, result = evaluate(Request(predictions=file), tmp_path / "out", Silent())
    assert result["evaluations"]["predictions"]["n"] == 1


def test_a_table_without_a_gold_is_named_by_its_line(tmp_path) -> None:
    (tmp_path / "q.csv").write_text(f'question,schema\nWhich?,"{SCHEMA}"\n')
    with pytest.raises(TinkersqlError, match="line 2 has no 'gold'"):
        evaluate(Request(questions=tmp_path / "q.csv"), tmp_path / "out", Silent())


def test_a_run_s_predictions_can_be_judged_again(room, tmp_path) -> None:
    request = Request(predictions=room / "runs/ducks/predictions-tuned.jsonl", limit=4)
    _, result = evaluate(request, tmp_path / "out", Silent())
    assert result["evaluations"]["predictions"]["matches"] == 4


def test_what_questions_say_of_themselves_is_kept_and_printed(tmp_path) -> None:
    row = {"schema": SCHEMA, "gold": GOLD, "domain": "ducks", "pattern": "list/1", "skills": ["filter"]}
    other = "CREATE TABLE ducks (name VARCHAR)"
    file = write_lines(
        tmp_path / "given.jsonl",
        {**row, "predicted": GOLD, "difficulty": "easy"},
        {**row, "predicted": "SELECT pond FROM ducks", "difficulty": "hard"},
        {**row, "predicted": "SELECT feathers FROM ducks", "difficulty": "hard", "skills": "none"},
        {**row, "predicted": GOLD, "difficulty": "hard", "schema": other},
    )
    done = tinkersql(tmp_path, "eval", "--predictions", file, "--out", "first")
    assert done.returncode == 0, done.stderr
    [hard] = [line for line in done.stdout.splitlines() if "hard" in line]
    assert "33.3%" in hard
    assert "Wrong answers of predictions: unknown name 1, wrong column 1" in done.stdout
    [total] = [line for line in done.stdout.splitlines() if "2 of 4" in line]
    result = json.loads((tmp_path / "first" / "result.json").read_text())["evaluations"]["predictions"]
    clustered = result["clustered"]  # all are of one table
    assert f"50.0% ({clustered['low']:.1%} – {clustered['high']:.1%})" in total
    again = Request(predictions=tmp_path / "first" / "predictions-predictions.jsonl")
    folder, judged = evaluate(again, tmp_path / "again", Silent())
    assert judged["evaluations"]["predictions"]["by_difficulty"] == result["by_difficulty"]
    assert judged["evaluations"]["predictions"]["by_skill"]["filter"]["n"] == 3
    first = lines(folder.path / "predictions-predictions.jsonl")[0]
    assert (first["domain"], first["pattern"]) == ("ducks", "list/1")


def test_golds_that_do_not_run_are_pointed_out(tmp_path) -> None:
    row = {"schema": SCHEMA, "gold": "SELECT name FROM geese", "predicted": "SELECT name FROM geese"}
    sound = {**row, "gold": GOLD, "predicted": GOLD}
    file = write_lines(tmp_path / "mixed.jsonl", row, row, sound)
    done = tinkersql(tmp_path, "eval", "--predictions", file, "--out", "mixed")
    assert "2 of 3 expected queries cannot be judged, because they do not run." in " ".join(done.stderr.split())
    notes = json.loads((tmp_path / "mixed" / "result.json").read_text())["questions"]["notes"]
    assert notes == ["2 of 3 expected queries cannot be judged, because they do not run."]
    with pytest.raises(DataError, match="none of the 2 test questions has an expected query that runs"):
        evaluate(Request(predictions=write_lines(tmp_path / "all.jsonl", row, row)), tmp_path / "all", Silent())
    assert not (tmp_path / "all").exists()


QUESTION = {"question": "Which ducks?", "schema": SCHEMA, "gold": GOLD}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([QUESTION, {"question": "x", "schema": SCHEMA}], "line 2 has no 'gold'"),
        ([{**QUESTION, "gold": []}], "line 1: 'gold' is an empty list"),
        ([{**QUESTION, "gold": [GOLD, 3]}], "line 1: 'gold' must be"),
        ([QUESTION, QUESTION, {**QUESTION, "schema": " "}], "line 3: 'schema' must be"),
        ([["no object"]], "line 1 is an array"),
        ([], "is empty"),
    ],
)
def test_bad_questions_are_named_by_their_line(tmp_path, rows, said) -> None:
    file = write_lines(tmp_path / "bad.jsonl", *rows)
    with pytest.raises(TinkersqlError, match=said):
        evaluate(Request(questions=file), tmp_path / "out", Silent())
    assert not (tmp_path / "out").exists()


def test_bad_predictions_are_named_by_their_line(tmp_path) -> None:
    file = write_lines(tmp_path / "bad.jsonl", {**QUESTION, "predicted": ""}, QUESTION)
    with pytest.raises(TinkersqlError, match="line 2 has no text under 'predicted'"):
        evaluate(Request(predictions=file), tmp_path / "out", Silent())


EXERCISE = {"suite": "exercise"}
CHECKPOINT = {**EXERCISE, "checkpoint": "tinker://a/sampler_weights/b"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "one source of questions"),
        ({**EXERCISE, "data": "built-in"}, "--suite and --data"),
        ({"suite": "nonsense"}, "suite nonsense: there is no such suite"),
        ({"questions": Path("nowhere.jsonl")}, "no such file; check --questions"),
        ({"predictions": Path("x"), "votes": 3}, "--votes"),
        ({"predictions": Path("x"), "changes": {"model": "m"}}, "--model"),
        ({**EXERCISE, "votes": 0}, "--votes 0: must be at least 1"),
        ({**EXERCISE, "temperature": 0.5}, "--temperature belongs to --votes"),
        ({**EXERCISE, "votes": 2, "temperature": -1.0}, "--temperature -1"),
        ({**EXERCISE, "method": ("guessing",)}, "--method guessing"),
        ({**EXERCISE, "method": ("retrieval",)}, "--shots-from"),
        ({**EXERCISE, "shots": 3}, "--shots belongs to"),
        ({**EXERCISE, "pool": 3}, "--pool belongs to"),
        ({**EXERCISE, "limit": 0}, "--limit 0"),
        ({**EXERCISE, "compare": True}, "--compare sets"),
        ({**EXERCISE, "run": Path("runs/x"), "changes": {"seed": 3}}, "--seed: --run has its own"),
        ({**EXERCISE, "run": Path("nowhere")}, "no run lies there"),
        ({**EXERCISE, "store": Path("x")}, "--store belongs to --checkpoint"),
        ({**EXERCISE, "checkpoint": "final"}, "--checkpoint final"),
        (CHECKPOINT, "say with --run or --store"),
        ({**CHECKPOINT, "store": Path("nowhere")}, "--store nowhere: no such folder"),
        ({**EXERCISE, "changes": {"test_size": 3}}, "--test-size belongs to --data"),
        ({**EXERCISE, "changes": {"max_tokens": 0}}, "--max-tokens 0"),
    ],
)
def test_senseless_options_are_refused_before_anything_is_done(tmp_path, options, said) -> None:
    with pytest.raises(TinkersqlError) as caught:
        evaluate(Request(**options), tmp_path / "out", Silent())
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_run_that_has_not_ended_has_no_tuned_model(room, tmp_path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_bytes((room / "runs/ducks/config.json").read_bytes())
    for checkpoints in ("", json.dumps({"kind": "interrupted", "state_path": "tinker://a", "sampler_path": None})):
        (tmp_path / "run" / "checkpoints.jsonl").write_text(checkpoints)
        with pytest.raises(TinkersqlError, match="training has not ended"):
            evaluate(Request(suite="exercise", run=tmp_path / "run"), tmp_path / "out", Silent())


@pytest.mark.parametrize("option", ["data", "shots_from"])
def test_a_run_s_names_of_columns_count_for_its_own_data_alone(tmp_path, monkeypatch, option) -> None:
    monkeypatch.chdir(tmp_path)
    own, other = [{"nl": "Which ducks?", "context": SCHEMA, "answer": GOLD}], ROWS[:1]
    Path("own.json").write_text(json.dumps(own))
    Path("other.json").write_text(json.dumps(other))
    Path("run").mkdir()
    settings = {"data": {"value": "own.json"}, "map": {"value": "question=nl"}}
    Path("run", "config.json").write_text(json.dumps({"settings": settings}))

    def question(source: str, **changes: str) -> str:
        data, shots_from = (source, None) if option == "data" else (None, source)
        request = Request(data=data, shots_from=shots_from, run=Path("run"), changes=changes)
        return load(source, Silent(), request.settings().map).examples[0].question

    assert question("own.json") == question(f"{tmp_path}/own.json") == "Which ducks?"
    assert question("other.json") == ROWS[0]["question"]
    assert question("own.json", map="question=answer,answer=nl") == GOLD
    assert question("other.json", map="question=context,context=question") == SCHEMA
    assert question("built-in")
    with pytest.raises(TinkersqlError, match="has no 'question'"):
        question("own.json", map="")


def test_a_checkpoint_that_the_service_has_not_got_is_one_line(tmp_path, engine, monkeypatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", engine.key)
    missing = "tinker://nobody/sampler_weights/final"
    request = Request(suite="exercise", checkpoint=missing, changes={"base_url": engine.base_url})
    with pytest.raises(TinkersqlError) as caught:
        evaluate(request, tmp_path / "out", Silent())
    assert str(caught.value).startswith(f"{missing}: the service has no such weights (there is no training run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_exists_is_not_overwritten(room, compared) -> None:
    done = tinkersql(room, "eval", "--run", "runs/ducks", "--suite", "exercise", "--out", "compared")
    assert "exists already; choose another --out" in error_of(done)
    assert json.loads((room / "compared" / "result.json").read_text()) == compared


@pytest.mark.slow
def test_ctrl_c_keeps_the_evaluations_that_were_complete(room, tiny_model) -> None:
    options = ["--data", "ducks.json", "--test-size", "6", "--model", str(tiny_model), "--out", "stopped"]
    options += ["--method", "plain", "--method", "few-shot", "--max-tokens", "300", "--evaluation-workers", "1"]
    command = [sys.executable, "-m", "tinkersql", "eval", *options]
    child = subprocess.Popen(command, cwd=room, stderr=subprocess.PIPE, text=True, start_new_session=True)
    folder = room / "stopped"
    deadline = time.monotonic() + 120
    while not (folder / "result.json").exists():
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130, said
    assert said.splitlines()[-1] == "error: stopped"
    assert list(json.loads((folder / "result.json").read_text())["evaluations"]) == ["base"]
    assert not list(folder.glob(".*"))
