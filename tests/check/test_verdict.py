"""The verdict on made arms: tests, bounds, seeds, small numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchsuite import records
from benchsuite.check import check
from benchsuite.check.policy import Policy
from benchsuite.check.render import to_markdown
from benchsuite.errors import InputError
from benchsuite.stats import mcnemar, newcombe
from tests.check.made import BASE, TASK, N, compare, credits, flipped, seeded, store_record


def test_the_same_predictions_pass(stores: tuple[Path, Path]) -> None:
    found = compare(stores, 0, 0)
    assert (found.outcome, found.exit_code()) == ("pass", 0)
    assert found.verdicts[0].reason == "identical outcomes"
    assert found.verdicts[0].p is None


def test_a_clear_loss_fails(stores: tuple[Path, Path]) -> None:
    found = compare(stores, 60, 10)
    one = found.verdicts[0]
    assert (found.outcome, found.exit_code(), one.outcome) == ("fail", 1, "fail")
    assert one.d == pytest.approx(-0.05)
    assert one.test == "exact McNemar"
    assert one.p == pytest.approx(mcnemar(60, 10))
    assert sum(flip.lost for flip in one.flips) == 60
    assert sum(not flip.lost for flip in one.flips) == 10


def test_a_loss_below_the_margin_passes_unless_strict(stores: tuple[Path, Path]) -> None:
    found = compare(stores, 8, 0)  # significant, and yet less than two points
    one = found.verdicts[0]
    assert one.p is not None and one.p < 0.01
    assert one.low is not None and one.low > -0.02
    assert one.outcome == "pass"
    assert check(*stores, policy=Policy(strict=True)).outcome == "fail"


def test_noise_is_inconclusive_and_says_what_would_be_found(stores: tuple[Path, Path]) -> None:
    found = compare(stores, 120, 105)
    one = found.verdicts[0]
    assert (found.outcome, found.exit_code(), found.exit_code(True)) == ("inconclusive", 3, 0)
    assert one.detectable is not None and 0.02 < one.detectable < 0.08
    assert "would fail in 80% of cases" in to_markdown(found)


def test_no_discordant_pair_has_newcombes_interval(tmp_path: Path) -> None:
    """Of four classes a wrong answer can become another wrong one."""
    stores = tmp_path / "base", tmp_path / "new"
    for store, wrong in zip(stores, (1, 2), strict=True):
        store_record(store, [0] * 60 + [wrong] * 40, task="mini/choice")
    one = check(*stores).verdicts[0]
    assert (one.d, one.p) == (0.0, 1.0)
    assert (one.low, one.high) == pytest.approx(newcombe(60, 0, 0, 40, 0.9))


def test_several_prompts_and_clusters_are_permuted(tmp_path: Path) -> None:
    stores = tmp_path / "base", tmp_path / "new"
    passages = [number // 10 for number in range(N)]
    worse = flipped(BASE, 60, 10)
    for store, said in zip(stores, (BASE, worse), strict=True):
        store_record(store, said, clusters=passages)
    one = check(*stores).verdicts[0]
    assert (one.test, one.clusters, one.outcome) == ("cluster permutation", 100, "fail")
    for store, said in zip(stores, (BASE, worse), strict=True):
        store_record(store, said, prompts=2, model="two")
    two = check(*stores).verdicts[1]
    assert (two.test, two.clusters) == ("cluster permutation", N)


def test_bounds_are_those_of_the_paired_bootstrap(stores: tuple[Path, Path]) -> None:
    one = compare(stores, 60, 40).verdicts[0]
    se = np.sqrt((0.1 - 0.02**2) / N)
    assert one.low == pytest.approx(-0.02 - 1.645 * se, abs=0.002)
    assert one.high == pytest.approx(-0.02 + 1.645 * se, abs=0.002)


def test_p_values_are_adjusted_for_all_that_is_tested(stores: tuple[Path, Path]) -> None:
    base, new = stores
    for number in range(4):
        store_record(base, BASE, model=f"other{number}")
        store_record(new, flipped(BASE, 30, 28, seed=number), model=f"other{number}")
    one = {v.name: v for v in compare(stores, 60, 30).verdicts}[f"gpt zeroshot {TASK}"]
    assert one.p is not None and one.adjusted == pytest.approx(5 * one.p)


def test_a_gain_beyond_the_margin_is_told(stores: tuple[Path, Path]) -> None:
    found = compare(stores, 0, 200)
    assert found.outcome == "pass" and found.verdicts[0].gained
    assert "a broken extractor can do that, too" in to_markdown(found)


def test_an_undefined_candidate_fails(tmp_path: Path) -> None:
    gold = [float(number % 6) for number in range(60)]
    stores = tmp_path / "base", tmp_path / "new"
    store_record(stores[0], gold, targets=gold, task="mini/similarity")
    store_record(stores[1], [2.0] * 60, targets=gold, task="mini/similarity")
    found = check(*stores)
    assert found.outcome == "fail"
    assert "undefined: p0: constant predictions" in to_markdown(found)
    with pytest.raises(InputError, match="undefined in the baseline"):
        check(stores[1], stores[0])


def test_correlations_are_compared(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    gold = (rng.random(300) * 5).round(2).tolist()
    close = (np.array(gold) + rng.normal(0, 0.5, 300)).tolist()
    far = (np.array(gold) + rng.normal(0, 3.0, 300)).tolist()
    stores = tmp_path / "base", tmp_path / "new"
    store_record(stores[0], close, targets=gold, task="mini/similarity")
    store_record(stores[1], far, targets=gold, task="mini/similarity")
    one = check(*stores).verdicts[0]
    assert (one.outcome, one.test, one.flips) == ("fail", "cluster permutation", ())
    assert check(stores[1], stores[0]).outcome == "pass"


def test_another_set_of_seeds_is_comparable(tmp_path: Path) -> None:
    stores = tmp_path / "base", tmp_path / "new"
    seeded(stores[0], [700, 705, 695])
    seeded(stores[1], [702, 697, 701], first=10)
    one = check(*stores).verdicts[0]
    assert (one.seeds, one.test) == ((3, 3), "Welch-Satterthwaite t")
    assert one.outcome != "fail"
    # Made of seeds that share nothing but their number of right answers.
    assert 0 < len(one.flips) < 400 and {flip.lost for flip in one.flips} == {True, False}


def test_seeds_that_lie_apart_widen_the_bounds(tmp_path: Path) -> None:
    stores = tmp_path / "base", tmp_path / "new"
    seeded(stores[0], [700, 705, 695])
    seeded(stores[1], [560, 640, 720])
    wide = check(*stores).verdicts[0]
    assert wide.d == pytest.approx(-0.06) and wide.outcome == "inconclusive"
    seeded(tmp_path / "close", [640, 642, 638])
    close = check(stores[0], tmp_path / "close").verdicts[0]
    assert close.d == pytest.approx(-0.06) and close.outcome == "fail"


def test_the_variance_of_seeds_is_welchs(tmp_path: Path) -> None:
    """Examples that all seeds of both arms answer alike leave the seeds' part alone."""
    from scipy.stats import ttest_ind

    stores = tmp_path / "base", tmp_path / "new"
    scores = ([700, 720, 690], [640, 700, 655, 665])
    for store, arm in zip(stores, scores, strict=True):
        for seed, right in enumerate(arm):
            store_record(store, credits(N, right), regime="lora", seed=seed)
    one = check(*stores).verdicts[0]
    welch = ttest_ind(
        np.array(scores[1]) / N, np.array(scores[0]) / N, equal_var=False, alternative="less"
    )
    # The examples' part adds to the variance, and to the degrees of freedom.
    assert one.p is not None and one.p == pytest.approx(welch.pvalue, rel=0.25)
    assert one.error is not None and one.error.freedom > welch.df


