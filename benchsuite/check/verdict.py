"""The verdict on one pair of cells, and on a whole candidate.

With d = candidate - baseline and a margin m:

    fail          Holm-adjusted one-sided p of d < 0 at most alpha, and d at most -m
                  (strict: whatever m)
    pass          the one-sided lower bound of d is above -m, or the predictions are the same
    inconclusive  otherwise, with the loss that would have been found in 80% of cases
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchsuite import records
from benchsuite.check.arms import (
    PERMUTED,
    REPLICATES,
    ROUNDING,
    Flip,
    Outcome,
    Verdict,
    compare,
)
from benchsuite.check.pairs import Pair
from benchsuite.check.policy import Policy
from benchsuite.errors import InputError
from benchsuite.metrics.columns import Columns
from benchsuite.outcomes import NotJudged, headline_of, read_tables, spec_of
from benchsuite.report.seeds import is_collapsed
from benchsuite.stats import holm, order_of
from benchsuite.tasks.spec import TaskSpec

POWER = 0.8
MOVED = {"matthews": 2.5}
"""How many n-ths an example that is turned around moves a metric; 1 for the others. Matthews'
correlation by 1 / (2 p (1 - p)), p being a class's share: 2 of even classes, 2.4 at 70%."""


def judge(
    pairs: Sequence[Pair], policy: Policy, tasks_dir: Sequence[Path] = ()
) -> tuple[list[Verdict], list[str], list[str]]:
    """The verdicts on pairs, in their order, and lines on those that cannot be judged.

    The last are of those whose outcomes are broken, or whose margin nobody knows. P values are
    adjusted for the number of tests.
    """
    measured: list[Verdict] = []
    unjudged: list[str] = []
    broken: list[str] = []
    permutations = permutations_for(len(pairs), policy)
    for pair in pairs:
        try:
            measured.append(measure(pair, policy, tasks_dir, permutations))
        except NotJudged as error:
            unjudged.append(f"{pair.name}: {error}")
        except InputError as error:
            broken.append(str(error))
    return decide_all(measured, policy), unjudged, broken


def permutations_for(tests: int, policy: Policy) -> int:
    """How many a test needs: its smallest p is one over them, and Holm multiplies it by `tests`."""
    return max(REPLICATES, math.ceil(2 * tests / policy.alpha))


def decide_all(measured: Sequence[Verdict], policy: Policy) -> list[Verdict]:
    """The outcomes of what was measured; p values are adjusted for the number of tests."""
    known = [one.p for one in measured if one.p is not None]
    adjusted = iter(holm(known))
    return [
        _decide(one, policy, None if one.p is None else next(adjusted), len(known))
        for one in measured
    ]


def _decide(one: Verdict, policy: Policy, adjusted: float | None, tests: int) -> Verdict:
    """The outcome, given the adjusted p value and the number of tests in the family."""
    if one.outcome != "inconclusive" or one.reason:
        return replace(one, adjusted=adjusted)
    assert one.d is not None and one.low is not None and adjusted is not None
    detectable = _detectable(one, policy, tests)
    lost = policy.is_strict(one.task) or one.d <= -one.margin + ROUNDING
    outcome: Outcome = "inconclusive"
    if adjusted <= policy.alpha and lost and one.d < 0:
        outcome = "fail"
    elif one.low > -one.margin + ROUNDING:
        outcome = "pass"
    return replace(one, outcome=outcome, adjusted=adjusted, detectable=detectable)


