"""A trained model ready to answer, and what it needs to be told how well it does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchsuite.metrics import compute_on_slice, outcome_columns
from benchsuite.regimes.base import Variant
from benchsuite.regimes.thresholds import NO_ANSWER
from benchsuite.scoring.budget import Budget
from benchsuite.scoring.types import Usage
from benchsuite.tasks.example import Example, Prediction
from benchsuite.tasks.spec import TaskSpec
from benchsuite.training.batches import Batch, collate
from benchsuite.training.decode import Scores, choose_no_answer_threshold, decode
from benchsuite.training.items import Item, ItemMaker
from benchsuite.training.model import TaskModel

CHUNK = 1024
"""Examples between two reports of progress; rows are sorted by length within a chunk."""
CPU_TOKENS_A_THREAD = 1024


class ItemPredictor(ABC):
    """Answers with the scores that a head gives items.

    threshold: margin below which a question is declared unanswerable. progress: called with the
    number of examples done since the last call. notes: what is to be recorded of the fit.
    """

    def __init__(self, task: TaskSpec, maker: ItemMaker) -> None:
        self.task = task
        self.maker = maker
        self.threshold: float | None = None
        self.progress: Callable[[int], None] | None = None
        self.usage = Usage()
        self.notes: dict[str, Any] = {}

    @abstractmethod
    def scores(self, items: Sequence[Item]) -> list[Scores]:
        """What the head gives for each item, as `decode` takes it, in the order given."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """What was trained, and the numbers that go with it."""

    def answer(self, examples: Sequence[Example], items: Sequence[Item]) -> list[Prediction]:
        """A prediction an example, of the examples' items."""
        return decode(self.task, examples, items, self.scores(items), self.threshold)

    def predict(self, examples: list[Example]) -> list[Variant]:
        """One variant, `head`, with a prediction an example, in the order given.

        Raises CellFailed on a score that is not finite.
        """
        predictions = []
        truncated = 0
        for start in range(0, len(examples), CHUNK):
            chunk = examples[start : start + CHUNK]
            items = self.maker.make(chunk)
            truncated += self.maker.counts.truncated
            predictions += self.answer(chunk, items)
            if self.progress is not None:
                self.progress(len(chunk))
        told = {} if self.threshold is None else {NO_ANSWER: self.threshold}
        return [
            Variant(
                prompt="",
                score="head",
                norm="none",
                predictions=predictions,
                counts={"truncated": truncated},
                notes={**self.notes, **told},
            )
        ]


class TrainedPredictor(ItemPredictor):
    """Answers with a trained network.

    seconds_earlier: of its training, in processes that were killed.
    """

    def __init__(
        self,
        task: TaskSpec,
        model: TaskModel,
        maker: ItemMaker,
        device: str,
        batch_tokens: int,
        precision: str = "float32",
    ) -> None:
        super().__init__(task, maker)
        self.model = model
        self.device = device
        self.precision = precision
        self._trained: dict[str, Tensor] = {}
        self.seconds_earlier = 0.0
        self._budget = Budget(batch_tokens, device, CPU_TOKENS_A_THREAD)

    @property
    def parameters_trained(self) -> int:
        """Exact number of trained parameters: what goes with them is not counted."""
        return sum(tensor.numel() for tensor in self._trained.values())

    def freeze(self, names: Sequence[str]) -> None:
        """Remember which tensors of the model were trained, as they are now."""
        known = dict(self.model.named_parameters())
        self._trained = {name: known[name].detach() for name in names}

    def state(self) -> dict[str, Tensor]:
        """What was trained, and the numbers that go with it."""
        extra: dict[str, Tensor] = {}
        if self.task.kind == "regression":
            extra["number"] = self.model.number
        if self.threshold is not None:
            extra[NO_ANSWER] = torch.tensor(self.threshold, dtype=torch.float64)
        return {name: tensor.contiguous() for name, tensor in self._trained.items()} | extra

    def selection(self, examples: Sequence[Example], unanswerable: bool) -> Selection:
        """The selection slice, for this predictor to be told by how well it does."""
        return Selection(self, examples, unanswerable)

    @torch.inference_mode()
    def scores(self, items: Sequence[Item], numbered: bool = False) -> list[Scores]:
        """What the head gives for each item, in the order given.

        numbered: whether the items are the selection slice's, that a cache knows by number.
        """
        found: dict[int, Scores] = {}

        def work(numbers: list[int], batch: Batch) -> None:
            if numbered:
                batch.numbers, batch.source = numbers, "selection"
            logits = self.model(batch)
            sizes = self._sizes(batch.items)
            parts = logits.float().cpu().double().split(sizes)
            for number, part in zip(numbers, parts, strict=True):
                scores = part.numpy()
                if self.model.kind == "regression":
                    mean, spread = self.model.number.double().cpu().numpy()
                    scores = scores * spread + mean
                one_row = self.model.kind not in ("choice", "tagging", "span")
                found[number] = scores[0] if one_row else scores

        self._each_batch(items, work)
        return [found[number] for number in range(len(items))]

    def _each_batch(self, items: Sequence[Item], work: Callable[[list[int], Batch], None]) -> None:
        """Call `work` with batches of the items and their numbers, in the cell's precision."""
        self.model.eval()

        def run(numbers: list[int]) -> None:
            chosen = [items[number] for number in numbers]
            batch = collate(chosen, self.maker.layout.pad, self.device)
            with torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bfloat16"):
                work(numbers, batch)
            self.usage.tokens += int(batch.mask.sum())

        self._budget.run([item.tokens for item in items], run)
        self.usage.requests += len(items)

    def _sizes(self, items: Sequence[Item]) -> list[int]:
        """How many rows of the logits belong to each item."""
        match self.model.kind:
            case "choice":
                return [len(item.rows) for item in items]
            case "tagging" | "span":
                return [len(item.rows[0].positions) for item in items]
        return [1] * len(items)


