"""Metrics against exact formulas, in fractions or from scipy, to 1e-9."""

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from codeloop.evals.metrics import (
    clustered_bootstrap,
    course,
    detectable,
    holm,
    mcnemar,
    mean_pass_at_k,
    paired_bootstrap,
    pass_at_k,
    wilson,
)


@given(st.integers(1, 300), st.data())
def test_pass_at_k_is_chen_s_formula(samples: int, data: st.DataObject) -> None:
    passed = data.draw(st.integers(0, samples))
    k = data.draw(st.integers(1, samples))
    exact = 1 - Fraction(math.comb(samples - passed, k), math.comb(samples, k))
    assert pass_at_k(samples, passed, k) == pytest.approx(float(exact), abs=1e-9)


def test_pass_at_k_needs_k_samples_and_is_a_mean_over_problems() -> None:
    with pytest.raises(ValueError, match="pass@2 needs 2 samples"):
        pass_at_k(1, 1, 2)
    assert mean_pass_at_k([(2, 1), (4, 0)], 1) == 0.25


@given(st.integers(1, 2000), st.data(), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_wilson_s_interval_is_scipy_s(total: int, data: st.DataObject, confidence: float) -> None:
    passed = data.draw(st.integers(0, total))
    exact = stats.binomtest(passed, total).proportion_ci(confidence, method="wilson")
    assert wilson(passed, total, confidence) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_wilson_s_interval_of_nothing_is_everything() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_exact_binomial_test(first: int, second: int) -> None:
    exact = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(exact, abs=1e-9)


def test_mcnemar_takes_many_discordant_pairs() -> None:
    assert mcnemar(3000, 3000) == pytest.approx(1.0)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_is_the_step_down_definition(p_values: list[float]) -> None:
    ordered = sorted(p_values)
    for value, adjusted in zip(p_values, holm(p_values), strict=True):
        rank = max(at for at, each in enumerate(ordered) if each == value)
        steps = [(len(ordered) - at) * ordered[at] for at in range(rank + 1)]
        assert adjusted == pytest.approx(min(1.0, max(steps)))


def test_a_bootstrap_draws_problems_whole_and_repeats_itself() -> None:
    first, second = [0.0, 1.0, 0.0, 1.0] * 20, [1.0, 1.0, 0.0, 1.0] * 20
    low, high = paired_bootstrap(first, second)
    assert 0 < low < 0.25 < high < 0.5
    assert paired_bootstrap(first, second) == (low, high)
    assert clustered_bootstrap([(1, 2), (1, 2)], lambda drawn: drawn[0][1]) == (2, 2)
    with pytest.raises(ValueError, match="no problems"):
        clustered_bootstrap([], lambda _: 0.0)
    with pytest.raises(ValueError, match="argument 2 is longer"):
        paired_bootstrap([1.0], [1.0, 0.0])


@pytest.mark.slow
def test_the_paired_bootstrap_covers_the_truth_as_often_as_it_says() -> None:
    dice = random.Random(7)
    covered = 0
    for seed in range(1000):
        first = [float(dice.random() < 0.6) for _ in range(100)]
        second = [1.0 if one else float(dice.random() < 0.25) for one in first]
        low, high = paired_bootstrap(first, second, draws=200, seed=seed)
        covered += low <= 0.1 <= high
    assert 0.93 <= covered / 1000 <= 0.97


def test_the_course_of_dialogues_counts_what_was_won_and_lost() -> None:
    seen = course([[False, True], [True, False, False], [True], [False, False, True]])
    assert seen.solved == (0.5, 0.5, 0.75)
    assert seen.ever == (0.5, 0.75, 1.0)
    assert seen.recovery == 0.5  # of wrong-to-something four, two went right
    assert seen.regression == 1.0


def test_a_course_without_steps_has_no_rates() -> None:
    assert course([[True]]).recovery is None
    assert course([]).solved == ()


def test_more_problems_see_smaller_differences() -> None:
    assert detectable(164, 0.13) == pytest.approx(0.0789, abs=1e-3)
    assert detectable(1000, 0.13) < detectable(164, 0.13)
    assert detectable(0, 0.1) == 1.0
