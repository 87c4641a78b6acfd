"""The loop: epochs of length-bucketed batches, early stopping, resuming."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchsuite.errors import CellFailed, Diverged
from benchsuite.scoring.budget import Budget, as_out_of_memory
from benchsuite.training import checkpoint
from benchsuite.training.attention import Attention
from benchsuite.training.batches import collate, epoch_order, longest_row, split_by_tokens
from benchsuite.training.items import Item
from benchsuite.training.model import TaskModel

CLIP = 1.0  # largest norm of the gradient
BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-8


@dataclass(frozen=True, slots=True)
class Plan:
    """How one run is trained.

    lr: peak; batch: items a step; warmup: share of the steps; patience: epochs without a better
    one; keep_best: whether the best epoch's weights are taken in the end; score_last: whether the
    last epoch alone is scored, for a run that is compared with others and then forgotten. run:
    names the run in its checkpoint. precision: `float32`, or `bfloat16` for autocast.
    """

    lr: float
    epochs: int
    batch: int
    warmup: float
    decay: float
    patience: int
    keep_best: bool
    seed: int
    run: str
    precision: str = "float32"
    score_last: bool = False


@dataclass(slots=True)
class Progress:
    """How far a run is: told after every step. loss: mean of the step's items."""

    step: int
    steps: int
    epoch: int
    loss: float


@dataclass(slots=True)
class Outcome:
    """What a run gave.

    scores: one an epoch, on the selection slice (None where it was not scored). epoch: the one
    whose weights were kept, from 1; best: all that the slice said of it. losses: mean training
    loss of each epoch. seconds: of the run, `earlier` of them in
    processes that were killed, up to their last checkpoints.
    """

    scores: list[float | None] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    epoch: int = 0
    best: tuple[float, float] = (-math.inf, -math.inf)
    steps: int = 0
    seconds: float = 0.0
    earlier: float = 0.0
    tokens: int = 0


@dataclass(slots=True)
class _State:
    epoch: int = 0
    at: int = 0  # batches of this epoch that are done
    epoch_loss: float = 0.0
    epoch_weight: int = 0
    best: tuple[float, float] = (-math.inf, -math.inf)
    stale: int = 0
    outcome: Outcome = field(default_factory=Outcome)


