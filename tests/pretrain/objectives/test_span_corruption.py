"""Span corruption against the numbers of Raffel et al. 2020 and against transformers' loss."""

from itertools import groupby

import numpy as np
import pytest
import torch

from benchsuite.pretrain.model import build_model
from benchsuite.pretrain.objectives.base import Vocabulary
from benchsuite.pretrain.objectives.span_corruption import Objective
from benchsuite.pretrain.recipe import Architecture
from tests.pretrain.objectives.conftest import make_batch


def spans(target: list[int], vocabulary: Vocabulary) -> dict[int, list[int]]:
    """The tokens after each sentinel of a target, by sentinel, in order."""
    found: dict[int, list[int]] = {}
    for token in target:
        if token in vocabulary.sentinels:
            found[token] = []
        else:
            found[list(found)[-1]].append(token)
    return found


@pytest.mark.parametrize(
    ("length", "mean"),
    # the paper's mean span of 3; at 1,024 the 31 spans are fewer than 0.15 x 1024 / 3 = 51
    [(256, 38 / 13), (512, 77 / 26), (1024, 154 / 31)],
)
def test_15_percent_in_spans_of_3(
    length: int, mean: float, tokens: np.ndarray, vocabulary: Vocabulary
) -> None:
    _, batch = make_batch(Objective(), tokens, vocabulary, length, rows=100)
    lengths = []
    for target in batch["labels"].tolist():
        assert target[-1] == vocabulary.end
        cut = spans(target[:-1], vocabulary)
        # 0, 1, 2, ... in order, the last one closing with nothing after it
        assert list(cut) == list(vocabulary.sentinels[: len(cut)])
        *sizes, closing = [len(span) for span in cut.values()]
        assert closing == 0
        lengths += sizes
        assert sum(sizes) / length == pytest.approx(0.15, abs=0.002)
    assert min(lengths) == 1 and max(lengths) > 2 * mean
    assert np.mean(lengths) == pytest.approx(mean)
    assert mean == pytest.approx(3, abs=0.1) or length == 1024


@pytest.mark.parametrize("length", [8, 16, 256, 1024])
def test_input_and_target_give_the_row_back(
    length: int, tokens: np.ndarray, vocabulary: Vocabulary
) -> None:
    objective = Objective()
    windows, batch = make_batch(objective, tokens, vocabulary, length, rows=50)
    assert batch["input_ids"].shape == (50, objective.positions(length)["encoder"])
    assert batch["labels"].shape == (50, objective.targets(length))
    for window, given, target in zip(
        windows.tolist(), batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True
    ):
        cut = spans(target[:-1], vocabulary)
        assert given[-1] == vocabulary.end
        assert [token for token in given if token in cut] == list(cut)[:-1]
        whole: list[int] = []
        for token in given[:-1]:
            whole += cut.get(token, [token])
        assert whole == window[:-1]
        # neighbouring spans would be one span
        flags = [token in vocabulary.sentinels for token in given]
        assert all(len(list(run)) == 1 for flag, run in groupby(flags) if flag)


def test_spans_lie_anywhere(tokens: np.ndarray, vocabulary: Vocabulary) -> None:
    _, batch = make_batch(Objective(), tokens, vocabulary, 32, rows=1000)
    begins = (batch["input_ids"][:, 0] == vocabulary.sentinels[0]).float().mean().item()
    # 27 kept tokens and 2 spans in a row: of the partitions of 27 + 2 into 3 parts, those with an
    # empty first one are (27 over 1), of (28 over 2) in all
    assert begins == pytest.approx(27 / 378, abs=0.02)
    ends = torch.isin(batch["input_ids"][:, -2], torch.tensor(vocabulary.sentinels))
    assert ends.float().mean().item() == pytest.approx(27 / 378, abs=0.02)


def test_shifted_rows_train_every_sentinel(tokens: np.ndarray, vocabulary: Vocabulary) -> None:
    _, batch = make_batch(Objective(shifted=0.5), tokens, vocabulary, 256, rows=400)
    firsts = [vocabulary.sentinels.index(target[0]) for target in batch["labels"].tolist()]
    # 13 spans and a closing one: the last that can begin is 32 - 14; half of 1/19 begin at 0 too
    assert set(firsts) == set(range(19))
    assert firsts.count(0) / 400 == pytest.approx(0.5 + 0.5 / 19, abs=0.08)
    for given, target, first in zip(
        batch["input_ids"].tolist(), batch["labels"].tolist(), firsts, strict=True
    ):
        cut = list(spans(target[:-1], vocabulary))
        assert cut == list(vocabulary.sentinels[first : first + 14])
        assert [token for token in given if token in vocabulary.sentinels] == cut[:-1]


def test_loss_is_that_of_transformers(tokens: np.ndarray, vocabulary: Vocabulary) -> None:
    """transformers makes the decoder's input itself, from the labels."""
    torch.manual_seed(0)
    shape = Architecture(type="t5", hidden_size=32, layers=2, heads=2, positions=64)
    model = build_model(shape, vocabulary).eval()
    objective = Objective()
    _, batch = make_batch(objective, tokens, vocabulary, 64, rows=8)
    plain = model(
        input_ids=batch["input_ids"],
        attention_mask=torch.ones_like(batch["input_ids"]),
        labels=batch["labels"],
    ).loss
    assert objective.loss(model, batch).item() == pytest.approx(plain.item(), abs=1e-5)


def test_rows_depend_on_their_number_alone(tokens: np.ndarray, vocabulary: Vocabulary) -> None:
    objective = Objective()
    window = tokens[:257].astype(np.int64)
    first, again, other = (
        objective.example(window, vocabulary, np.random.default_rng([0, 0, 256, number]))
        for number in (7, 7, 8)
    )
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["labels"], other["labels"])
