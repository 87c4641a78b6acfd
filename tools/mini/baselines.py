"""Leak baselines of the mini suite: what can be had without reading for meaning.

`python -m tools.mini.baselines --write` measures them on `tasks/mini/data` and puts the table into
`tasks/mini/README.md`. Everything is fitted on the training split and scored on the evaluation one.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline

FOLDER = Path(__file__).resolve().parents[2] / "tasks" / "mini"
COMMAND = "python -m tools.mini.baselines --write"
BEGIN, END = "<!-- baselines: begin -->", "<!-- baselines: end -->"
Row = dict[str, Any]


class Measured(NamedTuple):
    """One line of the table; values are accuracies, `bound` is the distance allowed from chance.

    `bound` is None where lexical cues are natural and nothing is promised.
    """

    task: str
    split: str
    baseline: str
    value: float
    chance: float
    bound: float | None


def rows(task: str, split: str, folder: Path = FOLDER) -> list[Row]:
    """The examples of one split."""
    with (folder / "data" / f"{task}.{split}.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def bag_of_words(
    train: Sequence[str], labels: Sequence[int], evaluation: Sequence[str]
) -> np.ndarray:
    """Logistic regression on counts of 1- and 2-grams; the score of each class, `[n, classes]`."""
    model = make_pipeline(
        CountVectorizer(ngram_range=(1, 2), token_pattern=r"[^\s]+"),
        LogisticRegression(max_iter=1000),
    )
    model.fit(train, labels)
    return model.predict_proba(evaluation)


def classification(task: str, splits: Sequence[str], bound: float | None) -> list[Measured]:
    """Bag of words over the whole input and, for pairs, over the second sentence alone."""
    views: dict[str, Callable[[Row], str]] = {"bag of words": _marked}
    if "text_pair" in rows(task, "train")[0]:
        views["second sentence only"] = lambda row: row["text_pair"]
    found = []
    train = rows(task, "train")
    for split in splits:
        evaluation = rows(task, split)
        gold = np.array([row["label"] for row in evaluation])
        for name, view in views.items():
            scores = bag_of_words(
                [view(row) for row in train],
                [row["label"] for row in train],
                [view(row) for row in evaluation],
            )
            accuracy = float((scores.argmax(1) == gold).mean())
            found.append(Measured(task, split, name, accuracy, 0.5, bound))
    return found


def same_lexicon(task: str, bound: float) -> list[Measured]:
    """As `classification`, within the training split: five folds, whole templates left out.

    The evaluation lexicon shares no content word with training, which makes a bag of words blind;
    here it knows the words.
    """
    examples = rows(task, "train")
    gold = np.array([row["label"] for row in examples])
    views: dict[str, Callable[[Row], str]] = {"bag of words": _marked}
    if "text_pair" in examples[0]:
        views["second sentence only"] = lambda row: row["text_pair"]
    templates = [row["id"].split("-")[1] for row in examples]
    found = []
    for name, view in views.items():
        texts = np.array([view(row) for row in examples])
        hits = np.zeros(len(examples))
        for fit, held in GroupKFold(5).split(texts, gold, templates):
            scores = bag_of_words(texts[fit], gold[fit], texts[held])
            hits[held] = scores.argmax(1) == gold[held]
        found.append(
            Measured(task, "train", f"{name}, same lexicon", float(hits.mean()), 0.5, bound)
        )
    return found


def choice(bound: float) -> list[Measured]:
    """Each option scored as right or wrong, from itself, with the question, with the passage."""
    views: dict[str, Callable[[Row, str], str]] = {
        "option only": lambda row, option: option,
        "bag of words (question, option)": lambda row, option: f"{row['question']} _ {option}",
        "bag of words (passage, question, option)": lambda row, option: " _ ".join(
            (row["context"], row["question"], option)
        ),
    }
    train, evaluation = rows("choice", "train"), rows("choice", "validation")
    half = len(evaluation) // 2  # passages are whole: five questions each
    found = []
    for name, view in views.items():
        accuracy = _choice_accuracy(train, evaluation, view)
        found.append(Measured("choice", "validation", name, accuracy, 0.25, bound))
        accuracy = _choice_accuracy(evaluation[:half], evaluation[half:], view)
        name = f"{name}, same lexicon"
        found.append(Measured("choice", "validation, second half", name, accuracy, 0.25, bound))
    return found


def _choice_accuracy(
    train: Sequence[Row], evaluation: Sequence[Row], view: Callable[[Row, str], str]
) -> float:
    """Accuracy of taking the option that a bag of words finds likeliest to be right."""
    scores = bag_of_words(
        [view(row, option) for row in train for option in row["options"]],
        [int(k == row["label"]) for row in train for k in range(len(row["options"]))],
        [view(row, option) for row in evaluation for option in row["options"]],
    )[:, 1].reshape(len(evaluation), -1)
    credit = [_credit(line, row["label"]) for line, row in zip(scores, evaluation, strict=True)]
    return float(np.mean(credit))


def minimal_pairs(bound: float) -> list[Measured]:
    """The shorter sentence, and the likelier one under unigram frequencies; ties count half."""
    train, evaluation = rows("minimal_pairs", "train"), rows("minimal_pairs", "validation")
    counts = Counter(word for row in train for word in _words(row["good"]))
    total = sum(counts.values())

    def unigram(sentence: str) -> float:
        return sum(
            math.log((counts[word] + 1) / (total + len(counts) + 1)) for word in _words(sentence)
        )

    measures: dict[str, Callable[[str], float]] = {
        "shorter in words": lambda sentence: -len(_words(sentence)),
        "shorter in characters": lambda sentence: -len(sentence),
        "unigram language model": unigram,
    }
    found = []
    for name, measure in measures.items():
        scores = [[measure(row["good"]), measure(row["bad"])] for row in evaluation]
        value = float(np.mean([_credit(np.round(pair, 9), 0) for pair in scores]))
        found.append(Measured("minimal_pairs", "validation", name, value, 0.5, bound))
    return found


def measure_all() -> list[Measured]:
    """Every baseline of the table."""
    return [
        *classification("sentiment", ["validation"], None),
        *classification("acceptability", ["validation"], 0.08),
        *classification("entailment", ["validation_matched", "validation_mismatched"], 0.08),
        *same_lexicon("acceptability", 0.08),
        *same_lexicon("entailment", 0.08),
        *choice(0.08),
        *minimal_pairs(0.05),
    ]


def table(measured: Sequence[Measured]) -> str:
    """The measurements as a Markdown table, in percent."""
    lines = [
        "| task | split | baseline | accuracy | chance | allowed |",
        "|---|---|---|---|---|---|",
    ]
    for m in measured:
        allowed = "-" if m.bound is None else f"±{100 * m.bound:.0f}"
        lines.append(
            f"| {m.task} | {m.split} | {m.baseline} | {100 * m.value:.1f} "
            f"| {100 * m.chance:.0f} | {allowed} |"
        )
    return "\n".join(lines)


def _marked(row: Row) -> str:
    """Both sentences in one text, the words of the second marked as such."""
    second = " ".join("2:" + word for word in row.get("text_pair", "").split())
    return f"{row['text']} _ {second}"


def _words(sentence: str) -> list[str]:
    return re.findall(r"\w+", sentence.lower())


def _credit(scores: Sequence[float] | np.ndarray, label: int) -> float:
    """1 when `label` alone has the best score, 1/k when it shares it with k - 1 others."""
    best = np.flatnonzero(np.asarray(scores) == np.max(scores))
    return float(label in best) / len(best)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    arguments = parser.parse_args()
    measured = table(measure_all())
    print(measured)
    if arguments.write:
        readme = FOLDER / "README.md"
        before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
        after = rest.split(END)[1]
        readme.write_text(f"{before}{BEGIN}\n{measured}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
