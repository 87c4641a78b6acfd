"""Two arms that answered the same examples: their difference, its bounds, and a p value."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from benchsuite.check.policy import Policy
from benchsuite.metrics.columns import Columns
from benchsuite.outcomes import NotJudged
from benchsuite.stats import (
    Combined,
    cluster_count,
    combine,
    estimate,
    mcnemar,
    newcombe,
    order_of,
    paired_draws,
    permutation,
    smallest_stratum,
    stratum_count,
)
from benchsuite.stats.seeds import part_of, pooled_part
from benchsuite.tasks.spec import TaskSpec

REPLICATES = 10_000
FEWEST_SEEDS = 3
FEWEST_CLUSTERS = 5
"""Of a stratum: resampling two or three of them sees hardly half of their variance."""
ROUNDING = 1e-9
"""A difference of two sums is not exactly the margin that it is on paper."""
PERMUTED = "cluster permutation"

Outcome = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Flip:
    """An example that one arm alone has right, of several answers in most.

    lost: the baseline had it.
    """

    split: str
    subset: str
    id: str
    lost: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one pair; differences and margin in the metric's own unit.

    d: candidate - baseline. low, high: one-sided bounds of d, each at 1 - alpha. p, adjusted:
    one-sided, of d < 0 (two-sided where nothing is judged); None where not tested. detectable: the
    smallest true loss that fails in 80% of cases, None where nothing varies or too few seeds tell.
    reason: where it was decided, or left open, without a test, and where seeds were too few to
    count. seeds: of the baseline, of the candidate; None where seeds make no arms. prompts: the
    most that either arm was asked by.
    """

    name: str
    task: str
    metric: str
    n: int
    clusters: int
    baseline: float
    candidate: float | None
    margin: float
    d: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    test: str = ""
    interval: str = ""
    outcome: Outcome = "inconclusive"
    adjusted: float | None = None
    detectable: float | None = None
    reason: str = ""
    seeds: tuple[int, int] | None = None
    prompts: int = 1
    flips: tuple[Flip, ...] = ()
    error: Combined | None = field(default=None, repr=False)

    @property
    def gained(self) -> bool:
        """Whether the candidate is better by the margin or more: worth a look, too."""
        return self.d is not None and self.d >= self.margin - ROUNDING

    @property
    def often(self) -> str:
        """Of how many of its answers it is said that an arm has an example right; "" of one."""
        several = ["prompts"] if self.prompts > 1 else []
        several += ["seeds"] if self.seeds and max(self.seeds) > 1 else []
        return f", in most {' and '.join(several)}" if several else ""


