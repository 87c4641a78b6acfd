"""Bottlenecks, their experts, and where in a network they go."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    GPTNeoConfig,
    GPTNeoForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedModel,
)

from benchsuite.errors import NotApplicable
from benchsuite.training.adapters import Bottleneck, add_adapters, norms
from tests.training.bodies import (
    IDS,
    LAYERS,
    SMALL,
    backbone_of,
    batch_of,
    tiny_bart,
    tiny_gpt_neox,
)


def filled(experts: int) -> Bottleneck:
    """A bottleneck with random weights everywhere."""
    torch.manual_seed(0)
    adapter = Bottleneck(6, 3, experts)
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter)
    return adapter.eval()


def test_it_begins_as_the_identity_and_learns() -> None:
    torch.manual_seed(0)
    adapter, states = Bottleneck(6, 3, 2), torch.randn(2, 5, 6)
    assert torch.equal(adapter.eval()(states), states)
    assert torch.equal(adapter.train()(states), states)
    adapter(states).square().sum().backward()
    with torch.no_grad():
        for parameter in adapter.parameters():
            if parameter.grad is not None:
                parameter -= 0.1 * parameter.grad
    assert not torch.equal(adapter.eval()(states), states)


@torch.no_grad()
def test_experts_are_averaged_weight_by_weight() -> None:
    adapter, states = filled(3), torch.randn(4, 6)
    down = torch.stack([layer.weight for layer in adapter.down]).mean(0)
    down_bias = torch.stack([layer.bias for layer in adapter.down]).mean(0)
    up = torch.stack([layer.weight for layer in adapter.up]).mean(0)
    up_bias = torch.stack([layer.bias for layer in adapter.up]).mean(0)
    inner = functional.gelu(states @ down.T + down_bias)
    expected = states + inner @ up.T + up_bias
    torch.testing.assert_close(adapter(states), expected)
    before = [parameter.clone() for parameter in adapter.parameters()]
    kept = list(adapter.parameters())
    adapter.average()
    assert len(adapter.down) == len(adapter.up) == 1
    torch.testing.assert_close(adapter(states), expected)
    torch.testing.assert_close(adapter.train()(states), expected)
    assert all(torch.equal(one, other) for one, other in zip(before, kept, strict=True))


@torch.no_grad()
def test_in_training_a_pass_takes_any_down_and_any_up() -> None:
    adapter, states = filled(2), torch.randn(4, 6)
    pairs = [
        states + up(functional.gelu(down(states))) for down in adapter.down for up in adapter.up
    ]
    adapter.train()
    torch.manual_seed(1)
    taken = set()
    for _ in range(40):
        found = adapter(states)
        near = [n for n, one in enumerate(pairs) if torch.allclose(found, one, atol=1e-6)]
        assert len(near) == 1
        taken.add(near[0])
    assert taken == {0, 1, 2, 3}


DISTILBERT = DistilBertConfig(vocab_size=400, dim=16, n_layers=2, n_heads=2, hidden_dim=32)
GPT_NEO = GPTNeoConfig(
    **SMALL, num_layers=2, num_heads=2, attention_types=[[["global", "local"], 1]]
)
OPT = OPTConfig(
    **SMALL, num_hidden_layers=2, num_attention_heads=2, ffn_dim=32, word_embed_proj_dim=16
)


def network(name: str) -> tuple[PreTrainedModel, str]:
    """A tiny network by the name of its architecture, and its family."""
    match name:
        case "distilbert":
            return DistilBertForMaskedLM(DISTILBERT), "encoder"
        case "gpt_neo":
            return GPTNeoForCausalLM(GPT_NEO), "decoder"
        case "gpt_neox":
            return tiny_gpt_neox(), "decoder"
        case "llama":
            return LlamaForCausalLM(LlamaConfig(**LAYERS)), "decoder"
        case "opt":
            return OPTForCausalLM(OPT), "decoder"
    return tiny_bart(), "encoder-decoder"


@pytest.mark.parametrize("name", ["distilbert", "gpt_neo", "gpt_neox", "llama", "opt", "bart"])
@pytest.mark.parametrize("after_attention", [True, False])
def test_known_architectures(name: str, after_attention: bool) -> None:
    """Of each block: every attention's output passes an adapter, and the feed-forward one's."""
    torch.manual_seed(0)
    backbone = backbone_of(*network(name))
    with torch.no_grad():
        plain = backbone(batch_of(IDS))
        add_adapters(backbone, 4, 1, after_attention)
        assert torch.equal(backbone(batch_of(IDS)), plain)
    adapters = [module for module in backbone.modules() if isinstance(module, Bottleneck)]
    attentions = 6 if name == "bart" else 2
    blocks = 4 if name == "bart" else 2
    assert len(adapters) == blocks + (attentions if after_attention else 0)
    states = backbone(batch_of(IDS))
    (states * torch.randn_like(states)).sum().backward()
    assert all(one.up[0].weight.grad is not None for one in adapters)


def test_an_adapter_comes_before_the_residual_addition(tiny_gpt2_folder: Path) -> None:
    """Doubling what the feed-forward network adds, by hand and by its adapter."""
    plain = backbone_of(tiny_gpt2_folder, "decoder")
    adapted = backbone_of(tiny_gpt2_folder, "decoder")
    add_adapters(adapted, 32, 1, after_attention=False)
    for number, block in enumerate(plain.body.h):
        with torch.no_grad():
            block.mlp.c_proj.weight *= 2
            block.mlp.c_proj.bias *= 2
        adapter = adapted.body.h[number].mlp.c_proj.adapter
        # gelu(x) - gelu(-x) = x
        half = torch.eye(16)
        with torch.no_grad():
            adapter.down[0].weight.copy_(torch.cat([half, -half]))
            adapter.down[0].bias.zero_()
            adapter.up[0].weight.copy_(torch.cat([half, -half], dim=1))
    with torch.no_grad():
        torch.testing.assert_close(
            adapted(batch_of(IDS)), plain(batch_of(IDS)), atol=1e-4, rtol=1e-4
        )


def test_unknown_blocks_are_refused() -> None:
    albert = AlbertForMaskedLM(AlbertConfig(**LAYERS, embedding_size=8))
    with pytest.raises(NotApplicable) as caught:
        add_adapters(backbone_of(albert, "encoder"), 4, 1, after_attention=True)
    assert caught.value.condition == "unknown blocks"


def test_norms_of_any_kind(tiny_bert_folder: Path, tiny_t5_folder: Path) -> None:
    assert len(list(norms(backbone_of(tiny_bert_folder, "encoder")))) == 1 + 2 * 2
    assert len(list(norms(backbone_of(tiny_t5_folder, "encoder-decoder")))) == 5 + 7
    llama = LlamaForCausalLM(LlamaConfig(**LAYERS))
    assert len(list(norms(backbone_of(llama, "decoder")))) == 2 * 2 + 1
