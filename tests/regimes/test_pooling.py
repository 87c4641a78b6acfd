"""Vectors of texts against a plain loop over transformers, one text at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine

from benchsuite.errors import CellFailed, InputError
from benchsuite.models.registry import Model, load_model
from benchsuite.regimes.pooling import Embedder, cosines
from tests.tiny import SENTENCES, tiny_gpt2

FAMILIES = ("gpt2", "bert", "t5")
TEXTS = [*SENTENCES, "a", "", " ", "two  spaces", SENTENCES[0]]


@pytest.fixture(scope="module")
def model(
    request: pytest.FixtureRequest, tiny_gpt2_folder: Path, tiny_bert_folder: Path
) -> Callable[[str], Model]:
    folders = {
        "gpt2": tiny_gpt2_folder,
        "bert": tiny_bert_folder,
        "t5": request.getfixturevalue("tiny_t5_folder"),
    }
    return lambda name: load_model(str(folders[name]))


def plain_ids(model: Model, text: str) -> tuple[list[int], int, int]:
    """(ids, first and end of the text's own ones), written out by family."""
    ids = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    named = model.tokenizer
    if model.family == "decoder":
        return [named.bos_token_id, *ids], 1, 1 + len(ids)
    if model.family == "encoder":
        return [named.cls_token_id, *ids, named.sep_token_id], 1, 1 + len(ids)
    return [*ids, named.eos_token_id], 0, len(ids)


@torch.no_grad()
def plain_states(model: Model, ids: list[int]) -> list[torch.Tensor]:
    """Every layer's states (tokens, width) of one unpadded text, the embeddings' first."""
    network = model.network.encoder if model.family == "encoder-decoder" else model.network
    outputs = network(input_ids=torch.tensor([ids]), output_hidden_states=True)
    return [states[0] for states in outputs.hidden_states]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("layer", [1, 2, -1, -2, "first-last"])
def test_mean_is_over_the_text_s_own_tokens(
    model: Callable[[str], Model], name: str, layer: int | str
) -> None:
    loaded = model(name)
    found = Embedder(loaded, layer, "mean", batch_tokens=40).embed(TEXTS)
    for text, vector in zip(TEXTS, found, strict=True):
        ids, first, end = plain_ids(loaded, text)
        states = plain_states(loaded, ids)
        own = slice(first, end) if end > first else slice(None)
        chosen = (states[1] + states[-1]) / 2 if layer == "first-last" else states[layer]
        np.testing.assert_allclose(vector, chosen[own].mean(0), rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_layer_0_is_the_mean_of_the_looked_up_embeddings(
    model: Callable[[str], Model], name: str
) -> None:
    loaded = model(name)
    table = loaded.network.get_input_embeddings().weight.detach().numpy()
    blocks = 2
    for layer in (0, -blocks - 1):
        (vector,) = Embedder(loaded, layer, "mean").embed([SENTENCES[1]])
        ids = loaded.tokenizer(SENTENCES[1], add_special_tokens=False)["input_ids"]
        np.testing.assert_allclose(vector, table[ids].mean(0), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_first_and_last_count_special_tokens(model: Callable[[str], Model], name: str) -> None:
    loaded = model(name)
    for pooling, place in (("first", 0), ("last", -1)):
        found = Embedder(loaded, -1, pooling, batch_tokens=40).embed(TEXTS)
        for text, vector in zip(TEXTS, found, strict=True):
            ids, _, _ = plain_ids(loaded, text)
            expected = plain_states(loaded, ids)[-1][place]
            np.testing.assert_allclose(vector, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_batch_order_and_neighbours_do_not_matter(model: Callable[[str], Model], name: str) -> None:
    loaded = model(name)
    whole = Embedder(loaded, "first-last", "mean").embed(TEXTS)
    alone = np.vstack(
        [Embedder(loaded, "first-last", "mean", 1).embed([text]) for text in reversed(TEXTS)]
    )
    np.testing.assert_allclose(whole, alone[::-1], rtol=0, atol=2e-5)


def test_equal_texts_are_computed_once(model: Callable[[str], Model]) -> None:
    embedder = Embedder(model("gpt2"), 1, "mean")
    one, _, same = embedder.embed(["The sun", "came up", "The sun"])
    assert (one == same).all()
    tokens = embedder.usage.tokens
    embedder.embed(["The sun", "came up"])
    assert embedder.usage.tokens == 2 * tokens


@pytest.mark.parametrize("name", FAMILIES)
def test_a_text_over_the_window_loses_its_beginning(
    model: Callable[[str], Model], name: str
) -> None:
    loaded = model(name)
    loaded.max_length = 12
    embedder = Embedder(loaded, -1, "mean")
    text = " ".join(SENTENCES)
    ids, first, end = plain_ids(loaded, text)
    kept = ids[:first] + ids[end - embedder.max_length : end] + ids[end:]
    assert len(kept) == 12
    states = plain_states(loaded, kept)[-1][first : first + embedder.max_length]
    np.testing.assert_allclose(embedder.embed([text])[0], states.mean(0), rtol=0, atol=2e-5)


def test_no_such_layer(model: Callable[[str], Model]) -> None:
    for layer in (3, -4):
        with pytest.raises(InputError, match=f"layer={layer}: .* has 2 layers"):
            Embedder(model("t5"), layer, "mean")


def test_a_window_without_room(model: Callable[[str], Model]) -> None:
    loaded = model("bert")
    loaded.max_length = 2
    with pytest.raises(CellFailed, match="no room"):
        Embedder(loaded, 0, "mean")


def test_a_state_that_is_not_finite_fails(tmp_path: Path) -> None:
    loaded = load_model(str(tiny_gpt2(tmp_path, constant=float("nan"))))
    with pytest.raises(CellFailed, match="not finite"):
        Embedder(loaded, -1, "mean").embed(["a"])


def test_cosines_against_scipy() -> None:
    random = np.random.default_rng(0)
    left, right = random.normal(size=(2, 20, 8))
    expected = [1 - cosine(one, other) for one, other in zip(left, right, strict=True)]
    np.testing.assert_allclose(cosines(left, right), expected, rtol=0, atol=1e-12)
    assert cosines(left, 3 * left).max() <= 1.0
    assert cosines(np.zeros((1, 8)), right[:1]).tolist() == [0.0]
