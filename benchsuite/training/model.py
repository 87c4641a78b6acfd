"""Backbone and head: logits and loss of each kind of task."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchsuite.tasks.spec import TaskSpec
from benchsuite.training.backbone import Backbone
from benchsuite.training.batches import Batch

HEAD_DROPOUT = 0.1
HEAD_SPREAD = 0.02  # standard deviation of the head's first weights, as BERT's


class TaskModel(nn.Module):
    """A backbone with a linear head.

    Heads read: one vector an example (classification, regression; the vectors of several rows
    are added), one a row (choice: a score each, compared within the example), one a position
    (tagging: a score a tag; span: one for being the first, one for being the last).
    number: mean and standard deviation of the training targets of a regression, which is learned
    in that unit. lm_weight: of a decoder's language-model loss, which `forward` leaves in
    `language_loss` while training.
    """

    def __init__(self, backbone: Backbone, task: TaskSpec) -> None:
        super().__init__()
        self.backbone = backbone
        self.kind = task.kind
        outputs = {"regression": 1, "choice": 1, "span": 2}.get(task.kind, len(task.labels))
        self.dropout = nn.Dropout(HEAD_DROPOUT)
        head = nn.Linear(backbone.width, outputs)
        nn.init.normal_(head.weight, std=HEAD_SPREAD)
        nn.init.zeros_(head.bias)
        self.head: nn.Linear | None = head
        self.number: Tensor
        self.register_buffer("number", torch.tensor([0.0, 1.0]))
        self.lm_weight = 0.0
        self.language_loss: Tensor | None = None

    def fit_number(self, targets: Sequence[float]) -> None:
        """Take `number` from a regression's training targets; a spread of 1 where all are equal."""
        values = torch.tensor(targets, dtype=torch.float64)
        spread = float(values.std(correction=0)) or 1.0
        self.number.copy_(torch.tensor([float(values.mean()), spread]))

    def forward(self, batch: Batch) -> Tensor:
        """Logits: (items, labels), (items, 1), (rows,), (positions, tags) or (positions, 2)."""
        states = self.backbone(batch)
        beside = self.training and self.lm_weight > 0
        self.language_loss = self.backbone.language_loss(states, batch) if beside else None
        assert self.head is not None  # models without one have a forward of their own
        logits: Tensor = self.head(self.dropout(self.read(states, batch)))
        return logits[:, 0] if self.kind == "choice" else logits

    def read(self, states: Tensor, batch: Batch) -> Tensor:
        """What the head reads: (items, width), (rows, width) or (positions, width)."""
        read = states[batch.row_of, batch.position_of]
        if self.kind in ("tagging", "span"):
            return read
        # In the states' own precision: half of it is too coarse for sums.
        sums = read.new_zeros((len(states), read.shape[1])).index_add(0, batch.row_of, read)
        vectors = sums / torch.bincount(batch.row_of, minlength=len(states))[:, None].to(read.dtype)
        if self.kind == "choice" or len(states) == len(batch.items):
            return vectors
        return vectors.new_zeros((len(batch.items), read.shape[1])).index_add(
            0, batch.owner, vectors
        )

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """Sum of the losses of what `weight` counts; cross-entropy, squared error for numbers."""
        logits = logits.float()
        device = logits.device
        match self.kind:
            case "regression":
                targets = torch.tensor([item.target for item in batch.items], device=device)
                mean, spread = self.number
                return functional.mse_loss(logits[:, 0], (targets - mean) / spread, reduction="sum")
            case "tagging":
                tags = [tag for item in batch.items for tag in item.target]
                return functional.cross_entropy(
                    logits, torch.tensor(tags, device=device), reduction="sum"
                )
            case "choice":
                owners, logits = batch.owner, logits[:, None]
            case "span":
                owners = batch.owner[batch.row_of]
            case _:
                targets = torch.tensor([item.target for item in batch.items], device=device)
                return functional.cross_entropy(logits, targets, reduction="sum")
        scores = _by_item(logits, owners, len(batch.items))
        given = [item.target if self.kind == "span" else (item.target,) for item in batch.items]
        answers = torch.tensor(given, device=device)
        losses = [
            functional.cross_entropy(scores[:, :, column], answers[:, column], reduction="sum")
            for column in range(scores.shape[2])
        ]
        return torch.stack(losses).mean()

    def weight(self, batch: Batch) -> int:
        """Number of losses that `loss` adds up: items, of a tagging task words."""
        if self.kind == "tagging":
            return sum(len(item.words) for item in batch.items)
        return len(batch.items)


def _by_item(logits: Tensor, owners: Tensor, items: int) -> Tensor:
    """Logits (n, columns) as (items, most of an item, columns), -inf where an item has fewer."""
    counts = torch.bincount(owners, minlength=items)
    starts = counts.cumsum(0) - counts
    places = torch.arange(len(owners), device=owners.device) - starts[owners]
    table = logits.new_full((items, int(counts.max()), logits.shape[1]), -torch.inf)
    return table.index_put((owners, places), logits)
