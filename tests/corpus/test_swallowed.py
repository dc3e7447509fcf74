"""Aggregates that a column's name has swallowed are written out again, and honest names are left alone."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinkersql.console import Silent
from tinkersql.corpus import Example, load, split, to_record
from tinkersql.corpus.quality import audit, clean
from tinkersql.corpus.swallowed import written_out
from tinkersql.equivalence import check_many

FUNCTIONS = ("COUNT", "SUM", "AVG", "MIN", "MAX")


def swallowed(function: str, column: str = "eggs", condition: str = "nest = 4", kind: str = "VARCHAR") -> Example:
    name = f"{function.lower()}_{column}"
    columns = [f"{name} {kind}", *(f"{word} VARCHAR" for word in condition.split()[:1])]
    where = f" WHERE {condition}" if condition else ""
    return Example(
        f"{function} of eggs in nest 4?",
        f"CREATE TABLE table_7 ({', '.join(columns)})",
        (f"SELECT {name} FROM table_7{where}",),
    )


DAMAGED = tuple(swallowed(function) for function in FUNCTIONS)
SOUND = Example(
    "Who lives on pond A?",
    "CREATE TABLE ducks (name VARCHAR, pond VARCHAR)",
    ('SELECT name FROM ducks WHERE pond = "A"',),
)


def alone(example: Example) -> Example | None:
    """What becomes of an example in a file that is damaged beyond doubt."""
    return written_out([example, *DAMAGED]).get(0)


def test_the_aggregate_is_written_out_in_gold_and_schema() -> None:
    found = written_out([SOUND, *DAMAGED])
    assert [found[place + 1].gold for place in range(5)] == [
        f"SELECT {function}(eggs) FROM table_7 WHERE nest = 4" for function in FUNCTIONS
    ]
    assert found[1].schema == "CREATE TABLE table_7 (eggs VARCHAR, nest VARCHAR)"
    assert {found[place].schema for place in range(2, 6)} == {"CREATE TABLE table_7 (eggs INTEGER, nest VARCHAR)"}
    assert 0 not in found


def test_a_column_that_the_condition_names_too_is_declared_once() -> None:
    found = alone(swallowed("MAX", "year", "year < 1990"))
    assert found is not None
    assert (found.schema, found.gold) == (
        "CREATE TABLE table_7 (year INTEGER)",
        "SELECT MAX(year) FROM table_7 WHERE year < 1990",
    )


@pytest.mark.parametrize(
    "example",
    [
        swallowed("MAX", "140"),
        swallowed("MAX", "order"),
        swallowed("SUM", "total", 'nest = "total"'),
        swallowed("AVG", condition="avg_eggs > 3"),
        Example("?", "CREATE TABLE t (max_wind REAL, day DATE)", ("SELECT max_wind FROM t",)),
        Example("?", "CREATE TABLE t (day DATE, max_wind REAL)", ("SELECT max_wind FROM t WHERE day = 1",)),
        Example("?", "CREATE TABLE t (max_a VARCHAR); CREATE TABLE u (b VARCHAR)", ("SELECT max_a FROM t",)),
        Example("?", "CREATE TABLE t (max_a VARCHAR)", ("SELECT max_a FROM t", "SELECT DISTINCT max_a FROM t")),
        Example("?", "CREATE TABLE t (max_a VARCHAR", ("SELECT max_a FROM t",)),
    ],
)
def test_what_may_be_honest_or_would_be_no_name_stays(example: Example) -> None:
    assert alone(example) is None


def test_names_are_honest_where_they_are_few_or_all_alike() -> None:
    assert written_out([*DAMAGED, *[SOUND] * 495]) == {}
    assert len(written_out([*DAMAGED, *[SOUND] * 494])) == 5
    assert written_out([swallowed("MAX"), swallowed("AVG")] * 10) == {}


@settings(deadline=None, max_examples=30)  # no deadline: the first gold waits for the sandbox
@given(
    st.lists(
        st.builds(
            swallowed,
            st.sampled_from(FUNCTIONS),
            st.from_regex(r"[A-Za-z0-9_]{1,8}", fullmatch=True),
            st.sampled_from(["", "nest = 4", 'nest = "eggs"', "nest > 1 AND nest < 3"]),
        ),
        max_size=20,
    )
)
def test_whatever_is_changed_runs(examples: list[Example]) -> None:
    changed = written_out([*examples, *DAMAGED]).values()
    assert len(changed) >= len(DAMAGED)
    assert all(check.runs for check in check_many((example.schema, example.gold) for example in changed))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([to_record(example) for example in (SOUND, *DAMAGED)]), "utf-8")
    return path


def test_data_is_read_with_the_aggregates_and_says_so(file: Path) -> None:
    loaded = load(str(file), Silent())
    assert [example.gold for example in loaded.examples[1:]] == [e.gold for e in written_out(DAMAGED).values()]
    [note] = loaded.notes
    assert note.startswith("5 golds of 6 have max_place or the like for MAX(place)")
    assert note in split(loaded, 1, 0).notes
    as_it_stands = load(str(file), Silent(), as_it_stands=True)
    assert (as_it_stands.examples, as_it_stands.notes) == ((SOUND, *DAMAGED), ())


def test_a_check_of_the_data_finds_and_repairs_them(file: Path, tmp_path: Path) -> None:
    found = audit(load(str(file), Silent(), as_it_stands=True).examples, Silent())
    assert [(f.row, f.cause.name, f.detail) for f in found.findings] == [
        (place + 2, "swallowed aggregate", example.gold) for place, example in enumerate(DAMAGED)
    ]
    done = clean(found, tmp_path / "clean.json")
    assert (done.rows, done.repaired) == (6, 5)
    assert load(str(done.path), Silent(), as_it_stands=True).examples == load(str(file), Silent()).examples
    [entry, *_] = map(json.loads, done.log.read_text("utf-8").splitlines())
    assert entry["before"] == {"context": DAMAGED[0].schema, "answer": DAMAGED[0].gold}
