"""What a cell is, as its record states it, and what its key is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchsuite.cells import Cell, digest
from benchsuite.models.registry import ModelRef
from benchsuite.regimes.base import Regime
from benchsuite.regimes.registry import parse_options

if TYPE_CHECKING:
    from benchsuite.tasks.task import SplitData, Task


def describe(cell: Cell, regime: Regime, reference: ModelRef) -> dict[str, Any]:
    """The cell as a record states it: every setting spelled out."""
    options = parse_options(cell.regime)
    described = cell.model_dump(exclude={"regime"})
    described["regime"] = str(cell.regime)
    described["regime_name"] = regime.name
    described["options"] = options.model_dump()
    described["family"] = reference.family
    return described


def key_parts(
    cell: Cell,
    task: Task,
    regime: Regime,
    reference: ModelRef,
    splits: dict[str, SplitData],
    training: dict[str, SplitData],
) -> dict[str, Any]:
    """Everything the numbers of a cell depend on, hashed into its key."""
    from benchsuite.metrics import METRICS_VERSION
    from benchsuite.scoring.version import SCORER_VERSION

    prompted = getattr(regime, "prompted", True)
    prompts = [
        prompt.model_dump(exclude={"why"})
        for prompt in task.spec.prompts
        if prompted and (cell.prompts is None or prompt.name in cell.prompts)
    ]
    return {
        "weights": reference.weights_hash,
        "tokenizer": reference.tokenizer_hash,
        "task": task.id,
        "task_version": task.spec.version,
        "task_rules": digest(task.rules()),
        "prompts": digest({"prompts": prompts}),
        "data": {name: data.hash for name, data in splits.items()},
        "train": {name: data.hash for name, data in training.items()},
        "regime": regime.name,
        "regime_version": regime.version,
        "options": parse_options(cell.regime).model_dump(),
        "score": cell.score if prompted else "",
        "seed": cell.seed,
        "dtype": cell.dtype,
        "max_length": cell.max_length,
        "device": cell.device,
        "scorer_version": SCORER_VERSION,
        "metrics_version": METRICS_VERSION,
        **{name: getattr(cell, name) for name in getattr(regime, "depends_on", ())},
        **(regime.key_facts(cell, reference.family) if hasattr(regime, "key_facts") else {}),
    }
