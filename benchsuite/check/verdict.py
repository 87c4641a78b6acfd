"""The verdict on one pair of cells, and on a whole candidate.

With d = candidate - baseline and a margin m:

    fail          Holm-adjusted one-sided p of d < 0 at most alpha, and d at most -m
                  (strict: whatever m)
    pass          the one-sided lower bound of d is above -m, or the predictions are the same
    inconclusive  otherwise, with the loss that would have been found in 80% of cases
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import variance
from typing import Literal

import numpy as np

from benchsuite import records
from benchsuite.check.pairs import Pair, Stored
from benchsuite.check.policy import LOWER_IS_BETTER, Policy
from benchsuite.errors import InputError
from benchsuite.metrics.columns import Columns
from benchsuite.metrics.measures import General, get_measure
from benchsuite.results import tables_of
from benchsuite.stats import (
    Combined,
    cluster_count,
    combine,
    estimate,
    holm,
    mcnemar,
    newcombe,
    paired_draws,
    permutation,
)
from benchsuite.tasks.spec import TaskSpec

REPLICATES = 10_000
POWER = 0.8
FEWEST_SEEDS = 3

Outcome = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Flip:
    """An example that one arm alone has right. lost: the baseline had it."""

    split: str
    subset: str
    id: str
    prompt: str
    lost: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one pair; differences and margin in the metric's own unit.

    d: candidate - baseline, negated for a metric of which less is better. low, high: one-sided
    bounds of d, each at 1 - alpha. p, adjusted: one-sided, of d < 0; None where not tested.
    detectable: the smallest true loss that fails in 80% of cases, None where nothing varies or too
    few seeds tell. reason: where it was decided, or left open, without a test. seeds: of the
    baseline, of the candidate; None where seeds make no arms.
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
    flips: tuple[Flip, ...] = ()
    error: Combined | None = field(default=None, repr=False)

    @property
    def gained(self) -> bool:
        """Whether the candidate is better by the margin or more: worth a look, too."""
        return self.d is not None and self.d >= self.margin


def judge(
    pairs: Sequence[Pair], policy: Policy, spec_of: Callable[[str], TaskSpec]
) -> list[Verdict]:
    """The verdicts on all pairs, in their order; p values are adjusted for their number.

    Raises InputError where outcomes are broken, or no margin is known.
    """
    measured = [measure(pair, policy, spec_of(pair.task)) for pair in pairs]
    tested = [number for number, one in enumerate(measured) if one.p is not None]
    adjusted = dict(
        zip(tested, holm([p for one in measured if (p := one.p) is not None]), strict=True)
    )
    return [
        decide(one, policy, adjusted.get(number), len(tested))
        for number, one in enumerate(measured)
    ]


def decide(one: Verdict, policy: Policy, adjusted: float | None, tests: int) -> Verdict:
    """The outcome, given the adjusted p value and the number of tests in the family."""
    if one.outcome != "inconclusive" or one.reason:
        return replace(one, adjusted=adjusted)
    assert one.d is not None and one.low is not None and adjusted is not None
    detectable = _detectable(one, policy, tests)
    lost = policy.is_strict(one.task) or one.d <= -one.margin
    outcome: Outcome = "inconclusive"
    if adjusted <= policy.alpha and lost and one.d < 0:
        outcome = "fail"
    elif one.low > -one.margin:
        outcome = "pass"
    return replace(one, outcome=outcome, adjusted=adjusted, detectable=detectable)


def measure(pair: Pair, policy: Policy, spec: TaskSpec) -> Verdict:
    """Difference, bounds and p value of one pair of stored cells."""
    first = pair.baseline[0].record
    _check_spec(first, spec)
    assert first.headline is not None
    metric = first.headline.metric
    mine, theirs = ([_tables(one, spec) for one in arm] for arm in (pair.baseline, pair.candidate))
    one = compare(
        spec, metric, mine, theirs, policy, name=pair.name, task=pair.task, seeded=pair.is_seeded
    )
    if one.candidate is None:
        headline = pair.candidate[0].record.headline
        one = replace(
            one, reason=f"{metric} is undefined: {headline.undefined_reason if headline else None}"
        )
    return one if pair.is_seeded else replace(one, flips=tuple(_flips(pair, spec)))


def compare(
    spec: TaskSpec,
    metric: str,
    baseline: Sequence[Sequence[Columns]],
    candidate: Sequence[Sequence[Columns]],
    policy: Policy,
    *,
    name: str = "",
    task: str = "",
    seeded: bool = False,
    replicates: int = REPLICATES,
) -> Verdict:
    """Difference, bounds and p value of two arms; decided only where no statistics are needed.

    Args:
        baseline, candidate: a list a seed, of a table a prompt, all of the same examples.
        seeded: whether seeds are a sample; without, there is one.
        replicates: of the bootstrap and of the permutation test.
    """
    base, other = ([table for seed in arm for table in seed] for arm in (baseline, candidate))
    before, after = (estimate(spec, metric, tables) for tables in (base, other))
    if math.isnan(before):
        raise InputError(f"{name}: {metric} is undefined in the baseline; nothing to compare")
    one = Verdict(
        name=name,
        task=task,
        metric=metric,
        n=len(base[0]["id"]),
        clusters=cluster_count(spec, base[0]),
        baseline=before,
        candidate=None if math.isnan(after) else after,
        margin=policy.margin(task, metric),
        seeds=(len(baseline), len(candidate)) if seeded else None,
    )
    if one.candidate is None:
        return replace(one, outcome="fail", reason=f"{metric} is undefined")
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    one = replace(one, d=sign * (after - before))
    if not seeded and _identical(base, other):
        return replace(one, low=0.0, high=0.0, outcome="pass", reason="identical predictions")
    drawn = sign * paired_draws(spec, metric, other, base, replicates)
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < replicates / 2 or one.clusters < 2:
        return replace(one, reason="too few examples for an interval")
    if seeded:
        scores = [[estimate(spec, metric, seed) for seed in arm] for arm in (baseline, candidate)]
        return _seeded(one, scores, policy, float(drawn.var(ddof=1)))
    return _fixed(one, spec, drawn, base, other, policy.alpha, replicates)


def _fixed(
    one: Verdict,
    spec: TaskSpec,
    drawn: np.ndarray,
    base: Sequence[Columns],
    other: Sequence[Columns],
    alpha: float,
    replicates: int,
) -> Verdict:
    """Two arms without seeds: only the examples are a sample. drawn: replicates of d."""
    low, high = (float(end) for end in np.quantile(drawn, [alpha, 1 - alpha]))
    interval = "paired cluster bootstrap"
    counts = _discordance(spec, one.metric, base, other)
    if counts is not None and counts[1] == counts[2] == 0:
        low, high = newcombe(counts[0], 0, 0, counts[3], 1 - 2 * alpha)
        interval = "Newcombe"
    if counts is not None:
        p, test = mcnemar(counts[2], counts[1]), "exact McNemar"
    else:
        test = "cluster permutation"
        # Of a metric of which less is better, the candidate is worse where it has more.
        arms = (base, other) if one.metric in LOWER_IS_BETTER else (other, base)
        p = permutation(spec, one.metric, *arms, replicates)
    error = Combined(float(drawn.std(ddof=1)), math.inf)
    return replace(one, low=low, high=high, p=p, test=test, interval=interval, error=error)


def _seeded(
    one: Verdict, scores: Sequence[Sequence[float]], policy: Policy, of_examples: float
) -> Verdict:
    """Two arms of seeds, unpaired, on the same examples.

    scores: of each arm's seeds. of_examples: variance of the difference over examples.
    """
    assert one.d is not None
    stated = policy.seed_deviation(one.task, one.metric)
    parts = []
    for arm in scores:
        if stated is not None and len(arm) < FEWEST_SEEDS:
            parts.append((stated**2 / len(arm), math.inf))
        elif len(arm) >= FEWEST_SEEDS:
            parts.append((variance(arm) / len(arm), len(arm) - 1.0))
        else:
            few = f"fewer than {FEWEST_SEEDS} seeds: train more, or give seed_sd in a policy file"
            return replace(one, reason=few)
    error = combine(of_examples, parts)
    reach = error.quantile(1 - policy.alpha) * error.se
    return replace(
        one,
        low=one.d - reach,
        high=one.d + reach,
        p=error.below(one.d),
        test="Welch-Satterthwaite t",
        interval="Welch-Satterthwaite t",
        error=error,
    )


def _detectable(one: Verdict, policy: Policy, tests: int) -> float | None:
    """The smallest true loss that fails in 80% of cases, by a normal (t) approximation.

    A loss fails where the estimate is beyond both the margin and, at the level that Holm's
    procedure begins with, the test's own bound. Examples that a loss turns around vary, too: one of
    n turned around moves an accuracy by 1/n, which adds loss / n to the variance. Counts are whole:
    without seeds an exact test needs up to one example more than the normal distribution says.
    """
    if one.error is None or one.error.se == 0:
        return None
    level = one.error.quantile(1 - policy.alpha / max(1, tests))
    power = one.error.quantile(POWER)
    margin = 0.0 if policy.is_strict(one.task) else one.margin
    whole = 1 / one.clusters if one.seeds is None else 0.0
    loss = 0.0
    for _ in range(50):  # a contraction: the variance grows with the loss, slowly
        se = math.sqrt(one.error.se**2 + loss / one.clusters)
        loss = max(level * se + whole, margin) + power * se
    return loss


def _check_spec(record: records.Record, spec: TaskSpec) -> None:
    """Raise InputError where the task at hand is not the one that was scored."""
    version = record.cell.get("key_parts", {}).get("task_version")
    if version != spec.version:
        raise InputError(
            f"{record.name}: made with version {version} of {spec.id}, this benchsuite has version "
            f"{spec.version}; make both records anew"
        )


def _tables(one: Stored, spec: TaskSpec) -> list[Columns]:
    """A record's primary outcomes, a table a prompt. Raises InputError where they are broken."""
    assert one.record.headline is not None
    measure = get_measure(spec, one.record.headline.metric)
    outcomes = records.read_outcomes(one.folder, one.record)
    try:
        tables = tables_of(outcomes)
        if not tables:
            raise ValueError("no scorable example")
        for table in tables:
            keys = list(zip(table["split"], table["subset"], table["id"], strict=True))
            if len(set(keys)) < len(keys):
                raise ValueError("an id twice")
            facts = (
                np.column_stack([table["x"], table["y"]])
                if isinstance(measure, General)
                else measure.statistics(spec, table)
            )
            if not np.isfinite(facts).all():
                raise ValueError("a value that is no finite number")
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{one.folder}: broken outcomes: {error}; rerun the cell") from None
    return tables


