"""The variance of scores that differ in their seeds, beside that of their examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import variance

QUARTILE = 0.25


@dataclass(frozen=True, slots=True)
class Combined:
    """A standard error of several independent parts, and its degrees of freedom (may be inf)."""

    se: float
    freedom: float

    @property
    def underestimate(self) -> float:
        """By how much half of all such standard errors are too small, or more: 1.09 for 4 degrees.

        From the median of the chi-square distribution; 1 for infinitely many degrees of freedom.
        """
        from scipy.stats import chi2

        if math.isinf(self.freedom):
            return 1.0
        return math.sqrt(self.freedom / float(chi2.ppf(0.5, self.freedom)))

    def quantile(self, probability: float) -> float:
        """Of Student's t with these degrees of freedom."""
        from scipy.stats import t

        return float(t.ppf(probability, self.freedom))

    def below(self, value: float) -> float:
        """Probability of a value this low or lower where the true one is 0."""
        from scipy.special import ndtr, stdtr  # scipy.stats' own, without its checks of arguments

        if self.se == 0:
            return float(value >= 0)
        if math.isinf(self.freedom):
            return float(ndtr(value / self.se))
        return float(stdtr(self.freedom, value / self.se))


def part_of(scores: Sequence[float]) -> tuple[float, float]:
    """(variance of the mean over these seeds, its degrees of freedom), of two seeds or more."""
    return variance(scores) / len(scores), len(scores) - 1.0


def within_part(arms: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The same of the difference of two arms whose seeds scatter alike, each about its own mean.

    One of them may have a single seed. Student's t of two samples, as textbooks have it.
    """
    freedom = sum(len(arm) - 1.0 for arm in arms)
    squares = sum(variance(arm) * (len(arm) - 1) for arm in arms if len(arm) > 1)
    return squares / freedom * sum(1 / len(arm) for arm in arms), freedom


def pooled_part(arms: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The same of the difference of two arms whose seeds are taken as one sample, three or more.

    That is the cautious way where an arm's own scatter says too little: scores have two modes
    because finetuning can collapse, and all of its seeds, or none, happen to.
    """
    counts = [len(arm) for arm in arms]
    pooled = variance([score for arm in arms for score in arm])
    return pooled * sum(1 / count for count in counts), sum(counts) - 1.0


def combine(of_examples: float, of_seeds: Sequence[tuple[float, float]]) -> Combined:
    """The standard error of a mean over seeds, or of a difference of two such means.

    V = of_examples + sum v_i with nu = W^2 / sum(w_i^2 / f_i) degrees of freedom (Satterthwaite
    1946, Welch 1947). There w_i is not v_i but its upper bound at a confidence of 75%, and
    W = of_examples + sum w_i: a variance that happens to come out small would lower the error and,
    the examples being many, raise the degrees of freedom at once (with three seeds, and as much
    variance of examples, 6.7% false alarms among nine tests instead of 5%).

    Args:
        of_examples: variance that resampling the examples gives, the seeds being as they are; of
            so many examples that its degrees of freedom count as infinite.
        of_seeds: (variance of the arm's mean over its seeds, its degrees of freedom) an arm.
    """
    total = of_examples + sum(variance for variance, _ in of_seeds)
    bounds = [(_upper(variance, freedom), freedom) for variance, freedom in of_seeds]
    wide = of_examples + sum(variance for variance, _ in bounds)
    uncertain = sum(variance**2 / freedom for variance, freedom in bounds if variance > 0)
    return Combined(math.sqrt(total), wide**2 / uncertain if uncertain > 0 else math.inf)


def _upper(variance: float, freedom: float) -> float:
    """What the true variance is below with a confidence of 75%, by the chi-square distribution."""
    return variance if math.isinf(freedom) else variance * freedom / _chi_square(freedom)


@lru_cache
def _chi_square(freedom: float) -> float:
    """The lower quartile of the chi-square distribution."""
    from scipy.stats import chi2

    return float(chi2.ppf(QUARTILE, freedom))
