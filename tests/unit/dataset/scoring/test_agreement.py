"""Rank correlation and areas are those of scipy and of counting; their intervals hold."""

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from codeloop.dataset.scoring.agreement import auc, auc_difference, ranks, spearman

SCORES = st.lists(st.integers(1, 5).map(float), min_size=3, max_size=30)


@given(SCORES)
def test_ranks_are_those_of_scipy(values: list[float]) -> None:
    assert ranks(values) == pytest.approx(list(stats.rankdata(values)))


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2)), min_size=4, max_size=40))
def test_the_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    first, second = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    assume(len(set(first)) > 1 and len(set(second)) > 1)
    found = spearman(first, second)
    assert found.value == pytest.approx(stats.spearmanr(first, second).statistic)
    if found.value is not None and found.interval is not None:
        assert found.interval[0] <= found.value <= found.interval[1]


def test_a_constant_has_no_correlation() -> None:
    assert spearman([3.0] * 9, [float(n) for n in range(9)]).value is None


@given(SCORES, SCORES)
def test_the_area_is_the_share_of_pairs_in_order(low: list[float], high: list[float]) -> None:
    found = auc(low, high)
    u = stats.mannwhitneyu(high, low).statistic
    assert found.value == pytest.approx(u / (len(low) * len(high)))
    assert found.value is not None
    assert found.interval is not None
    assert 0 <= found.interval[0] <= found.value <= found.interval[1] <= 1


def test_the_interval_of_an_area_holds_as_often_as_it_says() -> None:
    dice = random.Random(1)
    true = stats.norm.cdf(1 / 2**0.5)  # of two normal distributions one apart
    held = 0
    for _ in range(400):
        low = [dice.gauss(0, 1) for _ in range(30)]
        high = [dice.gauss(1, 1) for _ in range(30)]
        interval = auc(low, high).interval
        assert interval is not None
        held += interval[0] <= true <= interval[1]
    assert 0.91 <= held / 400 <= 0.98


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=4, max_size=20))
def test_a_difference_of_areas_is_what_the_two_areas_differ(pairs: list[tuple[int, int]]) -> None:
    values = [(float(a), float(b)) for a, b in pairs]
    low, high = values[::2], values[1::2]
    one = auc([a for a, _ in low], [a for a, _ in high]).value
    two = auc([b for _, b in low], [b for _, b in high]).value
    assert one is not None
    assert two is not None
    assert auc_difference(low, high).value == pytest.approx(two - one)


def test_a_value_does_not_differ_from_itself() -> None:
    found = auc_difference([(1.0, 1.0), (2.0, 2.0)], [(2.0, 2.0), (5.0, 5.0)])
    assert (found.value, found.interval) == (0.0, (0.0, 0.0))
