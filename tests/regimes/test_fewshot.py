"""The regime `fewshot` on made tasks and on the mini suite, with tiny models of three families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import benchsuite
from benchsuite.cells import Cell, parse_regime
from benchsuite.errors import InputError, NotApplicable
from benchsuite.models.registry import load_model
from benchsuite.records import Record
from benchsuite.regimes.demonstrations import Demonstration, text_before
from benchsuite.regimes.fewshot import FewShot, FewShotPredictor
from benchsuite.regimes.registry import describe_regimes, parse_options
from benchsuite.regimes.zeroshot_methods import build_requests
from benchsuite.scoring import make_scorer
from benchsuite.scoring.paths import PATHS
from benchsuite.tasks.example import Example
from benchsuite.tasks.prompts import values_of
from benchsuite.tasks.registry import Registry
from benchsuite.tasks.task import Task, load_task
from tests.regimes.fakes import FakeScorer, made_examples
from tests.tiny import tiny_bert, tiny_gpt2

SPEC = Registry().get("mini/sentiment")


def cell(task: str, regime: str = "fewshot:4", **settings: Any) -> Cell:
    return Cell(
        **{"model": "m", "task": task, "regime": parse_regime(regime), "seed": 0, **settings}
    )


@pytest.fixture(scope="module")
def folders(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Folder of a tiny model a family, with windows that a few demonstrations fit."""
    folder = tmp_path_factory.mktemp("fewshot")
    return {
        "decoder": tiny_gpt2(folder / "gpt2", n_positions=1024),
        "encoder": tiny_bert(folder / "bert", max_positions=1024),
        "encoder-decoder": request.getfixturevalue("tiny_t5_folder"),
    }


# Contexts ---------------------------------------------------------------------------------------


def test_every_context_begins_with_the_demonstrations() -> None:
    drawn = [Demonstration(one) for one in made_examples(SPEC, 3)]
    scorer = FakeScorer()
    predictor = FewShotPredictor(SPEC, SPEC.prompts, scorer, drawn, every=True)
    variants = predictor.predict(made_examples(SPEC, 5))
    for prompt in SPEC.prompts:
        before = text_before(prompt, SPEC, drawn)
        asked = [one for one in scorer.scored if one.context.startswith(before)]
        # Five examples; three content-free inputs and the premise, too.
        assert len({one.context for one in asked}) == 8 + (prompt.premise is not None)
        scorer.scored = [one for one in scorer.scored if one not in asked]
    assert scorer.scored == []
    assert all(one.notes["demonstrations"] == ["made-0", "made-1", "made-2"] for one in variants)


def test_an_example_that_does_not_fit_is_found_before_anything_is_scored() -> None:
    drawn = [Demonstration(one) for one in made_examples(SPEC, 2)]
    examples = made_examples(SPEC, 3)
    long = Example("long", "validation", "", "l", "", {"text": "so " * 20 + "long."}, 0)
    words = len(
        ("First text 0. It was very good " * 2 + "so " * 20 + "long. It was very bad").split()
    )
    for max_length, fits in ((words, True), (words - 1, False)):
        scorer = FakeScorer(max_length=max_length)
        predictor = FewShotPredictor(SPEC, SPEC.prompts[:1], scorer, drawn)
        if fits:
            predictor.check_room([*examples, long])
            predictor.predict([*examples, long])
            continue
        with pytest.raises(
            NotApplicable, match=f"2 demonstrations of 14 .* make {words}, over the {words - 1}"
        ) as caught:
            predictor.check_room([*examples, long])
        assert caught.value.condition == "window" and scorer.scored == []


def test_generation_keeps_room_for_the_answer() -> None:
    spec = Registry().get("mini/span")
    (prompt,) = spec.prompts
    drawn = [Demonstration(one) for one in made_examples(spec, 1)]
    examples = made_examples(spec, 2)
    asked = 'Passage 0. Question: Which? Answer (or "no answer"):'
    words = len((text_before(prompt, spec, drawn) + asked).split())
    room = prompt.max_new_tokens + 1
    FewShotPredictor(spec, [prompt], FakeScorer(max_length=words + room), drawn).check_room(
        examples
    )
    small = FakeScorer(max_length=words + room - 1)
    with pytest.raises(NotApplicable, match="over the"):
        FewShotPredictor(spec, [prompt], small, drawn).check_room(examples)


def test_an_encoder_decoder_s_answer_takes_nothing_of_its_context_s_window() -> None:
    spec = Registry().get("mini/span")
    (prompt,) = spec.prompts
    drawn = [Demonstration(one) for one in made_examples(spec, 1)]
    asked = 'Passage 0. Question: Which? Answer (or "no answer"):'
    words = len((text_before(prompt, spec, drawn) + asked).split())
    for room, fits in ((words, True), (words - 1, False)):
        scorer = FakeScorer(max_length=room, family="encoder-decoder")
        predictor = FewShotPredictor(spec, [prompt], scorer, drawn)
        if fits:
            predictor.check_room(made_examples(spec, 2))
            continue
        with pytest.raises(NotApplicable, match=f"make {words}, over the {room}"):
            predictor.check_room(made_examples(spec, 2))


