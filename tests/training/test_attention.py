"""Which attention a pass takes: the faster one, and the same numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchsuite.models.registry import Model, load_model
from benchsuite.training import attention
from benchsuite.training.attention import Attention
from benchsuite.training.backbone import Backbone
from benchsuite.training.prefixes import LEARNED, add_prefixes
from tests.training.made import made_task
from tests.training.runs import parts, plan, trainer


def kind_of(backbone: Backbone) -> str:
    [found] = {stack.config._attn_implementation for stack in backbone.stacks()}
    return str(found)


@pytest.mark.parametrize(
    ("precision", "longest", "trained"),
    [("bfloat16", 128, "eager"), ("bfloat16", 1, "sdpa"), ("float32", 128, "sdpa")],
)
def test_short_rows_in_bfloat16_are_trained_plainly(
    precision: str,
    longest: int,
    trained: str,
    model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attention, "PLAIN_UP_TO", longest)
    whole, items, _ = parts(model, made_task(tmp_path / "task", "classification"))
    passes, scored = [], []
    whole.register_forward_pre_hook(lambda *_: passes.append(kind_of(whole.backbone)))

    def select() -> tuple[float, float]:
        scored.append(kind_of(whole.backbone))
        return 0.0, 0.0

    given = plan(epochs=2, keep_best=True, precision=precision)
    trainer(whole, items, tmp_path, plan=given, select=select).run()
    assert set(passes) == {trained}
    assert scored == ["sdpa", "sdpa"]
    assert kind_of(whole.backbone) == "sdpa"


@pytest.mark.parametrize("family", ["gpt2", "bert", "t5"])
@pytest.mark.parametrize("kind", ["classification", "choice"])
def test_both_give_the_same_gradients(
    kind: str, family: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Rows of several lengths, so that padding is masked alike."""
    model = load_model(str(request.getfixturevalue(f"tiny_{family}_folder")))
    found: list[dict[str, Tensor]] = []
    for plain in (False, True):
        whole, items, _ = parts(model, made_task(tmp_path / str(plain), kind))
        one = trainer(whole, items, tmp_path)
        one.attention = Attention(whole, worthwhile=plain)
        whole.eval()  # without dropout
        one._gradients([0, 1, 2, 3])
        assert kind_of(whole.backbone) == ("eager" if plain else "sdpa")
        found.append({n: p.grad.clone() for n, p in whole.named_parameters() if p.grad is not None})
    fused, products = found
    assert fused.keys() == products.keys()
    for name, gradient in fused.items():
        torch.testing.assert_close(products[name], gradient, atol=1e-6, rtol=1e-4)


def test_what_attends_in_a_way_of_its_own_is_left(tiny_t5_folder: Path) -> None:
    model = load_model(str(tiny_t5_folder))
    backbone = Backbone(model.network, model.family, "classification")
    add_prefixes(backbone, 3)
    switch = Attention(backbone, worthwhile=True)
    switch.suit(8)
    assert kind_of(backbone) == LEARNED
