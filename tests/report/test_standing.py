"""Marks, means and ranks of made tables against scipy and by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from benchsuite.records import Result
from benchsuite.report.standing import Arm, comparable, in_mean, not_worse, redrawn, standings
from benchsuite.stats.seeds import within_part
from tests.made import made_record

N, REPLICATES = 400, 2_000


def arms(credits: np.ndarray, way: str = "data", n: int = N) -> list[Arm]:
    """An arm a row of credits (arms, seeds, n), whose replicates draw the same examples."""
    counts = np.random.default_rng(1).multinomial(n, np.full(n, 1 / n), size=REPLICATES)
    return [
        Arm(tuple(seeds.mean(axis=1)), float(seeds.mean()), seeds @ counts.T / n, way, n)
        for seeds in credits
    ]


def made_credits(skills: list[float], seeds: int = 1, seed: int = 0) -> np.ndarray:
    """Credits (arms, seeds, n): an arm is right where its skill exceeds what an example asks."""
    generator = np.random.default_rng(seed)
    asked = 0.7 * generator.random(N) + 0.3 * generator.random((len(skills), seeds, N))
    return (asked < np.array(skills)[:, None, None]).astype(float)


def best_of(column: dict[str, Arm]) -> set[str]:
    """The best of those of a column that compare."""
    return not_worse({key: column[key] for key in comparable(column)})


@pytest.mark.parametrize("seed", range(8))
def test_bold_is_what_paired_t_tests_and_holm_leave(seed: int) -> None:
    credits = made_credits([0.6, 0.58, 0.55, 0.53, 0.4], seed=seed)
    flat = credits[:, 0]
    best = int(flat.mean(axis=1).argmax())
    others = [number for number in range(5) if number != best]
    p = [scipy.stats.ttest_rel(flat[o], flat[best], alternative="less").pvalue for o in others]
    adjusted = multipletests(p, method="holm")[1]
    if any(abs(value - 0.05) < 0.01 for value in adjusted):
        pytest.skip("too close to the level for a bootstrap to agree")
    expected = {best} | {o for o, value in zip(others, adjusted, strict=True) if value > 0.05}
    assert not_worse(dict(enumerate(arms(credits)))) == expected


def test_seeds_that_lie_apart_leave_the_order_open() -> None:
    generator = np.random.default_rng(0)
    sure = arms(made_credits([0.6, 0.5]))
    assert not_worse(dict(enumerate(sure))) == {0}
    drawn = sure[0].drawn
    assert drawn is not None
    for spread, best in ((0.001, {0}), (0.1, {0, 1})):
        apart = {}
        for number, arm in enumerate(sure):
            scores = arm.value + spread * np.array([-1.0, 0.0, 1.0])
            noise = 0.001 * generator.standard_normal((3, REPLICATES))
            drawn = np.repeat(arm.drawn, 3, axis=0) + noise
            apart[number] = Arm(tuple(scores), arm.value, drawn, "data", N, seeded=True)
        assert not_worse(apart) == best


def seeded(arm: Arm, scores: list[float], collapsed: int = 0) -> Arm:
    """The arm with these scores of seeds, all of its examples' replicates about them."""
    assert arm.drawn is not None
    drawn = np.stack([arm.drawn[0] - arm.value + score for score in scores])
    return Arm(tuple(scores), float(np.mean(scores)), drawn, "data", N, math.inf, True, collapsed)


def test_a_single_seed_and_collapsed_ones_borrow_their_scatter() -> None:
    high, low = arms(made_credits([0.6, 0.5]))
    steady, apart = [0.6, 0.601, 0.602], [0.5, 0.6, 0.7]
    assert best_of({"a": seeded(high, steady), "b": seeded(low, [0.5])}) == {"a"}
    assert best_of({"a": seeded(high, apart), "b": seeded(low, [0.5])}) == {"a", "b"}
    assert best_of({"a": seeded(high, [0.6]), "b": seeded(low, [0.5])}) == {"a"}
    equal = [0.5, 0.5, 0.5]  # of an arm whose seeds all happened to collapse
    scattered = [0.6, 0.75, 0.6, 0.45]
    collapsed = {"a": seeded(high, scattered, 1), "b": seeded(low, equal, 3)}
    assert not_worse(collapsed) == {"a", "b"}
    sure = {"a": seeded(high, [0.95, 0.951, 0.949]), "b": seeded(low, [0.5, 0.501, 0.5], 3)}
    assert not_worse(sure) == {"a"}  # the gap between arms is no scatter


def test_seeds_of_two_arms_are_those_of_a_t_test() -> None:
    a, b = [0.5, 0.6, 0.7], [0.55, 0.75]
    found = scipy.stats.ttest_ind(a, b, equal_var=True)
    variance, freedom = within_part([a, b])
    assert (np.mean(a) - np.mean(b)) / math.sqrt(variance) == pytest.approx(found.statistic)
    assert freedom == found.df and within_part([a, [0.9]])[1] == 2
    assert within_part([a, [0.9]])[0] == pytest.approx(np.var(a, ddof=1) * (1 / 3 + 1))


