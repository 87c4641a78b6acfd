"""The pretraining loop: budget, packed rows, optimizer steps, log, checkpoints, exact resume."""

import contextlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchsuite.errors import BenchsuiteError, InputError
from benchsuite.pretrain.card import describe_hardware, write_card
from benchsuite.pretrain.checkpoint import read_checkpoint, write_checkpoint
from benchsuite.pretrain.compiling import PLAIN_ATTENTION, compiled
from benchsuite.pretrain.data import Rows
from benchsuite.pretrain.folder import alone_in, clear, make_folder
from benchsuite.pretrain.log import append_to_log, read_log, steps_of, write_log
from benchsuite.pretrain.model import (
    FAMILIES,
    build_model,
    parameter_counts,
    save_folder,
    weights_by_part,
)
from benchsuite.pretrain.objectives.base import Vocabulary
from benchsuite.pretrain.optim import make_optimizers, rate_factor, set_rates
from benchsuite.pretrain.progress import (
    State,
    is_snapshot,
    phase_at,
    progress_line,
    progress_of,
)
from benchsuite.pretrain.recipe import Budget, Recipe
from benchsuite.pretrain.shards import check_shards, digest_of, read_meta, read_shards
from benchsuite.pretrain.texts import holds, of_all_recipes, texts_of, tokens_by_source
from benchsuite.pretrain.tokenizer import kind_and_size, load_tokenizer

PROGRESS_SECONDS = 10.0
# settings of a recipe that a run may go on with when they have changed
_FREE: dict[str, bool] = {
    "budget": True,
    "checkpoint_minutes": True,
    "validation_tokens": True,
    "corpus": True,  # what is read is the shards', whose hash is compared
}
# keeps a row's shift apart from what else is drawn by its key
SHIFT = 1


class TrainingDiverged(BenchsuiteError):
    """The loss is no longer a number; the last checkpoint is from before."""


