"""The checked-in examples of the mini suite: sizes, balance, labels, and nothing shared."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tools.mini import (
    entailment_eval,
    entailment_train,
    paradigms_eval,
    paradigms_train,
    schemas_eval,
    schemas_train,
    sentiment,
    similarity,
    tagging,
)
from tools.mini.baselines import measure_all, rows
from tools.mini.function_words import FUNCTION_WORDS
from tools.mini.generate import TASKS, generate
from tools.mini.paradigms import Paradigm
from tools.mini.passages import Schema

DATA = Path(__file__).resolve().parents[2] / "tasks" / "mini" / "data"
TOKENIZER = DATA.parents[2] / "baselines" / "models" / "gpt" / "tokenizer.json"
SPLITS = [(task, split) for task, (_, splits) in TASKS.items() for split in splits]
LABELED = [
    (task, split)
    for task, split in SPLITS
    if task in ("sentiment", "acceptability", "entailment", "choice")
]
EVALUATION = {task: [s for s in splits if s != "train"] for task, (_, splits) in TASKS.items()}


@cache
def examples(task: str, split: str) -> list[dict[str, Any]]:
    return rows(task, split)


def texts(row: dict[str, Any]) -> Iterator[str]:
    """Every piece of text of an example."""
    for name in ("text", "text_pair", "context", "question", "good", "bad"):
        if name in row:
            yield row[name]
    yield from row.get("options", [])
    yield " ".join(row.get("tokens", []))


def vocabulary(task: str, splits: list[str]) -> set[str]:
    found: set[str] = set()
    for split in splits:
        for row in examples(task, split):
            for text in texts(row):
                found.update(re.findall(r"\w+", text.lower()))
    return found


def test_generator_gives_the_checked_in_bytes(tmp_path: Path) -> None:
    made = generate(tmp_path)
    assert sorted(file.name for file in made) == sorted(file.name for file in DATA.iterdir())
    for file in made:
        assert file.read_bytes() == (DATA / file.name).read_bytes(), file.name


@pytest.mark.parametrize("task", TASKS)
def test_about_2000_train_and_1000_evaluation_examples(task: str) -> None:
    assert 1950 <= len(examples(task, "train")) <= 2050
    assert 950 <= sum(len(examples(task, split)) for split in EVALUATION[task]) <= 1050


@pytest.mark.parametrize("task", TASKS)
def test_at_least_40_templates_are_used(task: str) -> None:
    def used(splits: list[str]) -> set[str]:
        return {row["id"].split("-")[1] for split in splits for row in examples(task, split)}

    assert len(used(["train"])) >= 40
    assert len(used(EVALUATION[task])) >= 20


def test_no_template_in_both_halves() -> None:
    def of_paradigms(paradigms: list[Paradigm]) -> set[str]:
        return {repr(paradigm) for paradigm in paradigms}

    def of_schemas(schemas: list[Schema]) -> set[str]:
        return {
            pattern
            for schema in schemas
            for pattern in (schema.intro, *schema.lines, *(ask for ask, _ in schema.asks))
        }

    halves = [
        (of_paradigms(paradigms_train.PARADIGMS), of_paradigms(paradigms_eval.PARADIGMS)),
        (
            {text for template in entailment_train.TEMPLATES for text in template},
            {
                text
                for template in (*entailment_eval.MATCHED, *entailment_eval.MISMATCHED)
                for text in template
            },
        ),
        (set(sentiment.TEMPLATES["train"]), set(sentiment.TEMPLATES["validation"])),
        (set(similarity.STRUCTURES["train"]), set(similarity.STRUCTURES["validation"])),
        (set(tagging.TEMPLATES["train"]), set(tagging.TEMPLATES["validation"])),
        (of_schemas(schemas_train.SCHEMAS), of_schemas(schemas_eval.SCHEMAS)),
    ]
    for train, evaluation in halves:
        assert train and evaluation
        assert not train & evaluation


@pytest.mark.parametrize("task", TASKS)
def test_no_content_word_in_both_halves(task: str) -> None:
    shared = vocabulary(task, ["train"]) & vocabulary(task, EVALUATION[task])
    assert shared - FUNCTION_WORDS == set()


@pytest.mark.parametrize("task", TASKS)
def test_ids_and_examples_are_unique(task: str) -> None:
    everything = [row for split in ("train", *EVALUATION[task]) for row in examples(task, split)]
    assert len({row["id"] for row in everything}) == len(everything)
    contents = [json.dumps({**row, "id": ""}, sort_keys=True) for row in everything]
    assert len(set(contents)) == len(contents)


@pytest.mark.parametrize(("task", "split"), LABELED)
def test_labels_are_balanced(task: str, split: str) -> None:
    counts = Counter(row["label"] for row in examples(task, split))
    assert len(set(counts.values())) == 1
    assert sorted(counts) == list(range(4 if task == "choice" else 2))


@pytest.mark.parametrize(("task", "split"), SPLITS)
def test_sentences_are_well_formed(task: str, split: str) -> None:
    for row in examples(task, split):
        for text in texts(row):
            assert not re.search(r"[{}_#]|  | [.,?!]$", text if task != "tagging" else ""), row
            assert not re.search(r"\b[Aa] [aeioAEIO]", text), row
            assert not re.search(r"\b[Aa]n [^aeiouhAEIOUH\W]", text), row
        for name in ("text", "text_pair", "context", "question", "good", "bad"):
            if name in row:
                assert row[name][0].isupper() and row[name][-1] in ".?!", row


@pytest.mark.parametrize("split", ["train", "validation"])
def test_similarity_ratings_are_in_range_and_tie(split: str) -> None:
    ratings = Counter(row["label"] for row in examples("similarity", split))
    assert min(ratings) == 0.0 and max(ratings) == 5.0
    assert len(ratings) >= 8
    assert min(ratings.values()) > 1


@pytest.mark.parametrize("split", ["train", "validation"])
def test_tags_are_iob2_of_four_types(split: str) -> None:
    seen: set[str] = set()
    twice = 0
    for row in examples("tagging", split):
        assert len(row["tokens"]) == len(row["tags"])
        for before, tag in zip(["O", *row["tags"]], row["tags"], strict=False):
            if tag.startswith("I-"):
                assert before in (f"B-{tag[2:]}", tag)
        seen.update(tag[2:] for tag in row["tags"] if tag != "O")
        named = [t for t, tag in zip(row["tokens"], row["tags"], strict=True) if tag != "O"]
        twice += len(set(named)) < len(named)
    assert seen == {"PER", "LOC", "ORG", "MISC"}
    assert twice > 20, "the same word as two names of a sentence gives exact ties"
    assert any(set(row["tags"]) == {"O"} for row in examples("tagging", split))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_span_answers_stand_where_they_say(split: str) -> None:
    unanswerable = 0
    for row in examples("span", split):
        answers = row["answers"]
        assert len(answers["text"]) == len(answers["answer_start"]) <= 1
        unanswerable += not answers["text"]
        for text, start in zip(answers["text"], answers["answer_start"], strict=True):
            assert row["context"][start : start + len(text)] == text
            assert len(re.findall(rf"(?<!\w){re.escape(text)}(?!\w)", row["context"])) == 1
    assert 0.2 < unanswerable / len(examples("span", split)) < 0.4


@pytest.mark.parametrize("split", ["train", "validation"])
def test_options_are_distinct_and_mentioned_once_each(split: str) -> None:
    for row in examples("choice", split):
        assert len(set(row["options"])) == 4
        for option in row["options"]:
            pattern = rf"(?<!\w){re.escape(option)}(?!\w)"
            assert len(re.findall(pattern, row["context"])) == 1, row


@pytest.mark.parametrize("task", ["span", "choice"])
def test_passages_are_clusters_of_five_questions(task: str) -> None:
    for split, passages in (("train", 400), ("validation", 200)):
        counts = Counter(row["context"] for row in examples(task, split))
        assert len(counts) == passages
        assert set(counts.values()) == {5}


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_few_span_contexts_exceed_512_tokens(split: str) -> None:
    contexts = {row["context"] for row in examples("span", split)}
    lengths = [len(context.split()) for context in contexts]
    assert 5 <= sum(length > 460 for length in lengths) <= 40
    if TOKENIZER.exists():
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(TOKENIZER))
        longest = [context for context in contexts if len(context.split()) > 460]
        assert min(len(tokenizer.encode(context).ids) for context in longest) > 512


@pytest.mark.parametrize("task", ["tagging", "entailment", "span", "choice"])
def test_words_beyond_ascii_are_there(task: str) -> None:
    for split in ("train", *EVALUATION[task][:1]):
        assert any(not text.isascii() for row in examples(task, split) for text in texts(row))


def test_minimal_pairs_differ_and_cover_the_phenomena() -> None:
    for split in ("train", "validation"):
        counts = Counter(row["phenomenon"] for row in examples("minimal_pairs", split))
        assert len(counts) >= 12
        assert all(row["good"] != row["bad"] for row in examples("minimal_pairs", split))


def test_every_sentence_of_a_pair_tells_nothing_alone() -> None:
    """Each premise and each hypothesis of a crossed set has both labels equally often."""
    for split in TASKS["entailment"][1]:
        for side in ("text", "text_pair"):
            sums: Counter[str] = Counter()
            for row in examples("entailment", split):
                sums[row[side]] += 1 - 2 * row["label"]
            assert set(sums.values()) == {0}


def test_baselines_stay_near_chance_and_are_the_table_of_the_readme() -> None:
    readme = (DATA.parent / "README.md").read_text(encoding="utf-8")
    measured = measure_all()
    for line in measured:
        if line.bound is not None:
            assert abs(line.value - line.chance) <= line.bound, line
        shown = f"| {line.task} | {line.split} | {line.baseline} | "
        match = re.search(re.escape(shown) + r"([\d.]+) ", readme)
        assert match, shown
        assert abs(float(match[1]) - 100 * line.value) <= 1.0, line
