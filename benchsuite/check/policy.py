"""How much worse is too much: margins, and what else a gate can be told."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import Field

from benchsuite.errors import InputError
from benchsuite.tasks.reading import parse
from benchsuite.versioned import Part

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Margin = Annotated[float, Field(gt=0, le=1)]
Probability = Annotated[float, Field(gt=0, lt=0.5)]

MARGINS = {
    "accuracy": 0.02,
    "matthews": 0.04,
    "f1": 0.02,
    "pearson": 0.02,
    "spearman": 0.02,
    "em": 0.02,
    "entity_f1": 0.02,
    # of lm-eval
    "acc": 0.02,
    "acc_norm": 0.02,
    "exact_match": 0.02,
}
"""Losses that nobody would act on, as fractions (two points of accuracy). Matthews' correlation of
two even classes is twice the accuracy less one: four points of it are two of accuracy."""


class Judged(Protocol):
    """What has a metric and a task."""

    @property
    def metric(self) -> str: ...  # noqa: D102
    @property
    def task(self) -> str: ...  # noqa: D102


class TaskRule(Part):
    """What a task has of its own. margin: of its headline metric; seed_sd: see `Policy`."""

    margin: Margin | None = None
    strict: bool | None = None
    seed_sd: NotNegative | None = None


class CostMargins(Part):
    """Largest shares by which a cost may grow (throughput: fall) before it counts."""

    training_examples_per_s: Positive = 0.1
    examples_per_s: Positive = 0.1
    latency_s: Positive = 0.1
    memory_peak_bytes: Positive = 0.1
    artifact_bytes: Positive = 0.01


class Policy(Part):
    """What the gate goes by.

    alpha: of the tests, family-wise, and one minus the level of the one-sided bounds. strict: any
    significant loss fails, whatever the margin. margins: by metric, over the defaults. seed_sd: the
    standard deviation between seeds, by metric, for arms of fewer than three of them.
    """

    alpha: Probability = 0.05
    strict: bool = False
    margins: dict[str, Margin] = Field(default_factory=dict)
    seed_sd: dict[str, NotNegative] = Field(default_factory=dict)
    tasks: dict[str, TaskRule] = Field(default_factory=dict)
    cost: CostMargins = Field(default_factory=CostMargins)

    def margin(self, task: str, metric: str) -> float:
        """The margin of a task's metric. Raises InputError where nobody has given one."""
        own = self.tasks.get(task, TaskRule()).margin
        found = own or self.margins.get(metric) or MARGINS.get(metric)
        if found is None:
            raise InputError(
                f"{task}: no margin is known for the metric '{metric}'; give one in a policy file "
                f"(--policy), under `margins`"
            )
        return found

    def unused(self, judged: Iterable[Judged]) -> list[str]:
        """Lines on what the policy names and nothing that was judged has: perhaps a slip."""
        judged = list(judged)
        metrics, tasks = {one.metric for one in judged}, {one.task for one in judged}
        lines = [
            f"the policy's metric '{name}': nothing has it"
            for name in sorted({*self.margins, *self.seed_sd} - metrics)
        ]
        others = sorted({*self.tasks} - tasks)
        return lines + [f"the policy's task '{name}': nothing is of it" for name in others]

    def is_strict(self, task: str) -> bool:
        """Whether any significant loss of the task fails."""
        own = self.tasks.get(task, TaskRule()).strict
        return self.strict if own is None else own

    def seed_deviation(self, task: str, metric: str) -> float | None:
        """The stated standard deviation between seeds; None where it is to be measured."""
        own = self.tasks.get(task, TaskRule()).seed_sd
        return self.seed_sd.get(metric) if own is None else own


def load_policy(path: Path | None) -> Policy:
    """Read a policy file; the defaults without one. Raises InputError, one line for each fault."""
    if path is None:
        return Policy()
    parsed = parse(path, Policy)
    if parsed.model is None:
        raise InputError("; ".join(fault.line_of(path) for fault in parsed.faults))
    return parsed.model
