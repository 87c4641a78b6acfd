"""Options of full finetuning: rates by depth, the language-model loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import benchsuite
from benchsuite.errors import InputError
from benchsuite.models.registry import load_model
from benchsuite.regimes.base import read_options
from benchsuite.regimes.full import Full, _blocks_above
from benchsuite.training.batches import collate
from tests.training.bodies import backbone_of, tiny_bart
from tests.training.made import made_cell, made_task


@pytest.mark.parametrize(
    ("family", "blocks", "lowest"),
    [
        ("gpt2", "backbone.body.h", "backbone.body.wpe.weight"),
        ("bert", "backbone.body.encoder.layer", "backbone.body.embeddings.LayerNorm.bias"),
    ],
)
def test_rates_fall_from_block_to_block(
    family: str, blocks: str, lowest: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = str(request.getfixturevalue(f"tiny_{family}_folder"))
    task, model = made_task(tmp_path, "classification"), load_model(folder)
    cell = made_cell(task, "full:layer_decay=0.5", folder)
    options = read_options(Full(), cell.regime)
    predictor, trained = Full()._build(model, task, cell, options)
    groups = Full().groups(predictor.model, options)
    scales = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    found = {name: scales[id(p)] for name, p in predictor.model.named_parameters()}
    assert set(found) == set(trained)
    assert {scale for name, scale in found.items() if name.startswith(f"{blocks}.1.")} == {1.0}
    assert {scale for name, scale in found.items() if name.startswith(f"{blocks}.0.")} == {0.5}
    assert found[lowest] == 0.25 and found["head.weight"] == 1.0
    if family == "gpt2":
        assert found["backbone.body.ln_f.weight"] == 1.0
    plain = read_options(Full(), made_cell(task, "full", folder).regime)
    assert len(Full().groups(predictor.model, plain)) == 2


def test_rates_of_an_encoder_decoder_go_through_both_stacks(
    tiny_t5_folder: Path, tmp_path: Path
) -> None:
    task, model = made_task(tmp_path, "classification"), load_model(str(tiny_t5_folder))
    cell = made_cell(task, "full:layer_decay=0.5", str(tiny_t5_folder))
    options = read_options(Full(), cell.regime)
    predictor, _ = Full()._build(model, task, cell, options)
    groups = Full().groups(predictor.model, options)
    scales = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    found = {name: scales[id(p)] for name, p in predictor.model.named_parameters()}
    depth = [("decoder.block.1", 1.0), ("decoder.block.0", 0.5)]
    depth += [("body.block.1", 0.25), ("body.block.0", 0.125)]
    for name, scale in depth:
        assert {s for n, s in found.items() if f"backbone.{name}." in n} == {scale}
    assert found["backbone.body.embed_tokens.weight"] == 0.0625
    # The encoder's final norm lies below the decoder.
    assert found["backbone.body.final_layer_norm.weight"] == 0.25
    assert found["backbone.decoder.final_layer_norm.weight"] == 1.0


def test_rates_of_bart_s_embeddings_are_the_lowest() -> None:
    """Its decoder has positions and a norm of its own, the norm behind the blocks."""
    backbone = backbone_of(tiny_bart(), "encoder-decoder")
    above = _blocks_above(backbone)
    for name, parameter in backbone.named_parameters():
        if "embed" in name:
            assert above[id(parameter)] == 4, name
    layers = backbone.decoder.layers
    assert [above[id(layer.fc1.weight)] for layer in layers] == [1, 0]


def test_the_language_model_loss_is_that_of_transformers(
    tiny_gpt2_folder: Path, tmp_path: Path
) -> None:
    task, model = made_task(tmp_path, "classification"), load_model(str(tiny_gpt2_folder))
    cell = made_cell(task, "full:lm=0.5", str(tiny_gpt2_folder))
    predictor, _ = Full()._build(model, task, cell, read_options(Full(), cell.regime))
    batch = collate(predictor.maker.make(task.train().examples), predictor.maker.layout.pad, "cpu")
    predictor.model.train()
    for one in predictor.model.modules():
        if isinstance(one, torch.nn.Dropout):
            one.p = 0.0
    predictor.model(batch)
    labels = batch.ids.masked_fill(batch.mask == 0, -100)
    with torch.no_grad():
        peer = model.network(input_ids=batch.ids, attention_mask=batch.mask, labels=labels).loss
    assert predictor.model.language_loss is not None
    following = int((labels[:, 1:] != -100).sum())
    found = float(predictor.model.language_loss.detach()) / following
    assert found == pytest.approx(float(peer), rel=1e-4)


def test_the_language_model_is_kept_up_beside_the_task(
    tiny_gpt2_folder: Path, tmp_path: Path
) -> None:
    """Its loss on the texts falls where it is trained, and not where it is not."""
    task, model = made_task(tmp_path, "classification"), load_model(str(tiny_gpt2_folder))
    losses = {}
    for lm in (0.0, 1.0):
        call = f"full:lm={lm}+lr=0.01+epochs=15+keep=last"
        cell = made_cell(task, call, str(tiny_gpt2_folder))
        predictor = Full().fit(model, task, cell, tmp_path / "scratch")
        items = predictor.maker.make(task.train().examples)
        batch = collate(items, predictor.maker.layout.pad, "cpu")
        with torch.no_grad():
            backbone = predictor.model.backbone
            total = float(backbone.language_loss(backbone(batch), batch))
            losses[lm] = total / int(batch.mask[:, 1:].sum())
    assert losses[1.0] < losses[0.0] - 1


def test_only_a_decoder_has_a_language_model_loss(tiny_bert_folder: Path, tmp_path: Path) -> None:
    made_task(tmp_path, "classification")
    with pytest.raises(InputError, match="is no decoder"):
        benchsuite.run(str(tiny_bert_folder), "full:lm=0.5", "classification", tasks_dir=[tmp_path])
