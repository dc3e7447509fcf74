"""The parts of the page: witnesses as tables, ticks and curves, numbers in words, and the command."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from run_folders import make_run
from typer.testing import CliRunner

from tinkersql.cli.report import report
from tinkersql.errors import RunError
from tinkersql.evaluation import compare_by_kind, counted
from tinkersql.report import wording
from tinkersql.report.charts import MAX_POINTS, Charts, nice_ticks, spread, thin
from tinkersql.report.discussion import discuss
from tinkersql.report.files import Prediction
from tinkersql.report.pairs import Pair
from tinkersql.report.witness import MAX_ROWS, Table, tables, view


@given(st.lists(st.floats(0, 300), min_size=1, max_size=12))
def test_labels_stand_apart_in_their_order_and_move_no_more_than_they_must(places: list[float]) -> None:
    moved = spread(sorted(places), 16)
    assert all(later - earlier >= 16 - 1e-6 for earlier, later in itertools.pairwise(moved))
    assert sum(moved) == pytest.approx(sum(places), abs=1e-6)
    assert spread(moved, 15.9) == pytest.approx(moved)


def test_a_witness_becomes_tables() -> None:
    script = "CREATE TABLE a (x INTEGER, y TEXT); INSERT INTO a VALUES (1, 'é'), (NULL, '<b>');\n"
    script += 'CREATE TABLE "b""c" (z);'
    shown = view(
        {"script": script, "gold_result": {"columns": ["x"], "rows": [[None]]}, "predicted_result": {"error": "no"}}
    )
    assert shown is not None
    assert shown.tables == [Table("a", ["x", "y"], [["1", "é"], [None, "<b>"]]), Table('b"c', ["z"], [])]
    assert shown.gold == Table("", ["x"], [[None]])
    assert shown.predicted == "no"
    assert shown.script == script


def test_the_script_to_paste_holds_the_queries_as_they_ran() -> None:
    shown = view({"script": "CREATE TABLE a (x);", "gold_sql": "SELECT 1;", "predicted_sql": "SELECT 2"})
    assert shown is not None
    assert shown.script == "CREATE TABLE a (x);\n-- expected\nSELECT 1;\n-- predicted\nSELECT 2;"


def test_a_large_table_is_cut_and_says_how_much_is_missing() -> None:
    rows = ", ".join(f"({number})" for number in range(MAX_ROWS + 7))
    (table,) = tables(f"CREATE TABLE t (x); INSERT INTO t VALUES {rows}")
    assert len(table.rows) == MAX_ROWS
    assert table.more == 7


@pytest.mark.parametrize(
    "script",
    [
        "ATTACH '{path}' AS other; CREATE TABLE other.t (x)",
        "CREATE TABLE t (x); VACUUM INTO '{path}'",
        "PRAGMA writable_schema = 1",
        "CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(100000000))",
        "CREATE TABLE t (x); INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n",
        "not SQL at all",
    ],
)
def test_a_script_that_does_more_than_fill_tables_draws_nothing(script: str, tmp_path: Path) -> None:
    assert tables(script.format(path=tmp_path / "made")) == []
    assert not (tmp_path / "made").exists()


@given(low=st.floats(-1e9, 1e9), span=st.floats(1e-9, 1e9), most=st.integers(2, 6))
def test_ticks_are_even_and_enclose_the_values(low: float, span: float, most: int) -> None:
    high = low + span
    ticks = nice_ticks(low, high, most)
    slack = 1e-6 * max(abs(low), abs(high), 1e-9)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= most + 3


@given(st.integers(1, 5000))
def test_thinning_keeps_both_ends(length: int) -> None:
    kept = thin([(float(x), 0.0) for x in range(length)])
    assert kept[0][0] == 0
    assert kept[-1][0] == length - 1
    assert len(kept) <= MAX_POINTS + 1


def test_a_curve_leaves_out_what_is_no_number() -> None:
    def draw(points: list[tuple[float, float]]) -> str:
        return Charts().curve(points, x_label="step", y_label="loss", height=90, tone="tuned")

    assert draw([]) == ""
    assert draw([(1, math.nan)]) == ""
    assert "circle" in draw([(1, 2.0)])
    gaps = draw([(1, 2.0), (2, math.inf), (3, 1.0)])
    assert "nan" not in gaps
    assert "inf" not in gaps
    assert "2 at step 1, 1 at step 3" in gaps


def test_dots_over_a_curve_reach_as_far_as_it_does() -> None:
    def draw(dots: list[tuple[float, float]]) -> str:
        line = [(1, 2.0), (3, 1.0)]
        return Charts().curve(line, x_label="step", y_label="loss", height=90, tone="tuned", dots=dots)

    assert draw([(2, 1.5)]).count("<circle") == 1
    assert draw([(2, 1.5), (3, math.nan), (4, 1.0)]).count("<circle") == 1
    assert ">10<" in draw([(2, 9.0)])  # the axis makes room for them


def test_the_finding_follows_the_interval() -> None:
    figures = {"base": {"rate": 0.5}, "tuned": {"rate": 0.6, "n": 50, "matches": 30}}

    def claim(low: float, high: float) -> str:
        return wording.headline({"difference": (low + high) / 2, "low": low, "high": high, "n": 50}, figures)[0]

    assert claim(0.01, 0.2).startswith("Execution match rose")
    assert claim(-0.2, -0.01).startswith("Execution match fell")
    assert claim(-0.1, 0.3).startswith("No clear change")
    assert "30 of 50" in wording.headline(None, figures)[0]
    assert "ended before" in wording.headline(None, {})[0]


def answers_of(n: int, matches: int, **more: object) -> dict[str, Any]:
    return {**counted(matches, n), "causes": {}, **more}


def test_what_improved_is_decided_question_by_question() -> None:
    def improved(lost: int) -> str:
        """Of 100 answers the base model's have no query 8 times, and the tuned model's once and ``lost`` times more."""
        causes = [("not_sql", "")] * 7 + [("not_sql", "not_sql")] + [("", "not_sql")] * lost + [("", "")] * (92 - lost)
        asked = [Pair(i, Prediction(cause=b), Prediction(cause=a)) for i, (a, b) in enumerate(causes)]
        base, tuned = (answers_of(100, 50, causes={"not_sql": wrong}) for wrong in (8, 1 + lost))
        return discuss({"evaluations": {"base": base, "tuned": tuned}}, asked)[0].answer

    clear = improved(0)  # although the intervals of 92 and of 99 answers overlap
    assert clear.startswith("Only syntax rose clearly")
    assert "+7.0 points (95 % interval +1.6 to +12.1) on the same 100 questions" in clear
    assert "where both models wrote a query, 0.0 points" in clear
    assert improved(5).startswith("Neither rose clearly")


def test_retrieval_is_compared_by_kind_only_as_far_as_the_questions_tell() -> None:
    kinds = ["join"] * 5 + ["grouping"] * 20
    retrieval, tuned = [True] * 3 + [False] * 22, [False] * 3 + [True] * 22
    comparison = {"a": "base-retrieval", "b": "tuned", **compare_by_kind(kinds, retrieval, tuned)}
    evaluations = {"base-retrieval": answers_of(25, 3), "tuned": answers_of(25, 22)}
    [found] = [
        point.answer
        for point in discuss({"evaluations": evaluations, "comparisons": [comparison]}, [])
        if "retrieval" in point.question
    ]
    assert "on the same 25 questions. The tuned model is clearly better on grouping (+100.0 points" in found
    assert found.endswith("do not tell the two apart, which does not make them equal, on join (5).")  # 3 against 2
    assert "as well" not in found


def test_the_paired_test_is_honest_about_chance() -> None:
    test = {"a": "base", "b": "tuned", "n": 20, "both": 9, "a_only": 2, "b_only": 5, "neither": 4, "p_value": 0.45}
    assert "Chance alone could do that: p = 0.45" in wording.paired_test(test)
    assert "would hardly do that: p < 0.0001" in wording.paired_test(test | {"p_value": 1e-9})
    assert "nothing to test" in wording.paired_test(test | {"a_only": 0, "b_only": 0})


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (0.04, "0.0 s"), (59.96, "1 min"), (60, "1 min"), (3725, "1 h 2 min 5 s")]
)
def test_durations(seconds: float | None, text: str) -> None:
    assert wording.duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == text


def test_the_command_prints_where_the_page_is(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(report)
    folder = make_run(tmp_path / "run", questions=5).folder
    assert CliRunner().invoke(app, [str(folder)]).output == f"{folder / 'report.html'}\n"
    assert json.loads(CliRunner().invoke(app, [str(folder), "--json"]).output) == {
        "report": str(folder / "report.html")
    }
    assert isinstance(CliRunner().invoke(app, [str(tmp_path / "nowhere")]).exception, RunError)
