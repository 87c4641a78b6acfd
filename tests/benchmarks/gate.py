"""How often the gate is wrong: its own decisions on simulated candidates.

    python -m tests.benchmarks.gate [--runs 2000] [--only WORDS] > gate.md

Each run is a whole check of nine tasks, by `compare` and `decide_all` as
`bench check` does it. Baseline and candidate answer alike but for a share of the clusters on
which the two are drawn anew. Without a true change, a false fail is a run in which any of the nine
tasks fails. With one, the first task has lost what the gate itself calls detectable (the median
over a hundred runs without a change); the share of runs in which that task fails is the power. A
false pass is a run in which the first task has lost exactly the margin, and passes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchsuite.check.arms import Verdict, compare
from benchsuite.check.policy import MARGINS, Policy
from benchsuite.check.verdict import decide_all
from benchsuite.metrics.columns import Columns
from benchsuite.tasks.spec import TaskSpec
from tests.outcomes import make_task

TASKS = 9
ANEW = 0.15
"""Share of the clusters that the two arms answer apart."""
REPLICATES = 1_000
REPLICATES_OF_SEEDS = 500
"""There the bootstrap gives a variance alone."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table.

    clusters, size: how many, of how many examples each. skill: share of right answers.
    seeds: of each arm, 0 for arms without. seed_sd: standard deviation of a seed's skill.
    collapse: share of seeds that only say the majority label.

    The deviations are those of records: accuracies of SST-2 of `gpt` trained on 300 examples lie
    0.9 points apart by full finetuning (3 seeds) and 1.5 by LoRA (6 seeds), and of six seeds of
    `bert` on CoLA five are no better than the majority label.
    """

    name: str
    kind: str
    metric: str
    clusters: int
    size: int = 1
    skill: float = 0.75
    positive: float = 0.6
    seeds: int = 0
    seed_sd: float = 0.0
    collapse: float = 0.0


SETTINGS = [
    Setting("accuracy, 872 examples", "classification", "accuracy", 872),
    Setting("Matthews r, 1,043 examples", "classification", "matthews", 1043, positive=0.7),
    Setting("F1, 408 examples", "classification", "f1", 408, positive=0.68),
    Setting("accuracy, 360 passages of 4 questions", "choice", "accuracy", 360, size=4, skill=0.4),
    *(
        Setting(
            f"accuracy, {n} seeds, SD {sd}",
            "classification",
            "accuracy",
            872,
            seeds=n,
            seed_sd=sd / 100,
        )
        for sd in (0.9, 1.5)
        for n in (3, 5, 10)
    ),
    *(
        Setting(
            f"Matthews r, {n} seeds, a third collapse",
            "classification",
            "matthews",
            1043,
            positive=0.7,
            seeds=n,
            seed_sd=0.015,
            collapse=1 / 3,
        )
        for n in (3, 5, 10)
    ),
]


class World:
    """Answers of one task: gold, and who is right on what."""

    def __init__(self, setting: Setting, task: TaskSpec, generator: np.random.Generator) -> None:
        self.setting, self.task, self.draw = setting, task, generator
        n = setting.clusters * setting.size
        self.cluster = np.repeat(np.arange(setting.clusters), setting.size)
        labels = 4 if task.kind == "choice" else 2
        self.gold = (
            generator.integers(0, labels, n)
            if labels > 2
            else (generator.random(n) < setting.positive).astype(int)
        )
        self.labels = labels
        # What both arms have in common: how hard a cluster is, and how hard an example.
        self.hardness = self._hardness()

    def arm(self, loss: float) -> tuple[list[list[Columns]], int]:
        """Tables of one arm, its expected skill lowered by `loss`, and how many seeds collapsed.

        A list a seed, of one table.
        """
        setting = self.setting
        anew = self.draw.random(setting.clusters) < ANEW / 2
        hardness = np.where(anew[self.cluster], self._hardness(), self.hardness)
        tables, collapsed = [], 0
        for _ in range(setting.seeds or 1):
            skill = setting.skill - loss + setting.seed_sd * self.draw.standard_normal()
            mine = hardness
            if setting.seeds:  # seeds differ in what they know, too
                other = self.draw.random(setting.clusters) < ANEW / 2
                mine = np.where(other[self.cluster], self._hardness(), hardness)
            wrong = (self.gold + self.draw.integers(1, self.labels, len(mine))) % self.labels
            said = np.where(mine < skill, self.gold, wrong)
            if setting.collapse and self.draw.random() < setting.collapse:
                said = np.ones_like(self.gold)
                collapsed += 1
            tables.append([self._columns(said)])
        return tables, collapsed

    def _hardness(self) -> np.ndarray:
        """Uniform on [0, 1] for each example; within a cluster half of it is shared."""
        n = len(self.cluster)
        if self.setting.size == 1:
            return self.draw.random(n)
        from scipy.stats import norm

        shared = self.draw.standard_normal(self.setting.clusters)[self.cluster]
        mixed = np.sqrt(0.3) * shared + np.sqrt(0.7) * self.draw.standard_normal(n)
        uniform: np.ndarray = norm.cdf(mixed)
        return uniform

    def _columns(self, said: np.ndarray) -> Columns:
        n = len(said)  # numbers for names: they sort faster
        return {
            "split": np.zeros(n, dtype=np.int8),
            "subset": np.zeros(n, dtype=np.int8),
            "id": np.arange(n),
            "cluster": self.cluster,
            "prediction": said,
            "gold": self.gold,
            "tied": np.zeros(n, dtype=np.int64),
            "credit": (said == self.gold).astype(float),
        }


def measured(
    setting: Setting, task: TaskSpec, loss: float, generator: np.random.Generator
) -> Verdict:
    """What is known of one task of which the candidate has lost `loss` of its skill; undecided."""
    world = World(setting, task, generator)
    (base, fell), (candidate, fell_too) = world.arm(0.0), world.arm(loss)
    return compare(
        task,
        setting.metric,
        base,
        candidate,
        Policy(),
        sampled=(bool(setting.seeds), bool(setting.seeds)),
        collapsed=fell + fell_too,
        replicates=REPLICATES_OF_SEEDS if setting.seeds else REPLICATES,
    )


def loss_of_skill(setting: Setting, task: TaskSpec, loss: float, seed: int) -> float:
    """The loss of skill that lowers the metric by `loss`, found by bisection on large samples."""
    large = replace(setting, clusters=300_000 // setting.size, seeds=0, collapse=0.0)

    def metric(lost: float) -> float:
        from benchsuite.stats import estimate

        world = World(large, task, np.random.default_rng(seed))
        return estimate(task, setting.metric, world.arm(lost)[0][0])

    # Seeds that collapse lose nothing: the others' loss is diluted.
    wanted = metric(0.0) - loss / (1 - setting.collapse)
    low, high = 0.0, setting.skill
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if metric(middle) > wanted else (low, middle)
    return (low + high) / 2


def lost_at_most(setting: Setting, task: TaskSpec) -> float:
    """What the metric is where nothing is lost: more cannot be."""
    from benchsuite.stats import estimate

    large = replace(setting, clusters=60_000 // setting.size, seeds=0, collapse=0.0)
    base, _ = World(large, task, np.random.default_rng(7)).arm(0.0)
    return (1 - setting.collapse) * estimate(task, setting.metric, base[0])


def row(setting: Setting, runs: int) -> dict[str, float | str | None]:
    """False fails, the detectable loss, and the power at it, with 95% upper and lower bounds."""
    from scipy.stats import binomtest

    task = make_task(setting.kind, [setting.metric], **_extra(setting))
    generator = np.random.default_rng(1)
    unchanged = [
        [measured(setting, task, 0.0, generator) for _ in range(TASKS)] for _ in range(runs)
    ]
    found = [decide_all(each, Policy()) for each in unchanged]
    false = sum(any(one.outcome == "fail" for one in verdicts) for verdicts in found)
    passed = np.mean([one.outcome == "pass" for verdicts in found for one in verdicts])
    detectable = [one.detectable for verdicts in found[:100] for one in verdicts]
    loss = float(np.median([value for value in detectable if value is not None]))

    def first(lost: float, outcome: str) -> int:
        """In how many checks of nine, of which the first has lost something, it ends so."""
        skill = loss_of_skill(setting, task, lost, 7)
        checks = ([measured(setting, task, skill, generator), *each[1:]] for each in unchanged)
        return sum(decide_all(check, Policy())[0].outcome == outcome for check in checks)

    # What is called detectable may be more than there is to lose.
    possible = lost_at_most(setting, task) > loss
    hits = first(loss, "fail") if possible else None
    through = first(MARGINS[setting.metric], "pass")
    low = None if hits is None else binomtest(hits, runs).proportion_ci(0.95, "exact").low
    return {
        "name": setting.name,
        "false": false / runs,
        "false_high": binomtest(false, runs).proportion_ci(0.95, "exact").high,
        "passed": float(passed),
        "loss": loss,
        "power": None if hits is None else hits / runs,
        "power_low": low,
        "through": through / runs,
        "through_high": binomtest(through, runs).proportion_ci(0.95, "exact").high,
    }


def _extra(setting: Setting) -> dict[str, object]:
    return {"positive": "yes"} if setting.metric == "f1" else {}


def main(echo: Callable[[str], None] = print) -> None:
    """Print the table, a row as soon as it is there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--only", default="", help="rows whose name holds these words")
    parser.add_argument("--json", type=Path, help="also append the rows to this file")
    given = parser.parse_args()
    echo(
        "| data | false fails (upper 95%) | false passes (upper 95%) | unchanged tasks that pass "
        "| detectable loss, points | fails (lower 95%) |"
    )
    echo("|---|---:|---:|---:|---:|---:|")
    for setting in SETTINGS:
        if given.only not in setting.name:
            continue
        found = row(setting, given.runs)
        if given.json:
            with given.json.open("a") as file:
                file.write(json.dumps(found) + "\n")
        power = "-"
        if found["power"] is not None:
            power = f"{found['power']:.1%} ({found['power_low']:.1%})"
        echo(
            f"| {found['name']} | {found['false']:.1%} ({found['false_high']:.1%}) "
            f"| {found['through']:.1%} ({found['through_high']:.1%}) "
            f"| {found['passed']:.1%} | {100 * float(found['loss']):.2f} "
            f"| {power} |"
        )


if __name__ == "__main__":
    main()
