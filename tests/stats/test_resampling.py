"""The cluster bootstrap against scipy, scikit-learn, closed forms and brute force."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite import records
from benchsuite.errors import InputError
from benchsuite.metrics import Columns, compute, measures, outcome_columns, take
from benchsuite.outcomes import read_tables, spec_of
from benchsuite.stats import (
    Interval,
    bootstrap,
    cluster_count,
    clustered_se,
    draw,
    estimate,
    paired_difference,
)
from benchsuite.stats.resampling import _draws
from benchsuite.tasks.example import Prediction
from benchsuite.tasks.task import load_task
from tests.outcomes import columns_of, make_examples, make_task

CLASSES = make_task("classification", ["matthews", "accuracy", "f1"])
REGRESSION = make_task("regression", ["pearson", "spearman"])
PAIRS = make_task("minimal_pair", ["accuracy"])
PARADIGMS = {"path": "o/d", "configs": ["a", "b"], "concat": "mean"}


def correlated_classes(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Gold classes and predictions that agree in three of four cases."""
    rng = np.random.default_rng(seed)
    gold = (rng.random(n) < 0.7).astype(int)
    return gold, np.where(rng.random(n) < 0.75, gold, 1 - gold)


def test_accuracy_has_the_binomial_standard_error() -> None:
    gold, said = correlated_classes(500)
    columns = columns_of(CLASSES, gold.tolist(), said.tolist())
    p = (gold == said).mean()
    found = bootstrap(CLASSES, "accuracy", [columns], replicates=20_000)
    assert found.se == pytest.approx(math.sqrt(p * (1 - p) / 500), rel=0.03)
    exact = scipy.stats.binom(500, p)
    assert found.low == pytest.approx(exact.ppf(0.025) / 500, abs=0.003)
    assert found.high == pytest.approx(exact.ppf(0.975) / 500, abs=0.003)


def test_matthews_equals_a_brute_force_bootstrap() -> None:
    gold, said = correlated_classes(200)
    columns = columns_of(CLASSES, gold.tolist(), said.tolist())
    rng = np.random.default_rng(1)
    brute = [  # of two classes it is the correlation of the two indicators
        np.corrcoef(gold[rows], said[rows])[0, 1]
        for rows in rng.integers(0, 200, size=(6_000, 200))
    ]
    found = bootstrap(CLASSES, "matthews", [columns], replicates=20_000)
    assert found.se == pytest.approx(np.std(brute, ddof=1), rel=0.05)
    assert found.low == pytest.approx(np.quantile(brute, 0.025), abs=0.015)
    assert found.high == pytest.approx(np.quantile(brute, 0.975), abs=0.015)


@pytest.mark.parametrize(
    ("metric", "reference"),
    [("pearson", scipy.stats.pearsonr), ("spearman", scipy.stats.spearmanr)],
)
def test_correlations_equal_scipys_bootstrap(metric: str, reference: Any) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 6, 80).astype(float)
    x = y + rng.normal(size=80)
    theirs = scipy.stats.bootstrap(
        (x, y),
        lambda a, b: reference(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=3_000,
        method="percentile",
        rng=np.random.default_rng(2),
    )
    ours = bootstrap(
        REGRESSION, metric, [columns_of(REGRESSION, y.tolist(), x.tolist())], replicates=10_000
    )
    assert ours.se == pytest.approx(theirs.standard_error, rel=0.05)
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.02)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.02)


def test_the_standard_error_is_that_of_whole_clusters() -> None:
    rng = np.random.default_rng(0)
    passages, each = 60, 10
    right = np.repeat(rng.random(passages) < 0.6, each)  # a passage is right or wrong as a whole
    clusters = np.repeat(np.arange(passages), each)
    clustered = columns_of(CLASSES, [1] * len(right), right.astype(int).tolist(), clusters=clusters)
    alone = columns_of(CLASSES, [1] * len(right), right.astype(int).tolist())
    p = right.mean()
    found = bootstrap(CLASSES, "accuracy", [clustered], replicates=10_000)
    assert found.se == pytest.approx(math.sqrt(p * (1 - p) / passages), rel=0.03)
    naive = bootstrap(CLASSES, "accuracy", [alone], replicates=10_000)
    assert found.se is not None and naive.se is not None
    assert found.se / naive.se == pytest.approx(math.sqrt(each), rel=0.05)
    assert cluster_count(CLASSES, clustered) == passages


