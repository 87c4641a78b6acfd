"""What holds for all objectives: names, sizes, and losses that start at a uniform guess."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError
from transformers import AutoModelForMaskedLM

from benchsuite.errors import InputError
from benchsuite.models.registry import load_model
from benchsuite.pretrain import objectives
from benchsuite.pretrain.model import build_model, parameter_counts, weights_by_part
from benchsuite.pretrain.objectives import objective_class, objective_names
from benchsuite.pretrain.objectives.base import Vocabulary
from benchsuite.pretrain.recipe import load_recipe
from benchsuite.pretrain.run import pretrain
from tests.pretrain.objectives.conftest import make_batch

RECIPES = Path(__file__).parents[3] / "baselines" / "recipes"


def test_names() -> None:
    assert {"causal_lm", "masked_lm", "span_corruption"} <= set(objective_names())
    with pytest.raises(InputError, match="unknown objective 'masked'; did you mean masked_lm"):
        objective_class("masked")


@pytest.mark.parametrize("name", objective_names())
def test_the_shortest_rows_have_text_and_targets(
    name: str, tokens: np.ndarray, vocabulary: Vocabulary
) -> None:
    objective = objective_class(name)()
    windows, batch = make_batch(objective, tokens, vocabulary, objective.shortest, rows=200)
    assert windows.shape[1] > 1
    assert objective.targets(objective.shortest) >= 1
    assert all(len(tensor) == 200 for tensor in batch.values())


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("masked_lm", {"rate": 0}),
        ("masked_lm", {"rate": 1}),
        ("masked_lm", {"mask_share": -0.1}),
        ("masked_lm", {"random_share": 0.3}),
        ("masked_lm", {"split_rate": 2}),
        ("span_corruption", {"rate": 1.5}),
        ("span_corruption", {"mean_span": 0.5}),
        ("span_corruption", {"sentinels": 1}),
        ("span_corruption", {"sentinels": 33}),  # the vocabulary has 32
        ("span_corruption", {"shifted": -1}),
    ],
)
def test_settings_that_make_no_rows_are_refused(name: str, settings: dict) -> None:
    with pytest.raises(ValidationError):
        objective_class(name)(**settings)


BACKWARD_LM = '''
"""Backward language modelling: every token from those after it (Peters et al. 2018)."""

import numpy as np
import torch

from benchsuite.pretrain.objectives.base import BaseObjective


class Objective(BaseObjective):
    """The token before, of packed sequences."""

    architectures = ("gpt2",)
    weight: float = 1.0

    def describe(self):
        return "backward LM: the token before"

    def window(self, length):
        return length

    def targets(self, length):
        return length

    def positions(self, length):
        return {"body": length, "head": length}

    def example(self, tokens, vocabulary, random):
        return {"tokens": np.flip(tokens).copy()}

    def loss(self, model, batch):
        tokens = batch["tokens"]
        logits = model(input_ids=tokens[:, :-1]).logits.float()
        return self.weight * torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), tokens[:, 1:].flatten()
        )
'''


def test_another_objective_is_a_file_and_a_recipe(
    recipe: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "objectives"
    folder.mkdir()
    (folder / "backward_lm.py").write_text(BACKWARD_LM)
    monkeypatch.setattr(objectives, "__path__", [*objectives.__path__, str(folder)])
    assert "backward_lm" in objective_names()
    settings = yaml.safe_load(recipe.read_text()) | {"objective": "backward_lm"}
    recipe.write_text(yaml.safe_dump(settings))
    model = pretrain(recipe, None, tmp_path / "run", shards=shards, tokens=60 * 256, echo=str)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["validation_loss_32"] < log[0]["loss"] - 0.5
    assert "backward LM: the token before" in (model / "README.md").read_text()
    assert load_model(str(model)).ref.metadata["objective"] == "backward_lm"
    settings |= {"objective_settings": {"weigth": 2}}
    recipe.write_text(yaml.safe_dump(settings))
    with pytest.raises(InputError, match="weigth: unknown key; did you mean weight"):
        load_recipe(recipe)


SENTENCE_ORDER = '''
"""Sentence order: which of two halves came first (Lan et al. 2020)."""

import numpy as np
import torch

from benchsuite.pretrain.objectives.base import BaseObjective


class Objective(BaseObjective):
    """Two halves of a text, swapped or not."""

    architectures = ("bert",)
    shortest = 5

    def describe(self):
        return "sentence order"

    def modules(self, model):
        return {"order": torch.nn.Linear(model.config.hidden_size, 2)}

    def window(self, length):
        return 2 * ((length - 3) // 2)

    def targets(self, length):
        return 1

    def positions(self, length):
        return {"body": length, "objective": 1}

    def example(self, tokens, vocabulary, random):
        halves = list(np.split(tokens[: self.window(len(tokens) + 2)], 2))
        swapped = int(random.integers(2))
        first, second = halves[::-1] if swapped else halves
        row = [vocabulary.cls, *first, vocabulary.sep, *second, vocabulary.sep]
        return {"tokens": np.array(row), "swapped": np.array(swapped)}

    def loss(self, model, batch):
        states = model.bert(input_ids=batch["tokens"]).last_hidden_state[:, 0]
        logits = model.objective["order"](states).float()
        return torch.nn.functional.cross_entropy(logits, batch["swapped"])
'''


def test_an_objective_brings_a_head_that_is_not_exported(
    settings: dict,
    write_recipe: Callable[..., Path],
    shards: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "objectives"
    folder.mkdir()
    (folder / "sentence_order.py").write_text(SENTENCE_ORDER)
    monkeypatch.setattr(objectives, "__path__", [*objectives.__path__, str(folder)])
    recipe = write_recipe(
        objective="sentence_order", architecture=settings["architecture"] | {"type": "bert"}
    )
    out = tmp_path / "run"
    model = pretrain(recipe, None, out, shards=shards, tokens=512, echo=str)
    before = torch.load(out / "checkpoint.pt", weights_only=True)["model"]
    pretrain(recipe, None, out, shards=shards, tokens=1024, echo=str)
    after = torch.load(out / "checkpoint.pt", weights_only=True)["model"]
    assert not torch.equal(before["objective.order.weight"], after["objective.order.weight"])
    network, told = AutoModelForMaskedLM.from_pretrained(model, output_loading_info=True)
    assert not told["unexpected_keys"] and not told["missing_keys"]
    meta = json.loads((model / "benchsuite.json").read_text())
    assert meta["parameters"] == parameter_counts(network)
    assert torch.equal(
        network.bert.embeddings.LayerNorm.weight,
        after["bert.embeddings.LayerNorm.weight"].half().float(),
    )


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


@pytest.mark.parametrize("name", ["gpt", "bert", "t5"])
def test_a_second_recipe_is_the_first_but_for_its_text(name: str) -> None:
    first, second = (load_recipe(RECIPES / f"{name}{text}.yaml") for text in ("", "-second"))
    free = {"corpus", "budget", "lengths"}
    assert first.model_dump(exclude=free) == second.model_dump(exclude=free)


@pytest.mark.parametrize("text", ["", "-second"])
@pytest.mark.parametrize("name", ["bert", "t5"])
def test_the_trio_is_matched(name: str, text: str, vocabulary: Vocabulary) -> None:
    recipe, peer = (load_recipe(RECIPES / f"{each}{text}.yaml") for each in (name, "gpt"))
    assert recipe.corpus == peer.corpus
    assert recipe.tokenizer == peer.tokenizer
    # Where rows begin is a matter of position tables, which t5 does not have.
    phases, theirs_phases = (
        [(phase.length, phase.share) for phase in each.lengths] for each in (recipe, peer)
    )
    assert phases == theirs_phases
    assert (recipe.budget, recipe.schedule) == (peer.budget, peer.schedule)
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
