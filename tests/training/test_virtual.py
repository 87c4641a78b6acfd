"""Prompts against plain networks that read the same tokens, and segments behind virtual tokens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PrefixTuningConfig, PromptTuningConfig
from transformers import AutoModelForMaskedLM

from benchsuite.training.backbone import Backbone
from benchsuite.training.virtual import VirtualTokens, sample_tokens
from tests.training.bodies import IDS, backbone_of, batch_of

P = 3
TYPES = [[0, 0, 0, 1, 1, 1], [0, 1, 1], [0, 0, 1, 1, 1]]


def with_prompt(folder: Path, family: str) -> Backbone:
    backbone = backbone_of(folder, family)
    config = PromptTuningConfig(
        task_type="FEATURE_EXTRACTION", num_virtual_tokens=P, prompt_tuning_init="SAMPLE_VOCAB"
    )
    backbone.body = VirtualTokens(backbone.body, config)
    return backbone


def prompt_ids(backbone: Backbone) -> list[int]:
    """The tokens whose embeddings the prompt began with."""
    table = backbone.body.peft.word_embeddings.weight
    prompt = backbone.body.peft.prompt_encoder["default"].embedding.weight
    return [int((table == one).all(dim=1).nonzero()[0, 0]) for one in prompt]


@torch.no_grad()
@pytest.mark.parametrize("family", ["decoder", "encoder", "encoder-decoder"])
def test_a_fresh_prompt_reads_as_its_tokens(family: str, request: pytest.FixtureRequest) -> None:
    name = {"decoder": "gpt2", "encoder": "bert", "encoder-decoder": "t5"}[family]
    folder = request.getfixturevalue(f"tiny_{name}_folder")
    plain, backbone = backbone_of(folder, family), with_prompt(folder, family)
    drawn = prompt_ids(backbone)
    together = backbone(batch_of(IDS))
    for number, ids in enumerate(IDS):
        expected = plain(batch_of([drawn + ids]))[0]
        if family != "encoder-decoder":
            expected = expected[P:]
        torch.testing.assert_close(together[number, : len(expected)], expected, atol=1e-5, rtol=0)


def prompt(body: torch.nn.Module) -> VirtualTokens:
    return VirtualTokens(
        body, PromptTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=P)
    )


def prefix(body: torch.nn.Module) -> VirtualTokens:
    return VirtualTokens(
        body, PrefixTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=P)
    )


@torch.no_grad()
@pytest.mark.parametrize("wrap", [prompt, prefix])
def test_segments_are_kept(
    wrap: Callable[[torch.nn.Module], VirtualTokens],
    tiny_bert_folder: Path,
    recwarn: pytest.WarningsRecorder,
) -> None:
    backbone = backbone_of(tiny_bert_folder, "encoder")
    backbone.body = wrap(backbone.body)
    of_one = backbone(batch_of(IDS, [[0] * len(ids) for ids in IDS]))
    of_two = backbone(batch_of(IDS, TYPES))
    assert torch.equal(of_one, backbone(batch_of(IDS)))
    assert (of_one - of_two).abs().max() > 0.01
    assert not [one for one in recwarn if "oken type" in str(one.message)]


@torch.no_grad()
def test_a_prompt_is_of_the_first_segment(tiny_bert_folder: Path) -> None:
    plain, backbone = (
        backbone_of(tiny_bert_folder, "encoder"),
        with_prompt(tiny_bert_folder, "encoder"),
    )
    drawn = prompt_ids(backbone)
    rows = [drawn + ids for ids in IDS]
    expected = plain(batch_of(rows, [[0] * P + types for types in TYPES]))[:, P:]
    found = backbone(batch_of(IDS, TYPES))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_tokens_are_drawn_by_torch_s_generator(tiny_bert_folder: Path) -> None:
    body = AutoModelForMaskedLM.from_pretrained(tiny_bert_folder).base_model
    torch.manual_seed(0)
    first, other = sample_tokens(body, 50), sample_tokens(body, 50)
    torch.manual_seed(0)
    assert torch.equal(first, sample_tokens(body, 50)) and not torch.equal(first, other)
    assert first.shape == (1, 50) and first.max() < body.config.vocab_size
