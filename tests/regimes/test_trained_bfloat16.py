"""Training under bfloat16 autocast, for every regime and family, and every kind of task."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import benchsuite
from tests.regimes.test_trained_matrix import CALLS, FAMILIES, NOT_APPLICABLE
from tests.tiny import tiny_models
from tests.training.made import KINDS, made_task

EPOCHS = 4


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    found = tiny_models(tmp_path_factory.mktemp("bfloat16"), width=32)
    return {family: str(folder) for family, folder in found.items()}


@pytest.mark.parametrize(
    ("kind", "regime"),
    [
        *(("classification", regime) for regime in CALLS if regime != "probe"),
        *((kind, "full") for kind in KINDS if kind != "classification"),
    ],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_losses_are_those_of_float32(
    kind: str, family: str, regime: str, models: dict[str, str], tmp_path: Path, one_thread: None
) -> None:
    call, _, _ = CALLS[regime].partition("+epochs")
    if (call.partition(":")[0], family) in NOT_APPLICABLE:
        pytest.skip("not applicable")
    made_task(tmp_path / "tasks", kind)
    products: list[torch.dtype] = []

    def note(module: torch.nn.Module, given: object, got: object) -> None:
        if isinstance(module, torch.nn.Linear) and isinstance(got, torch.Tensor):
            products.append(got.dtype)

    losses = {}
    for precision in ("float32", "bfloat16"):
        products.clear()
        hook = torch.nn.modules.module.register_module_forward_hook(note)
        try:
            [record] = benchsuite.run(
                models[family],
                f"{call}+epochs={EPOCHS}+batch=8+keep=last+precision={precision}",
                kind,
                tasks_dir=[tmp_path / "tasks"],
                store=tmp_path / "store",
            )
        finally:
            hook.remove()
        assert record.status == "done", record.reason
        assert (torch.bfloat16 in products) == (precision == "bfloat16")
        losses[precision] = record.provenance["chosen"][""]["loss"]
        assert len(losses[precision]) == EPOCHS
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)
    assert losses["bfloat16"] != losses["float32"]
