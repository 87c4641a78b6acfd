"""From token ids to the states that a head reads."""

from __future__ import annotations

from pathlib import Path

import torch

from benchsuite.models.registry import load_model
from benchsuite.training.backbone import Backbone
from benchsuite.training.batches import collate
from benchsuite.training.items import ItemMaker
from benchsuite.training.rows import Layout
from tests.training.made import made_task


def test_states_of_t5_have_one_size_whatever_its_last_norm(
    tiny_t5_folder: Path, tmp_path: Path
) -> None:
    """T5's own output layer divides by the width's root, so that the norm can be of any size."""
    task = made_task(tmp_path, "classification")
    found = []
    for factor in (1.0, 7.0):
        model = load_model(str(tiny_t5_folder))
        norm = model.network.get_decoder().final_layer_norm
        with torch.no_grad():
            norm.weight *= factor
        backbone = Backbone(model.network, model.family, "classification").eval()
        items = ItemMaker(task.spec, Layout(model), "first").make(task.train().examples)
        with torch.no_grad():
            found.append(backbone(collate(items, 0, "cpu")))
    assert torch.allclose(found[0], found[1], rtol=1e-4, atol=1e-5)
    assert 0.5 < float(found[0].square().mean().sqrt()) < 2
