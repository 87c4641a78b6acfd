"""A linear probe: fitted on features, its penalty chosen on the selection slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchsuite.errors import CellFailed
from benchsuite.metrics import compute_on_slice, outcome_columns
from benchsuite.regimes.thresholds import NO_ANSWER
from benchsuite.tasks.example import Example
from benchsuite.tasks.spec import TaskSpec
from benchsuite.training.decode import Scores, choose_no_answer_threshold, decode
from benchsuite.training.features import FeatureReader, Features
from benchsuite.training.items import Item, ItemMaker
from benchsuite.training.linear import Linear, logistic, ridge, standardize
from benchsuite.training.predictor import ItemPredictor

PENALTIES = tuple(10.0**power for power in range(5, -2, -1))
"""Strongest first; they weigh the squared coefficients against the summed loss."""
DEFAULT_PENALTY = 100.0
"""Taken where there is no selection slice."""


class ProbePredictor(ItemPredictor):
    """Answers with a linear classifier of features."""

    def __init__(self, task: TaskSpec, maker: ItemMaker, reader: FeatureReader) -> None:
        super().__init__(task, maker)
        self.reader = reader
        width, outputs = reader.width, number_of_outputs(task)
        self.classifier = Linear(np.zeros((outputs, width)), np.zeros(outputs))
        self.mean, self.spread = np.zeros(width), np.ones(width)

    @property
    def parameters_trained(self) -> int:
        """Coefficients and intercepts; what features are standardized by is not counted."""
        return self.classifier.coefficients.size + self.classifier.intercepts.size

    def fit(self, train: Sequence[Example], selection: Sequence[Example]) -> None:
        """Fit a classifier for each penalty, keep the one best on the selection slice.

        Without labels there only the default penalty is fitted.
        The features of both are computed once. Of equally good penalties the strongest is taken.
        Raises CellFailed where no example has anything to learn.
        """
        items = [item for item in self.maker.make(train) if item.target is not None]
        self.notes = {
            "layer": self.reader.layer,
            "precision": self.reader.precision,
            "truncated_in_training": self.maker.counts.truncated,
        }
        if self.task.kind == "span":
            self.notes["unreachable_answers"] = self.maker.counts.unreachable
        kept = self.reader.within_budget(items)
        features = self.reader.matrix(kept)
        if not len(features):
            raise CellFailed(f"{self.task.id}: no training example has anything to learn")
        self.mean, self.spread = standardize(features)
        asked = [one for one in selection if one.target is not None]
        penalties = PENALTIES if asked else (DEFAULT_PENALTY,)
        candidates = _fit(self.task, features, kept, penalties)
        vectors = len(features)
        del features
        unanswerable = any(example.target == () for example in train)
        best = self._choose(candidates, asked, unanswerable)
        self.classifier = candidates[best]
        self.notes |= {
            "penalty": penalties[best],
            "vectors": vectors,
            "vectors_left_out": sum(map(self.reader.count, items)) - vectors,
        }
        self.reader.tokens = 0

    def scores(self, items: Sequence[Item]) -> list[Scores]:
        """What the classifier gives for each item, in the order given."""
        found = self._scores(items, [self.classifier])[0]
        self.usage.tokens = self.reader.tokens
        self.usage.requests += len(items)
        return found

    def state(self) -> dict[str, Tensor]:
        """The classifier, mean and spread of its features and the threshold of `no answer`."""
        found = {name: torch.from_numpy(array) for name, array in self._arrays().items()}
        if self.threshold is not None:
            found[NO_ANSWER] = torch.tensor(self.threshold, dtype=torch.float64)
        return found

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` gave.

        Raises CellFailed where the tensors are not a classifier's of this task and layer.
        """
        arrays = {name: tensor.double().cpu().numpy() for name, tensor in state.items()}
        threshold = arrays.pop(NO_ANSWER, None)
        shapes = {name: array.shape for name, array in arrays.items()}
        if shapes != {name: tuple(one.shape) for name, one in self._arrays().items()}:
            raise CellFailed(f"the artifact is not one of probe on {self.task.id}")
        self.classifier = Linear(arrays["coefficients"], arrays["intercepts"])
        self.mean, self.spread = arrays["mean"], arrays["spread"]
        self.threshold = None if threshold is None else float(threshold)

    def _arrays(self) -> dict[str, Any]:
        return {
            "coefficients": self.classifier.coefficients,
            "intercepts": self.classifier.intercepts,
            "mean": self.mean,
            "spread": self.spread,
        }

    def _choose(
        self, candidates: Sequence[Linear], examples: Sequence[Example], unanswerable: bool
    ) -> int:
        """Number of the best candidate; sets the threshold that goes with it.

        A metric that is undefined counts as lowest.
        """
        task = self.task
        items = self.maker.make(examples)
        values, thresholds = [], []
        for scores in self._scores(items, candidates):
            threshold = None
            if task.kind == "span":
                threshold = choose_no_answer_threshold(task, examples, items, scores, unanswerable)
            thresholds.append(threshold)
            if examples:
                predictions = decode(task, examples, items, scores, threshold)
                columns = outcome_columns(task, examples, predictions)
                values.append(compute_on_slice(task, columns))
        best = int(np.argmax(np.nan_to_num(values, nan=-np.inf))) if examples else 0
        self.threshold = thresholds[best]
        self.notes["selection"] = [None if np.isnan(value) else value for value in values]
        return best

    def _scores(self, items: Sequence[Item], candidates: Sequence[Linear]) -> list[list[Scores]]:
        """Of each candidate: the scores of each item, as `decode` takes them."""
        found: list[dict[int, Scores]] = [{} for _ in candidates]

        def keep(number: int, features: Features) -> None:
            standardized = (features - self.mean) / self.spread
            for candidate, mine in zip(candidates, found, strict=True):
                mine[number] = self._shaped(candidate.scores(standardized))

        self.reader.read(items, keep)
        return [[mine[number] for number in range(len(items))] for mine in found]

    def _shaped(self, scores: Scores) -> Scores:
        """An item's scores (vectors, outputs), one a label where a classifier has one output."""
        match self.task.kind:
            case "choice":
                return scores[:, 0]
            case "regression":
                return scores[0]
            case "classification" | "tagging" if scores.shape[1] == 1:
                scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
        return scores[0] if self.task.kind == "classification" else scores