def test_an_encoder_decoder_reads_contexts_as_long_as_its_window(tiny_t5_folder: Path) -> None:
    whole = load_model(str(tiny_t5_folder))
    drawn = [Demonstration(one) for one in made_examples(SPEC, 2)]
    examples = made_examples(SPEC, 3)
    before = text_before(SPEC.prompts[0], SPEC, drawn)
    contexts = [
        request.context
        for example in examples
        for request in build_requests(SPEC.prompts[0], values_of(SPEC, example), before)
    ]
    longest = max(make_scorer(whole).count_tokens(contexts))
    # Beside the context: </s>.
    for max_length, fits in ((longest + 1, True), (longest, False)):
        scorer = make_scorer(load_model(str(tiny_t5_folder), max_length=max_length))
        predictor = FewShotPredictor(SPEC, SPEC.prompts[:1], scorer, drawn)
        if fits:
            predictor.check_room(examples)
            (variant,) = predictor.predict(examples)
            assert variant.counts["truncated"] == scorer.usage.truncated == 0
            continue
        with pytest.raises(NotApplicable, match=f"make {longest}, over the {longest - 1}"):
            predictor.check_room(examples)


# The regime -------------------------------------------------------------------------------------


def test_options() -> None:
    assert parse_options(parse_regime("fewshot:8")).model_dump() == {"k": 8, "balanced": False}
    assert parse_options(parse_regime("fewshot:2+balanced=true")).model_dump()["balanced"] is True
    assert parse_options(parse_regime("fewshot:k=2")) == parse_options(parse_regime("fewshot:2"))
    for bad in ("fewshot:0", "fewshot:1.5", "fewshot:k=2+balanced=1", "fewshot:many"):
        with pytest.raises(InputError, match="option '(k|balanced)="):
            parse_options(parse_regime(bad))
    (row,) = [row for row in describe_regimes() if row["name"] == "fewshot"]
    assert row["randomized"] is True and row["positional"] == "k" and row["trains"] == "nothing"


def test_train_data_is_what_was_drawn() -> None:
    regime, task = FewShot(), load_task("mini/sentiment")
    hashes = {}
    for name, settings in {
        "4": {},
        "again": {},
        "other model": {"model": "other"},
        "other seed": {"seed": 1},
        "8": {"regime": "fewshot:8"},
    }.items():
        one = cell("mini/sentiment", **settings)
        (data,) = regime.train_data(task, one).values()
        assert len(data.examples) == regime.labels_used(task, one)
        assert sum(data.subsets.values()) == len(data.examples)
        assert data.rows == 2016
        hashes[name] = data.hash
    assert hashes["4"] == hashes["again"] == hashes["other model"]
    assert len(set(hashes.values())) == 3


def test_what_has_no_place_for_demonstrations() -> None:
    regime = FewShot()
    for name in ("mini/minimal_pairs", "blimp", "mini/acceptability", "glue/cola"):
        for family in PATHS:
            assert "demonstrations" in regime.reason_not_applicable(load_task(name), family)
    for family in PATHS:
        assert regime.reason_not_applicable(load_task("mini/sentiment"), family) is None
    assert regime.reason_not_applicable(load_task("mini/span"), "encoder") is not None


def test_one_prompt_without_a_place_stops_the_cell_by_name() -> None:
    threshold = Registry().get("mini/acceptability").prompts[0]
    mixed = Task(SPEC.model_copy(update={"prompts": [*SPEC.prompts, threshold]}))
    assert FewShot().reason_not_applicable(mixed, "decoder") is None
    with pytest.raises(NotApplicable, match="prompt 'sentence'") as caught:
        FewShot().train_data(mixed, cell("mini/sentiment"))
    assert caught.value.condition == "prompt"


def run(folder: Path, store: Path, **settings: Any) -> list[Record]:
    known = {"model": str(folder), "regime": "fewshot:1", "limit": 6, "store": store}
    return benchsuite.run(**{**known, **settings})


@pytest.mark.parametrize("family", PATHS)
def test_the_mini_suite(folders: dict[str, Path], tmp_path: Path, family: str) -> None:
    records = run(folders[family], tmp_path / "store", suite="mini", seeds=[0, 1])
    done = {one.cell["task"]: one for one in records if one.status == "done"}
    expected = {"sentiment", "entailment", "similarity", "choice", "tagging"}
    if family != "encoder":
        expected.add("span")
    assert set(done) == {f"mini/{name}" for name in expected}
    assert {one.status for one in records} == {"done", "not_applicable"}
    assert len(records) == 16
    for one in done.values():
        assert one.labels_used == 1 and one.counts["truncated"] == 0
        assert one.provenance["data"]["training"]["train"]["used"] == 1
        assert one.headline.value is not None
        shown = {tuple(notes["demonstrations"]) for notes in one.provenance["chosen"].values()}
        assert len(shown) == 1


def test_a_small_window_is_not_applicable_with_the_numbers(
    tiny_gpt2_folder: Path, tmp_path: Path
) -> None:
    (record,) = run(tiny_gpt2_folder, tmp_path / "store", task="mini/choice")
    assert record.status == "not_applicable"
    assert "over the 64 that the window of 64 leaves" in record.reason
    assert record.results == []


def test_seeds_and_k_make_other_cells_and_the_same_is_reused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    settings = {"task": "mini/sentiment", "seeds": [0, 1], "regime": ["fewshot:1", "fewshot:2"]}
    first = run(folders["decoder"], tmp_path / "store", **settings)
    assert len({one.key for one in first}) == 4
    again = run(folders["decoder"], tmp_path / "store", **settings)
    assert [one.key for one in again] == [one.key for one in first]
    assert [one.provenance["time"] for one in again] == [one.provenance["time"] for one in first]
