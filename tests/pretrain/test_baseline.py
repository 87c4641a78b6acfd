"""The committed models: their sizes, their terms, their loading, and that they were trained."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig

from benchsuite.models.loading import AUTO_CLASSES
from benchsuite.models.registry import Model, load_model
from benchsuite.pretrain.objectives import objective_class
from benchsuite.pretrain.objectives.base import Vocabulary
from benchsuite.pretrain.recipe import load_recipe
from benchsuite.pretrain.texts import recipes_of
from benchsuite.pretrain.tokenizer import load_tokenizer

MODELS = Path(__file__).parents[2] / "baselines" / "models"
RECIPES = MODELS.parent / "recipes"
NAMES = sorted(path.name for path in MODELS.iterdir())
METAS = {name: json.loads((MODELS / name / "benchsuite.json").read_text()) for name in NAMES}
# written for this test, so that no benchmark's sentence is in the repository
TEXT = (
    "The boy went to the river with his father. They wanted to catch some fish for dinner, but the "
    "water was cold and it began to rain, so they walked home and had bread and soup."
)
# (objective, nats a target that training must have gained over fresh weights on TEXT)
LEARNED = {"gpt": ("causal_lm", 3.0), "bert": ("masked_lm", 1.5), "t5": ("span_corruption", 1.5)}


@pytest.fixture(scope="module", params=NAMES)
def model(request: pytest.FixtureRequest) -> Model:
    return load_model(request.param)


def test_size_stays_within_bounds(model: Model) -> None:
    assert list(model.path.glob("*.bin")) == []
    assert (model.path / "model.safetensors").stat().st_size < 16 * 2**20
    assert model.parameters_total <= 8_000_000


def test_terms_are_equal() -> None:
    """The same text, as many raw tokens of it, and parameters outside tables within 5%."""
    assert len({tuple(text["shards"] for text in meta["texts"]) for meta in METAS.values()}) == 1
    read = [meta["tokens"] for meta in METAS.values()]
    assert max(read) <= 1.001 * min(read)
    parameters = [meta["parameters"]["non_embedding"] for meta in METAS.values()]
    assert max(parameters) <= 1.05 * min(parameters)


@pytest.mark.parametrize("name", NAMES)
def test_a_tenth_was_read_at_full_length(name: str) -> None:
    phases = [phase for text in METAS[name]["texts"] for phase in text["phases"]]
    longest = sum(phase["tokens"] for phase in phases if phase["length"] == 1024)
    assert sum(phase["tokens"] for phase in phases) == METAS[name]["tokens"]
    assert longest >= 0.1 * METAS[name]["tokens"]


@pytest.mark.parametrize("name", NAMES)
def test_bundled_recipes_are_those_it_was_trained_by(name: str) -> None:
    bundled = [load_recipe(RECIPES / f"{name}{text}.yaml") for text in ("", "-second")]
    assert recipes_of(METAS[name]) == [recipe.model_dump(mode="json") for recipe in bundled]


def test_it_loads_for_float32_and_half(model: Model) -> None:
    assert model.network.dtype == torch.float32
    assert load_model(model.name, dtype="bfloat16").network.dtype == torch.bfloat16


def test_tokenizer_and_configuration_agree(model: Model) -> None:
    tokenizer, config = model.tokenizer, model.network.config
    assert len(tokenizer) == config.vocab_size == 8192
    assert tokenizer.eos_token_id == config.eos_token_id == 0
    assert tokenizer.model_max_length == model.max_length == 1024
    if model.family == "encoder":
        assert tokenizer.pad_token_id == config.pad_token_id == 1
        assert tokenizer("a", "b").token_type_ids == [0, 0, 0, 1, 1]
    if model.family == "encoder-decoder":
        assert tokenizer.pad_token_id == config.pad_token_id == config.decoder_start_token_id == 1
        assert tokenizer("a").input_ids[-1] == 0


def test_all_share_one_vocabulary(model: Model) -> None:
    peer = load_tokenizer(MODELS / "gpt")
    assert model.tokenizer.get_vocab() == peer.get_vocab()
    ids = model.tokenizer(TEXT, add_special_tokens=False).input_ids
    assert ids == peer(TEXT, add_special_tokens=False).input_ids


def test_metadata_and_card(model: Model) -> None:
    meta = model.ref.metadata
    assert meta["family"] == model.family
    assert meta["seen_in_pretraining"] == ["race"]
    assert meta["recipe"]["objective"] == LEARNED[model.name][0]
    card = (model.path / "README.md").read_text()
    assert f"{meta['tokens']:,} " in card and f" in {meta['steps']:,} steps" in card
    last = json.loads((model.path / "training_log.jsonl").read_text().splitlines()[-1])
    assert last["tokens"] == meta["tokens"]


@torch.no_grad()
def test_it_has_learned(model: Model) -> None:
    name, gain = LEARNED[model.name]
    objective = objective_class(name)()
    vocabulary = Vocabulary.of(load_tokenizer(model.path))
    ids = np.array([0, *model.tokenizer(TEXT, add_special_tokens=False).input_ids])
    # the same text under twenty masks
    windows = torch.from_numpy(np.stack([ids] * 20))
    batch = objective.collate(windows, vocabulary, [(0, number) for number in range(20)])
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(model.path)
    fresh = AUTO_CLASSES[model.family].from_config(config).eval()
    assert objective.loss(model.network, batch) < objective.loss(fresh, batch) - gain
