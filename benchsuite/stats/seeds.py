"""The variance of scores that differ in their seeds, beside that of their examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


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
        from scipy.stats import t

        if self.se == 0:
            return float(value >= 0)
        return float(t.cdf(value / self.se, self.freedom))


def combine(of_examples: float, of_seeds: Sequence[tuple[float, float]]) -> Combined:
    """The standard error of a mean over seeds, or of a difference of two such means.

    V = of_examples + sum v_i with nu = V^2 / sum(v_i^2 / f_i) degrees of freedom (Satterthwaite
    1946, Welch 1947).

    Args:
        of_examples: variance that resampling the examples gives, the seeds being as they are; of
            so many examples that its degrees of freedom count as infinite.
        of_seeds: (variance of the arm's mean over its seeds, its degrees of freedom) an arm.
    """
    total = of_examples + sum(variance for variance, _ in of_seeds)
    uncertain = sum(variance**2 / freedom for variance, freedom in of_seeds if variance > 0)
    return Combined(math.sqrt(total), total**2 / uncertain if uncertain > 0 else math.inf)
