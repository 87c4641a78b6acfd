"""What the words of a text alone give away: the baseline of everything that is trained.

Source: Wang and Manning 2012, "Baselines and Bigrams" (unigrams and bigrams with a linear
classifier); tf-idf and classifiers are scikit-learn's.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchsuite.metrics.baselines import by_split
from benchsuite.metrics.columns import Columns
from benchsuite.metrics.measures import compute, compute_on_slice
from benchsuite.tasks.example import Example, Prediction
from benchsuite.tasks.spec import TaskSpec

NAME = "bag_of_words"
PENALTIES = (10.0, 1.0, 0.1)
"""Strongest first; chosen on the selection slice."""
MOST_STEPS = 200


def bag_of_words(
    task: TaskSpec,
    train: Sequence[Example],
    selection: Sequence[Example],
    examples: Sequence[Example],
) -> float | None:
    """Headline metric of logistic (ridge) regression on tf-idf of words and pairs of words.

    Of two texts: of each, and of the words that both have. The penalty is the best on the selection
    slice, the strongest of equals; without a slice the middle one. Mean over the splits among
    `examples`. None for kinds other than classification and regression, where there is nothing to
    learn, and where the metric is undefined.
    """
    scorable = [example for example in examples if example.target is not None]
    selection = [example for example in selection if example.target is not None]
    targets = [example.target for example in train]
    if task.kind not in ("classification", "regression") or not scorable or not train:
        return None
    if task.kind == "classification" and len(set(targets)) < 2:
        return None
    encode = _encoder(task, train)
    features = encode(train)
    classifiers = [_fit(task, features, targets, penalty) for penalty in PENALTIES]

    def answers(classifier: Any, asked: Sequence[Example]) -> Columns:
        as_number = float if task.kind == "regression" else int
        said = [Prediction(as_number(one)) for one in classifier.predict(encode(asked))]
        return by_split(task, asked, said)

    best = len(PENALTIES) // 2
    if selection:
        values = [compute_on_slice(task, answers(one, selection)) for one in classifiers]
        best = int(np.argmax(np.nan_to_num(values, nan=-np.inf)))
    found = compute(task, task.headline_metric, answers(classifiers[best], scorable))
    return None if np.isnan(found) else found


def _encoder(task: TaskSpec, train: Sequence[Example]) -> Any:
    """From examples to their sparse features, with the words and weights of the training texts."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    names = ["text", "text_pair"] if task.is_pair else ["text"]
    # One-letter words count: `a`, `I`, and scores such as `5`.
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\w+|[^\w\s]")
    words.fit([one.fields[name] for one in train for name in names])

    def encode(examples: Sequence[Example]) -> Any:
        parts = [words.transform([one.fields[name] for one in examples]) for name in names]
        if len(parts) == 2:
            parts.append(parts[0].multiply(parts[1]))
        return hstack(parts, format="csr")

    return encode


def _fit(task: TaskSpec, features: Any, targets: Sequence[Any], penalty: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    if task.kind == "regression":
        return Ridge(alpha=penalty).fit(features, targets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=1 / penalty, max_iter=MOST_STEPS).fit(features, targets)
