"""The recipe's schema: what is refused, and the line that says so."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from benchsuite.errors import InputError
from benchsuite.pretrain.model import build_model, parameter_counts
from benchsuite.pretrain.objectives import masked_lm
from benchsuite.pretrain.objectives.base import Vocabulary
from benchsuite.pretrain.recipe import Recipe, load_recipe
from benchsuite.pretrain.tokenizer import load_tokenizer

BUNDLED = Path(__file__).parents[2] / "baselines"


def test_the_bundled_gpt_stays_within_its_size() -> None:
    recipe = load_recipe(BUNDLED / "recipes" / "gpt.yaml")
    vocabulary = Vocabulary.of(load_tokenizer(BUNDLED / "models" / "gpt"))
    assert recipe.tokenizer.vocab_size == vocabulary.size
    counts = parameter_counts(build_model(recipe.architecture, vocabulary))
    # by hand: tables 8192*256 + 1024*256; a block 12*256^2 + 13*256 (weights, biases, two norms);
    # last norm 2*256
    assert counts["embedding"] == 8192 * 256 + 1024 * 256
    assert counts["non_embedding"] == 6 * (12 * 256**2 + 13 * 256) + 2 * 256
    assert counts["total"] == counts["embedding"] + counts["non_embedding"] <= 8_000_000
    assert recipe.corpus.seen_in_pretraining == ["race"]


def test_settings_of_an_objective_are_checked(settings: dict, tmp_path: Path) -> None:
    settings |= {"objective": "masked_lm", "objective_settings": {"whole_words": True}}
    settings["architecture"]["type"] = "bert"
    file = tmp_path / "bert.yaml"
    file.write_text(yaml.safe_dump(settings))
    with pytest.raises(InputError, match="whole_words: unknown key; did you mean whole_word"):
        load_recipe(file)
    settings["objective_settings"] = {"whole_word": "perhaps"}
    file.write_text(yaml.safe_dump(settings))
    with pytest.raises(InputError, match=r"objective_settings\.whole_word: .*valid boolean"):
        load_recipe(file)
    settings["objective_settings"] = {"random_share": 0.3}
    file.write_text(yaml.safe_dump(settings))
    with pytest.raises(InputError, match="objective_settings: mask_share and random_share exceed"):
        load_recipe(file)
    settings["objective_settings"] = {}
    settings["lengths"][0]["length"] = 4
    file.write_text(yaml.safe_dump(settings))
    with pytest.raises(InputError, match="rows of masked_lm have 5 positions or more"):
        load_recipe(file)
    settings["lengths"][0]["length"] = 32
    settings["objective_settings"] = {"whole_word": True}
    file.write_text(yaml.safe_dump(settings))
    assert load_recipe(file).make_objective() == masked_lm.Objective(whole_word=True)


def _change(settings: dict, path: str, value: object) -> None:
    *parents, last = path.split(".")
    section = settings
    for key in parents:
        section = section[int(key) if key.isdigit() else key]
    section[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("schedule", {"shape": "steps"}, "schedule.shape: Input should be 'cosine' or 'linear'"),
        ("schedule", {"decay": 0.99}, "schedule: warmup and decay exceed the budget"),
        ("architecture.position_table", "rotary", "position_table: Input should be 'random'"),
        ("architecture.first_attention", "neighbours", "are found on a sinusoidal table only"),
        ("sede", 1, "sede: unknown key; did you mean seed"),
        ("optimizer.learning_rate", 1, "optimizer.learning_rate: unknown key$"),
        ("architecture.head", 1, "architecture.head: unknown key; did you mean heads"),
        ("lengths.1.shares", 1, "lengths.1.shares: unknown key; did you mean share"),
        ("objective", "masked", "objective: unknown objective 'masked'; did you mean masked_lm"),
        ("objective", "masked_lm", "recipe: masked_lm trains bert, not gpt2"),
        ("objective_settings", {"rate": 0.2}, "recipe: objective_settings.rate: unknown key$"),
        ("architecture.type", "lstm", "architecture.type: Input should be 'gpt2', 'bert' or 't5'"),
        ("architecture.heads", 3, "architecture: heads must divide hidden_size"),
        ("budget.minutes", 3, "budget: give tokens or minutes, one of the two"),
        ("budget.tokens", 0, "budget.tokens: .*greater than 0"),
        ("lengths.0.share", 0.4, "recipe: the shares in lengths must add up to 1"),
        ("lengths.1.length", 128, "length 128 exceeds architecture.positions"),
        ("lengths.1.length", 32, "names the same length twice"),
        ("lengths.1.shifted", "no position", "lengths.1.shifted: Input should be a valid boolean"),
        ("batch_tokens", 200, "batch_tokens must be a multiple of length 32 x accumulation"),
        ("optimizer.name", "adamw", "adamw_lr is for muon"),
        ("schedule", {"warmup": 1.0}, "schedule.warmup: .*less than 1"),
        ("name", "../x", "name: "),
        ("budget.tokens", True, "budget.tokens: a number is asked for, not a boolean"),
        ("optimizer.lr", True, "optimizer.lr: a number is asked for, not a boolean"),
        ("optimizer.lr", float("inf"), "optimizer.lr: .*finite number"),
        ("optimizer.betas", [0.9, 1.0], "optimizer.betas.1: .*less than 1"),
        ("architecture.dropout", 1.0, "architecture.dropout: .*less than 1"),
        ("seed", 10**23, "seed: .*less than"),
        ("optimizer.weight_decay", float("inf"), "optimizer.weight_decay: .*finite number"),
        ("optimizer.weight_decay", True, "optimizer.weight_decay: a number is asked for"),
        ("lengths.0.share", True, "lengths.0.share: a number is asked for"),
        ("schedule", {"decay": True}, "schedule.decay: a number is asked for"),
    ],
)
def test_bad_settings_give_one_line(
    settings: dict, tmp_path: Path, path: str, value: object, message: str
) -> None:
    _change(settings, path, value)
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(settings))
    with pytest.raises(InputError, match=message) as caught:
        load_recipe(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [1", "not YAML"), ("- 1", "a recipe is a mapping"), ("name: x", "objective: ")],
)
def test_files_that_are_no_recipe(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_recipe(file)
    assert "\n" not in str(caught.value)


def test_a_misspelt_key_is_named_before_the_missing_one(settings: dict, tmp_path: Path) -> None:
    settings["architecture"]["hiden_size"] = settings["architecture"].pop("hidden_size")
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(settings))
    with pytest.raises(InputError, match="hiden_size: unknown key; did you mean hidden_size"):
        load_recipe(file)


def test_a_missing_recipe(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no recipe"):
        load_recipe(tmp_path / "none.yaml")


def test_a_key_that_stands_twice_is_refused(settings: dict, tmp_path: Path) -> None:
    file = tmp_path / "twice.yaml"
    text = yaml.safe_dump(settings)
    file.write_text(text + "seed: 1\nseed: 2\n")
    last = len(text.splitlines()) + 2
    with pytest.raises(InputError, match=f"twice.yaml:{last}: key `seed` repeats .* {last - 1}$"):
        load_recipe(file)


def test_a_length_may_come_shifted_and_then_not(settings: dict) -> None:
    settings["lengths"] = [
        {"length": 32, "share": 0.5, "shifted": True},
        {"length": 32, "share": 0.5},
    ]
    assert [phase.shifted for phase in Recipe.model_validate(settings).lengths] == [True, False]


def test_t5_has_nothing_to_shift(settings: dict) -> None:
    settings["architecture"]["type"] = "t5"
    settings["objective"] = "span_corruption"
    settings["lengths"][0]["shifted"] = True
    with pytest.raises(ValidationError, match="shifted is for position tables, and t5 has none"):
        Recipe.model_validate(settings)
