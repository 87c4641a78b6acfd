"""What holds for all objectives: names, sizes, and losses that start at a uniform guess."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from benchsuite.errors import InputError
from benchsuite.pretrain.model import build_model, parameter_counts, weights_by_part
from benchsuite.pretrain.objectives import objective_class, objective_names
from benchsuite.pretrain.objectives.base import Vocabulary
from benchsuite.pretrain.recipe import load_recipe
from tests.pretrain.objectives.conftest import make_batch

RECIPES = Path(__file__).parents[3] / "baselines" / "recipes"


def test_names() -> None:
    assert objective_names() == ["causal_lm", "masked_lm", "span_corruption"]
    with pytest.raises(InputError, match="unknown objective 'masked'; did you mean masked_lm"):
        objective_class("masked")


@pytest.mark.parametrize("name", ["gpt", "bert", "t5"])
@torch.no_grad()
def test_bundled_recipes_start_at_a_uniform_guess(
    name: str, tokens: np.ndarray, vocabulary: Vocabulary
) -> None:
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    torch.manual_seed(0)
    model = build_model(recipe.architecture, vocabulary).eval()
    _, batch = make_batch(recipe.make_objective(), tokens, vocabulary, rows=4)
    loss = recipe.make_objective().loss(model, batch).item()
    assert loss == pytest.approx(math.log(8192), abs=0.15)


@pytest.mark.parametrize("name", ["bert", "t5"])
def test_the_trio_is_matched(name: str, vocabulary: Vocabulary) -> None:
    recipe, peer = (load_recipe(RECIPES / f"{each}.yaml") for each in (name, "gpt"))
    assert recipe.corpus == peer.corpus
    assert recipe.tokenizer == peer.tokenizer
    assert recipe.lengths == peer.lengths
    assert recipe.batch_tokens == peer.batch_tokens
    ours, theirs = (
        parameter_counts(build_model(each.architecture, vocabulary)) for each in (recipe, peer)
    )
    assert ours["non_embedding"] == pytest.approx(theirs["non_embedding"], rel=0.05)
    assert ours["total"] <= 8_000_000


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # by hand; d = 256, V = 8192
        ("gpt", {"body": 6 * (12 * 256**2 + 13 * 256) + 512, "head": 8192 * 256}),
        (
            "bert",
            # six blocks and the norm of the embeddings; transform, its norm, table, bias
            {
                "body": 6 * (12 * 256**2 + 13 * 256) + 512,
                "head": 256**2 + 3 * 256 + 8192 * 256 + 8192,
            },
        ),
        (
            "t5",
            # blocks of attention 4 d^2, feed-forward 2 d 768 and norms; of the decoder's six
            # attentions, keys and values of three work on the encoder's positions
            {
                "encoder": 3 * (4 * 256**2 + 2 * 256 * 768 + 2 * 256) + 256 + 3 * 2 * 256**2,
                "decoder": 3 * (6 * 256**2 + 2 * 256 * 768 + 3 * 256) + 256,
                "head": 8192 * 256,
            },
        ),
    ],
)
def test_weights_by_part(name: str, expected: dict[str, int], vocabulary: Vocabulary) -> None:
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    assert weights_by_part(build_model(recipe.architecture, vocabulary)) == expected
    assert set(recipe.make_objective().positions(256)) == set(expected)