def number_of_outputs(task: TaskSpec) -> int:
    """Outputs of a probe: one for a number, an option or one of two labels, two for a span."""
    if task.kind in ("regression", "choice"):
        return 1
    if task.kind == "span":
        return 2
    return 1 if len(task.labels) == 2 else len(task.labels)


def _fit(
    task: TaskSpec, features: Features, items: Sequence[Item], penalties: Sequence[float]
) -> list[Linear]:
    """A classifier a penalty, of standardized features."""
    if task.kind == "regression":
        return ridge(features, np.array([item.target for item in items], float), penalties)
    columns = [
        logistic(features, column, max(2, len(task.labels)), penalties)
        for column in _targets(task, items).T
    ]
    return [
        Linear(
            np.concatenate([one.coefficients for one in outputs]),
            np.concatenate([one.intercepts for one in outputs]),
        )
        for outputs in zip(*columns, strict=True)
    ]


def _targets(task: TaskSpec, items: Sequence[Item]) -> Any:
    """Label of each vector, (n, 1); of a span whether it is the first, the last, (n, 2)."""
    if task.kind == "classification":
        return np.array([[item.target] for item in items])
    if task.kind == "tagging":
        return np.array([[tag] for item in items for tag in item.target])
    places = [
        np.arange(len(item.rows if task.kind == "choice" else item.rows[0].positions))
        for item in items
    ]
    return np.concatenate(
        [
            place[:, None] == np.reshape(item.target, (1, -1))
            for place, item in zip(places, items, strict=True)
        ]
    ).astype(np.int64)
