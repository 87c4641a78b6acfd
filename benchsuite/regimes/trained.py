"""What all regimes share that are trained by gradient descent: data, model, loop, artifact."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from benchsuite.cells import digest
from benchsuite.errors import InputError
from benchsuite.models.checkpoint import read_config, stated_window
from benchsuite.regimes import support
from benchsuite.regimes.base import Options, read_options
from benchsuite.regimes.reading import DEFAULT_POOLING, check_orders, check_pooling, training_data
from benchsuite.training.settings import (
    TrainingOptions,
    number_of_epochs,
    pass_precision,
    precision_facts,
)

if TYPE_CHECKING:
    from torch import Tensor

    from benchsuite.cells import Cell, RegimeCall
    from benchsuite.models.registry import Model, ModelRef
    from benchsuite.tasks.task import SplitData, Task
    from benchsuite.training.loop import Outcome, Progress
    from benchsuite.training.model import TaskModel
    from benchsuite.training.predictor import TrainedPredictor


class TrainedRegime(ABC):
    """A regime that trains a head, and of the backbone what `prepare` declares.

    default_lr: peak learning rate a family. told: hears how training goes.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 5
    summary: ClassVar[str]
    trains: ClassVar[str]
    source: ClassVar[str]
    options: ClassVar[type[Options]] = TrainingOptions
    positional: ClassVar[str | None] = None
    randomized: ClassVar[bool] = True
    prompted: ClassVar[bool] = False
    tunable: ClassVar[bool] = True
    # Dropout is drawn pass by pass.
    depends_on: ClassVar[tuple[str, ...]] = ("batch_tokens", "tune")
    default_lr: ClassVar[dict[str, float]]

    def __init__(self) -> None:
        self.told: Callable[[Progress], None] | None = None

    def check_model(self, call: RegimeCall, ref: ModelRef) -> None:
        """Raise InputError where the family writes no answers, or has no state to choose, and where
        the regime leaves nothing of the window that the model's configuration states."""
        read = read_options(self, call)
        options, reserved = read.model_dump(), self.reserved(read)
        window = stated_window(read_config(ref.path, ref.name))
        if window is not None and reserved >= window:
            raise InputError(
                f"regime '{self.name}': {reserved} virtual tokens leave no room for text in the "
                f"window of {ref.name}, {window} tokens"
            )
        text = options.get("head") == "text"
        if text and ref.family != "encoder-decoder":
            raise InputError(
                f"regime '{self.name}': head=text: {ref.name} is no encoder-decoder; leave it out"
            )
        if text and options.get("orders") is not None:
            raise InputError(
                f"regime '{self.name}': orders: with head=text the texts have names, not an order; "
                "leave it out"
            )
        if options["pooling"] is not None and ref.family == "encoder-decoder":
            reads = "no state" if text else f"the first state of {ref.name}'s decoder"
            raise InputError(f"regime '{self.name}': pooling: the head reads {reads}; leave it out")

    @abstractmethod
    def prepare(self, model: TaskModel, options: Any) -> None:
        """Ask for gradients of what the regime trains, adding modules where it has its own.

        The head asks for them already, nothing of the backbone does. Random numbers are drawn
        from torch's generator, which is seeded.
        """

    def finish(self, model: TaskModel) -> None:
        """Bring the trained model to the form it answers in (merged, averaged)."""
        del model

    def reserved(self, options: Any) -> int:
        """Positions of the window that the regime takes for itself."""
        del options
        return 0

    def groups(self, model: TaskModel, options: Any) -> list[dict[str, Any]]:
        """Parameter groups for AdamW; weight decay is not for biases, norms and other vectors."""
        trained = [p for p in model.parameters() if p.requires_grad]
        return [
            {"params": [p for p in trained if p.ndim >= 2], "weight_decay": options.decay},
            {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
        ]

    def reason_not_applicable(self, task: Task, family: str) -> str | None:
        """What the support table says."""
        return support.reason_not_applicable(self.name, task.spec, family)

    def key_facts(self, cell: Cell, family: str) -> dict[str, Any]:
        """What else the weights depend on.

        The default rate, where none is given, and whether `precision=auto` can mean bfloat16 here.
        """
        options: Any = read_options(self, cell.regime)
        facts: dict[str, Any] = {}
        if options.lr is None:
            facts["default_lr"] = self.default_lr[family]
        return facts | precision_facts(options.precision, cell.dtype, cell.device)

    def labels_used(self, task: Task, cell: Cell) -> int:
        """Labelled examples of the training slices."""
        return sum(
            one.target is not None
            for data in self.train_data(task, cell).values()
            for one in data.examples
        )

    def train_data(self, task: Task, cell: Cell) -> dict[str, SplitData]:
        """The training examples and the selection slice."""
        options: Any = read_options(self, cell.regime)
        check_pooling(task, options.pooling is not None)
        check_orders(task, options.orders is not None)
        return training_data(task, cell)

    def fit(self, model: Model, task: Task, cell: Cell, scratch: Path) -> TrainedPredictor:
        """Train, resuming from the checkpoint in `scratch` where there is one."""
        options: Any = read_options(self, cell.regime)
        data = self.train_data(task, cell)
        rate = self.default_lr[model.family] if options.lr is None else options.lr
        run = _Run(self, model, task, cell, options, data, self._run(model, cell, data))
        notes: dict[str, Any] = {}
        if cell.tune:
            rate, notes["tuning"] = run.tune(rate, scratch)
        predictor, trained, outcome = run.train(rate, scratch)
        predictor.freeze(trained)
        self.finish(predictor.model)
        predictor.notes = {**predictor.notes, **notes, "training_s": round(outcome.seconds, 6)}
        predictor.usage.tokens = 0
        predictor.seconds_earlier = run.earlier
        return predictor

    def clear(self, scratch: Path) -> None:
        """Forget the checkpoint in `scratch`: what was trained for is on record."""
        from benchsuite.training import checkpoint, tuning

        checkpoint.remove(scratch)
        tuning.remove(scratch)

    def load(
        self, model: Model, task: Task, cell: Cell, state: dict[str, Tensor]
    ) -> TrainedPredictor:
        """The predictor whose `state` this is.

        Raises CellFailed where the tensors are not those this cell trains.
        """
        import torch

        from benchsuite.errors import CellFailed
        from benchsuite.training.predictor import NO_ANSWER

        options: Any = read_options(self, cell.regime)
        predictor, trained = self._build(model, task, cell, options)
        tensors = dict(state)
        threshold = tensors.pop(NO_ANSWER, None)
        predictor.threshold = None if threshold is None else float(threshold)
        number = tensors.pop("number", None)
        known = dict(predictor.model.named_parameters())
        if {name: t.shape for name, t in tensors.items()} != {n: known[n].shape for n in trained}:
            raise CellFailed(f"the artifact is not one of {self.name} on {task.id}")
        with torch.no_grad():
            for name, tensor in tensors.items():
                known[name].copy_(tensor)
            if number is not None:
                predictor.model.number.copy_(number)
        predictor.freeze(trained)
        self.finish(predictor.model)
        return predictor

    def _build(
        self, model: Model, task: Task, cell: Cell, options: Any
    ) -> tuple[TrainedPredictor, list[str]]:
        """A fresh network with a head, prepared; and the names of what is trained."""
        import torch

        from benchsuite.models.checkpoint import UNTRAINED_SEED
        from benchsuite.models.loading import load_network
        from benchsuite.training.backbone import Backbone
        from benchsuite.training.items import ItemMaker
        from benchsuite.training.model import TaskModel
        from benchsuite.training.predictor import TrainedPredictor
        from benchsuite.training.rows import Layout
        from benchsuite.training.text import TextMaker, TextModel, TextPredictor

        # The loaded one stays as it is for other cells; weights are trained in full precision.
        network = load_network(
            model.ref.path,
            model.name,
            family=model.family,
            dtype="float32",
            device=cell.device,
            seed=UNTRAINED_SEED if model.ref.untrained else None,
        )
        network.requires_grad_(False)
        pooling = options.pooling or DEFAULT_POOLING[model.family]
        layout = Layout(model, self.reserved(options))
        text = options.head == "text"
        maker = (
            TextMaker(task.spec, layout)
            if text
            else ItemMaker(task.spec, layout, pooling, options.orders)
        )
        with torch.random.fork_rng():
            torch.manual_seed(cell.seed or 0)
            backbone = Backbone(network, model.family, task.spec.kind, text)
            task_model = (TextModel if text else TaskModel)(backbone, task.spec)
            self.prepare(task_model, options)
        task_model.to(cell.device)
        trained = [name for name, p in task_model.named_parameters() if p.requires_grad]
        predictor = (TextPredictor if text else TrainedPredictor)(
            task.spec, task_model, maker, cell.device, cell.batch_tokens, cell.dtype
        )
        return predictor, trained

    def _run(self, model: Model, cell: Cell, data: dict[str, SplitData]) -> str:
        """Names what a checkpoint belongs to."""
        return digest(
            {
                "cell": cell.model_dump(),
                "version": self.version,
                "weights": model.ref.weights_hash,
                "data": {name: one.hash for name, one in data.items()},
            }
        )


@dataclass(slots=True)
class _Run:
    """A cell in training, at whatever rate.

    name: of its checkpoints. earlier: seconds of training that killed processes left behind.
    """

    regime: TrainedRegime
    model: Model
    task: Task
    cell: Cell
    options: Any
    data: dict[str, SplitData]
    name: str
    earlier: float = 0.0

    def tune(self, default: float, scratch: Path) -> tuple[float, list[dict[str, Any]]]:
        """The best rate around the default on the selection slice, and the trials.

        Raises CellFailed where there is nothing to compare rates on.
        """
        from benchsuite.errors import CellFailed
        from benchsuite.training import tuning

        if not any(example.target is not None for example in self.data["selection"].examples):
            raise CellFailed(
                f"{self.task.id}: rates are compared on a selection slice, it has none"
            )

        done, self.earlier = tuning.load(scratch, self.name)
        begin = time.monotonic()

        def attempt(rate: float, share: float) -> tuple[float, float]:
            return self.train(rate, scratch, share)[2].best

        def note(trials: list[tuning.Trial]) -> None:
            spent = self.earlier + time.monotonic() - begin
            tuning.save(scratch, self.name, trials, spent)

        try:
            rate, trials = tuning.successive_halving(
                [factor * default for factor in tuning.FACTORS], attempt, done, note
            )
        except CellFailed:
            tuning.remove(scratch)  # the next run begins anew
            raise
        return rate, [asdict(trial) for trial in trials]

    def train(
        self, rate: float, scratch: Path, share: float = 1.0
    ) -> tuple[TrainedPredictor, list[str], Outcome]:
        """A trained predictor, the names of what was trained, and how it went.

        share: of the epochs; less than all is a trial, which is scored once, at its end.
        """
        from benchsuite.errors import CellFailed
        from benchsuite.training.loop import Plan, Trainer

        options, cell, spec = self.options, self.cell, self.task.spec
        predictor, trained = self.regime._build(self.model, self.task, cell, options)
        network, maker = predictor.model, predictor.maker
        examples = self.data["train"].examples
        items = [item for item in maker.make(examples) if _learnable(item)]
        if not items:
            raise CellFailed(
                f"{spec.id}: no training example has anything to learn (no answer is found in its "
                f"context, or no word fits the window)"
            )
        notes: dict[str, Any] = {"truncated_in_training": maker.counts.truncated}
        if spec.kind == "span" and options.head == "linear":
            notes["unreachable_answers"] = maker.counts.unreachable
        if spec.kind == "regression":
            network.fit_number([item.target for item in items])
        epochs = max(1, round(share * number_of_epochs(options, len(items))))
        steps = -(-len(items) // options.batch)
        tokens = sum(item.tokens for item in items) / steps
        precision = pass_precision(options.precision, cell.dtype, cell.device, tokens)
        unanswerable = any(example.target == () for example in examples)
        selection = predictor.selection(self.data["selection"].examples, unanswerable)
        plan = Plan(
            lr=rate,
            epochs=epochs,
            batch=options.batch,
            warmup=options.warmup,
            decay=options.decay,
            patience=options.patience,
            keep_best=(options.keep == "best" or share < 1) and bool(selection.examples),
            score_last=share < 1,
            seed=cell.seed or 0,
            run=digest({"run": self.name, "lr": rate, "epochs": epochs, "share": share}),
            precision=precision,
        )
        trainer = Trainer(
            network,
            items,
            self.regime.groups(network, options),
            plan,
            pad=maker.layout.pad,
            device=cell.device,
            batch_tokens=cell.batch_tokens,
            scratch=scratch,
            select=selection.score if selection.examples else None,
            told=self.regime.told,
        )
        outcome = trainer.run()
        self.earlier += outcome.earlier
        predictor.threshold = selection.choose_threshold()
        predictor.notes = {
            **notes,
            "lr": rate,
            "epochs": epochs,
            "epoch": outcome.epoch,
            "steps": outcome.steps,
            "selection": outcome.scores,
            "loss": [round(loss, 6) for loss in outcome.losses],
            "training_tokens": outcome.tokens,
            "pass_tokens": trainer.budget.tokens,
            "precision": precision,
        }
        return predictor, trained, outcome


def _learnable(item: Any) -> bool:
    """Whether an item has something to learn: a label, and words to put it on."""
    return item.target is not None and all(row.positions for row in item.rows)