def test_fewer_than_three_seeds_need_a_stated_deviation(tmp_path: Path) -> None:
    stores = tmp_path / "base", tmp_path / "new"
    seeded(stores[0], [700, 705])
    seeded(stores[1], [560, 570])
    one = check(*stores).verdicts[0]
    assert one.outcome == "inconclusive" and "fewer than 3 seeds" in one.reason
    told = check(*stores, policy=Policy(seed_sd={"accuracy": 0.01})).verdicts[0]
    assert told.outcome == "fail"


def test_one_gain_of_ten_rules_nothing_out(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    store_record(base, credits(10, 6))
    store_record(new, credits(10, 7))
    assert check(base, new).verdicts[0].outcome == "inconclusive"


def test_a_loss_of_exactly_the_margin_fails(tmp_path: Path) -> None:
    for right in (600, 700, 750, 800, 900):
        base, new = tmp_path / f"base{right}", tmp_path / f"new{right}"
        store_record(base, credits(N, right))
        store_record(new, credits(N, right - 20))
        assert check(base, new).verdicts[0].outcome == "fail"


def test_tiny_subsets_have_no_bounds(tmp_path: Path) -> None:
    """BLiMP with one pair a paradigm: resampling within it would see no variance at all."""
    from benchsuite.check.arms import compare as compare_arms
    from tests.outcomes import columns_of, make_task

    task = make_task(
        "minimal_pair",
        ["accuracy"],
        dataset={"path": "o/d", "configs": ["a", "b"], "concat": "mean"},
    )

    def arm(n: int, said: int) -> list[Any]:
        parts = [columns_of(task, [0] * n, [said] * n, subset=subset) for subset in ("a", "b")]
        return [[{name: np.concatenate([part[name] for part in parts]) for name in parts[0]}]]

    one = compare_arms(task, "accuracy", arm(1, 0), arm(1, 1), Policy())
    assert one.low is None and "fewer than 5 examples" in one.reason
    assert compare_arms(task, "accuracy", arm(5, 0), arm(5, 1), Policy()).low is not None


def test_the_same_seeds_with_the_same_answers_pass(tmp_path: Path) -> None:
    for seeds in ([700], [700, 650, 600]):
        base, new = tmp_path / f"base{len(seeds)}", tmp_path / f"new{len(seeds)}"
        seeded(base, seeds)
        seeded(new, seeds)
        assert check(base, new).verdicts[0].reason == "identical outcomes"


def test_a_metric_that_is_no_mean_is_not_judged(stores: tuple[Path, Path]) -> None:
    """lm-eval's perplexity is made of log-likelihoods, its accuracy is a mean."""
    base, new = stores
    compare(stores, 0, 0)
    for store in stores:
        record = store_record(store, BASE, model="t5")
        folder = store / records.folder_name(record.cell)
        outcomes = records.read_outcomes(folder).assign(perplexity=-2.0, acc=0.25)
        assert record.headline is not None
        for metric, value in (("perplexity", 7.4), ("acc", 0.25)):
            record.cell |= {"task": f"lm-eval:{metric}", "key": metric * 12}
            record.headline = record.headline.model_copy(update={"metric": metric, "value": value})
            records.write(store, record, outcomes)
    found = check(base, new)
    assert found.outcome == "pass"
    assert [one.task for one in found.verdicts] == [TASK, "lm-eval:acc", TASK]
    assert "perplexity is no mean over examples" in found.skipped[0]