def _identical(base: Sequence[Columns], other: Sequence[Columns]) -> bool:
    """Whether two arms gave the same predictions and earned the same."""
    if len(base) != len(other):
        return False
    for a, b in zip(base, other, strict=True):
        order_a, order_b = (np.lexsort((t["id"], t["subset"], t["split"])) for t in (a, b))
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
        order = np.lexsort((one["id"], one["subset"], one["split"]))
        credits.append(one["credit"][order])
    if not all(np.isin(credit, (0.0, 1.0)).all() for credit in credits):
        return None
    theirs, mine = (credit == 1 for credit in credits)
    return (
        int((theirs & mine).sum()),
        int((theirs & ~mine).sum()),
        int((~theirs & mine).sum()),
        int((~theirs & ~mine).sum()),
    )


def _flips(pair: Pair, spec: TaskSpec) -> list[Flip]:
    """Examples whose credit differs; none for numbers, which have no credit."""
    if spec.kind in ("regression", "lm_eval"):
        return []
    keys = ["prompt", "split", "subset", "id"]
    frames = []
    for arm in (pair.baseline, pair.candidate):
        one = arm[0]
        rows = records.read_outcomes(one.folder, one.record)
        rows = rows[rows["scorable"] & rows["primary"]]
        frames.append(rows.set_index(keys)["credit"])
    both = frames[0].to_frame("mine").join(frames[1].rename("theirs"), how="inner")
    changed = both[both["mine"] != both["theirs"]]
    return [
        Flip(split, subset, id_, prompt, lost=mine > theirs)
        for (prompt, split, subset, id_), mine, theirs in changed.itertuples(name=None)
    ]
