"""The loop: against HF Trainer, out of memory, not a number, stopping early."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import BertForSequenceClassification, TrainingArguments
from transformers import Trainer as Peer

from benchsuite.errors import CellFailed
from benchsuite.models.registry import Model, load_model
from benchsuite.training.batches import Batch, collate, epoch_order, split_by_tokens
from benchsuite.training.model import TaskModel
from tests.training.made import KINDS, made_task
from tests.training.runs import parts, plan, run, trainer

LOOSE = {"atol": 1e-5, "rtol": 1e-4}


def weights(whole: TaskModel) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in whole.state_dict().items()}


def test_an_epoch_is_each_item_once_in_batches_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(5, 200, 3000).tolist()
    order = epoch_order(lengths, 16, seed=3, epoch=0)
    assert Counter(n for batch in order for n in batch) == Counter(range(3000))
    assert sorted(map(len, order))[1:] == [16] * (len(order) - 1)
    padded = sum(len(batch) * max(lengths[n] for n in batch) for batch in order)
    assert padded < 1.1 * sum(lengths)
    # Batches come at random, not from short to long.
    means = [np.mean([lengths[n] for n in batch]) for batch in order]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.2
    assert order == epoch_order(lengths, 16, seed=3, epoch=0)
    assert order != epoch_order(lengths, 16, seed=3, epoch=1)
    assert order != epoch_order(lengths, 16, seed=4, epoch=0)


@pytest.mark.parametrize("count", [100, 1000])
def test_items_meet_others_in_every_epoch(count: int) -> None:
    """Few items are not one pool, whose batches would hold the same ones again and again."""
    lengths = np.random.default_rng(0).integers(5, 200, count).tolist()
    orders = [epoch_order(lengths, 16, seed=0, epoch=epoch) for epoch in range(20)]
    met = [
        {frozenset(pair) for batch in order for pair in combinations(batch, 2)} for order in orders
    ]
    again = [len(one & other) / len(other) for one, other in pairwise(met)]
    assert np.mean(again) < 0.25
    # What is left over is not always of the longest, each of which would count for several.
    left = [lengths[n] for order in orders for batch in order if len(batch) < 16 for n in batch]
    assert np.mean(left) < 1.2 * np.mean(lengths)


def test_passes_hold_at_most_so_many_tokens(model: Model, tmp_path: Path) -> None:
    _, items, _ = parts(model, made_task(tmp_path, "choice"))
    for tokens in (1, 100, 200, 4096):
        found = list(split_by_tokens(items, range(len(items)), tokens))
        assert sorted(n for part in found for n in part) == list(range(len(items)))
        for part in found:
            batch = collate([items[n] for n in part], 0, "cpu")
            assert batch.ids.numel() <= tokens or len(part) == 1
    assert len(list(split_by_tokens(items, range(len(items)), 4096))) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_several_passes_are_one_step(kind: str, model: Model, tmp_path: Path) -> None:
    """Gradients of small passes add up to those of the whole batch."""
    task = made_task(tmp_path / "task", kind)
    found = []
    for tokens in (10**6, 1):
        whole, items, _ = parts(model, task)
        whole.dropout.p = 0.0
        whole.backbone.body.eval()
        one = trainer(whole, items, tmp_path / "scratch", batch_tokens=tokens)
        numbers = [n for n, item in enumerate(items) if item.target is not None]
        loss, weight, _ = one._gradients(numbers)
        gradients = {n: p.grad for n, p in whole.named_parameters() if p.grad is not None}
        assert len(list(split_by_tokens(items, numbers, tokens))) == (
            1 if tokens > 1 else len(numbers)
        )
        found.append((loss / weight, gradients))
    (loss, gradients), (other, others) = found
    assert loss == pytest.approx(other, rel=1e-5)
    assert set(gradients) == set(others)
    for name, gradient in gradients.items():
        assert torch.allclose(gradient, others[name], **LOOSE), name


def test_several_passes_are_one_step_of_the_language_model_beside_the_task(
    tiny_gpt2_folder: Path, tmp_path: Path
) -> None:
    """Each token counts alike, whichever pass it is in."""
    model = load_model(str(tiny_gpt2_folder))
    task = made_task(tmp_path / "task", "classification")
    found = []
    for tokens in (10**6, 60, 1):
        whole, items, _ = parts(model, task)
        whole.lm_weight = 1.0
        for one in whole.modules():
            if isinstance(one, torch.nn.Dropout):
                one.p = 0.0
        assert len({len(item.rows[0].ids) for item in items}) > 1
        whole.train()
        trainer(whole, items, tmp_path / "s", batch_tokens=tokens)._gradients([*range(len(items))])
        found.append({n: p.grad for n, p in whole.named_parameters() if p.grad is not None})
    for name, gradient in found[0].items():
        for other in found[1:]:
            assert torch.allclose(gradient, other[name], **LOOSE), name


def test_losses_are_those_of_hf_trainer(model: Model, tmp_path: Path) -> None:
    """Same model, order of the batches and settings; linear schedule, weight decay, clipping."""
    task = made_task(tmp_path / "task", "classification")
    whole, items, _ = parts(model, task)
    # Its classifier reads the pooler's output: made to pass on the first state.
    peer = BertForSequenceClassification.from_pretrained(model.path, num_labels=2)
    peer.bert.load_state_dict(whole.backbone.body.state_dict(), strict=False)
    peer.bert.pooler = _First()
    peer.classifier.load_state_dict(whole.head.state_dict())
    for module_ in (*peer.modules(), *whole.modules()):
        if isinstance(module_, torch.nn.Dropout):
            module_.p = 0.0
    steps: list[float] = []
    ours = trainer(
        whole,
        items,
        tmp_path / "scratch",
        plan=plan(epochs=4, lr=3e-3, decay=0.1, warmup=0.25),
        told=lambda progress: steps.append(progress.loss),
    )
    ours.optimizer.param_groups[0]["weight_decay"] = 0.1
    lengths = [len(item.rows[0].ids) for item in items]
    assert len(items) % 4 == 0, "batches of the two would differ"
    order = [n for epoch in range(4) for batch in epoch_order(lengths, 4, 0, epoch) for n in batch]

    def join(numbers: list[int]) -> dict[str, Tensor]:
        batch = collate([items[n] for n in numbers], 0, "cpu")
        labels = torch.tensor([item.target for item in batch.items])
        return {"input_ids": batch.ids, "attention_mask": batch.mask, "labels": labels}

    peers = InOrder(
        peer,
        TrainingArguments(
            output_dir=str(tmp_path / "peer"),
            per_device_train_batch_size=4,
            num_train_epochs=1,
            learning_rate=3e-3,
            warmup_steps=4,
            logging_steps=1,
            report_to=[],
            use_cpu=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
            disable_tqdm=True,
            save_strategy="no",
        ),
        data_collator=join,
        train_dataset=order,
        optimizers=(torch.optim.AdamW(peer.parameters(), lr=3e-3, weight_decay=0.1), None),
    )
    peers.train()
    theirs = [entry["loss"] for entry in peers.state.log_history if "loss" in entry]
    ours.run()
    assert len(steps) == len(theirs) == 16
    assert steps == pytest.approx(theirs, abs=2e-3)
    assert max(steps) - min(steps) > 0.05


class _First(torch.nn.Module):
    """A pooler that passes the first state on."""

    def forward(self, states: Tensor) -> Tensor:
        return states[:, 0]


class InOrder(Peer):
    """HF's Trainer, which takes the data in the order given."""

    def _get_train_sampler(self, *given: object) -> torch.utils.data.Sampler[int]:
        return torch.utils.data.SequentialSampler(self.train_dataset)


