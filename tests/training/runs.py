"""Runs of the loop: a plan, a model with its items, and their trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from benchsuite.models.registry import Model, load_model
from benchsuite.tasks.task import Task
from benchsuite.training.backbone import Backbone
from benchsuite.training.items import Item, ItemMaker
from benchsuite.training.loop import Outcome, Plan, Trainer
from benchsuite.training.model import TaskModel
from benchsuite.training.rows import Layout


def plan(**changes: Any) -> Plan:
    settings = {
        "lr": 1e-3,
        "epochs": 3,
        "batch": 4,
        "warmup": 0.1,
        "decay": 0.01,
        "patience": 5,
        "keep_best": False,
        "seed": 0,
        "run": "a run",
    }
    return Plan(**{**settings, **changes})


def parts(model: Model, task: Task) -> tuple[TaskModel, list[Item], ItemMaker]:
    """A fresh model to be trained in full, and the items of all training examples."""
    torch.manual_seed(1)
    fresh = load_model(model.name)
    whole = TaskModel(Backbone(fresh.network, model.family, task.spec.kind), task.spec)
    maker = ItemMaker(task.spec, Layout(model), "first")
    return whole, maker.make(task.train().examples), maker


def trainer(whole: TaskModel, items: list[Item], scratch: Path, **changes: Any) -> Trainer:
    settings: dict = {"pad": 0, "device": "cpu", "batch_tokens": 4096, "scratch": scratch}
    given = changes.pop("plan", plan())
    groups = [{"params": [p for p in whole.parameters() if p.requires_grad]}]
    return Trainer(whole, items, groups, given, **{**settings, **changes})


def run(model: Model, task: Task, scratch: Path, **changes: Any) -> tuple[Outcome, TaskModel]:
    whole, items, _ = parts(model, task)
    given = plan(**changes)
    one = trainer(whole, items, scratch, plan=given, select=changes.get("select"))
    return one.run(), whole
