"""What a fresh model begins as."""

import math
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from transformers import GPT2LMHeadModel

from benchsuite.pretrain.model import build_model, save_folder, sinusoids
from benchsuite.pretrain.objectives.base import Vocabulary
from benchsuite.pretrain.recipe import Architecture
from benchsuite.pretrain.tokenizer import train_bpe, wrap

VOCABULARY = Vocabulary.of(wrap(train_bpe(["a cat, a hat"], 300)))


def test_sinusoids_are_the_papers() -> None:
    found = sinusoids(7, 6)
    for position in range(7):
        for pair in range(3):
            angle = position / 10000 ** (2 * pair / 6)
            assert float(found[position, pair]) == pytest.approx(math.sin(angle), abs=1e-6)
            assert float(found[position, pair + 3]) == pytest.approx(math.cos(angle), abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("gpt2", "transformer.wpe"), ("bert", "bert.embeddings.position_embeddings")],
)
def test_a_sinusoidal_table_has_the_size_of_a_random_one(kind: str, name: str) -> None:
    shape = {"type": kind, "hidden_size": 32, "layers": 1, "heads": 2, "positions": 64}
    torch.manual_seed(0)
    random = build_model(Architecture(**shape), VOCABULARY)
    torch.manual_seed(0)
    model = build_model(Architecture(**shape, position_table="sinusoidal"), VOCABULARY)
    table = model.get_parameter(f"{name}.weight")
    assert table.requires_grad
    table = table.detach()
    assert float(table.square().mean()) == pytest.approx(0.02**2, rel=1e-3)
    # One rotation takes every position to its neighbour.
    rates = 10000 ** (-torch.arange(0, 32, 2) / 32)
    sines, cosines = table[:-1].split(16, dim=1)
    moved = [
        sines * rates.cos() + cosines * rates.sin(),
        cosines * rates.cos() - sines * rates.sin(),
    ]
    assert torch.allclose(torch.cat(moved, dim=1), table[1:], atol=1e-6)
    for other, weights in model.state_dict().items():
        if other != f"{name}.weight":
            assert torch.equal(weights, random.state_dict()[other])


@pytest.mark.parametrize("kind", ["gpt2", "bert", "t5"])
def test_all_three_activate_alike(kind: str) -> None:
    shape = {"type": kind, "hidden_size": 32, "layers": 1, "heads": 2, "positions": 64}
    model = build_model(Architecture(**shape), VOCABULARY)
    activations = [module for module in model.modules() if "GELU" in type(module).__name__]
    assert activations and not any("ReLU" in type(module).__name__ for module in model.modules())
    values = torch.linspace(-3, 3, 7)
    for activation in activations:
        assert torch.allclose(activation(values), torch.nn.functional.gelu(values), atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "offsets"), [("gpt2", (-1, -2, -3, -4)), ("bert", (-1, 1, -2, 2))]
)
def test_the_first_heads_start_at_neighbours(kind: str, offsets: tuple[int, ...]) -> None:
    shape = {"type": kind, "hidden_size": 256, "layers": 2, "heads": 4, "positions": 128}
    shape |= {"position_table": "sinusoidal", "first_attention": "neighbours"}
    torch.manual_seed(0)
    model = build_model(Architecture(**shape), VOCABULARY).eval()
    model.set_attn_implementation("eager")
    ids = torch.randint(len(VOCABULARY.tokenizer), (4, 100))
    with torch.no_grad():
        first, second = model.base_model(ids, output_attentions=True).attentions
    for head, offset in enumerate(offsets):
        # mean attention of the positions 10 to 89 to those so far away
        reach = range(-8, 1 if kind == "gpt2" else 9)
        near = {
            far: float(first[:, head, range(10, 90), range(10 + far, 90 + far)].mean())
            for far in reach
        }
        assert max(near, key=near.__getitem__) == offset
        assert near[offset] > 0.4 and sum(near.values()) > 0.95
        even = second[:, head, range(10, 90), range(10 + offset, 90 + offset)].mean()
        assert float(even) < 0.1


def test_half_of_t5_s_heads_start_at_neighbours() -> None:
    shape = {"type": "t5", "hidden_size": 64, "layers": 1, "heads": 4, "positions": 128}
    torch.manual_seed(0)
    plain = build_model(Architecture(**shape), VOCABULARY).eval()
    torch.manual_seed(0)
    model = build_model(Architecture(**shape, first_attention="neighbours"), VOCABULARY).eval()
    model.set_attn_implementation("eager")
    ids = torch.randint(len(VOCABULARY.tokenizer), (4, 60))
    with torch.no_grad():
        found = model(input_ids=ids, decoder_input_ids=ids, output_attentions=True)
    for [attention], offsets in (
        (found.encoder_attentions, (-1, 1)),
        (found.decoder_attentions, (-1, -2)),
    ):
        for head, offset in enumerate(offsets):
            places = range(5, 55)
            there = attention[:, head, places, range(5 + offset, 55 + offset)]
            assert float(there.mean()) > 0.8
        assert float(attention[:, 2:, places, range(4, 54)].mean()) < 0.1
    changed = [
        name
        for name, weights in model.state_dict().items()
        if not torch.equal(weights, plain.state_dict()[name])
    ]
    assert all("relative_attention_bias" in name for name in changed) and len(changed) == 2


def test_a_full_disk_leaves_the_folder_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object, folder: Path) -> None:
        folder.mkdir()
        raise SafetensorError("File too large")

    monkeypatch.setattr(GPT2LMHeadModel, "save_pretrained", fail)
    shape = {"type": "gpt2", "hidden_size": 32, "layers": 1, "heads": 2, "positions": 64}
    (tmp_path / "model").mkdir()
    with pytest.raises(OSError, match="File too large"):
        save_folder(
            build_model(Architecture(**shape), VOCABULARY), tmp_path, tmp_path / "model", {}
        )
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
