"""Logits to predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchsuite.errors import Diverged
from benchsuite.metrics.squad import span_scores
from benchsuite.regimes.zeroshot_methods import best_of
from benchsuite.tasks.example import Example, Prediction
from benchsuite.tasks.spec import TaskSpec
from benchsuite.training.items import Item

Scores = NDArray[np.float64]
N_BEST = 20  # starts and ends that are paired, as run_squad of Devlin et al. 2019
LONGEST_ANSWER = 30  # tokens, likewise


def decode(
    task: TaskSpec,
    examples: Sequence[Example],
    items: Sequence[Item],
    scores: Sequence[Scores],
    threshold: float | None = None,
) -> list[Prediction]:
    """One prediction an example.

    scores: of each item, what the head gave: (labels,), (1,), (options,), (words, tags) or
    (positions, 2). threshold: see `best_span`; None where every question has an answer.
    Raises Diverged on a score that is not finite.
    """
    if not all(np.isfinite(one).all() for one in scores):
        raise Diverged(
            f"{task.id}: the model gave a score that is not finite; try a lower learning rate (lr)"
        )
    if task.kind == "span":
        windows: list[list[int]] = [[] for _ in examples]
        for number, item in enumerate(items):
            windows[item.example].append(number)
        return [
            _span_prediction(
                example, [items[n] for n in mine], [scores[n] for n in mine], threshold
            )
            for example, mine in zip(examples, windows, strict=True)
        ]
    if task.kind == "regression":
        return [Prediction(float(one[0])) for one in scores]
    if task.kind == "tagging":
        return [
            _tags(task, examples[item.example], item, one)
            for item, one in zip(items, scores, strict=True)
        ]
    return [best_of(one.tolist()) for one in scores]


def _tags(task: TaskSpec, example: Example, item: Item, scores: Scores) -> Prediction:
    """The likeliest tag of each word; O where a word was cut off."""
    tags = [task.labels.index("O")] * len(example.fields["tokens"])
    for word, tag in zip(item.words, scores.argmax(axis=1).tolist(), strict=True):
        tags[word] = tag
    return Prediction(tuple(tags))


def _span_prediction(
    example: Example,
    windows: Sequence[Item],
    scores: Sequence[Scores],
    threshold: float | None,
) -> Prediction:
    text, margin = best_span(example.fields["context"], windows, scores)
    if threshold is not None and margin <= threshold:
        return Prediction("")
    return Prediction(text)


def best_span(context: str, windows: Sequence[Item], scores: Sequence[Scores]) -> tuple[str, float]:
    """The best span of the context over all windows, and its margin over `no answer`.

    A span's score is that of its first position as first plus that of its last as last; that of
    `no answer` likewise at position 0, the lowest over the windows (Devlin et al. 2019, 4.3).
    """
    best, place, null = -np.inf, (0, 0), np.inf
    for item, score in zip(windows, scores, strict=True):
        null = min(null, float(score[0].sum()))
        starts = 1 + np.argsort(-score[1:, 0], kind="stable")[:N_BEST]
        ends = 1 + np.argsort(-score[1:, 1], kind="stable")[:N_BEST]
        if not len(starts):
            continue
        length = ends[None, :] - starts[:, None]
        sums = score[starts, 0][:, None] + score[ends, 1][None, :]
        sums[(length < 0) | (length >= LONGEST_ANSWER)] = -np.inf
        first, last = np.unravel_index(int(sums.argmax()), sums.shape)
        if sums[first, last] > best:
            best = float(sums[first, last])
            place = item.spans[starts[first]][0], item.spans[ends[last]][1]
    return context[place[0] : place[1]].strip(), best - null


def choose_no_answer_threshold(
    task: TaskSpec,
    examples: Sequence[Example],
    items: Sequence[Item],
    scores: Sequence[Scores],
    unanswerable: bool = False,
) -> float | None:
    """The margin up to which a question is declared unanswerable, best by F1 on these examples.

    unanswerable: whether the training examples hold questions without an answer. None where
    neither they nor these do: then an answer is never withheld. Of thresholds that are equally
    good, the one nearest to 0, at which `no answer` scores as the answer does.
    """
    if not (unanswerable or any(example.target == () for example in examples)):
        return None
    windows: list[list[int]] = [[] for _ in examples]
    for number, item in enumerate(items):
        windows[item.example].append(number)
    margins, gains = [], []
    for example, mine in zip(examples, windows, strict=True):
        if example.target is None:
            continue
        text, margin = best_span(
            example.fields["context"], [items[n] for n in mine], [scores[n] for n in mine]
        )
        said = span_scores(text, example.target, may_be_unanswerable=True)[1]
        silent = span_scores("", example.target, may_be_unanswerable=True)[1]
        margins.append(margin)
        gains.append(silent - said)
    order = np.argsort(margins, kind="stable")
    ordered = np.asarray([-np.inf, *np.asarray(margins)[order], np.inf])
    # Gain of withholding the answers of the n lowest margins.
    total = np.concatenate([[0.0], np.cumsum(np.asarray(gains)[order])])
    total[ordered[:-1] == ordered[1:]] = -np.inf  # equal margins are withheld together
    best = np.flatnonzero(total >= total.max() - 1e-9)
    found = (_nearest_to_zero(float(ordered[n]), float(ordered[n + 1])) for n in best)
    return min(found, key=abs)


def _nearest_to_zero(low: float, high: float) -> float:
    """A threshold from low (withheld) up to but without high: 0 where it lies there."""
    if low <= 0 < high:
        return 0.0
    if low > 0:
        return low if np.isinf(high) else (low + high) / 2
    return high - 1.0 if np.isinf(low) else (low + high) / 2
