import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinkersql.evaluation import compare_paired, tally, wilson

# Newcombe (1998), Statistics in Medicine 17, 857-872, table I: the score method without continuity correction.
NEWCOMBE = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]


@pytest.mark.parametrize(("matches", "n", "low", "high"), NEWCOMBE)
def test_wilson_against_published_values(matches, n, low, high) -> None:
    assert wilson(matches, n) == pytest.approx((low, high), abs=5e-5)


def test_nothing_measured_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert tally([])["n"] == 0


def test_a_paired_comparison_by_hand() -> None:
    a = [True] * 5 + [True] * 1 + [False] * 9 + [False] * 5
    b = [True] * 5 + [False] * 1 + [True] * 9 + [False] * 5
    result = compare_paired(a, b)
    assert (result.both, result.a_only, result.b_only, result.neither) == (5, 1, 9, 5)
    # Exact McNemar: 2 * P(X <= 1) for X ~ Binomial(10, 1/2) = 2 * 11 / 1024.
    assert result.p_value == pytest.approx(22 / 1024)
    assert result.difference == pytest.approx(0.4)
    assert result.low < 0.4 < result.high


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_a_comparison_turned_round_is_the_same_with_the_sign_changed(pairs) -> None:
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    one, other = compare_paired(a, b), compare_paired(b, a)
    assert one.difference == pytest.approx(-other.difference)
    assert one.low == pytest.approx(-other.high)
    assert one.p_value == pytest.approx(other.p_value)
    assert one.both + one.a_only + one.b_only + one.neither == len(pairs)
    assert -1 <= one.low <= one.high <= 1


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="equally many"):
        compare_paired([True], [True, False])
