"""Embed: the cosine of pooled hidden states answers; no training, no prompt.

Sources: Reimers and Gurevych 2019, "Sentence-BERT" (pooling, STS without training); Ethayarajh
2019, "How Contextual are Contextualized Word Representations?" (the uncontextualized layer 0);
Su et al. 2021, "Whitening Sentence Representations for Better Semantics and Faster Retrieval" and
Gao et al. 2021, "SimCSE" (mean of the first and the last layer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from benchsuite.errors import NotApplicable
from benchsuite.regimes import support
from benchsuite.regimes.base import Options, Variant, read_options
from benchsuite.regimes.layers import Layer, check_layer
from benchsuite.regimes.thresholds import (
    by_threshold,
    choose_threshold,
    labelled,
    threshold_slice,
)
from benchsuite.regimes.zeroshot_methods import best_of
from benchsuite.scoring.types import Request, Usage
from benchsuite.tasks.example import Example, Prediction
from benchsuite.tasks.prompts import fit_to_window
from benchsuite.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from benchsuite.cells import Cell, RegimeCall
    from benchsuite.models.registry import Model, ModelRef
    from benchsuite.regimes.pooling import Embedder
    from benchsuite.tasks.task import SplitData, Task

CHUNK = 512
"""Examples between two reports of progress; texts are sorted by length within a chunk."""


class EmbedOptions(Options):
    """Options of `embed`."""

    layer: Layer = Field(
        default="first-last",
        description="the mean of the first and the last block's states; or one layer: 0 the token "
        "embeddings (static baseline), n the n-th block, -1 the last",
    )
    pooling: Literal["mean", "first", "last"] = Field(
        default="mean",
        description="mean over a text's own tokens, or the state of its first ([CLS]) or last one",
    )
    threshold: Literal["median", "tuned"] = Field(
        default="median",
        description="paraphrases: the median cosine of the unlabelled selection slice, or the "
        "threshold that is best on that slice's labels",
    )

    @field_validator("layer", mode="before")
    @classmethod
    def _is_layer(cls, value: object) -> object:
        if value == "first-last" or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise PydanticCustomError("layer", "write a layer's number or first-last")


class Embed:
    """Compares texts by the cosine of their vectors."""

    name: ClassVar[str] = "embed"
    version: ClassVar[int] = 1
    summary: ClassVar[str] = "cosine of pooled hidden states"
    trains: ClassVar[str] = "nothing"
    source: ClassVar[str] = "Reimers and Gurevych 2019; Su et al. 2021"
    options: ClassVar[type[Options]] = EmbedOptions
    positional: ClassVar[str | None] = None
    randomized: ClassVar[bool] = False

    def reason_not_applicable(self, task: Task, family: str) -> str | None:
        """What the support table says."""
        return support.reason_not_applicable(self.name, task.spec, family)

    def check_model(self, call: RegimeCall, ref: ModelRef) -> None:
        """Raise InputError where the model's configuration says that it has no such layer."""
        check_layer(self, call, ref)

    def labels_used(self, task: Task, cell: Cell) -> int:
        """0; with a tuned threshold, the labelled examples of the selection slice."""
        return labelled(self.train_data(task, cell)) if self._tunes(cell) else 0

    def train_data(self, task: Task, cell: Cell) -> dict[str, SplitData]:
        """The selection slice, where a threshold is needed.

        Raises NotApplicable where there is no threshold to tune or no training split, and
        DataUnavailable where that split is absent.
        """
        if task.spec.kind != "classification":
            if self._tunes(cell):
                raise NotApplicable(
                    f"threshold=tuned: {task.id} needs no threshold", "no threshold"
                )
            return {}
        return {"selection": threshold_slice(task)}

    def fit(self, model: Model, task: Task, cell: Cell, scratch: Path) -> EmbedPredictor:
        """Choose the threshold that paraphrases need, nothing else."""
        from benchsuite.regimes.pooling import Embedder

        options = read_options(self, cell.regime).model_dump()
        embedder = Embedder(model, options["layer"], options["pooling"], cell.batch_tokens)
        predictor = EmbedPredictor(task.spec, embedder)
        data = self.train_data(task, cell)
        if data:
            examples = data["selection"].examples
            values = predictor.similarities(examples)
            predictor.threshold = choose_threshold(
                task.spec, examples, values, tuned=options["threshold"] == "tuned"
            )
        return predictor

    def _tunes(self, cell: Cell) -> bool:
        return read_options(self, cell.regime).model_dump()["threshold"] == "tuned"


