"""From token ids to the states that a head reads."""

from __future__ import annotations

from pathlib import Path

import torch

from benchsuite.models.registry import load_model
from benchsuite.training.backbone import Backbone
from benchsuite.training.batches import collate
from benchsuite.training.items import ItemMaker
from benchsuite.training.rows import Layout
from tests.training.bodies import backbone_of, batch_of, tiny_gpt_neox
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


def test_states_of_a_decoder_are_what_its_output_layer_reads() -> None:
    """GPT-NeoX has a last norm of the name that T5's has, and nothing divides after it."""
    torch.manual_seed(0)
    network = tiny_gpt_neox()
    with torch.no_grad():
        network.gpt_neox.final_layer_norm.weight *= 7
        batch = batch_of([[5, 6, 7, 8]])
        backbone = backbone_of(network, "decoder")
        total = float(backbone.language_loss(backbone(batch), batch))
        peer = float(network(input_ids=batch.ids, labels=batch.ids).loss)
    assert abs(total / 3 - peer) < 1e-4 * peer