class Selection:
    """The selection slice as items, on which epochs are compared and thresholds chosen.

    unanswerable: whether the training examples hold questions without an answer.
    """

    def __init__(
        self, predictor: TrainedPredictor, examples: Sequence[Example], unanswerable: bool
    ) -> None:
        self.predictor = predictor
        self.unanswerable = unanswerable
        self.examples = [example for example in examples if example.target is not None]
        self.items = predictor.maker.make(self.examples)

    def score(self) -> tuple[float, float]:
        """(metric, mean log-probability of the answers): larger is better.

        The second decides between equals, above all while a metric stands at 0. Of numbers it is
        minus the squared error.

        A metric that is undefined, as the correlation of equal predictions is, counts as lowest.
        """
        task = self.predictor.task
        scores = self.predictor.scores(self.items, numbered=True)
        threshold = self._threshold(scores)
        predictions = decode(task, self.examples, self.items, scores, threshold)
        value = compute_on_slice(task, outcome_columns(task, self.examples, predictions))
        confidence = _confidence(task, self.items, scores)
        return (-np.inf if np.isnan(value) else float(value)), confidence

    def choose_threshold(self) -> float | None:
        """Where the data hold unanswerable questions: the margin they are told by."""
        if self.predictor.task.kind != "span":
            return None
        return self._threshold(self.predictor.scores(self.items, numbered=True))

    def _threshold(self, scores: Sequence[Scores]) -> float | None:
        if self.predictor.task.kind != "span":
            return None
        return choose_no_answer_threshold(
            self.predictor.task, self.examples, self.items, scores, self.unanswerable
        )


def _confidence(task: TaskSpec, items: Sequence[Item], scores: Sequence[Scores]) -> float:
    """Mean log-probability of the answers (of numbers: minus the squared error); 0 without any."""
    found: list[float] = []
    for item, one in zip(items, scores, strict=True):
        if item.target is None:
            continue
        if task.kind == "regression":
            found.append(-float((one[0] - item.target) ** 2))
        elif task.kind == "tagging":
            normal = one - np.logaddexp.reduce(one, axis=1, keepdims=True)
            found += normal[np.arange(len(item.target)), list(item.target)].tolist()
        elif task.kind == "span":
            normal = one - np.logaddexp.reduce(one, axis=0, keepdims=True)
            found.append(float(normal[list(item.target), [0, 1]].mean()))
        else:
            found.append(float(one[item.target] - np.logaddexp.reduce(one)))
    return float(np.mean(found)) if found else 0.0