class Trainer:
    """Trains what of a model asks for gradients.

    groups: parameter groups for AdamW; `lr_scale` of a group multiplies the plan's rate.
    select: scores the model as it is on the selection slice, (metric, minus loss); None where
    there is none, and the last epoch is kept. batch_tokens: of one pass, padding counted; a step
    takes several passes where it exceeds them. told: hears of every step.
    """

    def __init__(
        self,
        model: TaskModel,
        items: Sequence[Item],
        groups: list[dict[str, Any]],
        plan: Plan,
        *,
        pad: int,
        device: str,
        batch_tokens: int,
        scratch: Path,
        select: Callable[[], tuple[float, float]] | None = None,
        told: Callable[[Progress], None] | None = None,
    ) -> None:
        self.model = model
        self.items = items
        self.plan = plan
        self.pad = pad
        self.device = device
        self.scratch = scratch
        self.select = select
        self.told = told
        self.budget = Budget(batch_tokens, device, None)
        self.half = plan.precision == "bfloat16"
        self.attention = Attention(model, worthwhile=device == "cpu" and self.half)
        self.lengths = [longest_row(item) for item in items]
        self.steps_an_epoch = -(-len(items) // plan.batch)
        self.steps = plan.epochs * self.steps_an_epoch
        # A run of one step has no warm-up, or nothing would be trained.
        self.rise = min(math.ceil(plan.warmup * self.steps), self.steps - 1)
        self.trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            groups,
            lr=plan.lr,
            betas=BETAS,
            eps=ADAM_EPSILON,
            fused=True,
        )
        for group in self.optimizer.param_groups:
            group["peak"] = plan.lr * group.pop("lr_scale", 1.0)
        self.state = _State()
        self.best: dict[str, Tensor] = {}
        self.begun = self.saved = 0.0  # when time was last counted, and a checkpoint last written

    def run(self) -> Outcome:
        """Train, from the checkpoint in `scratch` where there is one of this run.

        The random state of the caller is left as it was. Raises CellFailed on a loss that is not
        finite and where one item, or the optimizer's state, does not fit the memory.
        """
        devices = [torch.cuda.current_device()] if self.device == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(self.plan.seed)
            self._resume()
            self.begun = self.saved = time.monotonic()
            while self.state.epoch < self.plan.epochs and not self._stale():
                order = epoch_order(self.lengths, self.plan.batch, self.plan.seed, self.state.epoch)
                self.model.train()
                for numbers in order[self.state.at :]:
                    self._step(numbers)
                    self._save_where_due()
                self.attention.fuse()
                self._end_epoch()
                self._save_where_due()  # scoring the selection slice can take long, too
            self._count_time()
            if self.state.outcome.seconds >= checkpoint.INTERVAL:
                self._save()  # what follows, the evaluation, can be interrupted too
        if self.best:
            self._put(self.best)
        self.model.eval()
        self.state.outcome.best = self.state.best
        return self.state.outcome

    def _save_where_due(self) -> None:
        if time.monotonic() - self.saved >= checkpoint.INTERVAL:
            self._count_time()
            self.saved = self.begun
            self._save()

    def _count_time(self) -> None:
        """Add what has passed since it was last counted."""
        now = time.monotonic()
        self.state.outcome.seconds += now - self.begun
        self.begun = now

    def _stale(self) -> bool:
        """Whether to stop early: epochs of the warm-up are none that count."""
        return self.plan.keep_best and self.state.stale >= self.plan.patience

    def _step(self, numbers: list[int]) -> None:
        """One optimizer step over the items of these numbers."""
        state = self.state
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * self._rate(state.outcome.steps)
        generators = self._generators()
        while True:
            try:
                with as_out_of_memory():
                    loss, weight, tokens = self._gradients(numbers)
                break
            except torch.OutOfMemoryError:
                # The step begins again in smaller passes; its effective batch stays.
                self.optimizer.zero_grad()
                self._set_generators(*generators)
                parts = split_by_tokens(self.items, numbers, self.budget.tokens)
                largest = max(len(part) for part in parts)
                self.budget.lower(largest, min(self.budget.tokens, self._tokens(numbers)))
        if not math.isfinite(loss):
            raise self._diverged("the training loss")
        norm = nn.utils.clip_grad_norm_([parameter for _, parameter in self.trained], CLIP)
        if not math.isfinite(float(norm)):
            raise self._diverged("a gradient")
        try:
            with as_out_of_memory():
                self.optimizer.step()
        except torch.OutOfMemoryError:
            # Smaller passes do not help: what has no room has the size of what is trained.
            count = sum(parameter.numel() for _, parameter in self.trained)
            raise CellFailed(
                f"no memory for the optimizer's state, two numbers for each of {count:,} trained "
                "parameters; train fewer of them (lora, bitfit) or use another --device"
            ) from None
        self.optimizer.zero_grad()
        state.at += 1
        state.epoch_loss += loss
        state.epoch_weight += weight
        state.outcome.steps += 1
        state.outcome.tokens += tokens
        if self.told is not None:
            self.told(
                Progress(state.outcome.steps, self.steps, state.epoch + 1, loss / max(weight, 1))
            )

    def _diverged(self, what: str) -> Diverged:
        """The failure of a run whose numbers left the finite, with what to try."""
        finer = " or float32 (precision=float32, --dtype float32)" if self.half else ""
        return Diverged(
            f"{what} is not finite at step {self.state.outcome.steps + 1}; try a lower learning "
            f"rate (lr={self.plan.lr / 10:g}){finer}"
        )

    def _tokens(self, numbers: list[int]) -> int:
        """Tokens of items as one batch, padding counted."""
        rows = sum(len(self.items[number].rows) for number in numbers)
        return rows * max(self.lengths[number] for number in numbers)

    def _gradients(self, numbers: list[int]) -> tuple[float, int, int]:
        """Add up the gradients of a step's mean loss; returns the sum, what it is over, tokens."""
        parts = [
            collate([self.items[n] for n in part], self.pad, self.device, part, "train")
            for part in split_by_tokens(self.items, numbers, self.budget.tokens)
        ]
        weight = sum(self.model.weight(part) for part in parts)
        # For the language model each token counts alike, whichever pass it is in.
        following = (
            sum(int(part.mask[:, 1:].sum()) for part in parts) if self.model.lm_weight else 0
        )
        total = torch.zeros((), device=self.device)
        for part in parts:
            self.attention.suit(part.ids.shape[1])
            with torch.autocast(self.device, torch.bfloat16, enabled=self.half):
                logits = self.model(part)
            loss = self.model.loss(logits, part)
            total += loss.detach()
            if self.model.language_loss is not None:
                beside = self.model.lm_weight * self.model.language_loss
                loss = loss + beside * weight / max(following, 1)
            (loss / max(weight, 1)).backward()
        return float(total), weight, sum(int(part.mask.sum()) for part in parts)

    def _rate(self, step: int) -> float:
        """Share of the peak rate: a linear rise from 0, then a linear fall to 0.

        Step by step transformers' linear schedule, so that runs can be compared.
        """
        if step < self.rise:
            return step / self.rise
        return (self.steps - step) / (self.steps - self.rise)

    def _end_epoch(self) -> None:
        """Score the epoch, keep its weights where they are the best so far."""
        state = self.state
        state.epoch += 1
        state.at = 0
        state.outcome.losses.append(state.epoch_loss / max(state.epoch_weight, 1))
        state.epoch_loss, state.epoch_weight = 0.0, 0
        score = None
        scored = not self.plan.score_last or state.epoch == self.plan.epochs
        if self.select is not None and self.plan.keep_best and scored:
            self.model.eval()
            if not all(bool(torch.isfinite(p).all()) for _, p in self.trained):
                raise self._diverged("a weight")
            score = self.select()
            # The step after the rise is the first at the peak: an epoch that ends with the rise, as
            # a tenth of ten epochs does, is all warm-up.
            warm = state.outcome.steps > self.rise
            if not warm or score > state.best:
                # What a rising rate gave is a beginning, not a result: the next epoch replaces it.
                state.best, state.stale = (score if warm else (-math.inf, -math.inf)), 0
                state.outcome.epoch = state.epoch
                self.best = {name: p.detach().clone() for name, p in self.trained}
            else:
                state.stale += 1
        else:
            state.outcome.epoch = state.epoch
        known = score is not None and math.isfinite(score[0])
        state.outcome.scores.append(score[0] if score is not None and known else None)

    def _generators(self) -> tuple[Tensor, Tensor]:
        """States of the processor's generator, and of the GPU's (empty without one)."""
        cuda = torch.cuda.get_rng_state() if self.device == "cuda" else torch.empty(0)
        return torch.get_rng_state(), cuda

    def _set_generators(self, cpu: Tensor, cuda: Tensor) -> None:
        torch.set_rng_state(cpu)
        if self.device == "cuda":
            torch.cuda.set_rng_state(cuda)

    def _put(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.trained:
                parameter.copy_(tensors[name])

    def _save(self) -> None:
        state, outcome = self.state, self.state.outcome
        checkpoint.save(
            self.scratch,
            {
                "run": self.plan.run,
                "weights": {name: p.detach() for name, p in self.trained},
                "best": self.best,
                "optimizer": self.optimizer.state_dict(),
                "generators": self._generators(),
                "tokens": self.budget.tokens,
                "state": [state.epoch, state.at, state.epoch_loss, state.epoch_weight, state.stale],
                "best_score": list(state.best),
                "outcome": [outcome.scores, outcome.losses, outcome.epoch, outcome.steps],
                "spent": [outcome.seconds, outcome.tokens],
            },
        )

    def _resume(self) -> None:
        found = checkpoint.load(self.scratch, self.plan.run)
        if found is None:
            return
        self._put(found["weights"])
        self.best = {name: tensor.to(self.device) for name, tensor in found["best"].items()}
        self.optimizer.load_state_dict(found["optimizer"])
        self._set_generators(*found["generators"])
        self.budget.tokens = found["tokens"]
        state = self.state
        state.epoch, state.at, state.epoch_loss, state.epoch_weight, state.stale = found["state"]
        state.best = (found["best_score"][0], found["best_score"][1])
        outcome = state.outcome
        outcome.scores, outcome.losses, outcome.epoch, outcome.steps = found["outcome"]
        outcome.seconds, outcome.tokens = found["spent"]
        outcome.earlier = outcome.seconds
