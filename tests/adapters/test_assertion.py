"""The assertion, and the text that it shows: it replays in SQLite, marks what differs and stays bounded."""

import re
import sqlite3
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tinkersql.adapters.explanation import MAX_ROWS, explanation
from tinkersql.adapters.testing import assert_same_query
from tinkersql.equivalence import Assumptions, Comparison, Table, Verdict, Witness

SCHEMA = "CREATE TABLE trees (id INTEGER, name VARCHAR, height REAL)"
GOLD = "SELECT name FROM trees WHERE height > 5"


def failure(gold: str | list[str], predicted: str, **options) -> str:
    with pytest.raises(AssertionError) as caught:
        assert_same_query(SCHEMA, gold, predicted, **options)
    return str(caught.value)


def told_apart(gold: list[list], predicted: list[list], assumptions: Assumptions = Assumptions.HEADLINE) -> Comparison:
    """A comparison with these results on its witness."""
    sides = [Table([f"c{place}" for place in range(len((rows or [[0]])[0]))], rows) for rows in (gold, predicted)]
    witness = Witness("CREATE TABLE t (a);\n", "SELECT 1", "SELECT 2", sides[0], sides[1])
    return Comparison(Verdict.DIFFERENT, "they differ", "SELECT 2", witness, assumptions)


def table_of(text: str) -> list[str]:
    """The lines of the results' rows."""
    lines = text.split("\n\n")[2].splitlines()
    return lines[3:]


def test_queries_that_mean_the_same_pass():
    answer = assert_same_query(
        SCHEMA, [GOLD, "SELECT id FROM trees"], "```sql\nSELECT name FROM trees WHERE 5 < height;```"
    )
    assert answer.verdict is Verdict.MATCH


@pytest.mark.parametrize(
    "predicted",
    [
        "SELECT name FROM trees WHERE height >= 5",
        "SELECT name, height FROM trees WHERE height > 5",
        "SELECT TOP 3 name FROM trees WHERE height > 5 -- the highest",
        "SELECT name FROM trees WHERE height > 5 AND name <> 'a;b' -- all",
    ],
)
def test_the_sql_of_the_message_shows_the_difference(predicted):
    block = failure(GOLD, predicted).split("\n\n")[1]
    statements, rest = [], ""
    for piece in re.split("(?<=;)", block):
        rest += piece
        if sqlite3.complete_statement(rest):
            statements.append(rest)
            rest = ""
    connection = sqlite3.connect(":memory:")
    connection.executescript("".join(statements[:-2]))
    one, other = (connection.execute(statement) for statement in statements[-2:])
    assert "-- gold" in statements[-2]
    assert "-- predicted" in statements[-1]
    assert len(one.description) != len(other.description) or Counter(one) != Counter(other)
    connection.close()


def test_the_message_says_what_a_reader_needs():
    text = failure([GOLD, GOLD.replace("5", "6")], "SELECT TOP 9 name FROM trees")
    assert text.startswith("different: ")
    assert "-- gold, one of 2 that are acceptable\n" in text
    assert "note: prediction translated" in text
    assert text.endswith("assumptions: no_nulls")
    assert len(table_of(text)) > 0


def test_what_was_not_shown_fails_too():
    assert failure("SELECT nothing FROM trees", GOLD).startswith("gold_error: ")
    assert failure(GOLD, "I do not know").startswith("prediction_error: ")
    assert "-- predicted: no SQL" in failure(GOLD, "I do not know")
    assert failure("SELECT name FROM trees WHERE 1 = 0", GOLD + " AND 1 = 0").startswith("undecided: ")


def test_the_assumptions_are_the_callers():
    counts = "SELECT count(*) FROM trees", "SELECT count(name) FROM trees"
    assert_same_query(SCHEMA, *counts)
    assert failure(*counts, assumptions=Assumptions.OPEN_WORLD).endswith("assumptions: open_world")


def test_rows_are_paired_by_value_and_marked():
    text = explanation(told_apart([["a", 1], ["b", 2], ["b", 2]], [["b", 2.0], ["c", None], ["d", "2"]]), "SELECT 1")
    assert text.split("\n\n")[2] == "\n".join(
        [
            "   gold    | predicted",
            "   c0   c1 | c0   c1",
            "   ------- | ---------",
            "-+ 'a'  1  | 'c'  NULL",
            "-+ 'b'  2  | 'd'  '2'",
            "   'b'  2  | 'b'  2.0",
        ]
    )