class EmbedPredictor:
    """An embedder with a task.

    threshold: cosine above which a pair is given label 1. progress: called with the number of
    examples that were done since the last call. usage: what the embedder has done so far.
    """

    def __init__(self, task: TaskSpec, embedder: Embedder) -> None:
        self.task = task
        self.embedder = embedder
        self.threshold: float | None = None
        self.progress: Callable[[int], None] | None = None
        self._truncated = 0

    @property
    def usage(self) -> Usage:
        """What the embedder has done so far."""
        return self.embedder.usage

    def state(self) -> dict[str, Any]:
        """Nothing is trained."""
        return {}

    def predict(self, examples: list[Example]) -> list[Variant]:
        """One variant, with a prediction an example, in the order given.

        A number is the cosine, mapped from [-1, 1] onto the task's range: correlations are not
        moved by that. A choice is the option nearest to context and question.
        Raises CellFailed on a state that is not finite.
        """
        self._truncated = 0
        predictions: list[Prediction] = []
        for start in range(0, len(examples), CHUNK):
            chunk = examples[start : start + CHUNK]
            predictions += self._choose(chunk) if self.task.kind == "choice" else self._judge(chunk)
            if self.progress is not None:
                self.progress(len(chunk))
        return [
            Variant(
                prompt="",
                score="cosine",
                norm="none",
                predictions=predictions,
                counts={"truncated": self._truncated},
                notes={} if self.threshold is None else {"threshold": self.threshold},
            )
        ]

    def similarities(self, examples: Sequence[Example]) -> list[float]:
        """Cosine of the two texts of each example."""
        found: list[float] = []
        for start in range(0, len(examples), CHUNK):
            pairs = [self._pair(example) for example in examples[start : start + CHUNK]]
            found += self._cosines([left for left, _ in pairs], [right for _, right in pairs])
        return found

    def _judge(self, examples: Sequence[Example]) -> list[Prediction]:
        """Predictions for pairs of texts."""
        values = self.similarities(examples)
        if self.threshold is not None:
            return [by_threshold(value, self.threshold) for value in values]
        low, high = self.task.range or (-1.0, 1.0)
        return [Prediction(low + (high - low) * (1 + value) / 2) for value in values]

    def _choose(self, examples: Sequence[Example]) -> list[Prediction]:
        """The nearest option, exactly equal ones tied."""
        lefts: list[str] = []
        rights: list[str] = []
        for example in examples:
            asked, options = self._asked(example)
            lefts += [asked] * len(options)
            rights += options
        values = iter(self._cosines(lefts, rights))
        return [best_of([next(values) for _ in one.fields["options"]]) for one in examples]

    def _cosines(self, lefts: Sequence[str], rights: Sequence[str]) -> list[float]:
        from benchsuite.regimes.pooling import cosines

        vectors = self.embedder.embed([*lefts, *rights])
        found: list[float] = cosines(vectors[: len(lefts)], vectors[len(lefts) :]).tolist()
        return found

    def _pair(self, example: Example) -> tuple[str, str]:
        """The two texts, each shortened on its own where it exceeds the window."""
        keep = self.task.truncation.keep if self.task.truncation else "start"
        whole = [example.fields["text"], example.fields["text_pair"]]
        left, right = self._shortened(whole, keep)
        self._truncated += [left, right] != whole
        return left, right

    def _asked(self, example: Example) -> tuple[str, list[str]]:
        """Context and question as one text, and the options, all of them within the window."""
        requests, shortened = fit_to_window(
            example.fields,
            lambda values: [Request(_joined(values.get("context", ""), values["question"]), ())],
            self.task.truncation,
            self.embedder,
        )
        whole = list(example.fields["options"])
        options = self._shortened(whole, "start")
        self._truncated += shortened or options != whole
        return requests[0].context, options

    def _shortened(self, texts: Sequence[str], keep: str) -> list[str]:
        room = self.embedder.max_length
        # No token is shorter than a byte.
        return [
            text if len(text.encode()) <= room else self.embedder.shorten(text, room, keep)
            for text in texts
        ]


def _joined(context: str, question: str) -> str:
    return f"{context.rstrip()} {question.lstrip()}".strip()
