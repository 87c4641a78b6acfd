"""The regime `embed` on made pairs and on the mini suite, with tiny models of three families."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import benchsuite
from benchsuite.cells import Cell, parse_regime
from benchsuite.errors import InputError, NotApplicable
from benchsuite.models.registry import load_model
from benchsuite.records import Record, folder_name, read_outcomes
from benchsuite.regimes.embed import Embed, EmbedPredictor
from benchsuite.regimes.pooling import Embedder
from benchsuite.regimes.registry import describe_regimes, parse_options
from benchsuite.scoring.types import Usage
from benchsuite.tasks.example import Example
from benchsuite.tasks.registry import Registry
from benchsuite.tasks.task import load_task
from tests.regimes.fakes import made_examples
from tests.tiny import SENTENCES, tiny_gpt2

PAIRS = """\
version: 1
kind: classification
description: made paraphrases
licence: Apache-2.0
dataset:
  files: {train: train.jsonl, validation: validation.jsonl}
fields: {text: text, text_pair: text_pair, label: label}
labels: [different, same]
similarity: true
metrics: [accuracy]
"""


class FakeEmbedder:
    """Counts the letters a to z of each text; every word is a token."""

    max_length = 6

    def __init__(self) -> None:
        self.usage = Usage()
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += texts
        return np.array([[text.lower().count(chr(97 + i)) for i in range(26)] for text in texts])

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def shorten(self, text: str, tokens: int, keep: str) -> str:
        words = text.split()
        return " ".join(words[:tokens] if keep == "start" else words[-tokens:])


@pytest.fixture(scope="module")
def folders(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Folder of a tiny model a family, and of one whose weights are all zero."""
    names = ("tiny_gpt2_folder", "tiny_bert_folder", "tiny_t5_folder")
    found = {name: request.getfixturevalue(name) for name in names}
    zero = tiny_gpt2(tmp_path_factory.mktemp("zero"), n_positions=512, constant=0.0)
    return {**found, "zero": zero}


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A task whose pairs are the same sentence or two different ones."""
    rows = [
        {"text": SENTENCES[i], "text_pair": SENTENCES[j], "label": int(i == j)}
        for i in range(len(SENTENCES))
        for j in range(len(SENTENCES))
    ]
    rows += [row for row in rows if row["label"]] * (len(SENTENCES) - 2)
    for split in ("train", "validation"):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "pairs.yaml").write_text(PAIRS)
    return tmp_path


def pair(left: str, right: str, target: object = 0.0) -> Example:
    return Example("1", "test", "", "1", "", {"text": left, "text_pair": right}, target)


def cell(task: str, regime: str = "embed") -> Cell:
    return Cell(model="m", task=task, regime=parse_regime(regime))


# Predictions ------------------------------------------------------------------------------------


def test_a_number_is_the_cosine_mapped_onto_the_range() -> None:
    predictor = EmbedPredictor(Registry().get("glue/stsb"), FakeEmbedder())
    (variant,) = predictor.predict([pair("abc", "bca"), pair("ab", "cd"), pair("ab", "bc")])
    assert [one.value for one in variant.predictions] == pytest.approx([5.0, 2.5, 3.75])
    assert (variant.prompt, variant.score, variant.norm) == ("", "cosine", "none")


def test_the_nearest_option_is_chosen_and_equal_ones_tie() -> None:
    predictor = EmbedPredictor(Registry().get("race/middle"), FakeEmbedder())
    fields = {"context": "aab ", "question": "b?", "options": ["c", "abab", "a", "bbaa"]}
    (variant,) = predictor.predict([Example("1", "test", "", "1", "", fields, 1)])
    assert variant.predictions[0].value == 1 and variant.predictions[0].tied == (1, 3)
    assert predictor.embedder.texts[0] == "aab b?"
    assert variant.counts == {"truncated": 0}


def test_long_texts_are_shortened_as_the_task_says_and_counted() -> None:
    predictor = EmbedPredictor(Registry().get("glue/stsb"), FakeEmbedder())
    (variant,) = predictor.predict([pair("a b c d e f g h", "a b"), pair("a", "b")])
    assert "a b c d e f" in predictor.embedder.texts and variant.counts == {"truncated": 1}

    spec = Registry().get("mini/choice")
    assert spec.truncation.keep == "end"
    predictor = EmbedPredictor(spec, FakeEmbedder())
    fields = {"context": "a b c d e f", "question": "y z", "options": ["a b c d e f g", "a"]}
    (variant,) = predictor.predict([Example("1", "test", "", "1", "", fields, 1)])
    assert predictor.embedder.texts[0] == "c d e f y z"
    assert "a b c d e f" in predictor.embedder.texts and variant.counts == {"truncated": 1}


def test_an_untrained_model_s_layer_0_knows_what_is_the_same(tiny_gpt2_folder: Path) -> None:
    model = load_model(f"{tiny_gpt2_folder}:untrained")
    predictor = EmbedPredictor(Registry().get("glue/stsb"), Embedder(model, 0, "mean"))
    texts = SENTENCES[:4]
    (variant,) = predictor.predict([pair(left, right) for left in texts for right in texts])
    values = np.reshape([one.value for one in variant.predictions], (4, 4))
    assert np.diag(values) == pytest.approx([5.0] * 4)
    assert values[~np.eye(4, dtype=bool)].max() < 4.9


# Constant states --------------------------------------------------------------------------------


def test_constant_states_tie_all_options(folders: dict[str, Path]) -> None:
    spec = Registry().get("race/middle")
    predictor = EmbedPredictor(spec, Embedder(load_model(str(folders["zero"])), -1, "mean"))
    (variant,) = predictor.predict(made_examples(spec))
    assert {one.tied for one in variant.predictions} == {(0, 1, 2, 3)}


def test_constant_states_give_chance_and_no_correlation(
    folders: dict[str, Path], pairs: Path, tmp_path: Path
) -> None:
    settings = {"model": str(folders["zero"]), "regime": "embed", "store": tmp_path / "store"}
    (record,) = benchsuite.run(task="mini/similarity", limit=20, **settings)
    assert record.headline.value is None and "constant" in record.headline.undefined_reason
    (record,) = benchsuite.run(task="pairs", tasks_dir=[pairs], **settings)
    assert record.headline.value == 0.5
    assert record.counts["ties"] == record.counts["examples"]


# Thresholds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", ["median", "tuned"])
def test_paraphrases_by_threshold(
    folders: dict[str, Path], pairs: Path, tmp_path: Path, threshold: str
) -> None:
    (record,) = benchsuite.run(
        model=str(folders["tiny_gpt2_folder"]),
        regime=f"embed:layer=0+threshold={threshold}",
        task="pairs",
        tasks_dir=[pairs],
        store=tmp_path / "store",
    )
    slice_size = record.provenance["data"]["training"]["selection"]["used"]
    assert record.labels_used == (slice_size if threshold == "tuned" else 0)
    outcomes = read_outcomes(tmp_path / "store" / folder_name(record.cell), record)
    chosen = record.provenance["chosen"][""]["threshold"]
    if threshold == "tuned":
        # The same sentence twice has cosine 1, up to rounding; any other pair less.
        assert chosen < 1 and record.headline.value == 1.0
    else:
        assert outcomes["prediction"].mean() == pytest.approx(0.5, abs=0.2)


def test_labels_are_counted_and_a_needless_threshold_is_refused() -> None:
    regime = Embed()
    stsb, similarity = load_task("glue/stsb", offline=True), load_task("mini/similarity")
    assert regime.train_data(stsb, cell("glue/stsb")) == {}
    with pytest.raises(NotApplicable, match="needs no threshold") as caught:
        regime.train_data(similarity, cell("mini/similarity", "embed:threshold=tuned"))
    assert caught.value.condition == "no threshold"


# The regime -------------------------------------------------------------------------------------


def test_options() -> None:
    def read(text: str) -> dict[str, object]:
        return parse_options(parse_regime(text)).model_dump()

    assert read("embed") == {"layer": "first-last", "pooling": "mean", "threshold": "median"}
    assert read("embed:layer=-2+pooling=last")["layer"] == -2
    for bad in ("layer=top", "layer=1.5", "layer=true", "pooling=max"):
        with pytest.raises(InputError, match=bad.split("=")[0]):
            read(f"embed:{bad}")
    with pytest.raises(InputError, match="layer=top': write a layer's number or first-last"):
        read("embed:layer=top")
    (row,) = [row for row in describe_regimes() if row["name"] == "embed"]
    assert row["options"] == "layer=first-last+pooling=mean+threshold=median"
    assert row["randomized"] is False and row["trains"] == "nothing"


@pytest.mark.parametrize("family", ["decoder", "encoder", "encoder-decoder"])
def test_only_similarity_and_choice_are_answered(family: str) -> None:
    answered = {
        spec.id
        for spec in map(Registry().get, Registry().ids())
        if Embed().reason_not_applicable(load_task(spec.id, offline=True), family) is None
    }
    assert answered == {
        *("glue/mrpc", "glue/qqp", "glue/stsb", "mini/similarity"),
        *("race/middle", "race/high", "race/all", "mini/choice"),
    }


@pytest.mark.parametrize("name", ["tiny_gpt2_folder", "tiny_bert_folder", "tiny_t5_folder"])
def test_the_mini_suite(folders: dict[str, Path], tmp_path: Path, name: str) -> None:
    records: list[Record] = benchsuite.run(
        model=str(folders[name]), regime="embed", suite="mini", limit=12, store=tmp_path / "store"
    )
    done = {one.cell["task"]: one for one in records if one.status == "done"}
    assert set(done) == {"mini/choice", "mini/similarity"}
    assert {one.status for one in records} == {"done", "not_applicable"}
    assert all(one.reason for one in records if one.status != "done")
    for one in done.values():
        assert one.headline.score == "cosine" and one.headline.value is not None
        assert one.labels_used == 0 and one.cost["tokens"] > 0 and one.cell["seed"] is None
    # Passages are longer than 64 tokens of so small a vocabulary; T5's window is longer.
    assert (done["mini/choice"].counts["truncated"] > 0) == (name != "tiny_t5_folder")
