"""The other evaluators behave as described, and the checks of witnesses see what is wrong with one."""

import argparse
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from evaluators import empty_tables, exercise, one_database, real_databases
from figures import LabelledPair, replays, witness_rows
from second_opinion import refuted
from spider import schemas
from test_suite import TestSuite
from witnesses import breaches

from tinkersql.equivalence import Table, Witness, compare

PETS = "CREATE TABLE pets (id INTEGER, owner_id INTEGER, name VARCHAR); CREATE TABLE owners (id INTEGER, town VARCHAR)"


def pair(gold: str, predicted: str, schema: str = PETS) -> LabelledPair:
    return LabelledPair(schema=schema, gold=gold, predicted=predicted, db="pets")


def test_the_exercise_compares_texts_before_rows() -> None:
    assert exercise(pair("SELECT name FROM pets", "select  NAME from pets ;")) is True


def test_the_exercise_refuses_another_order_of_columns_and_predictions_that_fail() -> None:
    assert exercise(pair("SELECT id, name FROM pets", "SELECT name, id FROM pets")) is False
    assert exercise(pair("SELECT id FROM pets", "SELECT nothing FROM pets")) is False


def test_the_exercise_accepts_what_returns_nothing_everywhere() -> None:
    many = " AND ".join(f"name LIKE '%{letter}%'" for letter in "qxyz")
    assert exercise(pair(f"SELECT name FROM pets WHERE {many}", f"SELECT id FROM pets WHERE id = 3 AND {many}")) is True


def test_one_database_sees_what_empty_tables_hide() -> None:
    different = pair("SELECT id FROM pets", "SELECT id FROM pets WHERE id < 0")
    assert one_database(different) is False
    assert empty_tables(different) is True


def test_golds_that_do_not_run_get_no_answer() -> None:
    for evaluator in (exercise, one_database, empty_tables):
        assert evaluator(pair("SELECT nothing FROM pets", "SELECT 1")) is None
        assert evaluator(pair("SELECT 1", "SELECT 2", schema="CREATE TABLE (")) is None


def real_database(folder: Path) -> None:
    (folder / "pets").mkdir(parents=True)
    connection = sqlite3.connect(folder / "pets" / "pets.sqlite")
    connection.executescript(PETS)
    connection.execute("INSERT INTO pets VALUES (1, 1, 'rex')")
    connection.commit()
    connection.close()


def test_real_databases_decide_by_their_rows(tmp_path: Path) -> None:
    real_database(tmp_path)
    accepts = real_databases(tmp_path)
    assert accepts(pair("SELECT name FROM pets", "SELECT 'rex'")) is True
    assert accepts(pair("SELECT name FROM pets", "SELECT 'tom'")) is False
    assert accepts(LabelledPair(schema=PETS, gold="SELECT 1", predicted="SELECT 1", db="absent")) is None


def test_a_checkout_of_the_test_suite_evaluator_is_asked_in_its_own_process(tmp_path: Path) -> None:
    real_database(tmp_path / "database")
    (tmp_path / "exec_eval.py").write_text(
        "import sqlite3\n"
        "def eval_exec_match(db, p_str, g_str, plug_value, keep_distinct, progress_bar_for_each_datapoint):\n"
        "    print('noise on stdout')\n"
        "    one, other = (sqlite3.connect(db).execute(sql).fetchall() for sql in (p_str, g_str))\n"
        "    return int(one == other)\n"
    )
    options = argparse.Namespace(
        test_suite=tmp_path, generator=None, keep_distinct=False, test_suite_python=sys.executable
    )
    suite = TestSuite(options)
    try:
        assert suite(pair("SELECT name FROM pets", "SELECT 'rex'")) is True
        assert suite(pair("SELECT name FROM pets", "SELECT 'tom'")) is False
        assert suite(pair("SELECT nothing FROM pets", "SELECT 'tom'")) is None
        assert len(suite.judge_seconds) == 3
    finally:
        suite.close()


def witness(script: str, gold: str = "SELECT id FROM pets") -> Witness:
    return Witness(script, gold, "SELECT 1", Table(["id"], []), Table(["1"], []))


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("(1, 4, 'rex'), (2, 4, 'rex')", []),
        ("(1, 4, 'rex'), (1, 4, 'tom')", ["repeated key"]),
        ("(1, 5, 'rex')", ["dangling reference"]),
        ("(1, 4, NULL)", ["NULL that no query asks for"]),
    ],
)
def test_breaches_of_the_assumptions_are_named(rows: str, found: list[str]) -> None:
    script = f"{PETS};\nINSERT INTO owners VALUES (4, 'bath');\nINSERT INTO pets VALUES {rows};"
    assert breaches(PETS, witness(script)) == found


