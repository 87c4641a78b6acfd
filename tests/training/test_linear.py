"""Standardization and linear classifiers on made features."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from benchsuite.training import linear
from benchsuite.training.linear import logistic, ridge, standardize


def made(rows: int = 300, width: int = 6) -> np.ndarray:
    generator = np.random.default_rng(0)
    features = generator.normal(generator.normal(0, 100, width), 1.0, (rows, width))
    return features.astype(np.float32)


@pytest.mark.parametrize("part", [7, 65536])
def test_features_are_standardized_in_place(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "PART", part)
    features = made()
    features[:, 2] = 0.1  # a column that does not vary, but for rounding
    features[:, 4] = 0.0
    scaler = StandardScaler().fit(features.astype(np.float64))
    expected = scaler.transform(features.astype(np.float64))
    before = features.copy()
    mean, spread = standardize(features)
    np.testing.assert_allclose(features, expected, atol=1e-4)
    np.testing.assert_allclose((before - mean) / spread, features, atol=1e-4)
    np.testing.assert_allclose(mean, scaler.mean_, rtol=1e-6)
    assert spread[2] == spread[4] == 1.0 and np.abs(features[:, [2, 4]]).max() < 1e-6


def test_a_stronger_penalty_gives_smaller_coefficients() -> None:
    features = made()
    standardize(features)
    noise = np.random.default_rng(1).normal(0, 1, len(features))
    value = features[:, 0] - features[:, 1] + noise
    labels = np.digitize(value, [-0.5, 0.5]).astype(np.int64)
    penalties = (1e4, 1e2, 1.0)
    for fitted in (logistic(features, labels, 3, penalties), ridge(features, value, penalties)):
        sizes = [np.abs(one.coefficients).sum() for one in fitted]
        assert sizes == sorted(sizes) and sizes[0] < 0.2 * sizes[-1]
    scores = logistic(features, labels, 3, penalties)[-1].scores(features)
    assert scores.shape == (300, 3)
    assert (scores.argmax(1) == labels).mean() > 0.6
    number = ridge(features, value, penalties)[-1].scores(features)
    assert number.shape == (300, 1) and np.corrcoef(number[:, 0], value)[0, 1] > 0.7


@pytest.mark.parametrize(("number", "present"), [(2, [0]), (2, [1]), (4, [3]), (4, [1, 3])])
def test_labels_that_are_not_there(number: int, present: list[int]) -> None:
    features = made()
    standardize(features)
    labels = np.array(present)[(features[:, 0] > 0).astype(int) % len(present)]
    [fitted] = logistic(features, labels, number, (1.0,))
    scores = fitted.scores(features)
    assert np.isfinite(scores).all()
    if number == 2:
        assert scores.shape == (300, 1)
        said = (scores[:, 0] > 0).astype(int)
    else:
        said = scores.argmax(1)
    assert set(said) == set(present)
    assert (said == labels).mean() > 0.95
