"""The decision table line by line: each case turns around when its rule is left out."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from scipy.optimize import brentq

from benchsuite import records
from benchsuite.check import check
from benchsuite.check.arms import REPLICATES, Verdict, compare
from benchsuite.check.policy import Policy
from benchsuite.check.verdict import decide_all
from benchsuite.metrics.columns import Columns
from benchsuite.stats import newcombe, paired_draws
from tests.check.made import BASE, flipped, store_record
from tests.outcomes import columns_of, make_task

CLASSES = make_task("classification", ["accuracy"])
PARADIGMS = {"path": "o/d", "configs": ["a", "b"], "concat": "mean"}
POLICY = Policy()


def arms(n: int, lost: int, gained: int, right: int | None = None) -> tuple[Columns, Columns]:
    """A baseline with `right` of n examples right (70%), and a candidate that differs in some."""
    right = right or int(0.7 * n)
    base = [0] * right + [1] * (n - right)
    return (
        columns_of(CLASSES, [0] * n, base),
        columns_of(CLASSES, [0] * n, flipped(base, lost, gained)),
    )


def decided(base: Columns, other: Columns, policy: Policy = POLICY, tests: int = 1) -> Verdict:
    """The verdict on one of so many tests, the others of which have p values of 1."""
    one = compare(CLASSES, "accuracy", [[base]], [[other]], policy, task="t")
    better = [[[table]] for table in arms(1000, 0, 40)]
    sure = compare(CLASSES, "accuracy", *better, policy, task="t")
    return decide_all([one, *[sure] * (tests - 1)], policy)[0]


def test_a_loss_that_the_number_of_tests_explains_does_not_fail(tmp_path: Path) -> None:
    stores = tmp_path / "base", tmp_path / "new"
    for number, (lost, gained) in enumerate([(60, 38), (30, 30), (30, 31), (29, 30)]):
        store_record(stores[0], BASE, model=f"m{number}")
        store_record(stores[1], flipped(BASE, lost, gained), model=f"m{number}")
    one = check(*stores).verdicts[0]
    assert one.p is not None and one.p < 0.05 < (one.adjusted or 0.0)
    assert one.d == pytest.approx(-0.022) and one.outcome == "inconclusive"
    base, other = arms(1000, 60, 38)
    assert decided(base, other).outcome == "fail"
    assert decided(base, other, tests=4).outcome == "inconclusive"


def test_a_loss_that_is_not_ruled_out_does_not_pass() -> None:
    one = decided(*arms(1000, 30, 15))
    assert one.low is not None and -0.04 < one.low < -0.02 and one.outcome == "inconclusive"
    assert decided(*arms(1000, 15, 15)).outcome == "pass"


def test_mcnemar_is_for_whole_credits_of_single_examples_in_one_set() -> None:
    base, other = arms(200, 20, 5)
    assert decided(base, other).test == "exact McNemar"
    tied = other | {"credit": np.where(np.arange(200) == 0, 0.5, other["credit"])}
    assert decided(base, tied).test == "cluster permutation"
    passages = np.array([str(number // 2) for number in range(200)])
    assert decided(base | {"cluster": passages}, other | {"cluster": passages}).test == (
        "cluster permutation"
    )
    halves = {"subset": np.where(np.arange(200) % 2, "a", "b")}
    task = make_task("minimal_pair", ["accuracy"], dataset=PARADIGMS)
    one = compare(task, "accuracy", [[base | halves]], [[other | halves]], POLICY)
    assert one.test == "cluster permutation"


def seeds(n: int = 400) -> tuple[list[list[Columns]], list[list[Columns]]]:
    """Three seeds a side."""

    def arm(rights: tuple[int, ...]) -> list[list[Columns]]:
        return [
            [columns_of(CLASSES, [0] * n, flipped([0] * right + [1] * (n - right), 9, 9, seed))]
            for seed, right in enumerate(rights)
        ]

    return arm((280, 284, 290)), arm((276, 281, 279))


def of_examples(base: list[list[Columns]], other: list[list[Columns]]) -> float:
    """Variance of the difference over examples, as a sample of n shows it."""
    a, b = ([table for seed in arm for table in seed] for arm in (other, base))
    drawn = paired_draws(CLASSES, "accuracy", a, b, REPLICATES)
    n = len(a[0]["id"])
    return float(drawn.var(ddof=1)) * n / (n - 1)


def test_the_error_of_seeds_is_that_of_examples_and_of_both_arms() -> None:
    base, other = seeds()
    one = compare(CLASSES, "accuracy", base, other, POLICY, sampled=(True, True))
    scores = [[arm[0]["credit"].mean() for arm in side] for side in (base, other)]
    parts = sum(np.var(side, ddof=1) / 3 for side in scores)
    assert one.error is not None
    assert one.error.se**2 == pytest.approx(of_examples(base, other) + parts, rel=1e-9)
    # The examples' part is no trifle here.
    assert of_examples(base, other) > 0.2 * parts


def test_a_stated_deviation_counts_once_a_seed() -> None:
    base, other = ([*arm[:2]] for arm in seeds())
    policy = Policy(seed_sd={"accuracy": 0.03})
    one = compare(CLASSES, "accuracy", base, other, policy, sampled=(True, True))
    assert one.error is not None and one.error.freedom == math.inf
    expected = of_examples(base, other) + 2 * 0.03**2 / 2
    assert one.error.se**2 == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("tests", [1, 9])
def test_the_detectable_loss_solves_its_equation(tests: int) -> None:
    one = decided(*arms(1000, 40, 40), tests=tests)
    assert one.error is not None and one.detectable is not None
    z, power = (scipy.stats.t.ppf(q, 999) for q in (1 - 0.05 / tests, 0.8))

    def rest(loss: float) -> float:
        se = math.sqrt(one.error.se**2 * one.error.underestimate**2 + loss / 1000)
        return max(z * se + 1 / 1000, one.margin) + power * se - loss

    assert one.detectable == pytest.approx(brentq(rest, 0.0, 1.0), rel=1e-6)


def passages(base: Columns, other: Columns, size: int) -> tuple[Columns, Columns]:
    """The same with so many neighbouring examples a passage."""
    cluster = {"cluster": np.array([str(number // size) for number in range(len(base["id"]))])}
    return base | cluster, other | cluster


def test_few_passages_have_bounds_of_student_s_t() -> None:
    base, other = passages(*arms(60, 9, 6), size=10)
    one = decided(base, other)
    draws = paired_draws(CLASSES, "accuracy", [other], [base], REPLICATES)
    reach = scipy.stats.t.ppf(0.95, 5) * draws.std(ddof=1) * math.sqrt(6 / 5)
    assert one.low == pytest.approx(one.d - reach)
    assert one.low < np.quantile(draws, 0.05)
    # One loss of 60 examples and a standard error of some ten points: no 100 points.
    assert one.detectable is not None and one.detectable < 0.6


def test_too_few_passages_to_swap_promise_nothing() -> None:
    base, other = passages(*arms(60, 9, 6), size=10)
    assert decided(base, other, tests=4).detectable is None  # 2^-6 > 0.05 / 4


def test_no_discordant_pair_in_passages_has_newcombes_interval() -> None:
    n = 120
    task = make_task("choice", ["accuracy"])
    base = columns_of(task, [0] * n, [0] * 84 + [1] * 36)
    other = columns_of(task, [0] * n, [0] * 84 + [2] * 36)
    one = compare(task, "accuracy", [[a] for a in [passages(base, other, 4)[0]]],
                  [[b] for b in [passages(base, other, 4)[1]]], POLICY)  # fmt: skip
    assert one.interval == "Newcombe"
    assert (one.low, one.high) == pytest.approx(newcombe(21, 0, 0, 9, 0.9))


def test_seeds_that_collapse_make_one_sample_of_both_arms() -> None:
    """Three seeds of a third's chance to collapse: all three of one arm is no rare thing."""
    up, down = (
        [
            [columns_of(CLASSES, [0] * 400, flipped([0] * right + [1] * (400 - right), 5, 5, seed))]
            for seed, right in enumerate(rights)
        ]
        for rights in ((300, 302, 298), (200, 200, 201))
    )
    apart = compare(CLASSES, "accuracy", up, down, POLICY, sampled=(True, True))
    assert apart.p is not None and apart.p < 0.001
    one = compare(CLASSES, "accuracy", up, down, POLICY, sampled=(True, True), collapsed=3)
    scores = [seed[0]["credit"].mean() for seed in (*up, *down)]
    assert one.error is not None and one.p is not None and one.p > 0.005
    expected = of_examples(up, down) + np.var(scores, ddof=1) * (1 / 3 + 1 / 3)
    assert one.error.se**2 == pytest.approx(expected, rel=1e-9)
    assert "one sample" in one.test


