"""The shared tokenizer, token streams of made and of real text, and batches out of them."""

import os
import random
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from benchsuite.pretrain.data import Rows
from benchsuite.pretrain.objectives.base import BaseObjective, Vocabulary
from benchsuite.pretrain.tokenizer import load_tokenizer
from tests.pretrain.conftest import made_up_text

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
                "BENCHSUITE_DATA" not in os.environ, reason="BENCHSUITE_DATA is not set"
            ),
        ),
    ],
)
def tokens(request: pytest.FixtureRequest, vocabulary: Vocabulary) -> np.ndarray:
    """About 200,000 ids; documents (of SQuAD where text is real) end with end-of-text."""
    if request.param == "made":
        rng = random.Random(0)
        texts = [made_up_text(rng) for _ in range(900)]
    else:
        path = Path(os.environ["BENCHSUITE_DATA"]) / "rajpurkar/squad/plain_text/train.parquet"
        column = next(pq.ParquetFile(path).iter_batches(batch_size=9000, columns=["context"]))
        texts = list(dict.fromkeys(column.column("context").to_pylist()))
    backend = vocabulary.tokenizer.backend_tokenizer
    encoded = [
        [*encoding.ids, vocabulary.end]
        for encoding in backend.encode_batch(texts, add_special_tokens=False)
    ]
    return np.concatenate(encoded)[:200_000].astype(np.uint16)


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
