"""What the tests of the judge share: replaying a witness with nothing but SQLite."""

import gc
import sqlite3

import pytest

from tinkersql.equivalence import Comparison


def _replay(answer: Comparison) -> None:
    witness = answer.witness
    assert witness is not None
    connection = sqlite3.connect(":memory:")
    connection.executescript(witness.script)
    for sql, recorded in ((witness.gold_sql, witness.gold_result), (witness.predicted_sql, witness.predicted_result)):
        cursor = connection.execute(sql)
        assert [item[0] for item in cursor.description] == recorded.columns
        assert [list(row) for row in cursor.fetchall()] == recorded.rows
    connection.close()
    one, other = witness.gold_result, witness.predicted_result
    assert len(one.columns) != len(other.columns) or one.rows != other.rows


@pytest.fixture(scope="session")
def replay():
    """Rebuild a witness from its text alone and check that both results are those recorded, and differ."""
    return _replay


@pytest.fixture(scope="module", autouse=True)
def _room_in_sqlite_s_heap() -> None:
    """SQLite's heap is bounded for the whole process, and databases in reference cycles of earlier tests fill it."""
    gc.collect()