def test_collapsed_seeds_are_told_by_the_records(tmp_path: Path) -> None:
    for name, rights in (("base", (900, 902, 898)), ("new", (700, 700, 701))):
        for seed, right in enumerate(rights):
            said = flipped([0] * right + [1] * (1000 - right), 5, 5, seed)
            record = store_record(tmp_path / name, said, regime="lora", seed=seed)
            outcomes = records.read_outcomes(tmp_path / name / records.folder_name(record.cell))
            record.cost["parameters_trainable"] = 5
            record.baselines = {"majority": 0.7}
            records.write(tmp_path / name, record, outcomes)
    one = check(tmp_path / "base", tmp_path / "new").verdicts[0]
    assert "one sample" in one.test and one.d == pytest.approx(-0.2, abs=0.001)


def test_the_same_loss_in_every_passage_has_bounds_about_it() -> None:
    """Resampling shows no variance there, and no interval about 0 may take its place."""
    everything = (
        columns_of(CLASSES, [0] * 120, [0] * 120),
        columns_of(CLASSES, [0] * 120, [1] * 120),
    )
    base, other = passages(*everything, size=2)
    one = compare(CLASSES, "accuracy", [[base]], [[other]], POLICY, task="t")
    assert one.d == -1.0 and (one.low, one.high) == (-1.0, -1.0)
    assert decide_all([one] * 600, POLICY)[0].outcome != "pass"


def test_permutations_are_many_enough_for_all_tests() -> None:
    base, other = passages(*arms(400, 120, 0), size=2)
    one = compare(
        CLASSES, "accuracy", [[base]], [[other]], POLICY, replicates=500, permutations=4000
    )
    assert one.p is not None and one.p == pytest.approx(1 / 4001)


def test_a_stated_deviation_hides_no_collapse() -> None:
    up, down = seeds()
    policy = Policy(seed_sd={"accuracy": 0.001})
    one = compare(CLASSES, "accuracy", up, down, policy, sampled=(True, True), collapsed=1)
    assert "one sample" in one.test
