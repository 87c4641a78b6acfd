"""FLOPs of profiles against counts by hand, for each family and several regimes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

import benchsuite
from benchsuite import measure
from tests.tiny import tiny_models
from tests.training.made import made_cell, made_task

LAYERS, WIDTH = 2, 16
EPOCHS = 3  # of a training that is measured


@dataclass(frozen=True)
class Count:
    """Multiplications and additions of one example: by weights, and of attention's products."""

    weights: float
    attention: float

    @property
    def forward(self) -> float:
        return self.weights + self.attention


def block(tokens: int, inner: int) -> Count:
    """A block over `tokens` positions: two operations a weight and position.

    4 d^2 weights of attention, 2 d * `inner` of the feed-forward network; two products of
    tokens x tokens x d.
    """
    weights = 4 * WIDTH**2 + 2 * WIDTH * inner
    return Count(2 * tokens * weights, 2 * 2 * tokens**2 * WIDTH)


def network(family: str, tokens: int) -> Count:
    """All blocks; an encoder-decoder's decoder has one position, and keys and values for all."""
    one = block(tokens, 4 * WIDTH if family == "decoder" else 2 * WIDTH)
    weights, attention = one.weights, one.attention
    if family == "encoder-decoder":
        own = block(1, 2 * WIDTH)
        across = 2 * (1 * 2 * WIDTH**2 + tokens * 2 * WIDTH**2)
        weights += own.weights + across
        attention += own.attention + 2 * 2 * tokens * WIDTH
    return Count(LAYERS * weights, LAYERS * attention)


def trained(regime: str, family: str, tokens: int) -> float:
    """Operations of a step, an example.

    Backwards, a product costs one product for each side that wants a gradient. What is frozen and
    cached is passed once in all epochs.
    """
    whole = network(family, tokens)
    if regime == "frozen:1.0":
        return whole.forward / EPOCHS
    if regime == "full":
        return 3 * whole.forward
    states_alone = 2 * whole.weights + 3 * whole.attention
    if regime.startswith("prompt"):
        return states_alone
    # lora, GPT-2: nothing before the first block's keys, queries and values wants a gradient
    d = WIDTH
    inputs = 2 * tokens * 3 * d * d
    down, up = 2 * tokens * d, 2 * tokens * 3 * d  # rank 1, onto one layer for all three
    return states_alone - inputs + LAYERS * (2 * down + 3 * up) + (LAYERS - 1) * down


@pytest.mark.parametrize(
    ("family", "regime"),
    [
        ("decoder", "full"),
        ("decoder", "frozen:1.0"),
        ("decoder", "lora:rank=1"),
        ("encoder", "full"),
        ("encoder", "prompt:tokens=4"),
        ("encoder-decoder", "full"),
        ("encoder-decoder", "frozen:1.0"),
    ],
)
def test_flops_are_those_counted_by_hand(
    family: str, regime: str, tmp_path: Path, one_thread: None
) -> None:
    folder = tmp_path / "tasks"
    made_task(folder, "classification", examples=40)
    for split in ("train", "validation"):  # texts of one length, so that no padding is multiplied
        file = folder / f"{split}.jsonl"
        rows = [json.loads(line) | {"text": "the " * 20} for line in file.read_text().splitlines()]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = benchsuite.load_task("classification", tasks_dirs=(folder,))
    model = str(tiny_models(tmp_path)[family])
    call = f"{regime}{'+' if ':' in regime else ':'}batch=8"
    cell = made_cell(task, call, "").model_copy(update={"model": model})
    found = measure.measure(cell, [folder], examples=16, repeats=5)
    text = task.train().examples[0].fields["text"]
    ids = benchsuite.load_model(model).tokenizer(text, add_special_tokens=False)["input_ids"]
    tokens = len(ids) + (1 if family == "encoder-decoder" else 2)
    tokens += 4 if regime == "prompt:tokens=4" else 0
    forward = network(family, tokens).forward
    assert found["inference"]["flops_per_example"] == pytest.approx(forward, rel=0.05)
    expected = trained(regime, family, tokens)
    assert found["training"]["flops_per_example"] == pytest.approx(expected, rel=0.05)
