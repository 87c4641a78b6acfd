"""Candidate spans and overlap resolution, worked by hand."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from benchsuite.regimes.entities import candidate_spans, entity_spans, is_content, resolve
from benchsuite.tasks.task import load_task

LABELS = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]


def tags(found: list[tuple[tuple[int, int], str, float]], length: int = 6) -> list[str]:
    return [LABELS[index] for index in resolve(length, found, LABELS)]


def test_candidates_are_runs_of_content_words() -> None:
    tokens = ["Ann", "Lee", "of", "New", "York", "left", "at", "9:30", ".", "Łódź"]
    assert candidate_spans(tokens) == [
        *[(0, 1), (0, 2), (1, 2)],
        *[(3, 4), (3, 5), (3, 6), (4, 5), (4, 6), (5, 6)],
        (9, 10),
    ]
    assert not is_content("The") and not is_content("1996") and is_content("US")
    assert candidate_spans([]) == [] == candidate_spans(["of", "."])


def test_candidates_have_four_tokens_at_most() -> None:
    spans = candidate_spans(["Xa", "Xb", "Xc", "Xd", "Xe", "Xf"])
    assert max(end - start for start, end in spans) == 4
    assert len(spans) == 6 + 5 + 4 + 3


def test_the_larger_margin_wins_an_overlap() -> None:
    found = [((0, 2), "PER", 1.0), ((1, 4), "ORG", 2.0), ((4, 5), "LOC", 0.1)]
    assert tags(found) == ["O", "B-ORG", "I-ORG", "I-ORG", "B-LOC", "O"]


def test_a_loser_can_free_what_it_overlapped() -> None:
    # The middle one loses to the first, so the third stands though it is weaker than the middle.
    found = [((0, 2), "PER", 3.0), ((1, 4), "ORG", 2.0), ((2, 4), "LOC", 1.0)]
    assert tags(found) == ["B-PER", "I-PER", "B-LOC", "I-LOC", "O", "O"]


def test_equal_margins_go_to_the_earlier_then_the_longer() -> None:
    found = [((1, 3), "ORG", 1.0), ((0, 1), "PER", 1.0), ((0, 2), "LOC", 1.0)]
    assert tags(found) == ["B-LOC", "I-LOC", "O", "O", "O", "O"]


def test_neighbours_stay_apart() -> None:
    assert tags([((0, 1), "PER", 1.0), ((1, 2), "PER", 1.0)])[:3] == ["B-PER", "B-PER", "O"]
    assert tags([]) == ["O"] * 6


@settings(deadline=None)
@given(st.lists(st.sampled_from(LABELS), max_size=8))
def test_entity_spans_agree_with_seqeval(sequence: list[str]) -> None:
    expected = [(start, end + 1, kind) for kind, start, end in get_entities(sequence)]
    assert entity_spans(sequence) == expected


@pytest.mark.skipif("BENCHSUITE_DATA" not in os.environ, reason="BENCHSUITE_DATA is not set")
def test_recall_of_candidates_on_conll() -> None:
    task = load_task("ner/conll2003", offline=True)
    examples = task.evaluation("validation").examples
    gold = covered = number = 0
    for example in examples:
        spans = set(candidate_spans(example.fields["tokens"]))
        number += len(spans)
        entities = entity_spans(task.spec.labels[tag] for tag in example.target)
        gold += len(entities)
        covered += sum((start, end) in spans for start, end, _ in entities)
    assert gold == 5942  # entities of the official validation split
    assert covered / gold == pytest.approx(0.970, abs=0.0005)
    assert number / len(examples) == pytest.approx(13.05, abs=0.01)
