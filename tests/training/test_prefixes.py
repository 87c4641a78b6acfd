"""Prefixes against plain networks that read the same tokens before the text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    DistilBertConfig,
    DistilBertForMaskedLM,
    LEDConfig,
    LEDForConditionalGeneration,
    T5ForConditionalGeneration,
)

from benchsuite.errors import NotApplicable
from benchsuite.training import prefixes
from benchsuite.training.backbone import Backbone
from benchsuite.training.prefixes import Prefix, add_prefixes, wrap_body
from tests.training.bodies import IDS, backbone_of, batch_of, tiny_bart

TOKENS = [17, 250, 99]
P = len(TOKENS)
LOWEST = torch.finfo(torch.float32).min


@pytest.fixture(autouse=True)
def known_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefixes, "sample_tokens", lambda body, tokens: torch.tensor([TOKENS]))


@torch.no_grad()
def test_a_decoder_with_a_fresh_prefix_reads_its_tokens_first(tiny_gpt2_folder: Path) -> None:
    plain = backbone_of(tiny_gpt2_folder, "decoder").body
    backbone = backbone_of(tiny_gpt2_folder, "decoder")
    wrap_body(backbone, P)
    for ids in IDS:
        expected = plain(torch.tensor([TOKENS + ids])).last_hidden_state[:, P:]
        torch.testing.assert_close(backbone(batch_of([ids])), expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_an_encoder_s_tokens_do_not_see_the_text(tiny_bert_folder: Path) -> None:
    plain = backbone_of(tiny_bert_folder, "encoder").body
    backbone = backbone_of(tiny_bert_folder, "encoder")
    wrap_body(backbone, P)
    for ids in IDS:
        mask = apart(len(ids), len(ids))
        expected = plain(torch.tensor([TOKENS + ids]), attention_mask=mask).last_hidden_state
        torch.testing.assert_close(backbone(batch_of([ids])), expected[:, P:], atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["classification", "tagging"])
def test_t5_with_fresh_prefixes_reads_their_tokens_beside_the_text(
    kind: str, tiny_t5_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference reads tokens and text as one row, positions counted within each of the two."""
    backbone = backbone_of(tiny_t5_folder, "encoder-decoder", kind)
    add_prefixes(backbone, P)
    plain = T5ForConditionalGeneration.from_pretrained(tiny_t5_folder).eval()
    for stack in (plain.encoder, plain.decoder):
        attention = stack.block[0].layer[0].SelfAttention
        monkeypatch.setattr(attention, "compute_bias", biases_apart(attention.compute_bias))
    for ids in IDS:
        row = torch.tensor([TOKENS + ids])
        states = plain.encoder(row, attention_mask=apart(len(ids), len(ids))).last_hidden_state
        expected = states[:, P:]
        if kind == "classification":
            start = torch.tensor([[*TOKENS, plain.config.decoder_start_token_id]])
            mask = apart(1, 1) + torch.full((P + 1, P + 1), LOWEST).triu(1)
            expected = plain.decoder(
                start,
                attention_mask=mask.clamp(min=LOWEST),
                encoder_hidden_states=states,
                encoder_attention_mask=apart(1, len(ids)),
                use_cache=False,
            ).last_hidden_state[:, P:]
        torch.testing.assert_close(backbone(batch_of([ids])), expected, atol=1e-5, rtol=0)


def apart(queries: int, keys: int) -> Tensor:
    """A float mask (1, 1, P + queries, P + keys) under which the tokens do not see the text."""
    mask = torch.zeros(1, 1, P + queries, P + keys)
    mask[:, :, :P, P:] = LOWEST
    return mask


def biases_apart(compute_bias: Any) -> Any:
    """Relative positions within the tokens and within the text; none between the two."""

    def computed(queries: int, keys: int, **given: Any) -> Tensor:
        own = compute_bias(P, P, **given)
        text = compute_bias(queries - P, keys - P, **given)
        bias = torch.zeros(*own.shape[:2], queries, keys)
        bias[:, :, :P, :P], bias[:, :, P:, P:] = own, text
        return bias

    return computed


@pytest.fixture(params=["gpt2", "bert", "t5", "t5 encoder", "bart", "bart encoder"])
def moved(request: pytest.FixtureRequest) -> Backbone:
    """A backbone whose prefix is no longer that of the tokens it began with."""
    name, _, part = request.param.partition(" ")
    family = {"gpt2": "decoder", "bert": "encoder"}.get(name, "encoder-decoder")
    source = tiny_bart() if name == "bart" else request.getfixturevalue(f"tiny_{name}_folder")
    backbone = backbone_of(source, family, "tagging" if part else "classification")
    (add_prefixes if family == "encoder-decoder" else wrap_body)(backbone, P)
    with torch.no_grad():
        for tensor in learned(backbone):
            tensor += torch.randn(tensor.shape, generator=torch.Generator().manual_seed(1))
    return backbone


def learned(backbone: Backbone) -> Iterator[Tensor]:
    found = [one for one in backbone.parameters() if one.requires_grad]
    assert found
    yield from found


@torch.no_grad()
def test_padding_moves_nothing(moved: Backbone) -> None:
    together = moved(batch_of(IDS))
    for number, ids in enumerate(IDS):
        alone = moved(batch_of([ids]))[0]
        torch.testing.assert_close(together[number, : len(alone)], alone, atol=1e-5, rtol=0)


def test_every_attention_has_a_prefix_that_learns(moved: Backbone) -> None:
    states = moved(batch_of(IDS))
    (states * torch.randn_like(states)).sum().backward()
    assert all(one.grad is not None and one.grad.any() for one in learned(moved))
    if moved.family == "encoder-decoder":
        places = 2 if moved.decoder is None else 2 + 4
        assert sum(isinstance(module, Prefix) for module in moved.modules()) == places


def test_what_cannot_take_a_prefix_is_refused() -> None:
    distilbert = DistilBertForMaskedLM(
        DistilBertConfig(vocab_size=400, dim=16, n_layers=1, n_heads=2, hidden_dim=32)
    )
    with pytest.raises(NotApplicable) as caught:
        wrap_body(backbone_of(distilbert, "encoder"), P)
    assert caught.value.condition == "no past keys"
    led = LEDForConditionalGeneration(
        LEDConfig(
            vocab_size=400,
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            attention_window=8,
        )
    )
    with pytest.raises(NotApplicable) as caught:
        add_prefixes(backbone_of(led, "encoder-decoder"), P)
    assert caught.value.condition == "unknown attention"