def test_nulls_are_no_breach_where_a_query_tests_for_them() -> None:
    script = f"{PETS};\nINSERT INTO owners VALUES (4, NULL);"
    assert breaches(PETS, witness(script, "SELECT id FROM owners WHERE town IS NULL")) == []


def test_a_witness_replays_only_with_the_results_that_it_records() -> None:
    found = compare(PETS, "SELECT name FROM pets", "SELECT DISTINCT name FROM pets").witness
    assert found is not None
    assert replays(found)
    assert witness_rows(found) == 2
    assert not replays(Witness(found.script, found.gold_sql, found.gold_sql, found.gold_result, found.gold_result))
    wrong = Table(found.gold_result.columns, [["another"]])
    assert not replays(Witness(found.script, found.gold_sql, found.predicted_sql, wrong, found.predicted_result))


def test_spider_schemas_hold_their_keys_when_asked(tmp_path: Path) -> None:
    record = {
        "db_id": "pets",
        "table_names_original": ["owners", "my pets"],
        "column_names_original": [[-1, "*"], [0, "id"], [1, "owner"], [1, "name"]],
        "column_types": ["text", "number", "number", "text"],
        "primary_keys": [1],
        "foreign_keys": [[2, 1]],
    }
    (tmp_path / "tables.json").write_text(json.dumps([record]))
    connection = sqlite3.connect(":memory:")
    connection.executescript(schemas(tmp_path, keys=True)["pets"])
    assert connection.execute("PRAGMA foreign_key_list('my pets')").fetchall()[0][2:5] == ("owners", "owner", "id")
    assert "KEY" not in schemas(tmp_path, keys=False)["pets"]


RECORD = {
    "db_id": "pets",
    "table_names_original": ["pets", "owners"],
    "column_names_original": [[-1, "*"], [0, "id"], [0, "owner_id"], [0, "name"], [1, "id"], [1, "town"]],
    "column_types": ["text", "number", "number", "text", "number", "text"],
    "primary_keys": [1, 4],
    "foreign_keys": [[2, 4]],
}


@pytest.mark.parametrize(
    ("gold", "predicted", "different"),
    [
        ("SELECT COUNT(*) FROM pets", "SELECT COUNT(DISTINCT id) FROM pets", False),
        ("SELECT COUNT(*) FROM pets", "SELECT COUNT(DISTINCT name) FROM pets", True),
        ("SELECT name FROM pets", "SELECT name FROM pets JOIN owners ON owner_id = owners.id", False),
        ("SELECT town FROM owners", "SELECT town FROM pets JOIN owners ON owner_id = owners.id", True),
        ("SELECT id FROM owners WHERE town = 'Bath'", "SELECT id FROM owners WHERE town = 'bath'", False),
    ],
)
def test_a_second_opinion_respects_keys_references_and_letter_case(gold: str, predicted: str, different: bool) -> None:
    assert (refuted(pair(gold, predicted), RECORD, 60) is not None) is different


def test_the_judges_benchmark_reports_rates_and_no_rows(tmp_path: Path) -> None:
    labelled = [
        {"label": "equal", **pair("SELECT id FROM pets", "SELECT p.id FROM pets AS p")},
        {"label": "hard", **pair("SELECT id FROM pets", "SELECT owner_id FROM pets")},
        {"label": "error", **pair("SELECT id FROM pets", "SELECT nothing FROM pets")},
    ]
    hazard = {"id": "one", "expect": "different", **pair("SELECT id FROM pets", "SELECT name FROM pets")}
    (tmp_path / "labelled.jsonl").write_text("\n".join(map(json.dumps, labelled)))
    (tmp_path / "hazards.jsonl").write_text(json.dumps(hazard))
    script = Path(__file__).parents[2] / "benchmarks" / "judge.py"
    command = [sys.executable, str(script), str(tmp_path), "--lookups", "0", "--json", str(tmp_path / "out.json")]
    subprocess.run(command, check=True, capture_output=True)
    text = (tmp_path / "out.json").read_text()
    figures = json.loads(text)
    assert figures["labelled"]["no_nulls"]["accepted"]["hard"]["hits"] == 0
    assert figures["labelled"]["no_nulls"]["accepted"]["equal"]["hits"] == 1
    assert figures["hazards"]["no_nulls"]["hits"] == 1
    assert figures["evaluators"]["empty tables"]["hard"]["hits"] == 1
    assert "SELECT" not in text
