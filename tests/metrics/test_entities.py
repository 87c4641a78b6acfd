"""Entity F1 against seqeval, and by hand."""

from __future__ import annotations

import math
import warnings

import pytest
import seqeval.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.metrics import compute
from tests.metrics.made import TAGGING
from tests.outcomes import TAGS, columns_of


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(range(5)), st.sampled_from(range(5))), max_size=8),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=300)
def test_entity_f1_equals_seqeval(sentences: list[list[tuple[int, int]]]) -> None:
    gold = [tuple(pair[0] for pair in sentence) for sentence in sentences]
    said = [tuple(pair[1] for pair in sentence) for sentence in sentences]
    columns = columns_of(TAGGING, gold, said)
    ours = compute(TAGGING, "entity_f1", columns)
    names = [[[TAGS[tag] for tag in tags] for tags in side] for side in (gold, said)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = seqeval.metrics.f1_score(*names)
    if math.isnan(ours):
        assert theirs == 0 and not columns["tp"].any() and not columns["fn"].any()
    else:
        assert ours == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(
    ("gold", "said", "counts"),
    [
        (["B-PER", "I-PER", "O"], ["B-PER", "I-PER", "O"], (1, 0, 0)),
        (["B-PER", "I-PER", "O"], ["B-PER", "O", "O"], (0, 1, 1)),  # the end is wrong
        (["B-PER", "I-PER", "O"], ["B-LOC", "I-LOC", "O"], (0, 1, 1)),  # the type is wrong
        (["B-PER", "I-PER", "O"], ["I-PER", "I-PER", "O"], (1, 0, 0)),  # ill formed, yet read
        (["B-PER", "B-PER", "O"], ["B-PER", "I-PER", "O"], (0, 1, 2)),  # two entities, one said
        (["B-PER", "I-PER", "O"], ["B-PER", "I-LOC", "O"], (0, 2, 1)),  # the type changes inside
        (["O", "O", "B-LOC"], ["B-PER", "O", "B-LOC"], (1, 1, 0)),
    ],
)
def test_entities_by_hand(gold: list[str], said: list[str], counts: tuple[int, ...]) -> None:
    indices = [tuple(TAGS.index(tag) for tag in side) for side in (gold, said)]
    columns = columns_of(TAGGING, [indices[0]], [indices[1]])
    assert (columns["tp"][0], columns["fp"][0], columns["fn"][0]) == counts
    assert columns["credit"][0] == (counts[1] == counts[2] == 0)


def test_tags_of_another_length_are_a_defect() -> None:
    with pytest.raises(ValueError, match="2 predicted tags for 3 tokens"):
        columns_of(TAGGING, [(0, 1, 2)], [(0, 1)])
