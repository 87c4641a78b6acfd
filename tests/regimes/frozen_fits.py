"""Fitting a partly frozen model on made tasks, with tiny models of the three families."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.models.registry import load_model
from benchsuite.regimes.trained import TrainedRegime
from benchsuite.training.predictor import TrainedPredictor
from tests.tiny import tiny_models
from tests.training.made import made_cell, made_task

FAMILIES = ("encoder", "decoder", "encoder-decoder")
EXAMPLES = 24  # 22 for training, 2 as selection slice


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Family -> a tiny model, with the dropout of its family's defaults."""
    root = tmp_path_factory.mktemp("frozen")
    return tiny_models(root, positions=128)


def fit(
    regime: TrainedRegime, call: str, folder: Path, kind: str, tmp_path: Path
) -> TrainedPredictor:
    task = made_task(tmp_path / "tasks", kind, EXAMPLES)
    cell = made_cell(task, call, str(folder))
    return regime.fit(load_model(str(folder)), task, cell, tmp_path / "scratch")
