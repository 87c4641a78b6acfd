"""Probes fitted on tiny models of the three families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchsuite.models.registry import load_model
from benchsuite.regimes.probe import Probe
from benchsuite.tasks.example import Example
from benchsuite.tasks.task import Task
from benchsuite.training.probing import ProbePredictor
from tests.tiny import tiny_models
from tests.training.made import made_cell

FAMILIES = ("encoder", "decoder", "encoder-decoder")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Family -> a tiny model."""
    root = tmp_path_factory.mktemp("probe")
    return tiny_models(root, positions=512)


def fit(
    folder: Path, task: Task, options: str = "", **settings: Any
) -> tuple[ProbePredictor, list[Example]]:
    """A fitted probe and its training examples."""
    model = load_model(str(folder))
    call = f"probe:{options}" if options else "probe"
    cell = made_cell(task, call, str(folder), seed=None, **settings)
    predictor = Probe().fit(model, task, cell, folder / "scratch")
    return predictor, Probe().train_data(task, cell)["train"].examples


def scores(predictor: ProbePredictor, examples: list[Example]) -> list[np.ndarray]:
    return predictor.scores(predictor.maker.make(examples))
