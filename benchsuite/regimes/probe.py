"""Probe: a linear classifier on the states of a model that stays as it is.

Sources: Alain and Bengio 2017, "Understanding Intermediate Layers Using Linear Classifier Probes";
Tenney et al. 2019, "What Do You Learn from Context? Probing for Sentence Structure in
Contextualized Word Representations".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from benchsuite.regimes import support
from benchsuite.regimes.base import Options, read_options
from benchsuite.regimes.layers import check_layer
from benchsuite.regimes.reading import check_pooling, training_data
from benchsuite.regimes.thresholds import labelled
from benchsuite.training.settings import Precision, pass_precision, precision_facts

if TYPE_CHECKING:
    from torch import Tensor

    from benchsuite.cells import Cell, RegimeCall
    from benchsuite.models.registry import Model, ModelRef
    from benchsuite.tasks.task import SplitData, Task
    from benchsuite.training.probing import ProbePredictor


class ProbeOptions(Options):
    """Options of `probe`."""

    layer: int = Field(
        default=-1,
        description="layer whose states are read: 0 the token embeddings (static baseline), n the "
        "n-th block, -1 the last; an encoder-decoder's encoder's",
    )
    pooling: Literal["mean", "first", "last"] = Field(
        default="mean",
        description="mean over a sequence's tokens, or the state of its first ([CLS]) or last one",
    )
    precision: Precision = Field(
        default="auto",
        description="of all passes; auto: bfloat16 where the machine is faster in it",
    )


class Probe:
    """Fits a linear classifier on the model's states, and nothing else.

    Tokens for tagging (the first subword of each word, a decoder's last), rows for choices (the
    option that scores highest is taken), positions for spans (one classifier for the first, one
    for the last), whole sequences otherwise. Without training no position has learned to stand for
    a whole sequence, so that the mean over its tokens is the default of all families; a decoder of
    an encoder-decoder, whose first state could, is not used.
    """

    name: ClassVar[str] = "probe"
    version: ClassVar[int] = 4
    summary: ClassVar[str] = "linear classifier on hidden states"
    trains: ClassVar[str] = "a linear classifier"
    source: ClassVar[str] = "Alain and Bengio 2017; Tenney et al. 2019"
    options: ClassVar[type[Options]] = ProbeOptions
    positional: ClassVar[str | None] = None
    randomized: ClassVar[bool] = False
    prompted: ClassVar[bool] = False

    def reason_not_applicable(self, task: Task, family: str) -> str | None:
        """What the support table says."""
        return support.reason_not_applicable(self.name, task.spec, family)

    def check_model(self, call: RegimeCall, ref: ModelRef) -> None:
        """Raise InputError where the model's configuration says that it has no such layer."""
        check_layer(self, call, ref)

    def key_facts(self, cell: Cell, family: str) -> dict[str, Any]:
        """What else the answers depend on: whether `precision=auto` can mean bfloat16 here."""
        options: Any = read_options(self, cell.regime)
        return precision_facts(options.precision, cell.dtype, cell.device)

    def labels_used(self, task: Task, cell: Cell) -> int:
        """Labelled examples of the training slices."""
        return labelled(self.train_data(task, cell))

    def train_data(self, task: Task, cell: Cell) -> dict[str, SplitData]:
        """The training examples and the selection slice."""
        options: Any = read_options(self, cell.regime)
        check_pooling(task, options.pooling != ProbeOptions.model_fields["pooling"].default)
        return training_data(task, cell)

    def fit(self, model: Model, task: Task, cell: Cell, scratch: Path) -> ProbePredictor:
        """Fit the classifier, its penalty chosen on the selection slice."""
        data = self.train_data(task, cell)
        predictor = self._predictor(model, task, cell)
        predictor.fit(data["train"].examples, data["selection"].examples)
        return predictor

    def load(
        self, model: Model, task: Task, cell: Cell, state: dict[str, Tensor]
    ) -> ProbePredictor:
        """The predictor whose `state` this is.

        Raises CellFailed where the tensors are not a classifier's of this task and layer.
        """
        predictor = self._predictor(model, task, cell)
        predictor.load_state(state)
        return predictor

    def _predictor(self, model: Model, task: Task, cell: Cell) -> ProbePredictor:
        from benchsuite.training.features import FeatureReader
        from benchsuite.training.items import ItemMaker
        from benchsuite.training.probing import ProbePredictor
        from benchsuite.training.rows import Layout

        options: Any = read_options(self, cell.regime)
        layout = Layout(model)
        tokens = cell.batch_tokens
        reader = FeatureReader(
            model,
            task.spec.kind,
            options.layer,
            options.pooling,
            layout.pad,
            tokens,
            pass_precision(options.precision, cell.dtype, cell.device, tokens),
        )
        return ProbePredictor(task.spec, ItemMaker(task.spec, layout, options.pooling), reader)