def test_clusters_of_different_sizes_equal_brute_force() -> None:
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(40), rng.integers(1, 9, 40))
    rate = rng.random(40)
    right = rng.random(len(clusters)) < rate[clusters]
    columns = columns_of(PAIRS, [0] * len(right), (~right).astype(int).tolist(), clusters=clusters)
    rows = [np.flatnonzero(clusters == number) for number in range(40)]
    brute = [
        right[np.concatenate([rows[number] for number in rng.integers(0, 40, 40)])].mean()
        for _ in range(4_000)
    ]
    found = bootstrap(PAIRS, "accuracy", [columns], replicates=20_000)
    assert found.se == pytest.approx(np.std(brute, ddof=1), rel=0.05)


def test_paradigms_are_fixed_and_their_pairs_resampled() -> None:
    """The SE of a mean over strata is sqrt(sum of variances) / strata, whatever their spread."""
    task = make_task("minimal_pair", ["accuracy"], dataset=PARADIGMS)
    examples, predictions, variance = [], [], 0.0
    for subset, right in (("a", 190), ("b", 20)):
        examples += make_examples([0] * 200, subset=subset)
        predictions += [Prediction(int(row >= right)) for row in range(200)]
        variance += (right / 200) * (1 - right / 200) / 200
    columns = outcome_columns(task, examples, predictions)
    found = bootstrap(task, "accuracy", [columns], replicates=20_000)
    assert found.se == pytest.approx(math.sqrt(variance) / 2, rel=0.03)
    assert cluster_count(task, columns) == 400


def test_ids_of_different_subsets_are_different_clusters() -> None:
    task = make_task("minimal_pair", ["accuracy"], dataset={**PARADIGMS, "concat": "pool"})
    examples = make_examples([0] * 5, subset="a") + make_examples([0] * 5, subset="b")
    columns = outcome_columns(task, examples, [Prediction(0)] * 10)
    assert cluster_count(task, columns) == 10


def test_splits_are_resampled_apart() -> None:
    examples, predictions = [], []
    for split, right in (("matched", 60), ("mismatched", 90)):
        examples += make_examples([0] * 100, split=split)
        predictions += [Prediction(int(row >= right)) for row in range(100)]
    columns = outcome_columns(PAIRS, examples, predictions)
    found = bootstrap(PAIRS, "accuracy", [columns], replicates=20_000)
    assert found.se == pytest.approx(math.sqrt(0.6 * 0.4 / 100 + 0.9 * 0.1 / 100) / 2, rel=0.03)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_drawing_equal_clusters_together_is_exact(data: st.DataObject) -> None:
    """Moments of the number of draws of each kind: those of the multinomial distribution."""
    multiplicity = np.array(data.draw(st.lists(st.integers(1, 60), min_size=1, max_size=8)))
    rng = np.random.default_rng(0)
    drawn = np.concatenate(list(_draws(multiplicity, 4_000, rng, width=len(multiplicity))))
    total = multiplicity.sum()
    share = multiplicity / total
    assert (drawn.sum(axis=1) == total).all()
    assert drawn.mean(axis=0) == pytest.approx(multiplicity, rel=0.1, abs=0.1)
    assert drawn.var(axis=0) == pytest.approx(total * share * (1 - share), rel=0.15, abs=0.1)


def test_draws_are_chunked_without_changing_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchsuite.stats.resampling.CHUNK", 1_000)
    chunks = list(_draws(np.ones(300, dtype=int), 10, np.random.default_rng(0), width=300))
    assert [len(chunk) for chunk in chunks] == [3, 3, 3, 1]
    assert all((chunk.sum(axis=1) == 300).all() for chunk in chunks)


