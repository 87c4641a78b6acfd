"""The regime `probe` against scikit-learn by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from transformers import AutoModel, AutoTokenizer

from benchsuite.tasks.example import Example
from benchsuite.tasks.task import load_task
from benchsuite.training import linear, probing
from tests.regimes import probes
from tests.regimes.probes import FAMILIES, fit, scores
from tests.training.made import made_task

pytestmark = pytest.mark.usefixtures("one_thread")
folders = probes.folders


class ByHand:
    """States of texts from plain calls of transformers, one text at a time."""

    def __init__(self, folder: Path, family: str) -> None:
        self.family = family
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        network = AutoModel.from_pretrained(folder).eval()
        self.network = network.get_encoder() if family == "encoder-decoder" else network

    @torch.no_grad()
    def states(self, *texts: str, layer: int = -1) -> tuple[np.ndarray, list[Any]]:
        """States (tokens, width) of a text or a pair; of each token the text's number and place."""
        if self.family == "decoder":
            ids = [self.tokenizer.eos_token_id]
            places: list[Any] = [None]
            for number, text in enumerate(texts):
                encoded = self.tokenizer(text, return_offsets_mapping=True)
                newline = self.tokenizer("\n")["input_ids"] if number else []
                ids += [*newline, *encoded["input_ids"]]
                places += [None] * len(newline) + [(number, o) for o in encoded["offset_mapping"]]
            ids.append(self.tokenizer.eos_token_id)
            places.append(None)
            given = {"input_ids": torch.tensor([ids])}
        else:
            encoded = self.tokenizer(
                *texts,
                return_tensors="pt",
                return_offsets_mapping=True,
                return_token_type_ids=True,
            )
            offsets = encoded.pop("offset_mapping")[0].tolist()
            places = [
                None if of is None else (of, tuple(offset))
                for of, offset in zip(encoded.sequence_ids(0), offsets, strict=True)
            ]
            given = {"input_ids": encoded["input_ids"]}
            if self.family == "encoder":
                given["token_type_ids"] = encoded["token_type_ids"]
        hidden = self.network(**given, output_hidden_states=True).hidden_states
        return hidden[layer][0].numpy(), places

    def words(self, tokens: Sequence[str]) -> np.ndarray:
        """States (words, width) of the first subword of each word, of a decoder of the last."""
        states, places = self.states(" ".join(tokens))
        read = -1 if self.family == "decoder" else 0
        found, at = [], 0
        for token in tokens:
            end = at + len(token)
            inside = [s for s, p in zip(states, places, strict=True) if p and at < p[1][1] <= end]
            found.append(inside[read])
            at = end + 1
        return np.stack(found)


def pipeline(penalty: float, numbers: bool = False) -> Pipeline:
    if numbers:
        return make_pipeline(StandardScaler(), Ridge(alpha=penalty))
    return make_pipeline(
        StandardScaler(), LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=20_000)
    )


def probabilities(scores: np.ndarray) -> np.ndarray:
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


