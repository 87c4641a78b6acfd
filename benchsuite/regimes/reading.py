"""What regimes that learn from labels read: slices, states, and the two texts of a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from benchsuite.errors import DataUnavailable, NotApplicable

if TYPE_CHECKING:
    from benchsuite.cells import Cell
    from benchsuite.tasks.task import SplitData, Task

# An encoder's first state has learned something of a text only where a sentence objective taught it
# (BERT's own had one; RoBERTa, and the model here, have none): the mean does not depend on that.
DEFAULT_POOLING: dict[str, Literal["first", "last", "mean"]] = {
    "encoder": "mean",
    "decoder": "last",
    "encoder-decoder": "first",
}


def training_data(task: Task, cell: Cell) -> dict[str, SplitData]:
    """The slices a trained regime looks at: `train` (capped) and `selection`.

    Raises DataUnavailable where the task has no training split or nothing labelled in it.
    """
    try:
        train, selection = task.train(cell.train_limit), task.selection()
    except NotApplicable as error:
        raise DataUnavailable(f"{error}: there is nothing to train on") from None
    if not train.examples:
        raise DataUnavailable(f"task {task.id}: no labelled training example")
    return {"train": train, "selection": selection}


def check_pooling(task: Task, chosen: bool) -> None:
    """Raise NotApplicable where a state of the sequence was chosen and the head reads none.

    Such a cell would say that the choice does not matter.
    """
    if chosen and task.spec.kind in ("tagging", "span"):
        raise NotApplicable(
            f"pooling: the head reads a state a word or token of {task.id}; leave it out", "pooling"
        )


def check_orders(task: Task, chosen: bool) -> None:
    """Raise NotApplicable where orders were chosen and the task has no two texts of equal rank."""
    if chosen and not task.spec.similarity:
        raise NotApplicable(
            f"orders: {task.id} has no two texts of which neither comes first; leave it out",
            "orders",
        )