def compare(
    spec: TaskSpec,
    metric: str,
    baseline: Sequence[Sequence[Columns]],
    candidate: Sequence[Sequence[Columns]],
    policy: Policy,
    *,
    name: str = "",
    task: str = "",
    sampled: tuple[bool, bool] = (False, False),
    same_seeds: bool = True,
    collapsed: int = 0,
    replicates: int = REPLICATES,
    permutations: int | None = None,
    judged: bool = True,
) -> Verdict:
    """Difference, bounds and p value of two arms; decided only where no statistics are needed.

    Args:
        baseline, candidate: a list a seed, of a table a prompt, all of the same examples.
        sampled: whether the seeds of each arm are a sample; without, there is one.
        same_seeds: whether seeds stand in the same order, so that each can be the other's copy.
        collapsed: seeds, of both arms together, that are no better than the trivial answer.
        replicates: of the bootstrap. permutations: of the permutation test, as many without.
        judged: whether a loss is: p is one-sided, and too few seeds leave it open. Else p is
            two-sided, and of too few seeds the examples alone are taken for a sample.

    Raises NotJudged where the metric is undefined in the baseline.
    """
    base, other = ([table for seed in arm for table in seed] for arm in (baseline, candidate))
    before, after = (estimate(spec, metric, tables) for tables in (base, other))
    if math.isnan(before):
        raise NotJudged(f"{metric} is undefined in the baseline")
    one = Verdict(
        name=name,
        task=task,
        metric=metric,
        n=len(base[0]["id"]),
        clusters=cluster_count(spec, base[0]),
        baseline=before,
        candidate=None if math.isnan(after) else after,
        margin=policy.margin(task, metric),
        seeds=(len(baseline), len(candidate)) if any(sampled) else None,
        prompts=max(len(seed) for arm in (baseline, candidate) for seed in arm),
    )
    if one.candidate is None:
        return replace(one, outcome="fail", reason=f"{metric} is undefined")
    one = replace(one, d=after - before)
    if same_seeds and _identical(base, other):
        return replace(one, low=0.0, high=0.0, outcome="pass", reason="identical outcomes")
    if smallest_stratum(spec, base[0]) < FEWEST_CLUSTERS:
        few = f"fewer than {FEWEST_CLUSTERS} examples (or passages) in a subset tell too little"
        return replace(one, reason=few)
    drawn = paired_draws(spec, metric, other, base, replicates)
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < replicates / 2:
        return replace(one, reason="the metric is undefined in most resamples")
    # Resampling k clusters shows (k - 1) / k of their variance.
    freedom = one.clusters - stratum_count(spec, base[0])
    seen = one.clusters / freedom
    seeds = [len(arm) for arm, one_of in zip((baseline, candidate), sampled, strict=True) if one_of]
    if seeds and (judged or min(seeds) >= FEWEST_SEEDS):
        scores = [[estimate(spec, metric, seed) for seed in arm] for arm in (baseline, candidate)]
        of_examples = float(drawn.var(ddof=1)) * seen
        return _seeded(one, scores, sampled, policy, of_examples, collapsed > 0, judged)
    if seeds:
        alone = f"fewer than {FEWEST_SEEDS} seeds: over examples alone, other seeds may differ more"
        one = replace(one, reason=alone)
    error = Combined(float(drawn.std(ddof=1)) * math.sqrt(seen), freedom)
    number = permutations or replicates
    return _fixed(one, spec, drawn, error, base, other, policy.alpha, number, judged)


def _fixed(
    one: Verdict,
    spec: TaskSpec,
    drawn: np.ndarray,
    error: Combined,
    base: Sequence[Columns],
    other: Sequence[Columns],
    alpha: float,
    permutations: int,
    judged: bool,
) -> Verdict:
    """Two arms without seeds: only the examples are a sample. drawn: replicates of d."""
    assert one.d is not None
    low, high = (float(end) for end in np.quantile(drawn, [alpha, 1 - alpha]))
    interval = "paired cluster bootstrap"
    # A percentile knows no doubt of the variance: with few clusters Student's t is the wider one.
    reach = error.quantile(1 - alpha) * error.se
    low, high = min(low, one.d - reach), max(high, one.d + reach)
    if error.se == 0 and abs(one.d) < ROUNDING and spec.kind != "regression":
        # No pair is discordant, and resampling cannot tell what a larger sample would show.
        right = round(min(max(one.baseline, 0.0), 1.0) * one.clusters)
        low, high = newcombe(right, 0, 0, one.clusters - right, 1 - 2 * alpha)
        interval = "Newcombe"
    counts = _discordance(spec, one.metric, base, other)
    if counts is not None:
        # Resampling sees no loss where there happens to be none: the bounds are the wider ones.
        ends = newcombe(counts[0], counts[1], counts[2], counts[3], 1 - 2 * alpha)
        low, high = min(low, ends[0]), max(high, ends[1])
        interval = "paired bootstrap or Newcombe, the wider"
        gained, lost = counts[1:3]
        test = "exact McNemar"
        p = _p(judged, lambda: mcnemar(lost, gained), lambda: mcnemar(gained, lost))
    elif len(base) == len(other):
        swap = functools.partial(permutation, spec, one.metric, replicates=permutations)
        test = PERMUTED
        p = _p(judged, lambda: swap(other, base), lambda: swap(base, other))
    else:  # other prompts: no outcome of one arm stands for one of the other
        d, test = one.d, "paired bootstrap"
        p = _p(judged, lambda: error.below(d), lambda: error.below(-d))
    return replace(one, low=low, high=high, p=p, test=test, interval=interval, error=error)


