"""The shared tokenizer, token streams of made and of real text, and batches out of them."""

import os
import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from benchsuite.pretrain.corpus import Corpus, pieces
from benchsuite.pretrain.data import Rows
from benchsuite.pretrain.objectives.base import BaseObjective, Vocabulary
from benchsuite.pretrain.tokenizer import load_tokenizer
from tests.pretrain.conftest import made_up_text

TOKENS = 200_000
SHARED_TOKENIZER = Path(__file__).parents[3] / "baselines" / "models" / "gpt"


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return Vocabulary.of(load_tokenizer(SHARED_TOKENIZER))


@pytest.fixture(
    scope="session",
    params=[
        "made",
        pytest.param(
            "real",
            marks=pytest.mark.skipif(
                "BENCHSUITE_CORPUS" not in os.environ, reason="BENCHSUITE_CORPUS is not set"
            ),
        ),
    ],
)
def tokens(request: pytest.FixtureRequest, vocabulary: Vocabulary) -> np.ndarray:
    """200,000 ids; pieces of documents (of all sources where text is real) end with end-of-text."""
    if request.param == "made":
        rng = random.Random(0)
        return _encoded((made_up_text(rng) for _ in range(900)), vocabulary, TOKENS)
    corpus = Corpus(Path(os.environ["BENCHSUITE_CORPUS"]))
    share = -(-TOKENS // len(corpus.sources()))
    parts = []
    for source in corpus.sources():
        texts = (piece for document in corpus.documents(source) for piece in pieces(document))
        parts.append(_encoded(texts, vocabulary, share))
    return np.concatenate(parts)[:TOKENS]


def _encoded(texts: Iterable[str], vocabulary: Vocabulary, limit: int) -> np.ndarray:
    """The first `limit` ids of some texts."""
    backend = vocabulary.tokenizer.backend_tokenizer
    ids: list[int] = []
    for text in texts:
        if len(ids) >= limit:
            break
        ids += [*backend.encode(text, add_special_tokens=False).ids, vocabulary.end]
    return np.array(ids[:limit], dtype=np.uint16)


def make_batch(
    objective: BaseObjective,
    tokens: np.ndarray,
    vocabulary: Vocabulary,
    length: int = 256,
    rows: int = 400,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """(raw windows, collated batch) of rows 0, 1, ..., as the loop makes them."""
    windows = Rows(tokens, seed=0).batch(objective.window(length), 0, rows)
    keys = [(0, 0, length, number) for number in range(rows)]
    return windows, objective.collate(windows, vocabulary, keys)
