"""Metrics that other packages offer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchsuite.errors import InputError
from benchsuite.metrics import compute, measures, outcome_columns
from tests.metrics.made import CLASSES, SPAN
from tests.outcomes import columns_of, make_task


class ToyMetric:
    """Share of examples whose id is even, by weight; for two kinds."""

    kinds = ("classification", "choice")

    def value(self, columns: dict[str, np.ndarray], counts: np.ndarray) -> float:
        even = columns["id"].astype(int) % 2 == 0
        return float((even * counts).sum() / counts.sum())


class ToyPoint:
    """An entry point of the package `toys`."""

    class dist:  # noqa: N801 - named as importlib.metadata names it
        name = "toys"

    def load(self) -> ToyMetric:
        return ToyMetric()


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    def entry_points(group: str, name: str) -> list[Any]:
        assert group == "benchsuite.metrics"
        return [ToyPoint()] if name == "even" else []

    monkeypatch.setattr(measures, "entry_points", entry_points)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("name", ["plugin:even", "toys:even"])
def test_a_plugin_metric_counts(name: str) -> None:
    task = make_task("classification", [name])
    columns = columns_of(task, [0, 0, 0], [0, 0, 0])
    assert compute(task, name, columns) == pytest.approx(2 / 3)
    assert compute(task, name, columns, np.array([1, 3, 0])) == pytest.approx(1 / 4)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("kind", "metric", "message"),
    [
        ("classification", "plugin:odd", "no installed package offers the metric 'plugin:odd'"),
        ("classification", "other:even", "no installed package offers the metric 'other:even'"),
        ("span", "plugin:even", "metric 'plugin:even' is for classification, choice"),
    ],
)
def test_plugin_metrics_that_cannot_be_used(kind: str, metric: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        compute(make_task(kind, [metric]), metric, outcome_columns(SPAN, [], []))


def test_a_metric_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="no metric 'em' for classification; there is accuracy"):
        compute(CLASSES, "em", columns_of(CLASSES, [0], [0]))
