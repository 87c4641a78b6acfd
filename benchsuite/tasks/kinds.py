"""The kinds of task: their fields, metrics and ways of prompting."""

from __future__ import annotations

# Canonical fields of each kind: (inputs always there, inputs that may be there, the answer).
CANONICAL_FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], str | None]] = {
    "classification": (("text",), ("text_pair",), "label"),
    "regression": (("text",), ("text_pair",), "label"),
    "tagging": (("tokens",), (), "tags"),
    "span": (("context", "question"), ("title",), "answers"),
    "choice": (("question", "options"), ("context",), "label"),
    "minimal_pair": (("good", "bad"), (), None),
}

# Metrics a kind may name; the first a task names is its headline.
METRICS: dict[str, tuple[str, ...]] = {
    "classification": ("accuracy", "matthews", "f1"),
    "regression": ("pearson", "spearman"),
    "tagging": ("entity_f1",),
    "span": ("f1", "em"),
    "choice": ("accuracy",),
    "minimal_pair": ("accuracy",),
}


# How a kind can be prompted.
METHODS: dict[str, tuple[str, ...]] = {
    "classification": ("cloze", "threshold"),
    "regression": ("rating",),
    "tagging": ("entity",),
    "span": ("generate",),
    "choice": ("choice",),
    "minimal_pair": ("pair",),
}

# Prompt keys beside name, method, template and why that each method reads.
PROMPT_KEYS: dict[str, tuple[str, ...]] = {
    "cloze": ("verbalizers", "score", "premise", "norm"),
    "threshold": (),
    "rating": ("ratings", "score", "norm"),
    "choice": ("continuation", "score", "premise", "norm"),
    "pair": ("norm",),
    "generate": ("stop", "max_new_tokens", "no_answer"),
    "entity": ("verbalizers", "score", "norm"),
}

# Scores that the answers of each method can be compared by. Calibration needs answers that are
# the same for all examples.
SCORES: dict[str, tuple[str, ...]] = {
    "cloze": ("likelihood", "pmi", "calibrated"),
    "threshold": ("likelihood",),
    "rating": ("likelihood", "calibrated"),
    "choice": ("likelihood", "pmi"),
    "pair": ("likelihood",),
    "generate": (),
    "entity": ("likelihood", "calibrated"),
}

# Said of a hub revision that nobody has checked.
UNVERIFIED = "unverified"


class SpecError(ValueError):
    """A fault in a task file; `path` leads from the model that found it to the key it is about."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.path = path
