"""Time a pretraining step against transformers' eager one; one JSON line a model and row length.

    python -m tests.benchmarks.pretraining [RECIPE ...] [--length N] [--steps N] [--profile]

Ours is `Trainer.step` of a recipe (by default the bundled three), as `bench pretrain` runs it:
rows, forward, backward, clipping and optimizers, compiled where the recipe says so. The peer is
what a user writes with transformers: the same weights, rows, clipping and optimizers,
`model(..., labels=labels).loss`, not compiled, logits at every position; its rows are ready before
its clock starts. It computes in bfloat16, and once more in float32 where the recipe does: on a
processor whose bfloat16 is no gain the second is the peer to beat. Ours, the peers' and
2048 x 2048 matrix products come in turn, and medians are compared, so that what else the machine
does falls on all; run it on an idle machine all the same: the load is part of each line. The first
losses show that all do the same.
Rows are random tokens: speed does not depend on which they are.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile, record_function

from benchsuite.paths import baselines_root
from benchsuite.pretrain.loop import Trainer
from benchsuite.pretrain.model import build_model
from benchsuite.pretrain.optim import make_optimizers, rate_factor, set_rates
from benchsuite.pretrain.recipe import Budget, Length, Recipe, load_recipe
from benchsuite.pretrain.shards import META, tokenizer_hash, write_shards
from benchsuite.pretrain.tokenizer import load_tokenizer
from tests.benchmarks.machine import bfloat16_instructions, counted_flops, load

MODELS = ("gpt", "bert", "t5")
LENGTHS = (256, 1024)
SIZE = 2048
ROWS = "rows of a batch"
# a share of the budget within the warm-up: fresh weights stay finite
PROGRESS = 0.01
TOKENS = 400_000
# parts of a step by the names that the profiler gives what they run in; the first that fits
PARTS = {
    "rows": ROWS,
    "optimizers": "Optimizer.step",
    "backward": "autograd::engine",
    "forward": "Compiled",
}


def main() -> None:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    bundled = [baselines_root() / "recipes" / f"{name}.yaml" for name in MODELS]
    parser.add_argument("recipes", nargs="*", type=Path, default=bundled)
    parser.add_argument("--length", action="append", type=int, help="positions of a row")
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each side")
    parser.add_argument("--profile", action="store_true", help="where our time goes, not the peer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shards = random_shards(Path(folder))
        for recipe in arguments.recipes:
            for length in arguments.length or LENGTHS:
                torch.compiler.reset()
                trainer = Trainer(at_length(recipe, length), shards, Path(folder))
                if arguments.profile:
                    show_profile(trainer, arguments.steps)
                else:
                    print(json.dumps(compare(trainer, arguments.steps)), flush=True)


def random_shards(folder: Path) -> Path:
    """Shards of random ordinary tokens of the in-repo vocabulary."""
    tokenizer = load_tokenizer(baselines_root() / "models" / "gpt")
    tokenizer.save_pretrained(folder / "tokenizer")
    ordinary = sorted(set(range(len(tokenizer))) - set(tokenizer.added_tokens_decoder))
    draw = np.random.default_rng(0)
    meta: dict[str, Any] = {
        "decontaminated": False,
        "sources": {},
        "tokenizer_hash": tokenizer_hash(folder),
    }
    for split in ("train", "validation"):
        meta[f"{split}_tokens"] = write_shards([draw.choice(ordinary, TOKENS)], folder, split)
    (folder / META).write_text(json.dumps(meta))
    return folder


def at_length(path: Path, length: int) -> Recipe:
    """A recipe with rows of one length."""
    recipe = load_recipe(path)
    lengths = [Length(length=length, share=1)]
    return recipe.model_copy(update={"lengths": lengths, "budget": Budget(tokens=10**12)})


def compare(trainer: Trainer, steps: int) -> dict[str, Any]:
    """The line of one model and length."""
    recipe = trainer.recipe
    length = recipe.lengths[0].length
    rows = recipe.batch_tokens // length
    tokens = rows * trainer.objective.window(length)
    peers = {name: Peer(trainer, name) for name in dict.fromkeys(("bfloat16", recipe.precision))}
    peer_batch = peer_inputs(trainer._batch(trainer.train, length, 0, rows))
    products = {name: multiplication(trainer.device, name) for name in peers}
    before = load()
    started = time.perf_counter()
    loss = trainer.step(PROGRESS)["loss"]
    compiling = time.perf_counter() - started
    peer_losses = [peer.step(peer_batch) for peer in peers.values()]
    seconds: dict[str, list[float]] = defaultdict(list)
    for number in range(steps + 1):
        batch = peer_inputs(trainer._batch(trainer.train, length, number * rows, rows))
        seconds["ours"].append(timed(trainer.step, PROGRESS))
        for name, peer in peers.items():
            seconds[f"peer {name}"].append(timed(peer.step, batch))
        for name, product in products.items():
            seconds[f"product {name}"].append(timed(product))
    # second passes are slower too
    medians = {name: median(values[1:]) for name, values in seconds.items()}
    ours = medians["ours"]
    rates = {name: 2 * SIZE**3 / medians[f"product {name}"] for name in products}
    own, theirs = recipe.precision, medians["peer bfloat16"]
    flops = trainer.metadata()["flops_per_token"] * tokens
    attention = rows * attention_flops(trainer, length)
    line = {
        "model": recipe.name,
        "precision": own,
        "length": length,
        "rows": rows,
        "tokens_per_second": round(tokens / ours),
        "peer_tokens_per_second": round(tokens / theirs),
        "ratio": round(theirs / ours, 2),
        "spread": [round(pick(seconds["ours"][1:]) / ours, 2) for pick in (min, max)],
        "share_of_multiplication_rate": round(flops / ours / rates["bfloat16"], 3),
        "peer_share": round(flops / theirs / rates["bfloat16"], 3),
        "share_with_attention": round((flops + attention) / ours / rates["bfloat16"], 3),
        "flops_per_token": round(flops / tokens),
        "attention_flops_per_token": round(attention / tokens),
        "multiplication_gflops": {name: round(rate / 1e9) for name, rate in rates.items()},
        "first_loss": round(loss, 3),
        "peer_first_losses": [round(value, 3) for value in peer_losses],
        "first_step_seconds": round(compiling, 1),
        "bfloat16_instructions": bfloat16_instructions(),
        "threads": torch.get_num_threads(),
        "load_before": before,
    }
    if own != "bfloat16":
        line[f"{own}_peer_ratio"] = round(medians[f"peer {own}"] / ours, 2)
        line[f"share_of_{own}_multiplication_rate"] = round(flops / ours / rates[own], 3)
    return line


class Peer:
    """A plain training loop over transformers' own loss."""

    def __init__(self, trainer: Trainer, precision: str) -> None:
        self.bfloat16 = precision == "bfloat16"
        self.recipe, self.device = trainer.recipe, trainer.device
        torch.manual_seed(self.recipe.seed)
        self.model = build_model(self.recipe.architecture, trainer.vocabulary).to(self.device)
        self.model.train()
        self.optimizers = make_optimizers(self.model, self.recipe.optimizer)
        set_rates(self.optimizers, rate_factor(PROGRESS, self.recipe.schedule))

    def step(self, batch: dict[str, torch.Tensor]) -> float:
        """One step; the loss in nats a target."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bfloat16):
            loss = self.model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        return loss.item()


def peer_inputs(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same rows as transformers takes them: `labels`, -100 where there is no target."""
    if "tokens" in batch:  # the model shifts the labels itself
        ids = batch["tokens"][:, :-1]
        return {"input_ids": ids, "labels": ids}
    if "positions" in batch:
        labels = torch.full_like(batch["input_ids"], -100)
        labels.scatter_(1, batch["positions"], batch["labels"])
        return {name: batch[name] for name in ("input_ids", "token_type_ids")} | {"labels": labels}
    return {name: batch[name] for name in ("input_ids", "labels")}