def measure(
    pair: Pair,
    policy: Policy,
    tasks_dir: Sequence[Path] = (),
    permutations: int = REPLICATES,
    judged: bool = True,
) -> Verdict:
    """Difference, bounds and p value of one pair of stored cells.

    judged: whether a loss is, as `compare` says.

    Raises NotJudged where there is no test for it, InputError where outcomes are broken.
    """
    first = pair.baseline[0].record
    spec = spec_of(first, tasks_dir)
    metric = headline_of(first).metric
    arms = (pair.baseline, pair.candidate)
    mine, theirs = ([read_tables(one.folder, one.record, spec) for one in arm] for arm in arms)
    try:
        _check_same_questions(mine[0][0], theirs[0][0])
        one = compare(
            spec,
            metric,
            mine,
            theirs,
            policy,
            name=pair.name,
            task=pair.task,
            sampled=(arms[0][0].is_trained, arms[1][0].is_trained),
            same_seeds=[x.seed for x in pair.baseline] == [x.seed for x in pair.candidate],
            collapsed=sum(is_collapsed(x.record) for arm in arms for x in arm),
            permutations=permutations,
            judged=judged,
        )
    except InputError as error:
        raise InputError(f"{pair.name}: {error}; make both records anew") from None
    if one.candidate is None:
        reasons = [headline_of(x.record).undefined_reason for x in pair.candidate]
        why = next((reason for reason in reasons if reason), "")
        return replace(one, reason=f"{metric} is undefined: {why}")
    return replace(one, flips=tuple(_flips(pair, spec, one.often != "")))


def _check_same_questions(mine: Columns, theirs: Columns) -> None:
    """Raise InputError where two tables have other right answers to the same examples."""
    for name in ("gold", "y"):
        if name in mine and name in theirs and len(mine["id"]) == len(theirs["id"]):
            a, b = (one[name][order_of(one)] for one in (mine, theirs))
            if not np.array_equal(a, b, equal_nan=True):
                raise InputError("baseline and candidate hold other right answers")


def _detectable(one: Verdict, policy: Policy, tests: int) -> float | None:
    """The smallest true loss that fails in 80% of cases, by a normal (t) approximation.

    A loss fails where the estimate is beyond both the margin and, at the level that Holm's
    procedure begins with, the test's own bound. Examples that a loss turns around vary, too: one of
    n turned around moves an accuracy by 1/n, which adds loss / n to the variance, and Matthews'
    correlation by more than twice as much. Counts are whole: without seeds an exact test needs up
    to one example more than the normal distribution says. A standard error of few seeds is more
    often too small than too large.
    """
    if one.error is None or one.error.se == 0:
        return None
    if one.test == PERMUTED and 2.0**-one.clusters > policy.alpha / max(1, tests):
        return None  # there are too few ways to swap them: nothing can fail
    level = one.error.quantile(1 - policy.alpha / max(1, tests))
    power = one.error.quantile(POWER)
    error = one.error.se * one.error.underestimate
    margin = 0.0 if policy.is_strict(one.task) else one.margin
    whole = 1 / one.n if one.seeds is None else 0.0
    moved = MOVED.get(one.metric, 1.0)
    loss = 0.0
    for _ in range(50):  # a contraction: the variance grows with the loss, slowly
        se = math.sqrt(error**2 + moved * loss / one.n)
        loss = max(level * se + whole, margin) + power * se
    return loss


def _flips(pair: Pair, spec: TaskSpec, several: bool) -> list[Flip]:
    """Examples whose credit differs; of several answers those that one arm has right in most.

    Arms may have been asked by other prompts. None for numbers, which have no credit.
    """
    import pandas as pd

    if spec.kind in ("regression", "lm_eval"):
        return []
    keys = ["split", "subset", "id"]
    frames = []
    for arm in (pair.baseline, pair.candidate):
        seeds = []
        for one in arm:
            rows = records.read_outcomes(one.folder, one.record)
            rows = rows[rows["scorable"] & rows["primary"]]
            seeds.append(rows.groupby(keys)["credit"].mean())
        frames.append(pd.concat(seeds, axis=1).mean(axis=1))
    both = frames[0].to_frame("mine").join(frames[1].rename("theirs"), how="inner")
    if several:
        changed = both[(both["mine"] - 0.5) * (both["theirs"] - 0.5) < 0]
    else:
        changed = both[both["mine"] != both["theirs"]]
    return [
        Flip(split, subset, id_, lost=mine > theirs)
        for (split, subset, id_), mine, theirs in changed.itertuples(name=None)
    ]
