"""Masked LM against the numbers of Devlin et al. 2019 and against transformers' own loss."""

import re

import numpy as np
import pytest
import torch

from benchsuite.pretrain.model import build_model
from benchsuite.pretrain.objectives.base import Vocabulary
from benchsuite.pretrain.objectives.masked_lm import IGNORED, Objective
from benchsuite.pretrain.recipe import Architecture
from benchsuite.pretrain.tokenizer import load_tokenizer
from tests.pretrain.objectives.conftest import SHARED_TOKENIZER, make_batch


def restored(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Input ids with the targets put back."""
    ids = batch["input_ids"].clone()
    for row, positions, labels in zip(ids, batch["positions"], batch["labels"], strict=True):
        row[positions[labels != IGNORED]] = labels[labels != IGNORED]
    return ids


@pytest.mark.parametrize("whole_word", [False, True])
def test_15_percent_80_10_10(whole_word: bool, tokens: np.ndarray, vocabulary: Vocabulary) -> None:
    """Section 3.1: 15% of the tokens; 80% [MASK], 10% a random token, 10% unchanged."""
    _, batch = make_batch(Objective(whole_word=whole_word), tokens, vocabulary)
    used = batch["labels"] != IGNORED
    labels = batch["labels"][used]
    shown = batch["input_ids"].gather(1, batch["positions"])[used]
    ordinary = ~vocabulary.special[restored(batch).numpy()]
    assert len(labels) / ordinary.sum() == pytest.approx(0.15, abs=0.002)
    masked = (shown == vocabulary.mask).float().mean().item()
    unchanged = (shown == labels).float().mean().item()
    # 15 thousand targets: a deviation of 0.01 is three standard errors or more
    assert masked == pytest.approx(0.8, abs=0.01)
    assert unchanged == pytest.approx(0.1, abs=0.01)
    others = shown[(shown != vocabulary.mask) & (shown != labels)].numpy()
    assert len(others) / len(labels) == pytest.approx(0.1, abs=0.01)
    assert not vocabulary.special[others].any()
    # drawn from the whole vocabulary, not from the text
    assert len(np.unique(others)) > 0.9 * len(others)


def test_special_tokens_are_never_targets(tokens: np.ndarray, vocabulary: Vocabulary) -> None:
    assert (tokens == vocabulary.end).sum() > 100
    for whole_word in (False, True):
        _, batch = make_batch(Objective(whole_word=whole_word), tokens, vocabulary)
        labels = batch["labels"][batch["labels"] != IGNORED]
        assert not vocabulary.special[labels.numpy()].any()
        for positions, given in zip(batch["positions"], batch["labels"], strict=True):
            assert len(set(positions[given != IGNORED].tolist())) == (given != IGNORED).sum()


def test_rows_are_text_in_one_or_two_segments(tokens: np.ndarray, vocabulary: Vocabulary) -> None:
    windows, batch = make_batch(Objective(), tokens, vocabulary)
    ids, segments = restored(batch), batch["token_type_ids"]
    assert ids.shape == segments.shape == (400, 256)
    assert (ids[:, 0] == vocabulary.cls).all()
    assert (ids[:, -1] == vocabulary.sep).all()
    cuts = []
    for row, marks, window in zip(ids, segments, windows, strict=True):
        ends = torch.nonzero(row == vocabulary.sep).flatten().tolist()
        text = row[(row != vocabulary.cls) & (row != vocabulary.sep)]
        # the window, and the filler where there is room for it
        assert torch.equal(text, window[: len(text)])
        assert len(text) == 255 - len(ends) and len(ends) in (1, 2)
        first = 256 if len(ends) == 1 else ends[0] + 1
        assert marks.tolist() == [0] * first + [1] * (256 - first)
        cuts += ends[:-1]
    assert len(cuts) / 400 == pytest.approx(0.5, abs=0.08)
    # anywhere: the mean of a uniform cut, and both ends
    assert np.mean(cuts) == pytest.approx(128, abs=20)
    assert min(cuts) < 20 and max(cuts) > 236


def test_masks_are_dynamic(tokens: np.ndarray, vocabulary: Vocabulary) -> None:
    """Liu et al. 2019: another mask at each reading; the same one for the same number."""
    objective = Objective()
    window = tokens[: objective.window(256) + 1].astype(np.int64)
    first, again, other = (
        objective.example(window, vocabulary, np.random.default_rng([0, 0, 256, number]))
        for number in (7, 7, 8)
    )
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["positions"], other["positions"])


def test_the_next_epoch_masks_the_same_text_otherwise(
    tokens: np.ndarray, vocabulary: Vocabulary
) -> None:
    objective = Objective(split_rate=0)
    window = objective.window(256)
    few = tokens[: 10 * window + 1]
    windows, batch = make_batch(objective, few, vocabulary, rows=20)
    assert np.array_equal(windows[:10].unique(dim=0), windows[10:].unique(dim=0))
    shared = []
    for row, text in enumerate(windows[:10]):
        (again,) = (10 + i for i in range(10) if torch.equal(windows[10 + i], text))
        one, other = (set(batch["positions"][i].tolist()) for i in (row, again))
        shared.append(len(one & other) / len(one))
    # 15% of one reading's targets are the other's by chance
    assert np.mean(shared) == pytest.approx(0.15, abs=0.08)


def test_whole_words_are_targets_as_a_whole(tokens: np.ndarray, vocabulary: Vocabulary) -> None:
    """By the decoded text and a regular expression, not by the objective's token tables."""
    _, batch = make_batch(Objective(whole_word=True, split_rate=0), tokens, vocabulary, rows=60)
    decoder = vocabulary.tokenizer.backend_tokenizer
    long = 0
    for ids, positions, labels in zip(
        restored(batch), batch["positions"], batch["labels"], strict=True
    ):
        targets = set(positions[labels != IGNORED].tolist())
        pieces = [decoder.decode([i]) for i in ids[1:-1].tolist()]
        if any("\N{REPLACEMENT CHARACTER}" in piece for piece in pieces):
            continue  # a character in parts has no place of its own in the text
        ends = np.cumsum([0] + [len(piece) for piece in pieces])
        for word in re.finditer(r"[^\W_]+", "".join(pieces)):
            inside = [
                i + 1
                for i in range(len(pieces))
                if ends[i] < word.end() and ends[i + 1] > word.start()
            ]
            chosen = [i in targets for i in inside]
            assert all(chosen) or not any(chosen), word.group()
            long += len(inside) > 1 and all(chosen)
    assert long > 20


@pytest.mark.parametrize("length", [16, 64])
def test_loss_is_that_of_transformers(
    length: int, tokens: np.ndarray, vocabulary: Vocabulary
) -> None:
    """The gathered targets give the loss of labels that are -100 everywhere else."""
    torch.manual_seed(0)
    shape = Architecture(type="bert", hidden_size=32, layers=2, heads=2, positions=64)
    model = build_model(shape, vocabulary).eval()
    objective = Objective(whole_word=True)
    _, batch = make_batch(objective, tokens, vocabulary, length, rows=8)
    labels = torch.full_like(batch["input_ids"], -100)
    for row, positions, given in zip(labels, batch["positions"], batch["labels"], strict=True):
        row[positions[given != IGNORED]] = given[given != IGNORED]
    plain = model(
        input_ids=batch["input_ids"],
        token_type_ids=batch["token_type_ids"],
        attention_mask=torch.ones_like(batch["input_ids"]),
        labels=labels,
    ).loss
    loss = objective.loss(model, batch)
    assert loss.item() == pytest.approx(plain.item(), abs=1e-5)
    ours = torch.autograd.grad(loss, list(model.parameters()))
    theirs = torch.autograd.grad(plain, list(model.parameters()))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4)


def test_short_rows_of_long_words_have_a_target(vocabulary: Vocabulary) -> None:
    # rows of 5 tokens have one target, and the only word is longer
    word = load_tokenizer(SHARED_TOKENIZER)("extraordinarilyunbelievable").input_ids[:6]
    batch = Objective(whole_word=True).example(np.array(word), vocabulary, np.random.default_rng(0))
    assert (batch["labels"] >= 0).sum() == 1


def test_a_row_of_nothing_but_special_tokens(vocabulary: Vocabulary) -> None:
    objective = Objective()
    window = np.full(objective.window(32) + 1, vocabulary.end)
    example = objective.example(window, vocabulary, np.random.default_rng(0))
    assert (example["labels"] == IGNORED).all()
    assert len(example["labels"]) == objective.targets(32)
