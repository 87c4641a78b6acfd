"""The support table: whole, the page it makes, and what tiny models of all families end as."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer, T5ForConditionalGeneration

import benchsuite
from benchsuite.errors import NotApplicable
from benchsuite.regimes import support
from benchsuite.regimes.registry import BUILT_IN
from benchsuite.scoring.paths import PATHS
from benchsuite.tasks.kinds import CANONICAL_FIELDS, METHODS
from benchsuite.tasks.registry import Registry
from benchsuite.tasks.spec import TaskSpec
from tests.tasks.test_prompts import spec_of
from tests.tiny import tiny_bert, tiny_gpt2, tiny_t5

PAGE = Path(__file__).parents[2] / "docs" / "support.md"
MINI = Registry().suite("mini").tasks
CALLS = {"zeroshot": "zeroshot", "fewshot": "fewshot:1", "embed": "embed"}
# Which mini tasks a regime brings each family to, written by hand: what no model can be denied.
# D, E, S: decoder, encoder and encoder-decoder (sequence to sequence) answer; -: not applicable.
ANSWERED = {
    "mini/sentiment": {"zeroshot": "DES", "fewshot": "DES", "embed": "---"},
    "mini/entailment": {"zeroshot": "DES", "fewshot": "DES", "embed": "---"},
    "mini/acceptability": {"zeroshot": "DES", "fewshot": "---", "embed": "---"},
    "mini/similarity": {"zeroshot": "DES", "fewshot": "DES", "embed": "DES"},
    "mini/choice": {"zeroshot": "DES", "fewshot": "DES", "embed": "DES"},
    "mini/minimal_pairs": {"zeroshot": "DES", "fewshot": "---", "embed": "---"},
    "mini/span": {"zeroshot": "D-S", "fewshot": "D-S", "embed": "---"},
    "mini/tagging": {"zeroshot": "DES", "fewshot": "DES", "embed": "---"},
}
LETTERS = {"decoder": "D", "encoder": "E", "encoder-decoder": "S"}


def tiny_t5_in_spans(folder: Path) -> Path:
    """A tiny T5 whose vocabulary has sentinels, with a window of 2,048 tokens."""
    tiny_t5(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=2048)
    names = [f"<extra_id_{number}>" for number in range(8)]
    tokenizer.add_special_tokens({"additional_special_tokens": names})
    network = T5ForConditionalGeneration.from_pretrained(folder)
    network.resize_token_embeddings(len(tokenizer))
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Family -> folder of a tiny model with room for a demonstration."""
    root = tmp_path_factory.mktemp("families")
    return {
        "decoder": str(tiny_gpt2(root / "gpt2", n_positions=2048)),
        "encoder": str(tiny_bert(root / "bert", max_positions=2048)),
        "encoder-decoder": str(tiny_t5_in_spans(root / "t5")),
    }


def test_the_page_is_what_the_table_makes() -> None:
    assert PAGE.read_text("utf-8") == support.markdown(), (
        "run: python -m benchsuite.regimes.support > docs/support.md"
    )


def test_every_kind_and_method_has_a_row() -> None:
    prompted = [f"{kind}: {method}" for kind, methods in METHODS.items() for method in methods]
    assert set(support.TABLE["zeroshot"]) == set(support.TABLE["fewshot"]) == set(prompted)
    assert {row.partition(":")[0] for row in support.TABLE["embed"]} == set(CANONICAL_FIELDS)
    assert {*support.TABLE, *support.TRAINED} == set(support.CONDITIONS) == set(BUILT_IN)
    assert all(set(rows) == set(CANONICAL_FIELDS) for rows in support.TRAINED.values())
    for spec in map(Registry().get, Registry().ids()):
        for regime, rows in support.TABLE.items():
            assert set(support.uses(regime, spec)) <= set(rows)
            assert support.uses(regime, spec)


def test_the_hand_written_table_is_whole() -> None:
    assert set(ANSWERED) == set(MINI)
    assert {spec.kind for spec in map(Registry().get, MINI)} == set(CANONICAL_FIELDS)
    untrained = set(BUILT_IN) - set(support.TRAINED)
    assert all(set(regimes) == set(CALLS) == untrained for regimes in ANSWERED.values())


def test_every_path_is_one_of_the_family_s() -> None:
    for rows in support.TABLE.values():
        for row in rows.values():
            for family, entry in zip(support.FAMILIES, row, strict=True):
                known = {*PATHS[family], "generate", "cosine"}
                assert isinstance(entry, str) or set(entry) <= known
                assert entry


@pytest.mark.parametrize("name", Registry().ids())
def test_every_bundled_prompt_says_why(name: str) -> None:
    for prompt in Registry().get(name).prompts:
        assert prompt.why, prompt.name
        if prompt.method in ("cloze", "choice"):
            assert prompt.premise, prompt.name


def no_prompts() -> TaskSpec:
    return spec_of([], "classification", labels=["a", "b"])


