"""Metrics of labels, numbers and options against scikit-learn and scipy."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.errors import CellFailed
from benchsuite.metrics import (
    METRICS_VERSION,
    all_columns,
    compute,
    compute_on_slice,
    outcome_columns,
    undefined_reason,
)
from benchsuite.tasks.example import Prediction
from tests.metrics.made import CHOICE, CLASSES, PAIRS, REGRESSION, SPAN, TAGGING, THREE
from tests.outcomes import columns_of, make_examples, make_task

labels3 = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 4)), min_size=1, max_size=30
)


@given(labels3)
def test_class_metrics_equal_scikit_learn_with_weights(rows: list[tuple[int, int, int]]) -> None:
    gold, said, counts = (np.array(part) for part in zip(*rows, strict=True))
    columns = columns_of(THREE, gold.tolist(), said.tolist())
    if not counts.sum():
        assert all(math.isnan(compute(THREE, m, columns, counts)) for m in THREE.metrics)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        accuracy = sklearn.metrics.accuracy_score(gold, said, sample_weight=counts)
        matthews = sklearn.metrics.matthews_corrcoef(gold, said, sample_weight=counts)
        f1 = sklearn.metrics.f1_score(
            gold == 1, said == 1, sample_weight=counts, zero_division=np.nan
        )
    assert compute(THREE, "accuracy", columns, counts) == pytest.approx(accuracy, abs=1e-12)
    assert compute(THREE, "matthews", columns, counts) == pytest.approx(matthews, abs=1e-9)
    ours = compute(THREE, "f1", columns, counts)
    assert ours == pytest.approx(f1, abs=1e-12, nan_ok=True)


def test_on_a_slice_always_the_positive_label_is_no_good_answer() -> None:
    """By F1 alone it would win over an answer that tells the labels apart."""
    task = make_task("classification", ["f1", "accuracy"])
    gold = [1] * 13 + [0] * 6
    always, telling = [1] * 19, [1] * 8 + [0] * 11
    constant, apart = (columns_of(task, gold, said) for said in (always, telling))
    assert compute(task, "f1", constant) > compute(task, "f1", apart)
    assert compute_on_slice(task, constant) < compute_on_slice(task, apart)
    f1, accuracy = sklearn.metrics.f1_score(gold, telling), 14 / 19
    assert compute_on_slice(task, apart) == pytest.approx((f1 + accuracy) / 2)
    alone = make_task("classification", ["accuracy", "f1"])
    assert compute_on_slice(alone, apart) == pytest.approx(accuracy)
    assert compute_on_slice(make_task("classification", ["f1"]), apart) == pytest.approx(f1)


@given(labels3)
def test_counts_are_repetitions(rows: list[tuple[int, int, int]]) -> None:
    gold, said, counts = (np.array(part) for part in zip(*rows, strict=True))
    columns = columns_of(REGRESSION, gold.tolist(), (said * 0.7).tolist())
    repeated = columns_of(
        REGRESSION, np.repeat(gold, counts).tolist(), np.repeat(said * 0.7, counts).tolist()
    )
    for metric in REGRESSION.metrics:
        assert compute(REGRESSION, metric, columns, counts) == pytest.approx(
            compute(REGRESSION, metric, repeated), abs=1e-9, nan_ok=True
        )


def test_matthews_of_constant_predictions_is_zero() -> None:
    columns = columns_of(CLASSES, [0, 1, 1], [1, 1, 1])
    assert compute(CLASSES, "matthews", columns) == 0.0
    assert undefined_reason(CLASSES, "matthews", columns) is None


def test_f1_speaks_of_the_positive_class() -> None:
    task = make_task("classification", ["f1"], positive="no")
    columns = columns_of(task, [0, 0, 1], [0, 1, 1])
    assert compute(task, "f1", columns) == pytest.approx(2 / 3)
    assert task.positive_index == 0 and CLASSES.positive_index == 1


def test_f1_without_any_positive_is_undefined() -> None:
    columns = columns_of(CLASSES, [0, 0], [0, 0])
    assert math.isnan(compute(CLASSES, "f1", columns))
    assert undefined_reason(CLASSES, "f1", columns) == "no positive example, gold or predicted"


def test_ties_share_the_credit() -> None:
    tie = Prediction(0, (0, 2))
    columns = columns_of(THREE, [2, 1, 0], [tie, tie, Prediction(0)])
    assert columns["credit"].tolist() == [0.5, 0.0, 1.0]
    assert columns["tied"].tolist() == [0b101, 0b101, 0]
    assert compute(THREE, "accuracy", columns) == 0.5
    # By hand: gold (1, 1, 1); predicted a: .5 + .5 + 1, c: .5 + .5; right: .5 + 0 + 1.
    covariance = 1.5 * 3 - (1 * 2 + 1 * 1)
    spread = math.sqrt((9 - (4 + 1)) * (9 - 3))
    assert compute(THREE, "matthews", columns) == pytest.approx(covariance / spread)


def test_a_tie_of_all_classes_is_chance() -> None:
    gold = [0, 0, 0, 1]
    columns = columns_of(CLASSES, gold, [Prediction(0, (0, 1))] * 4)
    assert compute(CLASSES, "accuracy", columns) == 0.5
    assert compute(CLASSES, "matthews", columns) == 0.0
    assert compute(CLASSES, "f1", columns) == pytest.approx(2 * 0.25 * 0.5 / (0.25 + 0.5))


def test_no_prediction_is_wrong_but_not_another_class() -> None:
    columns = columns_of(CLASSES, [0, 1, 1], [-1, 1, 0])
    assert compute(CLASSES, "accuracy", columns) == pytest.approx(1 / 3)
    assert compute(CLASSES, "f1", columns) == pytest.approx(2 / 3)
    assert compute(CLASSES, "matthews", columns) == pytest.approx(
        sklearn.metrics.matthews_corrcoef([0, 1, 1], [2, 1, 0])
    )


def test_choice_and_pairs_are_accuracy() -> None:
    columns = columns_of(CHOICE, [3, 1, 0], [3, 0, Prediction(0, (0, 1, 2, 3))])
    assert compute(CHOICE, "accuracy", columns) == pytest.approx(1.25 / 3)
    pairs = columns_of(PAIRS, [0, 0, 0], [0, 1, Prediction(0, (0, 1))])
    assert compute(PAIRS, "accuracy", pairs) == 0.5


def test_an_option_that_is_not_there_is_a_defect() -> None:
    with pytest.raises(ValueError, match="no option 4 of 4"):
        columns_of(CHOICE, [0], [4])


@given(
    st.lists(
        st.tuples(st.integers(-20, 20), st.integers(0, 5), st.integers(0, 3)),
        min_size=1,
        max_size=40,
    )
)
def test_correlations_equal_scipy(rows: list[tuple[int, int, int]]) -> None:
    x, y, counts = (np.array(part) for part in zip(*rows, strict=True))
    x = x / 7 + 1e3
    columns = columns_of(REGRESSION, y.tolist(), x.tolist())
    repeated_x, repeated_y = np.repeat(x, counts), np.repeat(y, counts)
    for metric, reference in (("pearson", "pearsonr"), ("spearman", "spearmanr")):
        ours = compute(REGRESSION, metric, columns, counts)
        if len(set(repeated_x)) < 2 or len(set(repeated_y)) < 2:
            assert math.isnan(ours)
        else:
            theirs = getattr(scipy.stats, reference)(repeated_x, repeated_y).statistic
            assert ours == pytest.approx(theirs, abs=1e-7)


def test_a_small_spread_far_from_zero_keeps_its_correlation() -> None:
    y = np.arange(20.0)
    x = 1e8 + np.sin(y) + y / 10
    columns = columns_of(REGRESSION, y.tolist(), x.tolist())
    expected = scipy.stats.pearsonr(x - 1e8, y).statistic
    assert compute(REGRESSION, "pearson", columns) == pytest.approx(expected, abs=1e-7)


def test_constant_predictions_have_no_correlation() -> None:
    columns = columns_of(REGRESSION, [1.0, 2.0, 4.0], [0.1 + 0.2] * 3)
    for metric in REGRESSION.metrics:
        assert math.isnan(compute(REGRESSION, metric, columns))
        assert undefined_reason(REGRESSION, metric, columns) == "constant predictions"
    gold = columns_of(REGRESSION, [1.0, 1.0], [0.1, 0.2])
    assert undefined_reason(REGRESSION, "pearson", gold) == "constant gold values"
    single = columns_of(REGRESSION, [1.0], [0.1])
    assert undefined_reason(REGRESSION, "spearman", single) == "fewer than two examples"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_none_fails_the_cell(value: float) -> None:
    with pytest.raises(CellFailed, match="example 1 is not finite"):
        columns_of(REGRESSION, [1.0, 2.0], [1.0, value])


def test_unscorable_examples_are_left_out_of_scores_but_exported() -> None:
    examples = make_examples([0, None, 1])
    predictions = [Prediction(value) for value in (0, 1, 1)]
    assert outcome_columns(CLASSES, examples, predictions)["id"].tolist() == ["0", "2"]
    everything = all_columns(CLASSES, examples, predictions)
    assert everything["prediction"].tolist() == [0, 1, 1]
    assert everything["gold"].tolist() == [0, -1, 1]
    assert math.isnan(everything["credit"][1])


def test_nothing_to_score_is_undefined() -> None:
    for task in (CLASSES, REGRESSION, TAGGING, SPAN, CHOICE, PAIRS):
        columns = outcome_columns(task, [], [])
        for metric in task.metrics:
            assert math.isnan(compute(task, metric, columns))
            assert undefined_reason(task, metric, columns) == "no scorable examples"


def test_the_mean_is_over_configs_and_splits() -> None:
    dataset = {"path": "o/d", "configs": ["big", "small"], "concat": "mean"}
    task = make_task("minimal_pair", ["accuracy"], dataset=dataset)
    examples = [
        *make_examples([0] * 8, subset="big"),
        *make_examples([0] * 2, subset="small"),
        *make_examples([0] * 5, subset="small", split="test"),
    ]
    right = [0] * 8 + [1, 0] + [1] * 5
    columns = outcome_columns(task, examples, [Prediction(value) for value in right])
    assert compute(task, "accuracy", columns) == pytest.approx(((1 + 0.5) / 2 + 0) / 2)
    pooled = make_task("minimal_pair", ["accuracy"], dataset={**dataset, "concat": "pool"})
    assert compute(pooled, "accuracy", columns) == pytest.approx((9 / 10 + 0) / 2)


def golden() -> dict[str, float]:
    """Every metric on a fixed made case."""
    gold, said = [0, 1, 2, 2, 1, 0, 1], [0, 2, 2, 1, 1, 0, Prediction(1, (1, 2))]
    cases = {
        "classification": (THREE, gold, said),
        "regression": (REGRESSION, [0, 1.5, 3, 3, 5], [0.2, 1.0, 1.0, 4.0, 3.5]),
        "tagging": (TAGGING, [(1, 2, 0, 3), (0, 0, 1)], [(1, 2, 0, 1), (2, 0, 1)]),
        "span": (SPAN, [("the cat",), (), ("a b c", "b d")], ["Cat!", "dog", "b, c, e"]),
        "choice": (CHOICE, [0, 1, 3], [0, 2, Prediction(0, (0, 3))]),
        "minimal_pair": (PAIRS, [0, 0, 0], [0, 1, 0]),
    }
    return {
        f"{kind}/{metric}": round(compute(task, metric, columns_of(task, targets, values)), 6)
        for kind, (task, targets, values) in cases.items()
        for metric in task.metrics
    }


def test_numbers_move_only_with_the_version() -> None:
    """When this fails on purpose, raise METRICS_VERSION and pin both again."""
    assert (METRICS_VERSION, golden()) == (
        1,
        {
            "classification/accuracy": 0.642857,
            "classification/matthews": 0.46513,
            "classification/f1": 0.545455,
            "regression/pearson": 0.769345,
            "regression/spearman": 0.763158,
            "tagging/entity_f1": 0.571429,
            "span/f1": 0.6,
            "span/em": 0.333333,
            "choice/accuracy": 0.5,
            "minimal_pair/accuracy": 0.666667,
        },
    )
