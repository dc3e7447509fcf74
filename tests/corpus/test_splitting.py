import pytest

from tinkersql.corpus import Corpus, Example, count_kinds, kind_of, split
from tinkersql.corpus.reading import built_in
from tinkersql.errors import SettingsError


def corpus(n: int) -> Corpus:
    rows = tuple(
        Example(f"question {i}", "CREATE TABLE t (a VARCHAR)", (f"SELECT a FROM t WHERE a = '{i}'",)) for i in range(n)
    )
    return Corpus(rows, "rows.json", "0" * 64)


def test_rows_are_shuffled_by_the_seed_and_parted_without_overlap() -> None:
    data = corpus(50)
    first, again, other = split(data, 10, seed=1), split(data, 10, seed=1), split(data, 10, seed=2)
    assert first == again
    assert first.test != other.test
    assert len(first.test) == 10
    assert sorted(first.train + first.test, key=lambda e: e.question) == sorted(data.examples, key=lambda e: e.question)


def test_rows_that_stand_on_both_sides_are_counted() -> None:
    data = corpus(20)
    doubled = Corpus(data.examples * 2, data.source, data.sha256)
    notes = split(doubled, 20, seed=0).notes
    assert any("word for word" in note for note in notes)
    assert split(data, 5, seed=0).notes == ()


@pytest.mark.parametrize("size", [20, 21, 1000])
def test_a_test_set_as_large_as_the_data_is_refused(size) -> None:
    with pytest.raises(SettingsError, match="--test-size"):
        split(corpus(20), size, seed=0)


def test_the_built_in_test_set_shares_neither_domain_nor_pattern_with_training() -> None:
    parts = split(built_in(), 200, seed=0)
    assert len(parts.test) == 200
    assert not {e.domain for e in parts.test} & {e.domain for e in parts.train}
    assert not {e.pattern for e in parts.test} & {e.pattern for e in parts.train}
    with pytest.raises(SettingsError, match="at most"):
        split(built_in(), 100_000, seed=0)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT a FROM t", "plain list"),
        ("SELECT a FROM t WHERE b = 'rock and roll'", "one condition"),
        ('SELECT a FROM t WHERE b = "say ""or"" not"', "one condition"),
        ("SELECT a FROM t WHERE b = 1 AND c = 2", "several conditions"),
        ("SELECT COUNT(*) FROM t WHERE b = 1 AND c = 2", "aggregate"),
        ("SELECT a FROM t ORDER BY COUNT(b) DESC LIMIT 1", "ordering"),
        ("select a, count(*)\nfrom t\ngroup   by a order by 1", "grouping"),
        ("SELECT T1.a FROM t AS T1 JOIN u AS T2 ON T1.i = T2.i GROUP BY T1.a", "join"),
        ("SELECT x FROM t, u WHERE t.i = u.i", "join"),
        ("SELECT a FROM t WHERE b = (SELECT MAX(b) FROM t)", "nested"),
        ("SELECT a FROM t EXCEPT SELECT a FROM u", "set operation"),
        ("SELECT a FROM t WHERE b = 'SELECT one, UNION two'", "one condition"),
    ],
)
def test_kinds(sql, kind) -> None:
    assert kind_of(sql) == kind


def test_counting_kinds_leaves_nothing_out() -> None:
    assert sum(count_kinds(corpus(7).examples).values()) == 7