def test_intervals_do_not_depend_on_the_order_of_examples() -> None:
    gold, said = correlated_classes(150)
    columns = columns_of(CLASSES, gold.tolist(), said.tolist())
    shuffled = take(columns, np.random.default_rng(0).permutation(150))
    for metric in CLASSES.metrics:
        assert bootstrap(CLASSES, metric, [columns]) == bootstrap(CLASSES, metric, [shuffled])


def test_the_mean_over_prompts_draws_the_same_clusters_for_all() -> None:
    gold, said = correlated_classes(300)
    columns = columns_of(CLASSES, gold.tolist(), said.tolist())
    single = bootstrap(CLASSES, "accuracy", [columns])
    assert bootstrap(CLASSES, "accuracy", [columns, columns]) == single
    opposite = columns_of(CLASSES, gold.tolist(), (1 - said).tolist())
    together = bootstrap(CLASSES, "accuracy", [columns, opposite])
    assert estimate(CLASSES, "accuracy", [columns, opposite]) == pytest.approx(0.5)
    assert together.se == pytest.approx(0, abs=1e-12)  # what one gains, the other loses


class TestPairedDifference:
    """a minus b on the same examples."""

    def test_equals_mcnemars_standard_error(self) -> None:
        rng = np.random.default_rng(0)
        a, b = rng.random(400) < 0.8, rng.random(400) < 0.6
        tables = [columns_of(PAIRS, [0] * 400, (~right).astype(int).tolist()) for right in (a, b)]
        found = paired_difference(PAIRS, "accuracy", tables[:1], tables[1:], replicates=20_000)
        gap = a.astype(float) - b
        assert found.value == pytest.approx(gap.mean())
        assert found.se == pytest.approx(gap.std() / 20, rel=0.03)
        assert (found.n, found.clusters) == (400, 400)
        assert found.low is not None and found.low > 0

    def test_is_narrower_than_unpaired_where_models_agree(self) -> None:
        gold, said = correlated_classes(300)
        better = said.copy()
        better[np.flatnonzero(said != gold)[:12]] = gold[np.flatnonzero(said != gold)[:12]]
        a, b = (columns_of(CLASSES, gold.tolist(), part.tolist()) for part in (better, said))
        found = paired_difference(CLASSES, "accuracy", [a], [b])
        alone = bootstrap(CLASSES, "accuracy", [a])
        assert found.low is not None and found.low > 0
        assert found.se is not None and alone.se is not None and found.se < alone.se / 2

    def test_swaps_its_sign(self) -> None:
        gold, said = correlated_classes(100)
        a = columns_of(CLASSES, gold.tolist(), said.tolist())
        b = columns_of(CLASSES, gold.tolist(), (1 - gold).tolist())
        there = draw(CLASSES, "matthews", [a, b], 50, 0)
        back = draw(CLASSES, "matthews", [b, a], 50, 0)
        assert there.shape == back.shape == (50, 2)
        forward = paired_difference(CLASSES, "matthews", [a], [b])
        backward = paired_difference(CLASSES, "matthews", [b], [a])
        assert forward.value == pytest.approx(-backward.value)

    def test_reorders_rows_by_id(self) -> None:
        gold, said = correlated_classes(100)
        a = columns_of(CLASSES, gold.tolist(), said.tolist())
        shuffled = take(a, np.random.default_rng(0).permutation(100))
        found = paired_difference(CLASSES, "f1", [a], [shuffled])
        assert (found.value, found.low, found.high) == (0, 0, 0)

    def test_refuses_other_examples(self) -> None:
        a = columns_of(PAIRS, [0] * 5, [0] * 5)
        b = columns_of(PAIRS, [0] * 4, [0] * 4)
        with pytest.raises(InputError, match="not of the same examples"):
            paired_difference(PAIRS, "accuracy", [a], [b])

    def test_of_an_undefined_metric_is_none(self) -> None:
        a = columns_of(REGRESSION, [1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
        b = columns_of(REGRESSION, [1.0, 2.0, 3.0], [1.0, 2.0, 2.0])
        found = paired_difference(REGRESSION, "pearson", [a], [b])
        assert (found.value, found.low, found.high) == (None, None, None)


def test_one_cluster_has_no_interval() -> None:
    columns = columns_of(PAIRS, [0] * 5, [0, 1, 0, 0, 1], clusters=["same"] * 5)
    assert bootstrap(PAIRS, "accuracy", [columns]) == Interval(None, None, None)
    empty: Columns = take(columns, np.arange(0))
    assert bootstrap(PAIRS, "accuracy", [empty]) == Interval(None, None, None)


def test_undefined_replicates_are_left_out_while_most_are_defined() -> None:
    columns = columns_of(REGRESSION, [0.0, 1.0, 2.0, 2.0], [0.0, 1.0, 1.0, 3.0])
    found = bootstrap(REGRESSION, "pearson", [columns])
    drawn = draw(REGRESSION, "pearson", [columns], 1_000, 0)
    assert 0 < np.isnan(drawn).mean() < 0.5
    assert found.low is not None and -1 <= found.low <= 1
    rare = columns_of(CLASSES, [1, 0], [1, 0])
    assert bootstrap(CLASSES, "f1", [rare]).low == 1.0


def test_a_plugin_metric_is_resampled_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mean:
        kinds = ("classification",)

        def value(self, columns: Columns, counts: np.ndarray) -> float:
            return float((columns["credit"] * counts).sum() / counts.sum())

    class Point:
        dist = None

        def load(self) -> Mean:
            return Mean()

    monkeypatch.setattr(measures, "entry_points", lambda group, name: [Point()])
    task = make_task("classification", ["plugin:mean"])
    gold, said = correlated_classes(200)
    columns = columns_of(task, gold.tolist(), said.tolist())
    found = bootstrap(task, "plugin:mean", [columns], replicates=4_000)
    assert compute(task, "plugin:mean", columns) == compute(CLASSES, "accuracy", columns)
    expected = bootstrap(CLASSES, "accuracy", [columns], replicates=4_000)
    assert found.se == pytest.approx(expected.se, rel=0.06)


def test_clustered_standard_error_is_that_of_statsmodels() -> None:
    statsmodels = pytest.importorskip("statsmodels.api")
    generator = np.random.default_rng(0)
    clusters = generator.integers(0, 40, 300)
    values = (generator.random(300) < 0.3 + 0.4 * (clusters % 2)).astype(float)
    fitted = statsmodels.OLS(values, np.ones(300)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}
    )
    assert clustered_se(values, clusters) == pytest.approx(float(fitted.bse[0]), rel=1e-9)
    alone = clustered_se(values, np.arange(300))
    assert alone == pytest.approx(values.std() / math.sqrt(300), rel=1e-12)
    assert math.isnan(clustered_se(values, np.zeros(300)))


def test_clustered_standard_error_is_what_the_bootstrap_tends_to() -> None:
    clusters = [f"passage{number // 5}" for number in range(500)]
    gold, said = correlated_classes(500)
    said[:100] = 1 - gold[:100]  # some passages are hard as a whole
    columns = outcome_columns(
        CLASSES,
        make_examples(gold.tolist(), clusters=clusters),
        [Prediction(int(value)) for value in said],
    )
    found = bootstrap(CLASSES, "accuracy", [columns], replicates=20_000)
    assert found.se is not None
    assert clustered_se(columns["credit"], columns["cluster"]) == pytest.approx(found.se, rel=0.03)


def test_matthews_on_cola_has_the_standard_error_of_brute_force() -> None:
    """The committed answers of `gpt` to CoLA, resampled one by one through scikit-learn."""
    from sklearn.metrics import matthews_corrcoef

    (folder,) = Path("baselines/records/official").glob("glue-cola-gpt-zeroshot-*")
    record = records.read(folder)
    tables = read_tables(folder, record, spec_of(record))
    found = bootstrap(load_task("glue/cola").spec, "matthews", tables, replicates=10_000)
    gold, said = tables[0]["gold"], tables[0]["prediction"]
    generator = np.random.default_rng(0)
    picks = generator.integers(0, len(gold), size=(2_000, len(gold)))
    drawn = [matthews_corrcoef(gold[rows], said[rows]) for rows in picks]
    assert found.se == pytest.approx(float(np.std(drawn, ddof=1)), rel=0.05)