def attention_flops(trainer: Trainer, length: int) -> float:
    """Training FLOPs of a row's attention products, which `flops_per_token` leaves out.

    A pair of a query and a key takes 4 d forward (its score, its value's share) and twice that
    backward; causal attention has half the pairs.
    """
    architecture = trainer.recipe.architecture
    positions = trainer.objective.positions(length)

    def causal(count: int) -> float:
        return count * (count + 1) / 2

    if architecture.type == "t5":
        source, target = positions["encoder"], positions["decoder"]
        pairs = source**2 + causal(target) + source * target
    elif architecture.type == "bert":
        pairs = positions["body"] ** 2
    else:
        pairs = causal(positions["body"])
    return 12 * architecture.hidden_size * architecture.layers * pairs


def multiplication(device: torch.device, precision: str) -> Callable[[], object]:
    """A product of two square matrices."""
    dtype = getattr(torch, precision)
    one, other = (torch.randn(SIZE, SIZE, dtype=dtype, device=device) for _ in range(2))
    return partial(torch.mm, one, other)


def timed(work: Callable[..., object], *given: object) -> float:
    """Seconds that some work takes, that on a GPU included."""
    started = time.perf_counter()
    work(*given)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def show_profile(trainer: Trainer, steps: int) -> None:
    """Where our time goes: by part of the step and kind of operation, then single operations."""
    if trainer.recipe.compile and trainer.device.type == "cpu":
        # generated kernels show under their names
        options = {"cpp.enable_kernel_profile": True}
        trainer.loss = torch.compile(trainer.objective.loss, dynamic=False, options=options)
    batch = trainer._batch

    def recorded(*given: Any) -> dict[str, torch.Tensor]:
        with record_function(ROWS):
            return batch(*given)

    trainer._batch = recorded
    for _ in range(2):
        trainer.step(PROGRESS)
    started = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU]) as trace:
        for _ in range(steps):
            trainer.step(PROGRESS)
    passed = time.perf_counter() - started
    groups: dict[str, float] = defaultdict(float)
    single: dict[str, float] = defaultdict(float)
    for event in trace.events():
        own = event.self_cpu_time_total / 1e6
        groups[f"{part_of(event)}: {kind_of(event.name)}"] += own
        single[event.name] += own
    groups["outside torch operations"] = passed - sum(groups.values())
    recipe = trainer.recipe
    print(f"\n{recipe.name}, length {recipe.lengths[0].length}: {passed / steps:.3f} s a step")
    for name, seconds in sorted(groups.items(), key=lambda item: -item[1]):
        if seconds > 0.002 * passed:
            print(f"{name:60} {seconds / steps * 1000:8.1f} ms {seconds / passed:6.1%}")
    print("single operations:")
    for name, seconds in sorted(single.items(), key=lambda item: -item[1])[:12]:
        print(f"{name[:60]:60} {seconds / steps * 1000:8.1f} ms {seconds / passed:6.1%}")
    for parameter in trainer.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    flops = sum(counted_flops(optimizer.step) for optimizer in trainer.optimizers)
    print(f"matrix products of the optimizers: {flops / 1e9:.1f} GFLOP a step")


def part_of(event: Any) -> str:
    """Which part of a step an operation belongs to, by what it was called from."""
    names = []
    while event is not None:
        names.append(event.name)
        event = event.cpu_parent
    for part, mark in PARTS.items():
        if any(mark in name for name in names):
            return part
    return "rest"


def kind_of(name: str) -> str:
    """Matrix products, attention, kernels that the compiler made, or other operations."""
    if "attention" in name:
        return "attention"
    if any(word in name for word in ("mm", "linear", "matmul", "convolution")):
        return "matrix products"
    return "generated kernels" if "fused" in name else "other"


if __name__ == "__main__":
    main()