@pytest.fixture
def one_penalty(monkeypatch: pytest.MonkeyPatch) -> float:
    """One penalty, its optimum looked for as long as it takes."""
    monkeypatch.setattr(probing, "PENALTIES", (3.0,))
    monkeypatch.setattr(linear, "MOST_STEPS", 20_000)
    monkeypatch.setattr(linear, "TOLERANCE", 1e-7)
    return 3.0


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
@pytest.mark.parametrize("pair", [False, True])
def test_sequences_against_scikit_learn(
    pair: bool,
    pooling: str,
    family: str,
    folders: dict[str, Path],
    tmp_path: Path,
    one_penalty: float,
) -> None:
    task = load_task("mini/entailment") if pair else made_task(tmp_path, "classification", 40)
    predictor, train = fit(folders[family], task, f"pooling={pooling}", train_limit=40)
    plain = ByHand(folders[family], family)

    def vector(one: Example) -> np.ndarray:
        second = [one.fields["text_pair"]] if pair else []
        states, _ = plain.states(one.fields["text"], *second)
        return {"mean": states.mean(0), "first": states[0], "last": states[-1]}[pooling]

    hand = pipeline(one_penalty).fit([vector(one) for one in train], [one.target for one in train])
    asked = task.evaluation(task.spec.dataset.eval_splits[0], 20).examples
    expected = hand.predict_proba([vector(one) for one in asked])
    # A first token that is the same for all texts tells a decoder nothing.
    assert (expected.std(0).max() > 0.01) is not (family == "decoder" and pooling == "first")
    found = probabilities(np.stack(scores(predictor, asked)))
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_numbers_against_scikit_learn(
    family: str, folders: dict[str, Path], tmp_path: Path, one_penalty: float
) -> None:
    task = made_task(tmp_path, "regression", 40)
    predictor, train = fit(folders[family], task)
    plain = ByHand(folders[family], family)

    def vector(one: Example) -> np.ndarray:
        texts = [one.fields["text"], one.fields["text_pair"]]
        # A decoder reads the texts in both orders.
        orders = [texts, texts[::-1]] if family == "decoder" else [texts]
        return sum(plain.states(*order)[0].mean(0) for order in orders)

    hand = pipeline(one_penalty, numbers=True)
    hand.fit([vector(one) for one in train], [one.target for one in train])
    asked = task.evaluation("validation", 30).examples
    expected = hand.predict([vector(one) for one in asked])
    assert expected.std() > 0.1
    [variant] = predictor.predict(asked)
    np.testing.assert_allclose([p.value for p in variant.predictions], expected, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_tags_against_scikit_learn(
    family: str, folders: dict[str, Path], tmp_path: Path, one_penalty: float
) -> None:
    task = made_task(tmp_path, "tagging", 40)
    predictor, train = fit(folders[family], task)
    plain = ByHand(folders[family], family)
    hand = pipeline(one_penalty).fit(
        np.concatenate([plain.words(one.fields["tokens"]) for one in train]),
        [tag for one in train for tag in one.target],
    )
    assert len(hand.classes_) == len(task.spec.labels)
    asked = task.evaluation("validation", 20).examples
    for one, mine in zip(asked, scores(predictor, asked), strict=True):
        expected = hand.predict_proba(plain.words(one.fields["tokens"]))
        np.testing.assert_allclose(probabilities(mine), expected, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_options_against_scikit_learn(
    family: str, folders: dict[str, Path], tmp_path: Path, one_penalty: float
) -> None:
    task = made_task(tmp_path, "choice", 40)
    predictor, train = fit(folders[family], task)
    plain = ByHand(folders[family], family)

    def vectors(one: Example) -> list[np.ndarray]:
        asked = [f"{one.fields['question']} {option}" for option in one.fields["options"]]
        return [plain.states(one.fields["context"], end)[0].mean(0) for end in asked]

    hand = pipeline(one_penalty).fit(
        [row for one in train for row in vectors(one)],
        [number == one.target for one in train for number in range(len(one.fields["options"]))],
    )
    asked = task.evaluation("validation", 20).examples
    predictions = predictor.predict(asked)[0].predictions
    answers = set()
    for one, mine, said in zip(asked, scores(predictor, asked), predictions, strict=True):
        expected = hand.predict_proba(vectors(one))[:, 1]
        np.testing.assert_allclose(expit(mine), expected, atol=1e-3)
        assert said.value == expected.argmax()
        answers.add(said.value)
    assert len(answers) > 1


@pytest.mark.parametrize("family", FAMILIES)
def test_spans_against_scikit_learn(
    family: str, folders: dict[str, Path], tmp_path: Path, one_penalty: float
) -> None:
    task = made_task(tmp_path, "span", 40)
    predictor, train = fit(folders[family], task)
    plain = ByHand(folders[family], family)
    null = 0 if family == "encoder" else -1

    def vectors(one: Example) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """States of `no answer` and of the context's tokens, and the characters those cover."""
        states, places = plain.states(one.fields["question"], one.fields["context"])
        inside = [n for n, place in enumerate(places) if place and place[0] == 1]
        return states[[null, *inside]], [places[n][1] for n in inside]

    rows, firsts, lasts = [], [], []
    for one in train:
        states, offsets = vectors(one)
        first = last = 0
        if one.target:
            at = one.starts[0] if one.starts else one.fields["context"].find(one.target[0])
            end = at + len(one.target[0])
            covered = [n for n, (low, high) in enumerate(offsets) if high > at and low < end]
            first, last = covered[0] + 1, covered[-1] + 1
        rows.append(states)
        firsts.append(np.arange(len(states)) == first)
        lasts.append(np.arange(len(states)) == last)
    matrix = np.concatenate(rows)
    hands = [pipeline(one_penalty).fit(matrix, np.concatenate(of)) for of in (firsts, lasts)]
    asked = task.evaluation("validation", 10).examples
    for one, mine in zip(asked, scores(predictor, asked), strict=True):
        states, _ = vectors(one)
        for column, hand in enumerate(hands):
            expected = hand.predict_proba(states)[:, 1]
            np.testing.assert_allclose(expit(mine[:, column]), expected, atol=1e-3)
    assert predictor.threshold is not None  # some of the questions have no answer


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layer", [0, 1, 2, -1, -2, -3])
def test_layers(
    layer: int, family: str, folders: dict[str, Path], tmp_path: Path, one_penalty: float
) -> None:
    task = made_task(tmp_path, "classification", 40)
    predictor, train = fit(folders[family], task, f"layer={layer}")
    counted = layer % 3
    assert predictor.reader.layer == predictor.notes["layer"] == counted
    plain = ByHand(folders[family], family)

    def vector(one: Example) -> np.ndarray:
        states, _ = plain.states(one.fields["text"], layer=counted)
        if counted == 0:
            # Of the embeddings their lookup, without positions, segments and norm.
            ids = predictor.maker.make([one])[0].rows[0].ids
            assert len(ids) == len(states)
            table = plain.network.get_input_embeddings().weight.detach().numpy()
            states = table[list(ids)]
        return states.mean(0)

    hand = pipeline(one_penalty).fit([vector(one) for one in train], [one.target for one in train])
    asked = task.evaluation("validation", 20).examples
    expected = hand.predict_proba([vector(one) for one in asked])
    assert expected.std(0).max() > 0.01
    found = probabilities(np.stack(scores(predictor, asked)))
    np.testing.assert_allclose(found, expected, atol=1e-3)
