"""Functions of a column, held against SQLite itself."""

import sqlite3
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from tinkersql.equivalence.functions import chain

DATES = st.dates(min_value=date(1000, 1, 1)).map(str)
WORDS = st.text("abcXYZ 019", min_size=1, max_size=12)
NUMBERS = st.integers(-500, 500) | st.integers(-2000, 2000).map(lambda number: number / 4)
EXPRESSIONS = [
    *(("LENGTH(x)", WORDS), ("SUBSTR(x, 2, 3)", WORDS), ("SUBSTR(x, -2)", WORDS), ("UPPER(x)", WORDS)),
    *(("LOWER(TRIM(x))", WORDS), ("CAST(x AS INTEGER)", WORDS), ("CAST(x AS TEXT)", NUMBERS)),
    *(("strftime('%Y', x)", DATES), ("CAST(strftime('%m', x) AS INTEGER)", DATES), ("strftime('%Y-%m', x)", DATES)),
    *(("x * 2 + 1", NUMBERS), ("10 - x", NUMBERS), ("ABS(x - 5)", NUMBERS), ("-x", NUMBERS), ("x * 0.5", NUMBERS)),
]


def sqlite(expression: str, value: object) -> object:
    connection = sqlite3.connect(":memory:")
    (found,) = connection.execute(f"SELECT {expression} FROM (SELECT ? AS x)", (value,)).fetchone()
    connection.close()
    return found


@pytest.mark.parametrize(("expression", "values"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
def test_a_function_is_applied_as_sqlite_does(expression, values):
    function = chain(parse_one(expression, dialect="sqlite"))
    assert function is not None

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(values)
    def check(value):
        assert function.apply(value) == sqlite(expression, value)

    check()


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        *(("LENGTH(x)", 7), ("SUBSTR(x, 3, 2)", "ab"), ("SUBSTR(x, -2)", "ab"), ("LOWER(x)", "bob"), ("TRIM(x)", "a")),
        *(("strftime('%Y', x)", "1987"), ("strftime('%m', x)", "02"), ("strftime('%Y-%m', x)", "2011-12")),
        *(("x * 4", 100), ("x / 4", 25), ("x - 3", 8), ("3 - x", 8), ("ABS(x)", 6), ("ROUND(x, 1)", 2.5), ("x % 3", 1)),
    ],
)
def test_some_solution_gives_the_wanted_result_in_sqlite(expression, wanted):
    function = chain(parse_one(expression, dialect="sqlite"))
    assert function is not None
    assert wanted in [sqlite(expression, value) for value in function.solve(wanted)]


@pytest.mark.parametrize("expression", ["x", "x + y", "COUNT(*)", "SUBSTR(x, y)", "x * 0", "1 / x", "foo(x)", "5"])
def test_what_is_no_function_of_one_column_is_left_alone(expression):
    assert chain(parse_one(expression, dialect="sqlite")) is None


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.sampled_from([text for text, _ in EXPRESSIONS] + ["ROUND(x, 3)", "x % 7", "x / 3", "strftime('%Y%Y', x)"]),
    st.text(max_size=400) | st.floats(allow_nan=False) | st.integers() | st.just("9" * 400) | st.just("1e99"),
)
def test_no_value_makes_it_fail(expression, value):
    function = chain(parse_one(expression, dialect="sqlite"))
    assert function is not None
    assert isinstance(function.column, exp.Column)
    function.apply(value)
    for found in function.solve(value):
        function.apply(found)
