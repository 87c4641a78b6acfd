"""Tests and intervals of paired arms against scipy, statsmodels, publications and brute force."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from benchsuite.errors import InputError
from benchsuite.metrics import Columns, compute
from benchsuite.stats import holm, mcnemar, newcombe, permutation
from benchsuite.tasks.spec import TaskSpec
from tests.outcomes import columns_of, make_task

CLASSES = make_task("classification", ["matthews", "accuracy", "f1"])
REGRESSION = make_task("regression", ["pearson", "spearman"])
PARADIGMS = make_task(
    "minimal_pair",
    ["accuracy"],
    dataset={"path": "o/d", "configs": ["a", "b"], "concat": "mean"},
)


def arms(n: int, seed: int = 0, loss: float = 0.1) -> tuple[Columns, Columns]:
    """A candidate and a baseline that answer n examples; the candidate turns some around."""
    rng = np.random.default_rng(seed)
    gold = (rng.random(n) < 0.6).astype(int)
    base = np.where(rng.random(n) < 0.8, gold, 1 - gold)
    candidate = np.where(rng.random(n) < loss, 1 - base, base)
    return (
        columns_of(CLASSES, gold.tolist(), candidate.tolist()),
        columns_of(CLASSES, gold.tolist(), base.tolist()),
    )


def every_swap(task: TaskSpec, metric: str, a: Columns, b: Columns) -> float:
    """The permutation test by all swaps of single rows there are."""
    observed = compute(task, metric, a) - compute(task, metric, b)
    lower = 0
    for swap in product((False, True), repeat=len(a["id"])):
        mine = {name: np.where(swap, b[name], a[name]) for name in a}
        other = {name: np.where(swap, a[name], b[name]) for name in a}
        gap = compute(task, metric, mine) - compute(task, metric, other)
        lower += gap <= observed + 1e-12
    return lower / 2 ** len(a["id"])


@pytest.mark.parametrize(("losses", "gains"), [(12, 4), (3, 9), (5, 5), (0, 0), (20, 0)])
def test_mcnemar_is_the_binomial_test_of_the_discordant(losses: int, gains: int) -> None:
    expected = scipy.stats.binom.cdf(gains, losses + gains, 0.5)
    assert mcnemar(losses, gains) == pytest.approx(expected)
    both_sides = statsmodels_mcnemar([[50, losses], [gains, 30]], exact=True).pvalue
    assert min(1.0, 2 * min(mcnemar(losses, gains), mcnemar(gains, losses))) == pytest.approx(
        both_sides
    )


@pytest.mark.parametrize("metric", ["accuracy", "matthews", "f1"])
def test_the_permutation_test_equals_all_swaps(metric: str) -> None:
    a, b = arms(11, seed=3, loss=0.3)
    expected = every_swap(CLASSES, metric, a, b)
    found = permutation(CLASSES, metric, [a], [b], replicates=20_000)
    assert found == pytest.approx(expected, abs=0.012)
    assert 0.01 < expected < 0.99


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_correlations_are_permuted_as_numbers_of_one_scale(metric: str) -> None:
    rng = np.random.default_rng(5)
    gold = rng.random(11) * 5
    better, worse = gold + rng.normal(0, 1.0, 11), 100 + 7 * (gold + rng.normal(0, 3.0, 11))
    a = columns_of(REGRESSION, gold.tolist(), worse.tolist())
    b = columns_of(REGRESSION, gold.tolist(), better.tolist())
    scale = scipy.stats.zscore if metric == "pearson" else scipy.stats.rankdata
    expected = every_swap(REGRESSION, metric, a | {"x": scale(worse)}, b | {"x": scale(better)})
    found = permutation(REGRESSION, metric, [a], [b], replicates=20_000)
    assert found == pytest.approx(expected, abs=0.012)


def test_a_worse_correlation_is_found_on_another_scale_too() -> None:
    """Cosines of two models may lie about .9 and about .1."""
    rng = np.random.default_rng(5)
    gold = rng.random(400)
    base = columns_of(REGRESSION, gold.tolist(), (gold + rng.normal(0, 0.5, 400)).tolist())
    x = 0.9 + 0.01 * (gold + rng.normal(0, 1.5, 400))
    worse = columns_of(REGRESSION, gold.tolist(), x.tolist())
    for metric in ("pearson", "spearman"):
        assert permutation(REGRESSION, metric, [worse], [base], replicates=2_000) < 0.01


def test_the_permutation_of_single_examples_agrees_with_mcnemar() -> None:
    a, b = arms(400, loss=0.02)
    losses = int((a["credit"] < b["credit"]).sum())
    gains = int((a["credit"] > b["credit"]).sum())
    assert losses and gains
    found = permutation(CLASSES, "accuracy", [a], [b], replicates=40_000)
    assert found == pytest.approx(mcnemar(losses, gains), abs=0.01)


def test_clusters_are_swapped_whole() -> None:
    """Ten copies of each example tell no more than one."""
    a, b = arms(40, seed=2, loss=0.2)
    copies = {}
    for name, arm in (("a", a), ("b", b)):
        table = {key: np.repeat(values, 10) for key, values in arm.items()}
        table["id"] = np.array([str(number) for number in range(400)])
        copies[name] = table
    one = permutation(CLASSES, "accuracy", [a], [b], replicates=20_000)
    ten = permutation(CLASSES, "accuracy", [copies["a"]], [copies["b"]], replicates=20_000)
    assert ten == pytest.approx(one, abs=0.015)
    for table in copies.values():
        table["cluster"] = table["id"]
    alone = permutation(CLASSES, "accuracy", [copies["a"]], [copies["b"]], replicates=20_000)
    assert alone < one / 3


def test_subsets_count_alike_whatever_their_size() -> None:
    """Two paradigms, one of 40 pairs and one of 10: each is half of the mean."""

    def arm(first: list[int], second: list[int]) -> Columns:
        parts = [
            columns_of(PARADIGMS, [0] * len(said), said, subset=subset)
            for subset, said in (("a", first), ("b", second))
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    base = arm([0] * 40, [0] * 10)
    worse = arm([0] * 40, [1] * 3 + [0] * 7)
    # Of eight ways to swap the three discordant pairs, one is as low.
    assert permutation(PARADIGMS, "accuracy", [worse], [base], 20_000) == pytest.approx(
        1 / 8, abs=0.01
    )


def test_all_prompts_of_an_example_are_swapped_together() -> None:
    a, b = arms(60, seed=4, loss=0.15)
    one = permutation(CLASSES, "accuracy", [a], [b])
    assert permutation(CLASSES, "accuracy", [a, a, a], [b, b, b]) == pytest.approx(one, abs=0.015)


def test_other_examples_are_refused() -> None:
    a, b = arms(30)
    with pytest.raises(InputError, match="not of the same examples"):
        permutation(CLASSES, "accuracy", [a], [{key: values[1:] for key, values in b.items()}])


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # Newcombe 1998, table II and the airway data of Bentur et al. (2009) in Fagerland,
        # Lydersen and Laake 2014.
        ((20, 12, 2, 16), (0.0562, 0.3292)),
        ((1, 1, 7, 12), (-0.5069, -0.0256)),
    ],
)
def test_newcombes_interval_is_the_published_one(
    table: tuple[int, int, int, int], expected: tuple[float, float]
) -> None:
    assert newcombe(*table, 0.95) == pytest.approx(expected, abs=2e-4)


def test_newcombes_interval_has_width_where_nothing_differs() -> None:
    low, high = newcombe(500, 0, 0, 372, 0.9)
    assert low == pytest.approx(-high)
    assert 0.0005 < high < 0.01
    low, high = newcombe(50, 0, 0, 0, 0.9)
    assert low < 0 < high
    assert all(math.isfinite(end) for end in newcombe(0, 0, 0, 9, 0.9))


def test_holm_equals_statsmodels() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 7, 30):
        p = (rng.random(n) ** 3).tolist()
        assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert holm([]) == []
