"""Causal LM against transformers' own loss."""

import numpy as np
import pytest
import torch

from benchsuite.pretrain.model import build_model
from benchsuite.pretrain.objectives.base import Vocabulary
from benchsuite.pretrain.objectives.causal_lm import Objective
from benchsuite.pretrain.recipe import Architecture
from tests.pretrain.objectives.conftest import make_batch


def test_loss_is_that_of_transformers(tokens: np.ndarray, vocabulary: Vocabulary) -> None:
    torch.manual_seed(0)
    shape = Architecture(type="gpt2", hidden_size=32, layers=2, heads=2, positions=65)
    model = build_model(shape, vocabulary).eval()
    objective = Objective()
    windows, batch = make_batch(objective, tokens, vocabulary, 64, rows=8)
    # transformers shifts the labels and leaves the last position out
    plain = model(input_ids=windows, labels=windows).loss
    assert objective.loss(model, batch).item() == pytest.approx(plain.item(), abs=1e-5)
    assert objective.targets(64) == 64