def test_a_missing_row_leaves_its_side_blank():
    lines = table_of(explanation(told_apart([["a"], ["b"]], [["b"]]), "SELECT 1"))
    assert lines == ["-  'a'  |", "   'b'  | 'b'"]
    text = explanation(told_apart([], [["b"]]), "SELECT 1")
    assert "gold (no rows) | predicted" in text
    assert table_of(text) == [" + " + " " * 15 + "| 'b'"]


def test_another_order_is_marked_where_it_differs():
    lines = table_of(explanation(told_apart([["a"], ["b"], ["c"]], [["a"], ["c"], ["b"]]), "SELECT 1"))
    assert [line[:2] for line in lines] == ["  ", "-+", "-+"]


def test_letter_case_is_marked_only_where_it_counts():
    pair = [["A"]], [["a"]]
    assert table_of(explanation(told_apart(*pair), "SELECT 1"))[0].startswith("  ")
    assert table_of(explanation(told_apart(*pair, Assumptions.OPEN_WORLD), "SELECT 1"))[0].startswith("-+")


def test_rows_that_differ_are_shown_first_and_the_rest_is_counted():
    same = [[number] for number in range(3 * MAX_ROWS)]
    lines = table_of(explanation(told_apart([*same, ["last"]], same), "SELECT 1"))
    assert lines[0].startswith("-  'last'")
    assert len(lines) == MAX_ROWS + 1
    assert lines[-1].strip() == f"... {2 * MAX_ROWS + 1} more"


values = st.one_of(st.none(), st.integers(-9, 9), st.sampled_from("aAb"))
results = st.lists(st.tuples(values, values).map(list), max_size=8)


@given(results, results)
def test_marks_count_the_rows_that_only_one_side_returns(gold, predicted):
    text = explanation(told_apart(gold, predicted, Assumptions.OPEN_WORLD), "SELECT 1")
    one, other = Counter(map(tuple, gold)), Counter(map(tuple, predicted))
    minus, plus = (one - other).total(), (other - one).total()
    if one == other:
        minus = plus = sum(a != b for a, b in zip(gold, predicted, strict=True))
    lines = table_of(text)
    assert (sum(line[0] == "-" for line in lines), sum(line[1:2] == "+" for line in lines)) == (minus, plus)


hostile = st.text(st.characters(exclude_categories=())) | st.text("x木\x1b\n\ud800;-'", min_size=0).map(
    lambda s: s * 500
)


@given(hostile, hostile, hostile, st.lists(hostile, max_size=40), st.integers(1, 40))
def test_any_text_is_bounded_printable_and_aligned(schema, gold, predicted, cells, width):
    columns, rows = [gold] * width, [[cell] * width for cell in cells]
    witness = Witness(schema, gold, predicted, Table(columns, rows), Table(["n"], [[1]]))
    for answer in (
        Comparison(Verdict.DIFFERENT, schema, predicted, witness, notes=[gold, predicted]),
        Comparison(Verdict.PREDICTION_ERROR, schema, predicted),
    ):
        text = explanation(answer, [gold] * 10)
        assert len(text) < 25_000
        assert all(character.isprintable() or character in "\n\t" for character in text)
        text.encode()
    lines = explanation(told_apart(rows, [[1]]), "SELECT 1").split("\n\n")[2].splitlines()
    bars = {cell_len(line[: line.rindex("|")]) for line in lines[:3] if "|" in line}
    assert len(bars) == 1


def test_pytest_shows_the_message_and_the_callers_line_only(tmp_path):
    (tmp_path / "test_report.py").write_text(
        "from tinkersql.adapters.testing import assert_same_query\n\n"
        "def test_report():\n"
        f"    assert_same_query({SCHEMA!r}, {GOLD!r}, {GOLD.replace('5', '6')!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert ">   " in done.stdout
    assert "E       AssertionError: different: " in done.stdout
    assert "E       -- predicted\n" in done.stdout
    assert "testing.py" not in done.stdout