def _seeded(
    one: Verdict,
    scores: Sequence[Sequence[float]],
    sampled: tuple[bool, bool],
    policy: Policy,
    of_examples: float,
    collapsed: bool,
    judged: bool,
) -> Verdict:
    """Two arms, of which seeds make at least one, unpaired, on the same examples.

    scores: of each arm's seeds. of_examples: variance of the difference over examples. collapsed:
    whether any seed is no better than the trivial answer. Then scores have two modes, and an arm of
    which all seeds happen to collapse, or none, shows no variance: the seeds of both arms are taken
    as one sample.
    """
    assert one.d is not None
    stated = policy.seed_deviation(one.task, one.metric)
    parts = []
    for arm, is_sample in zip(scores, sampled, strict=True):
        if not is_sample:
            continue
        if len(arm) >= FEWEST_SEEDS:
            parts.append(part_of(arm))
        elif stated is not None:
            parts.append((stated**2 / len(arm), math.inf))
        else:
            few = f"fewer than {FEWEST_SEEDS} seeds: train more, or give seed_sd in a policy file"
            return replace(one, reason=few)
    how = "Welch-Satterthwaite t"
    if collapsed and all(sampled) and all(len(arm) >= FEWEST_SEEDS for arm in scores):
        parts = [pooled_part(scores)]
        how = "t, seeds of both arms as one sample"
    error, d = combine(of_examples, parts), one.d
    reach = error.quantile(1 - policy.alpha) * error.se
    return replace(
        one,
        low=one.d - reach,
        high=one.d + reach,
        p=_p(judged, lambda: error.below(d), lambda: error.below(-d)),
        test=how,
        interval=how,
        error=error,
    )


def _p(judged: bool, of_loss: Callable[[], float], of_gain: Callable[[], float]) -> float:
    """Of a loss where one is to be judged; else two-sided, twice the smaller one."""
    return of_loss() if judged else min(1.0, 2 * min(of_loss(), of_gain()))


def _identical(base: Sequence[Columns], other: Sequence[Columns]) -> bool:
    """Whether two arms gave the same predictions and earned the same."""
    if len(base) != len(other):
        return False
    for a, b in zip(base, other, strict=True):
        order_a, order_b = order_of(a), order_of(b)
        if a.keys() != b.keys():
            return False
        for name in a:
            x, y = a[name][order_a], b[name][order_b]
            exact = x.dtype.kind in "UOSb"
            if not np.array_equal(x, y, equal_nan=not exact):
                return False
    return True


def _discordance(
    spec: TaskSpec, metric: str, base: Sequence[Columns], other: Sequence[Columns]
) -> tuple[int, int, int, int] | None:
    """(both right, candidate alone, baseline alone, neither), where McNemar's test applies.

    That is where the metric is a plain accuracy: one prompt, one split, no mean over subsets, every
    credit 0 or 1, every example a cluster of its own; None else.
    """
    if metric != "accuracy" or len(base) != 1 or len(other) != 1:
        return None
    table = base[0]
    if spec.dataset.concat == "mean" or len(np.unique(table["split"])) > 1:
        return None
    if cluster_count(spec, table) < len(table["id"]):
        return None
    credits = []
    for one in (other[0], table):
        credits.append(one["credit"][order_of(one)])
    if not all(np.isin(credit, (0.0, 1.0)).all() for credit in credits):
        return None
    theirs, mine = (credit == 1 for credit in credits)
    return (
        int((theirs & mine).sum()),
        int((theirs & ~mine).sum()),
        int((~theirs & mine).sum()),
        int((~theirs & ~mine).sum()),
    )