def test_the_random_state_of_the_caller_stays(model: Model, tmp_path: Path) -> None:
    task = made_task(tmp_path / "task", "classification")
    torch.manual_seed(7)
    expected = torch.rand(3)
    whole, items, _ = parts(model, task)
    torch.manual_seed(7)
    trainer(whole, items, tmp_path / "scratch").run()
    assert torch.equal(torch.rand(3), expected)


def test_seeds_differ_and_repeat(model: Model, tmp_path: Path) -> None:
    task = made_task(tmp_path / "task", "classification")
    losses = [run(model, task, tmp_path / "s", seed=seed)[0].losses for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]


def test_a_loss_that_is_no_number_ends_the_cell(model: Model, tmp_path: Path) -> None:
    task = made_task(tmp_path / "task", "classification")
    whole, items, _ = parts(model, task)
    with torch.no_grad():
        whole.head.bias.fill_(math.nan)
    with pytest.raises(CellFailed, match=r"not finite at step 1; try a lower .*lr=0.0001"):
        trainer(whole, items, tmp_path / "scratch").run()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("too much"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"
        ),
    ],
)
def test_out_of_memory_halves_a_pass_and_keeps_the_step(
    error: RuntimeError, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for so many tokens only, the steps are those of a run with room enough."""
    task = made_task(tmp_path / "task", "classification")
    whole, items, _ = parts(model, task)
    whole.dropout.p = 0.0
    for one in whole.modules():
        if isinstance(one, torch.nn.Dropout):
            one.p = 0.0
    expected = trainer(whole, items, tmp_path / "a").run()
    other, _, _ = parts(model, task)
    for one in other.modules():
        if isinstance(one, torch.nn.Dropout):
            one.p = 0.0
    forward = TaskModel.forward
    room = 60
    states: list[Tensor] = []

    def narrow(self: TaskModel, batch: Batch) -> Tensor:
        states.append(torch.get_rng_state())
        torch.rand(3)  # as dropout does on the way
        if batch.ids.numel() > room:
            raise error
        return forward(self, batch)

    monkeypatch.setattr(TaskModel, "forward", narrow)
    one = trainer(other, items, tmp_path / "b")
    found = one.run()
    assert one.budget.tokens <= room
    assert torch.equal(states[0], states[1])  # the step begins again with the same random numbers
    assert found.steps == expected.steps
    assert found.losses == pytest.approx(expected.losses, rel=1e-4)
    room = 5
    with pytest.raises(CellFailed, match="does not fit the memory"):
        trainer(other, items, tmp_path / "c").run()


def test_another_error_is_no_lack_of_memory(model: Model, tmp_path: Path) -> None:
    whole, items, _ = parts(model, made_task(tmp_path / "task", "classification"))
    one = trainer(whole, items, tmp_path / "run")

    def misfit(*args: object) -> None:
        raise RuntimeError("shapes do not fit")

    one.optimizer.step = misfit  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="shapes"):
        one.run()


def test_an_optimizer_without_room_fails_the_cell(model: Model, tmp_path: Path) -> None:
    task = made_task(tmp_path / "task", "classification")
    other, items, _ = parts(model, task)
    one = trainer(other, items, tmp_path / "run")

    def full(*args: object) -> None:
        raise torch.OutOfMemoryError("too much")

    one.optimizer.step = full  # type: ignore[method-assign]
    count = sum(p.numel() for p in other.parameters() if p.requires_grad)
    with pytest.raises(CellFailed, match=f"optimizer's state.* {count:,} trained parameters"):
        one.run()


@pytest.mark.parametrize(
    ("warmup", "scores", "best"),
    [
        (0.0, [0.5, 0.7, 0.6, 0.7], 2),  # of equals the earlier
        # Half of ten epochs: the best of the first five counts for nothing.
        (0.5, [0.5, 0.9, 0.6, 0.7, 0.8, 0.3, 0.3, 0.1], 6),
    ],
)
def test_it_stops_early_but_not_in_the_warm_up(
    warmup: float, scores: list[float], best: int, model: Model, tmp_path: Path
) -> None:
    task = made_task(tmp_path / "task", "classification")
    whole, items, _ = parts(model, task)
    given = iter(scores)
    seen: list[dict[str, Tensor]] = []

    def select() -> tuple[float, float]:
        seen.append(weights(whole))
        return next(given), 0.0

    outcome = trainer(
        whole,
        items,
        tmp_path / "scratch",
        plan=plan(epochs=10, patience=2, keep_best=True, warmup=warmup),
        select=select,
    ).run()
    assert outcome.scores == scores and outcome.epoch == best
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, seen[best - 1][name])


def test_a_run_of_one_step_trains(model: Model, tmp_path: Path) -> None:
    task = made_task(tmp_path / "task", "classification")
    whole, items, _ = parts(model, task)
    before = weights(whole)
    outcome = trainer(whole, items, tmp_path / "s", plan=plan(epochs=1, batch=16, warmup=0.5)).run()
    assert outcome.steps == 1
    assert not torch.equal(before["head.weight"], whole.head.weight)


def test_weights_that_are_no_numbers_end_the_cell_before_it_is_scored(
    model: Model, tmp_path: Path
) -> None:
    """An epoch of one step: its loss was finite, what it made of the weights is not."""
    task = made_task(tmp_path / "task", "classification")
    whole, items, _ = parts(model, task)
    with pytest.raises(CellFailed, match=r"a weight is not finite .*try a lower learning rate"):
        trainer(
            whole,
            items,
            tmp_path / "s",
            plan=plan(epochs=2, batch=16, warmup=0.0, lr=1e38, keep_best=True, decay=1.0),
            select=lambda: (0.0, 0.0),
        ).run()


def test_undefined_scores_are_lower_than_any(model: Model, tmp_path: Path) -> None:
    task = made_task(tmp_path / "task", "classification")
    whole, items, _ = parts(model, task)
    given = iter([(-math.inf, -3.0), (-math.inf, -2.0), (-math.inf, -4.0)])
    outcome = trainer(
        whole, items, tmp_path / "s", plan=plan(keep_best=True), select=lambda: next(given)
    ).run()
    assert outcome.epoch == 2 and outcome.scores == [None] * 3


def test_a_trial_is_scored_once(model: Model, tmp_path: Path) -> None:
    task = made_task(tmp_path / "task", "classification")
    whole, items, _ = parts(model, task)
    given = iter([(0.25, -3.0)])
    outcome = trainer(
        whole,
        items,
        tmp_path / "s",
        plan=plan(keep_best=True, score_last=True, patience=1),
        select=lambda: next(given),
    ).run()
    assert outcome.scores == [None, None, 0.25]
    assert (outcome.best, outcome.epoch) == ((0.25, -3.0), 3)