class Trainer:
    """One run of a recipe over given shards."""

    def __init__(
        self, recipe: Recipe, shards: Path, out: Path, echo: Callable[[str], None] = print
    ) -> None:
        self.recipe, self.shards, self.out, self.echo = recipe, shards, out, echo
        self.meta = read_meta(shards)
        self.train = Rows(read_shards(shards, "train"), recipe.seed)
        self.validation = Rows(read_shards(shards, "validation"), recipe.seed, "validation")
        self.objective = recipe.make_objective()
        self.tokenizer = load_tokenizer(shards / "tokenizer")
        self.vocabulary = Vocabulary.of(self.tokenizer)
        for phase in recipe.lengths:
            self.train.require(self.objective.window(phase.length))
            self.validation.require(self.objective.window(phase.length))
        for rows in (self.train, self.validation):
            check_shards(rows.tokens, shards, rows.name, self.vocabulary.size)
        self.digest = digest_of(shards, self.train.tokens, self.validation.tokens)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(recipe.seed)
        self.model = build_model(recipe.architecture, self.vocabulary, self.objective)
        self.model.to(self.device)
        self.optimizers = make_optimizers(self.model, recipe.optimizer)
        self.state = State()
        self.hardware = describe_hardware()
        self.loss = self.objective.loss
        if recipe.compile:
            self.loss = compiled(self.objective.loss, self.device)
        self.checkpoint = out / "checkpoint.pt"
        self.log = out / "log.jsonl"

    def run(self) -> Path:
        """Train until the budget is used up, then write `out/model`."""
        make_folder(self.out)
        with alone_in(self.out):
            if self._resume():
                self.echo(f"{self.out / 'model'}: finished before, {self.state.tokens:,} tokens")
            else:
                self._train()
        return self.out / "model"

    def _train(self) -> None:
        saved = printed = time.monotonic()
        started = replace(self.state)
        while (progress := progress_of(self.state, self.recipe.budget)) < 1:
            entry = self.step(progress)
            now = time.monotonic()
            if now - saved > 60 * self.recipe.checkpoint_minutes:
                entry["validation_loss"] = self.evaluate()
            if is_snapshot(self.state.step):
                self.save(self.out / f"step-{self.state.step}")
            append_to_log(self.log, entry)
            if "validation_loss" in entry:
                self._save_checkpoint()
                saved = now
            if progress < self._decay_start() <= progress_of(self.state, self.recipe.budget):
                self._save_checkpoint(self.out / "before_decay.pt")
            if now - printed > PROGRESS_SECONDS:
                self.echo(progress_line(entry, self.state, started, self.recipe.budget))
                printed = now
        losses = {
            f"validation_loss_{length}": self.evaluate(length)
            for length in dict.fromkeys(phase.length for phase in self.recipe.lengths)
        }
        append_to_log(self.log, {"step": self.state.step, "tokens": self.state.tokens, **losses})
        self._save_checkpoint()
        self.save(self.out / "model")
        write_card(self.out / "model", self.log)
        shown = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
        self.echo(f"{self.out / 'model'}: {self.state.tokens:,} tokens, {shown}")

    def step(self, progress: float) -> dict:
        """One optimizer step; returns its log entry."""
        start = time.monotonic()
        recipe, state = self.recipe, self.state
        phase = phase_at(progress, recipe)
        length = phase.length
        for_cpu = recipe.compile and self.device.type == "cpu"
        plain = for_cpu and length <= PLAIN_ATTENTION[recipe.precision]
        self.model.set_attn_implementation("eager" if plain else "sdpa")
        factor = rate_factor(progress, recipe.schedule)
        set_rates(self.optimizers, factor)
        rows = recipe.batch_tokens // length // recipe.accumulation
        self.model.train()
        total = 0.0
        before = state.rows().get(length, 0)
        for part in range(recipe.accumulation):
            first = before + part * rows
            batch = self._batch(self.train, length, first, rows, phase.shifted)
            with self._autocast():
                loss = self.loss(self.model, batch) / recipe.accumulation
            loss.backward()
            total += loss.item()
        _require_finite(f"loss is {total} at step {state.step + 1}", total)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip).item()
        # before the step: a model whose weights are no numbers would be kept as `step-<n>`
        _require_finite(f"the gradient's norm is {norm} at step {state.step + 1}", norm)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        seconds = time.monotonic() - start
        state.step += 1
        read = rows * recipe.accumulation
        tokens = read * self.objective.window(length)
        state.read(phase, read, tokens)
        state.spend(seconds, self.hardware)
        return {
            "step": state.step,
            "tokens": state.tokens,
            "loss": total,
            "lr": recipe.optimizer.lr * factor,
            "length": length,
            "tokens_per_second": tokens / seconds,
            "seconds": state.seconds,
        }

    @torch.no_grad()
    def evaluate(self, length: int | None = None) -> float:
        """Mean loss in nats a target on the held-out slice, at the first phase's length.

        Rows are masked alike each time, for the mask depends on the row's number.
        """
        start = time.monotonic()
        length = length or self.recipe.lengths[0].length
        available = self.validation.count(self.objective.window(length))
        rows = min(self.recipe.validation_tokens // length, available) or 1
        self.model.eval()
        self.model.set_attn_implementation("sdpa")
        size = max(1, 4096 // length)
        losses = []
        for first in range(0, rows, size):
            count = min(size, rows - first)
            batch = self._batch(self.validation, length, first, count)
            with self._autocast():
                losses.append(self.objective.loss(self.model, batch).item() * count)
        self.state.spend(time.monotonic() - start, self.hardware)
        mean = sum(losses) / rows
        # before a checkpoint is replaced: a step's loss does not show what the step did
        _require_finite(f"validation loss is {mean} after step {self.state.step}", mean)
        return mean

    def _batch(
        self, source: Rows, length: int, first: int, rows: int, shifted: bool = False
    ) -> dict[str, torch.Tensor]:
        """Model inputs of `rows` rows; a row's number seeds what is random about it.

        Shifted ones come with `position_ids` (rows, length).
        """
        windows = source.batch(self.objective.window(length), first, rows)
        stream = int(source is self.validation)
        keys = [(self.recipe.seed, stream, length, number) for number in range(first, first + rows)]
        batch = self.objective.collate(windows, self.vocabulary, keys)
        if shifted:
            free = self.recipe.architecture.positions - length
            starts = [int(np.random.default_rng([*key, SHIFT]).integers(free + 1)) for key in keys]
            batch["position_ids"] = torch.tensor(starts)[:, None] + torch.arange(length)
        return {name: tensor.to(self.device) for name, tensor in batch.items()}

    def save(self, folder: Path) -> None:
        """Write the model as it is to a Hugging Face folder."""
        save_folder(self.model, self.shards / "tokenizer", folder, self.metadata())

    def metadata(self) -> dict:
        """What records and the model card need to know of this run."""
        texts = self._texts()
        recipe = self.recipe.model_dump()
        return {
            "family": FAMILIES[self.recipe.architecture.type],
            "objective": self.recipe.objective,
            "objective_description": self.objective.describe(),
            **self._per_token(),
            "tokens": self.state.tokens,
            "steps": self.state.step,
            "shards": self.digest,
            "distinct_tokens": sum(text["distinct_tokens"] for text in texts),
            "texts": texts,
            "sources": tokens_by_source(texts),
            "tokenizer": kind_and_size(self.tokenizer),
            "seen_in_pretraining": of_all_recipes(
                {"texts": texts, "recipe": recipe}, "seen_in_pretraining"
            ),
            "decontaminated": all(text["corpus"]["decontaminated"] for text in texts),
            "parameters": parameter_counts(self.model),
            "hours": self.state.seconds / 3600,
            "hardware": self.state.machines() or self.hardware,
            "recipe": recipe,
        }

    def _texts(self) -> list[dict[str, Any]]:
        """What was read of each text, the one at hand last."""
        phases = self.state.phases
        here = {
            "shards": self.digest,
            "tokens": sum(phase["tokens"] for phase in phases),
            "distinct_tokens": self.train.distinct(
                {self.objective.window(n): rows for n, rows in self.state.rows().items()}
            ),
            "phases": phases,
            "corpus": self.meta,
        }
        return [*self.state.earlier, here]

    def _per_token(self) -> dict[str, float]:
        """Loss positions and training FLOPs a raw token, averaged over the rows read.

        FLOPs are 6 N a position (Kaplan et al. 2020), N being the weights applied there;
        attention's own products are left out.
        """
        weights = weights_by_part(self.model)
        tokens = targets = flops = 0
        for phase in self.state.all_phases():
            length, rows = phase["length"], phase["rows"]
            positions = self.objective.positions(length)
            tokens += phase["tokens"]
            targets += rows * self.objective.targets(length)
            flops += rows * sum(6 * weights[part] * count for part, count in positions.items())
        return {
            "loss_positions_per_token": targets / max(tokens, 1),
            "flops_per_token": flops / max(tokens, 1),
        }

    def _autocast(self) -> contextlib.AbstractContextManager:
        if self.recipe.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def _settings(self) -> dict:
        """What of the recipe makes another run of it; another budget refits the schedules."""
        return json.loads(self.recipe.model_dump_json(exclude=_FREE))

    def _decay_start(self) -> float:
        """The share of the budget up to which the rate is the peak's."""
        return 1 - self.recipe.schedule.decay if self.recipe.schedule.decay else 0.0

    def _save_checkpoint(self, target: Path | None = None) -> None:
        content = {
            "recipe": self._settings(),
            "budget": self.recipe.budget.model_dump(),
            "shards": self.digest,
            "state": asdict(self.state),
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "generator": torch.get_rng_state(),
        }
        if self.device.type == "cuda":  # dropout's there
            content["cuda_generator"] = torch.cuda.get_rng_state()
        write_checkpoint(target or self.checkpoint, content)

    def _resume(self) -> bool:
        """Load the checkpoint when there is one, and cut the log back to its step.

        Returns whether the run is finished, its model and card written.
        """
        if not self.checkpoint.is_file():
            clear(self.out)
            return False
        content = read_checkpoint(self.checkpoint)
        other_text = content["shards"] != self.digest
        before, now = _filled(content["recipe"]), self._settings()
        if other_text:  # its rows may be of other lengths
            before["lengths"] = now["lengths"]
        if before != now:
            raise InputError(f"{self.out} holds a run of another recipe; give another --out")
        try:
            self.state = State(**content["state"])
        except TypeError as error:
            raise InputError(
                f"{self.checkpoint} is of an earlier version; delete it to start the run again, "
                f"or give another --out"
            ) from error
        budget = self.recipe.budget
        if other_text:
            self._turn_to_other_text(content)
        used_up = progress_of(self.state, budget) >= 1
        if used_up and content["budget"] != budget.model_dump():
            raise InputError(
                f"{self.out} holds a run of {self.state.tokens:,} tokens, "
                f"{self.state.seconds / 60:.1f} minutes: the budget is used up already; give a "
                f"larger one, or another --out"
            )
        entries = read_log(self.log)
        # steps after the checkpoint, and the closing entry of a finished run, are written again
        steps = steps_of(entries, self.state.step, self.log)
        if used_up and "loss" not in entries[-1] and holds(self.out / "model", self.state.tokens):
            write_log(self.log, entries)
            return True
        self.model.load_state_dict(content["model"])
        for optimizer, saved in zip(self.optimizers, content["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        torch.set_rng_state(content["generator"])
        if self.device.type == "cuda" and "cuda_generator" in content:
            torch.cuda.set_rng_state(content["cuda_generator"])
        write_log(self.log, steps)
        self.echo(f"resuming at step {self.state.step}, {self.state.tokens:,} tokens")
        return False

    def _turn_to_other_text(self, content: dict[str, Any]) -> None:
        """Let a finished run go on with other shards, where the budget has become larger."""
        finished = progress_of(self.state, Budget(**content["budget"])) >= 1
        if not finished or progress_of(self.state, self.recipe.budget) >= 1:
            raise InputError(
                f"{self.out} holds a run on other shards; give another --out, or to a finished run "
                f"a larger budget, to go on with these"
            )
        model, kept = self.out / "model", self.out / f"step-{self.state.step}"
        texts = texts_of(model, content["shards"], self.state.tokens)
        if load_tokenizer(model).get_vocab() != self.tokenizer.get_vocab():
            raise InputError(f"{self.shards} has another tokenizer than the run in {self.out}")
        if not kept.is_dir():  # the model of the first text, a point of its scaling curve
            copy = self.out / f".{kept.name}.tmp"
            shutil.copytree(model, copy, dirs_exist_ok=True)
            copy.rename(kept)
        self.state.turn_to_other_text(texts)
        self.echo(f"going on with other text after {self.state.tokens:,} tokens")


def _require_finite(what: str, loss: float) -> None:
    if not np.isfinite(loss):
        raise TrainingDiverged(
            f"{what}; lower optimizer.lr in the recipe and start again in an empty folder"
        )


def _filled(settings: dict) -> dict:
    """A checkpoint's recipe with defaults for keys that are newer than the checkpoint."""
    recipe = Recipe.model_validate({**settings, "budget": {"tokens": 1}})
    return json.loads(recipe.model_dump_json(exclude=_FREE))
