"""Log-likelihoods of texts under a language model: one request type, an engine a family.

Nothing here imports torch before an engine is made.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchsuite.errors import InputError
from benchsuite.scoring.types import Request, Score, Scorer, Usage

if TYPE_CHECKING:
    from benchsuite.models.registry import Model

__all__ = ["Request", "Score", "Scorer", "Usage", "make_scorer", "score"]


# Family -> module:class, imported when asked for.
ENGINES = {
    "decoder": "benchsuite.scoring.decoder:DecoderScorer",
    "encoder": "benchsuite.scoring.encoder:EncoderScorer",
    "encoder-decoder": "benchsuite.scoring.encoder_decoder:EncoderDecoderScorer",
}


def make_scorer(model: Model, batch_tokens: int = 8192) -> Scorer:
    """The engine of the model's family. batch_tokens: tokens of a batch, padding counted.

    Raises InputError for fewer than one.
    """
    if batch_tokens < 1:
        raise InputError(f"batch_tokens is {batch_tokens}; give at least 1")
    module, _, name = ENGINES[model.family].partition(":")
    scorer: Scorer = getattr(importlib.import_module(module), name)(model, batch_tokens)
    return scorer


def score(
    model: Model,
    requests: Sequence[Request],
    path: str | None = None,
    details: bool = False,
    batch_tokens: int = 8192,
) -> list[Score]:
    """Score requests with a model, results in the order given.

    path: a scoring path of the model's family (`paths.PATHS`). details: with values a token.
    Raises InputError for another family's path; CellFailed for a request that cannot be scored
    (an empty continuation, one longer than the window, a score that is not finite).
    """
    return make_scorer(model, batch_tokens).score(list(requests), path, details)
