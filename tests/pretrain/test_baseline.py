"""The committed `gpt`: its size, its loading, and that it was trained."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

FOLDER = Path(__file__).parents[2] / "baselines" / "models" / "gpt"
# written for this test, so that no benchmark's sentence is in the repository
TEXT = (
    "The boy went to the river with his father. They wanted to catch some fish for dinner, but the "
    "water was cold and it began to rain, so they walked home and had bread and soup."
)


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return AutoModelForCausalLM.from_pretrained(FOLDER).eval()


def test_size_stays_within_bounds(model: torch.nn.Module) -> None:
    assert [path.suffix for path in FOLDER.glob("*.bin")] == []
    assert (FOLDER / "model.safetensors").stat().st_size < 16 * 2**20
    assert sum(parameter.numel() for parameter in model.parameters()) <= 8_000_000


def test_it_loads_for_float32_and_half(model: torch.nn.Module) -> None:
    assert model.dtype == torch.float32
    half = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.bfloat16)
    assert half.dtype == torch.bfloat16


def test_tokenizer_and_configuration_agree(model: torch.nn.Module) -> None:
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    assert len(tokenizer) == model.config.vocab_size == 8192
    assert tokenizer.eos_token_id == model.config.eos_token_id == model.config.bos_token_id == 0
    assert tokenizer.model_max_length == model.config.n_positions == 1024


def test_metadata_and_card() -> None:
    meta = json.loads((FOLDER / "benchsuite.json").read_text())
    assert meta["family"] == "decoder"
    assert meta["seen_in_pretraining"] == ["race"]
    card = (FOLDER / "README.md").read_text()
    assert f"{meta['tokens']:,} in {meta['steps']:,} steps" in card
    last = json.loads((FOLDER / "training_log.jsonl").read_text().splitlines()[-1])
    assert last["tokens"] == meta["tokens"]


@torch.no_grad()
def test_it_has_learned(model: torch.nn.Module) -> None:
    torch.manual_seed(0)
    untrained = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(FOLDER)).eval()
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    ids = torch.tensor([[tokenizer.eos_token_id, *tokenizer(TEXT).input_ids]])
    assert model(input_ids=ids, labels=ids).loss < untrained(input_ids=ids, labels=ids).loss - 3
