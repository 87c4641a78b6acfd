"""The standard error over examples and seeds against scipy and by drawing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from benchsuite.stats import combine


def test_two_arms_of_seeds_alone_are_welch_s_test() -> None:
    a, b = [0.71, 0.75, 0.70, 0.74], [0.66, 0.72, 0.69, 0.67]
    parts = [(float(np.var(arm, ddof=1)) / 4, 3.0) for arm in (a, b)]
    found = combine(0.0, parts).below(float(np.mean(b) - np.mean(a)))
    theirs = scipy.stats.ttest_ind(b, a, equal_var=False, alternative="less").pvalue
    assert found == pytest.approx(theirs, rel=1e-9)


def test_examples_alone_are_a_normal_distribution() -> None:
    found = combine(0.04**2, [])
    assert (found.se, found.freedom) == (0.04, math.inf)
    assert found.below(-0.08) == pytest.approx(scipy.stats.norm.cdf(-2.0))


def test_a_stated_deviation_is_no_less_certain_than_the_examples() -> None:
    assert combine(1.0, [(3.0, math.inf)]).freedom == math.inf


@pytest.mark.parametrize("examples", [0.03, 0.3, 1.0])
@pytest.mark.parametrize("arms", [1, 2])
def test_few_seeds_cry_wolf_no_more_often_than_stated(examples: float, arms: int) -> None:
    """Three seeds, drawn 20,000 times: 2.5% in each tail of an interval at most, give or take.

    Plain Welch and Satterthwaite have up to 3.9% there, for one arm.
    """
    generator = np.random.default_rng(0)
    scores = generator.standard_normal((20_000, arms, 3))
    value = scores.mean(axis=2).sum(axis=1)
    value += math.sqrt(examples / 3) * generator.standard_normal(len(value))
    parts = scores.var(axis=2, ddof=1) / 3
    errors = [combine(examples / 3, [(v, 2.0) for v in row]) for row in parts.tolist()]
    se = np.array([one.se for one in errors])
    p = scipy.stats.t.cdf(value / se, [one.freedom for one in errors])
    assert 0.012 < (p < 0.025).mean() < 0.030
    if arms == 2:  # nine tests after Holm: 5% together
        assert (p < 0.05 / 9).mean() < 1.15 * 0.05 / 9
