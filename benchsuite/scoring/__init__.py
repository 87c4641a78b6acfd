"""Log-likelihoods of texts under a language model: one request type, an engine a family.

Nothing here imports torch before an engine is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchsuite.errors import NotApplicable
from benchsuite.scoring.types import Request, Score, Scorer, Usage

if TYPE_CHECKING:
    from benchsuite.models.registry import Model

__all__ = ["Request", "Score", "Scorer", "Usage", "make_scorer", "score"]


def make_scorer(model: Model, batch_tokens: int = 8192) -> Scorer:
    """The engine of the model's family. batch_tokens: tokens of a batch, padding counted.

    Raises NotApplicable where no engine scores the family.
    """
    if model.family != "decoder":
        raise NotApplicable(
            f"zero-shot scoring is implemented for decoders only; {model.name} is an {model.family}"
        )
    from benchsuite.scoring.decoder import DecoderScorer

    return DecoderScorer(model, batch_tokens)


def score(model: Model, requests: Sequence[Request], batch_tokens: int = 8192) -> list[Score]:
    """Score requests with a model, results in the order given.

    Raises NotApplicable for a family that has no engine; CellFailed for a request that cannot be
    scored (an empty continuation, one longer than the window, a score that is not finite).
    """
    return make_scorer(model, batch_tokens).score(list(requests))