def test_equal_answers_are_all_best_and_other_data_are_not_judged() -> None:
    one = arms(made_credits([0.6]))[0]
    other = arms(made_credits([0.9])[..., :100], way="capped", n=100)[0]
    bare = Arm((0.1,), 0.1, None, "data", N)
    assert best_of({"a": one, "b": one, "capped": other, "bare": bare}) == {"a", "b"}
    assert best_of({"bare": bare}) == set() == best_of({})


def test_nobody_is_best_where_the_highest_cannot_be_tested() -> None:
    one = arms(made_credits([0.6]))[0]
    highest = Arm((0.9,), 0.9, None, "data", N)
    assert best_of({"a": one, "b": one, "highest": highest}) == set()


def test_nobody_is_best_alone() -> None:
    whole = arms(made_credits([0.5]))[0]
    capped = arms(made_credits([0.9])[..., :100], way="capped", n=100)[0]
    assert best_of({"whole": whole, "capped": capped, "too": capped}) == set()
    assert comparable({"whole": whole, "capped": capped, "too": capped}) == {"whole"}


def test_what_is_trained_on_more_is_neither_best_nor_ranked_with_the_rest() -> None:
    few, many = (
        replace(arm, cap=cap)
        for arm, cap in zip(arms(made_credits([0.5, 0.9])), (100, 1_000), strict=True)
    )
    other = replace(few, way="data")
    zero = arms(made_credits([0.4]))[0]
    column = {"few": few, "other": other, "many": many, "zero": zero}
    assert comparable(column) == {"few", "other", "zero"} == comparable(column, 100)
    assert comparable(column, 1_000) == {"many", "zero"}
    assert comparable(column, 7) == comparable(column)  # a cap that nobody in the column has
    assert best_of(column) == {"few", "other"}
    found = standings({name: {"a": arm, "b": arm} for name, arm in column.items()}, ["a", "b"])
    assert found.keys() == {"few", "other", "zero"}


def test_means_and_ranks_are_of_whole_rows_of_the_same_data() -> None:
    first, second = (arms(made_credits([0.9, 0.5, 0.3], seed=seed)) for seed in (0, 1))
    rows = {name: {"a": first[i], "b": second[i]} for i, name in enumerate(("x", "y", "z"))}
    rows["half"] = {"a": first[0]}
    rows["capped"] = {"a": first[0], "b": arms(made_credits([0.9])[..., :50], "capped", 50)[0]}
    found = standings(rows, ["a", "b"])
    assert found.keys() == {"x", "y", "z"}
    mean, rank = found["x"]
    assert mean == pytest.approx((first[0].value + second[0].value) / 2)
    assert rank is not None and (rank.value, rank.low, rank.high) == (1.0, 1.0, 1.0)
    assert standings(rows, ["a"]) == {} == standings(rows, ["a", "b", "nobody has it"])


def test_few_seeds_are_drawn_as_far_off_as_they_may_be() -> None:
    """The percentiles of three seeds hold the true mean in 95 of 100 cases, not in 73."""
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        scores = generator.normal(0.6, 0.05, 3)
        arm = Arm(tuple(scores), 0.6, np.repeat(scores[:, None], 2_000, axis=1), "data", N)
        low, high = np.quantile(redrawn(arm, generator), [0.025, 0.975])
        held += low <= 0.6 <= high
    assert 0.92 <= held / 400 <= 0.98


def test_wnli_and_ax_are_left_out() -> None:
    first, second = arms(made_credits([0.9, 0.5]))
    rows = {
        "x": {"glue/rte": first, "glue/sst2": first, "glue/wnli": second},
        "y": {"glue/rte": second, "glue/sst2": second},
    }
    found = standings(rows, ["glue/rte", "glue/sst2", "glue/wnli"])
    assert found["x"][0] == pytest.approx(first.value) and "y" in found


def test_a_mean_takes_both_metrics_of_mrpc_first() -> None:
    record = made_record(task="glue/mrpc", value=0.8)
    accuracy = record.results[0]
    record.results = [
        accuracy.model_copy(update={"metric": metric, "value": value, "primary": primary})
        for metric, value, primary in (
            ("accuracy", 0.70, True),
            ("f1", 0.80, True),
            ("accuracy", 0.10, False),
        )
    ]
    assert in_mean(record) == pytest.approx(0.75)
    record.results = record.results[1:2]
    assert in_mean(record) == pytest.approx(0.8)
    assert in_mean(made_record(value=0.6)) == 0.6
    assert isinstance(accuracy, Result)
