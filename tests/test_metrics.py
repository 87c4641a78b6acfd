"""Metrics against scikit-learn, scipy, seqeval and hand-worked cases."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.stats
import seqeval.metrics
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.errors import CellFailed, InputError
from benchsuite.metrics import (
    METRICS_VERSION,
    all_columns,
    baselines,
    compute,
    measures,
    outcome_columns,
    undefined_reason,
)
from benchsuite.metrics.squad import normalize, span_scores
from benchsuite.tasks.example import Prediction
from tests.outcomes import TAGS, columns_of, make_examples, make_task

CLASSES = make_task("classification", ["accuracy", "matthews", "f1"])
THREE = make_task(
    "classification", ["accuracy", "matthews", "f1"], labels=["a", "b", "c"], positive="b"
)
REGRESSION = make_task("regression", ["pearson", "spearman"])
TAGGING = make_task("tagging", ["entity_f1"])
SPAN = make_task("span", ["f1", "em"])
CHOICE = make_task("choice", ["accuracy"])
PAIRS = make_task("minimal_pair", ["accuracy"])

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


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(range(5)), st.sampled_from(range(5))), max_size=8),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=300)
def test_entity_f1_equals_seqeval(sentences: list[list[tuple[int, int]]]) -> None:
    gold = [tuple(pair[0] for pair in sentence) for sentence in sentences]
    said = [tuple(pair[1] for pair in sentence) for sentence in sentences]
    columns = columns_of(TAGGING, gold, said)
    ours = compute(TAGGING, "entity_f1", columns)
    names = [[[TAGS[tag] for tag in tags] for tags in side] for side in (gold, said)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = seqeval.metrics.f1_score(*names)
    if math.isnan(ours):
        assert theirs == 0 and not columns["tp"].any() and not columns["fn"].any()
    else:
        assert ours == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(
    ("gold", "said", "counts"),
    [
        (["B-PER", "I-PER", "O"], ["B-PER", "I-PER", "O"], (1, 0, 0)),
        (["B-PER", "I-PER", "O"], ["B-PER", "O", "O"], (0, 1, 1)),  # the end is wrong
        (["B-PER", "I-PER", "O"], ["B-LOC", "I-LOC", "O"], (0, 1, 1)),  # the type is wrong
        (["B-PER", "I-PER", "O"], ["I-PER", "I-PER", "O"], (1, 0, 0)),  # ill formed, yet read
        (["B-PER", "B-PER", "O"], ["B-PER", "I-PER", "O"], (0, 1, 2)),  # two entities, one said
        (["B-PER", "I-PER", "O"], ["B-PER", "I-LOC", "O"], (0, 2, 1)),  # the type changes inside
        (["O", "O", "B-LOC"], ["B-PER", "O", "B-LOC"], (1, 1, 0)),
    ],
)
def test_entities_by_hand(gold: list[str], said: list[str], counts: tuple[int, ...]) -> None:
    indices = [tuple(TAGS.index(tag) for tag in side) for side in (gold, said)]
    columns = columns_of(TAGGING, [indices[0]], [indices[1]])
    assert (columns["tp"][0], columns["fp"][0], columns["fn"][0]) == counts
    assert columns["credit"][0] == (counts[1] == counts[2] == 0)


def test_tags_of_another_length_are_a_defect() -> None:
    with pytest.raises(ValueError, match="2 predicted tags for 3 tokens"):
        columns_of(TAGGING, [(0, 1, 2)], [(0, 1)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Eiffel Tower", "eiffel tower"),
        ("  a  cat,   an ANIMAL!\t", "cat animal"),
        ("U.S.", "us"),
        ("the-end", "theend"),  # punctuation goes first, so the article is no longer a word
        ("Athens", "athens"),
        ("another theme", "another theme"),
        ("“curly” – dash", "“curly” – dash"),  # only ASCII punctuation goes
        ("a", ""),
        ("...", ""),
        ("", ""),
        ("Café\u00a0Noir", "café noir"),
        ("$3.5 million", "35 million"),
        ("THE a An the", ""),
    ],
)
def test_normalization_by_hand(text: str, expected: str) -> None:
    assert normalize(text) == expected


@pytest.mark.parametrize(
    ("prediction", "golds", "v1", "v2"),
    [
        ("the Eiffel Tower", ["Eiffel Tower."], (1, 1), (1, 1)),
        ("big Eiffel Tower", ["the Eiffel Tower"], (0, 0.8), (0, 0.8)),  # p 2/3, r 1
        ("tower tower", ["tower"], (0, 2 / 3), (0, 2 / 3)),  # a token is shared once
        ("Paris", ["London", "Paris, France", "paris"], (1, 1), (1, 1)),
        ("Paris France", ["France", "in Paris"], (0, 2 / 3), (0, 2 / 3)),
        ("Rome", ["Paris"], (0, 0), (0, 0)),
        ("", ["Paris"], (0, 0), (0, 0)),
        ("", ["Paris", "."], (1, 0), (0, 0)),  # v1 keeps the empty gold, v2 drops it
        (".", ["the"], (1, 0), (1, 1)),
        ("two words", ["."], (0, 0), (0, 0)),
        ("naïve", ["NAÏVE"], (1, 1), (1, 1)),
        ("東京", ["東京"], (1, 1), (1, 1)),
    ],
)
def test_span_scores_by_hand(
    prediction: str, golds: list[str], v1: tuple[float, float], v2: tuple[float, float]
) -> None:
    assert span_scores(prediction, golds, may_be_unanswerable=False) == pytest.approx(v1)
    assert span_scores(prediction, golds, may_be_unanswerable=True) == pytest.approx(v2)


@pytest.mark.parametrize(
    ("prediction", "expected"), [("", 1.0), ("the", 1.0), ("Paris", 0.0), ("  ", 1.0)]
)
def test_questions_without_an_answer(prediction: str, expected: float) -> None:
    assert span_scores(prediction, (), may_be_unanswerable=True) == (expected, expected)


def test_span_columns() -> None:
    columns = columns_of(SPAN, [("Paris",), (), ("Rome", "in Rome")], ["", "", "Rome Italy"])
    assert columns["prediction"].tolist() == [0, 0, 1]
    assert columns["gold"].tolist() == [1, 0, 1]
    assert columns["em"].tolist() == [0, 1, 0]
    assert columns["f1"].tolist() == pytest.approx([0, 1, 2 / 3])
    assert compute(SPAN, "em", columns) == pytest.approx(1 / 3)


def test_the_rule_for_empty_answers_is_one_for_the_whole_data() -> None:
    golds: list[tuple[str, ...]] = [("Paris", ".")]
    assert columns_of(SPAN, golds, [""])["em"][0] == 1
    assert columns_of(SPAN, [*golds, ()], ["", ""])["em"][0] == 0


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


class TestBaselines:
    """What no model at all would get."""

    def test_majority_is_of_train_where_there_is_one(self) -> None:
        examples = make_examples([0, 0, 0, 1])
        task = make_task("classification", ["accuracy"])
        assert baselines(task, examples) == {"majority": 0.75, "chance": 0.5}
        assert baselines(task, examples, [1, 1, 0])["majority"] == 0.25

    def test_f1_and_matthews(self) -> None:
        examples = make_examples([1, 1, 1, 0])
        f1 = baselines(make_task("classification", ["f1"]), examples)
        assert f1["majority"] == pytest.approx(2 * 0.75 / 1.75)
        assert f1["chance"] == pytest.approx(2 * 0.75 * 0.5 / 1.25)
        matthews = baselines(make_task("classification", ["matthews"]), examples)
        assert matthews == {"majority": 0.0, "chance": 0.0}

    def test_chance_of_f1_is_what_random_guesses_get(self) -> None:
        rng = np.random.default_rng(0)
        gold = rng.random(100_000) < 0.3
        guessed = sklearn.metrics.f1_score(gold, rng.random(100_000) < 0.5)
        examples = make_examples([1] * 3 + [0] * 7)
        found = baselines(make_task("classification", ["f1"]), examples)["chance"]
        assert found == pytest.approx(guessed, abs=0.01)

    def test_choice_with_different_numbers_of_options(self) -> None:
        examples = make_examples([3, 3], options=4) + make_examples([1], options=2, subset="two")
        found = baselines(CHOICE, examples)
        assert found["chance"] == pytest.approx((1 / 4 + 1 / 4 + 1 / 2) / 3)
        assert found["majority"] == pytest.approx(2 / 3)

    def test_the_other_kinds(self) -> None:
        assert baselines(REGRESSION, make_examples([1.0, 2.0])) == {"chance": 0.0}
        assert baselines(TAGGING, make_examples([(0, 1), (0, 0)])) == {"all_o": 0.0}
        assert baselines(SPAN, make_examples([("x",), ("y",)])) == {"no_answer": 0.0}
        assert baselines(SPAN, make_examples([("x",), ()])) == {"no_answer": 0.5}
        assert baselines(PAIRS, make_examples([0, 0])) == {"chance": 0.5}

    def test_undefined_ones_are_left_out(self) -> None:
        assert baselines(CLASSES, make_examples([None, None])) == {}
        assert baselines(TAGGING, make_examples([(0, 0)])) == {}


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