def test_grounds() -> None:
    span = Registry().get("mini/span")
    cola = Registry().get("mini/acceptability")
    refused = support.reason_not_applicable("zeroshot", span, "encoder")
    assert refused == "an encoder generates no text"
    assert support.reason_not_applicable("zeroshot", span, "decoder") is None
    assert support.reason_not_applicable("zeroshot", no_prompts(), "decoder") == (
        "task made/task has no prompts"
    )
    assert "demonstrations" in str(support.reason_not_applicable("fewshot", cola, "decoder"))
    # One of two prompts that has a place for demonstrations is enough.
    cloze = {"name": "c", "method": "cloze", "template": "{{ text }}"}
    verbalizers = {"a": " no", "b": " yes"}
    sentence = {"name": "s", "method": "threshold", "template": "{{ text }}"}
    both = spec_of(
        [cloze | {"verbalizers": verbalizers}, sentence], "classification", labels=["a", "b"]
    )
    assert support.reason_not_applicable("fewshot", both, "decoder") is None
    with pytest.raises(NotApplicable, match="generates no text"):
        support.paths("zeroshot", "span: generate", "encoder")


@pytest.mark.parametrize(
    ("regime", "condition", "allowed"),
    [
        ("zeroshot", "no training split", True),
        ("zeroshot", "window", False),
        ("fewshot", "window", True),
        ("zeroshot", "", False),
        ("a-plugin", "", True),
    ],
)
def test_only_named_conditions_are_allowed(regime: str, condition: str, allowed: bool) -> None:
    task = Registry().get("mini/sentiment")
    error = NotApplicable("because", condition)
    assert support.allows(regime, task, "decoder", error) is allowed


def test_what_the_table_refuses_needs_no_condition() -> None:
    task = Registry().get("mini/span")
    error = NotApplicable("an encoder generates no text")
    assert support.allows("zeroshot", task, "encoder", error)
    assert not support.allows("zeroshot", task, "decoder", error)


@pytest.mark.parametrize("family", support.FAMILIES)
@pytest.mark.parametrize("regime", [name for name in CALLS if name in BUILT_IN])
@pytest.mark.parametrize("task", MINI)
def test_tiny_models_end_as_the_table_says(
    task: str, regime: str, family: str, models: dict[str, str], tmp_path: Path
) -> None:
    [record] = benchsuite.run(models[family], CALLS[regime], task, limit=4, store=tmp_path)
    answered = LETTERS[family] in ANSWERED[task][regime]
    assert record.status == ("done" if answered else "not_applicable"), record.reason
    if not answered:
        reason = support.reason_not_applicable(regime, Registry().get(task), family)
        assert record.reason and record.reason == reason
        return
    spec = Registry().get(task)
    if regime != "embed":
        expected = {
            (prompt.name, support.paths(regime, f"{spec.kind}: {prompt.method}", family)[0])
            for prompt in spec.prompts
            if prompt.score == "likelihood"
        }
        assert expected <= {(row.prompt, row.score) for row in record.results}


def test_no_sentinels_no_spans(tmp_path: Path) -> None:
    plain = str(tiny_t5(tmp_path / "t5"))
    sentences, other = benchsuite.run(
        plain, task=["mini/minimal_pairs", "mini/sentiment"], limit=4, store=tmp_path / "store"
    )
    assert sentences.status == "not_applicable" and "no sentinels" in (sentences.reason or "")
    assert other.status == "done"


@pytest.mark.parametrize("family", support.FAMILIES)
def test_all_scores_are_rows_beside_the_own(
    family: str, models: dict[str, str], tmp_path: Path
) -> None:
    """On every mini task: the rows that there must be, and a headline that does not move."""
    settings = {"suite": "mini", "limit": 4, "store": tmp_path}
    for own, every in zip(
        benchsuite.run(models[family], score="own", **settings),
        benchsuite.run(models[family], score="all", **settings),
        strict=True,
    ):
        assert own.status == every.status
        if own.status == "not_applicable":
            continue
        assert own.key != every.key and own.headline == every.headline
        assert own.counts == every.counts
        assert [row for row in every.results if row.primary] == own.results
        spec = Registry().get(every.cell["task"])
        for prompt in spec.prompts:
            found = {
                (row.score, row.norm)
                for row in every.results
                if row.prompt == prompt.name and row.split == spec.dataset.eval_splits[0]
            }
            if prompt.method == "generate":
                assert found == {("generate", "none")}
                continue
            paths = support.paths("zeroshot", f"{spec.kind}: {prompt.method}", family)
            expected = {(path, norm) for path in paths for norm in ("none", "token", "byte")}
            if prompt.method in ("cloze", "choice"):
                expected.add(("pmi", "none"))
            if prompt.method in ("cloze", "rating", "entity"):
                expected.add(("calibrated", "none"))
            assert found == expected
