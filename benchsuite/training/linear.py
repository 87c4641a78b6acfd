"""Linear classifiers on features: standardized, fitted by scikit-learn, kept as plain arrays."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchsuite.training.features import Features

Array = NDArray[np.float64]

MOST_STEPS = 100
"""Steps of L-BFGS; on separable data a weak penalty would take many more to no use."""
TOLERANCE = 1e-4
"""Of the gradient of the mean loss, at which L-BFGS ends (scikit-learn's default)."""
NEVER = -1e9
"""Score of a label that no training example has."""
PART = 65536  # rows at once where a whole matrix in double precision would not fit


@dataclass(frozen=True, slots=True)
class Linear:
    """scores = features @ coefficients.T + intercepts.

    coefficients: (outputs, width). intercepts: (outputs,).
    """

    coefficients: Array
    intercepts: Array

    def scores(self, features: Features | Array) -> Array:
        """Scores (n, outputs)."""
        found: Array = features.astype(np.float64) @ self.coefficients.T + self.intercepts
        return found


def standardize(features: Features) -> tuple[Array, Array]:
    """Bring each column to mean 0 and standard deviation 1, in place; returns both (width,).

    A column that does not vary is only centred.
    """
    parts = [features[start : start + PART] for start in range(0, len(features), PART)]
    mean: Array = np.sum([part.sum(0, dtype=np.float64) for part in parts], axis=0) / len(features)
    squares = np.zeros(features.shape[1])
    for part in parts:
        part -= mean.astype(np.float32)
        squares += np.square(part, dtype=np.float64).sum(0)
    spread: Array = np.sqrt(squares / len(features))
    # The mean of many equal numbers differs from them in the last digits.
    spread[spread <= 1e-6 * np.abs(mean)] = 1.0
    spread[spread == 0] = 1.0
    features /= spread.astype(np.float32)
    return mean, spread


def logistic(
    features: Features, labels: NDArray[np.int64], number: int, penalties: Sequence[float]
) -> list[Linear]:
    """Logistic regressions, one a penalty: half the sum of squares of the coefficients times it
    is added to the sum of the losses.

    labels: (n,) of 0 ... number - 1. One output a label; of two labels one: the log-odds of the
    second. Each fit begins where the one before it ended, so the strongest penalty comes first.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    present = np.unique(labels)
    found = []
    fit = LogisticRegression(max_iter=MOST_STEPS, tol=TOLERANCE, warm_start=True)
    for penalty in penalties:
        coefficients = np.zeros((number, features.shape[1]))
        intercepts = np.full(number, NEVER)
        intercepts[present] = 0.0
        if len(present) > 1:
            fit.C = 1 / penalty
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                fit.fit(features, labels)
            # Of two labels the first has no coefficients of its own.
            having = present[-len(fit.coef_) :]
            coefficients[having], intercepts[having] = fit.coef_, fit.intercept_
        if number == 2:
            coefficients, intercepts = np.diff(coefficients, axis=0), np.diff(intercepts)
        found.append(Linear(coefficients, intercepts))
    return found


def ridge(features: Features, targets: Array, penalties: Sequence[float]) -> list[Linear]:
    """Ridge regressions of numbers (n,), one a penalty: the sum of squares of the coefficients
    times it is added to the sum of the squared errors."""
    from sklearn.linear_model import Ridge

    found = []
    for penalty in penalties:
        fit = Ridge(alpha=penalty).fit(features, targets)
        coefficients = np.asarray(fit.coef_, np.float64).reshape(1, -1)
        found.append(Linear(coefficients, np.array([float(fit.intercept_)])))
    return found
