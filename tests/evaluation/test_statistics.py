import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinkersql.evaluation import compare_paired, detectable_difference, interval, questions_needed, tally, wilson

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


def test_alone_in_its_cluster_each_question_counts_in_full() -> None:
    right = [True] * 12 + [False] * 18
    found = tally(right, range(30))
    assert (found["clustered"]["low"], found["clustered"]["high"]) == pytest.approx((found["low"], found["high"]))
    assert found["clustered"]["design_effect"] == pytest.approx(1)
    assert found["clustered"]["clusters"] == 30


def test_a_reader_is_shown_the_clustered_interval_where_questions_share_a_cluster() -> None:
    right = [True] * 12 + [False] * 18
    alone, plain = tally(right, range(30)), tally(right)
    assert interval(alone) == interval(plain) == (plain["low"], plain["high"])
    alike = tally(right, [number // 3 for number in range(30)])
    assert interval(alike) == (alike["clustered"]["low"], alike["clustered"]["high"]) != (plain["low"], plain["high"])


def test_copies_of_a_question_add_nothing() -> None:
    right = [True] * 12 + [False] * 18
    once, four = tally(right, range(30))["clustered"], tally(right * 4, [*range(30)] * 4)["clustered"]
    # Exactly so but for the degrees of freedom, 29 in the place of 119.
    assert four["design_effect"] == pytest.approx(4 * 119 / 120 * 30 / 29 * (2.04523 / 1.98010) ** 2, rel=1e-4)
    assert four["low"] < once["low"] < once["high"] < four["high"]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=60))
def test_a_clustered_interval_holds_the_rate_and_is_never_narrower(answers) -> None:
    right, clusters = [ok for ok, _ in answers], [cluster for _, cluster in answers]
    found = tally(right, clusters)
    inner, slack = found["clustered"], 1e-9
    assert 0 <= inner["low"] <= found["low"] + slack
    assert 1 >= inner["high"] >= found["high"] - slack
    assert inner["design_effect"] >= 1 - slack
    assert inner["clusters"] == len(set(clusters))


def test_a_clustered_interval_covers_where_the_plain_one_does_not() -> None:
    # 40 schemas of 5 questions; the chance to be right is the schema's own, with an intra-cluster correlation of 0.5.
    rng, runs, rate = np.random.default_rng(5), 600, 0.6
    clusters = np.repeat(np.arange(40), 5)
    hits = {"plain": 0, "clustered": 0}
    for _ in range(runs):
        right = list(rng.random(200) < np.repeat(rng.beta(rate, 1 - rate, 40), 5))
        found = tally(right, list(clusters))
        hits["plain"] += found["low"] <= rate <= found["high"]
        hits["clustered"] += found["clustered"]["low"] <= rate <= found["clustered"]["high"]
    assert hits["clustered"] / runs > 0.925
    assert hits["plain"] / runs < 0.85


def test_questions_needed_by_hand() -> None:
    # Connor (1987): (1.959964 * sqrt(0.3) + 0.841621 * sqrt(0.3 - 0.01))^2 / 0.01
    assert questions_needed(0.1, 0.3) == 234
    assert questions_needed(-0.1, 0.3) == 234
    assert questions_needed(0.1, 0.3, power=0.9) > 234 < questions_needed(0.1, 0.3, alpha=0.01)
    for difference, discordance in ((0, 0.3), (0.4, 0.3), (0.1, 1.2)):
        with pytest.raises(ValueError, match="discordance"):
            questions_needed(difference, discordance)


@given(st.floats(0.01, 0.3), st.floats(0.3, 1))
def test_the_detectable_difference_turns_questions_needed_round(difference, discordance) -> None:
    n = questions_needed(difference, discordance)
    found = detectable_difference(n, discordance)
    assert found is not None
    assert found <= difference + 1e-9
    assert questions_needed(found, discordance) in (n, n + 1)


def test_few_questions_detect_nothing() -> None:
    assert detectable_difference(3, 0.4) is None
    assert detectable_difference(100, 0) is None


def test_the_promised_power_is_there() -> None:
    rng, difference, discordance, runs = np.random.default_rng(2), 0.15, 0.35, 400
    n = questions_needed(difference, discordance)
    gained, lost = (discordance + difference) / 2, (discordance - difference) / 2
    found = 0
    for _ in range(runs):
        draws = rng.random(n)
        a, b = draws < lost, (draws >= lost) & (draws < lost + gained)
        found += compare_paired(list(a), list(b)).p_value < 0.05
    assert 0.72 < found / runs < 0.88
