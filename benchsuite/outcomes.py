"""The stored outcomes of a record, checked, in the form that statistics take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchsuite import records
from benchsuite.errors import BenchsuiteError, InputError
from benchsuite.metrics.columns import Columns
from benchsuite.metrics.measures import General, get_measure
from benchsuite.records import Headline, Record
from benchsuite.results import tables_of
from benchsuite.stats import estimate
from benchsuite.tasks.spec import Dataset, TaskSpec
from benchsuite.tasks.task import load_task

LM_EVAL = "lm-eval:"
COLUMNS = {"split", "subset", "group", "id", "cluster", "prediction", "gold", "tied", "credit"}
TEXT = {"split", "subset", "group", "id", "cluster"}
WHOLE = {"prediction", "gold", "tied"}
NO_TEST = "{} is no mean over examples: there is no test for it"
AGREES = 1e-6
"""Within which a score computed from the outcomes is the one on record."""


class NotJudged(BenchsuiteError):
    """There is no test for a pair; the others are judged."""


def headline_of(record: Record) -> Headline:
    """The headline of a done record. Raises InputError where it has none."""
    if record.headline is None:
        raise InputError(f"{record.name}: the record is done and has no headline; rerun the cell")
    return record.headline


def spec_of(record: Record, tasks_dir: Sequence[Path] = ()) -> TaskSpec:
    """The task that a record was scored by.

    Raises InputError where the task at hand is another version of it.
    """
    task = record.cell["task"]
    if task.startswith(LM_EVAL):  # a column each, which lm-eval has judged: the task is not needed
        return TaskSpec.model_construct(
            id=task,
            kind="lm_eval",
            dataset=Dataset.model_construct(),
            fields={},
            metrics=[headline_of(record).metric],
        )
    spec = load_task(task, tasks_dirs=tuple(tasks_dir)).spec
    version = record.parts_but(()).get("task_version")
    if version != spec.version:
        raise InputError(
            f"{record.name}: made with version {version} of {spec.id}, this benchsuite has version "
            f"{spec.version}; make both records anew"
        )
    return spec


def read_tables(folder: Path, record: Record, spec: TaskSpec) -> list[Columns]:
    """A record's primary outcomes, a table a prompt.

    Raises InputError where they are broken, NotJudged where the score on record is not made of them
    in a way that can be resampled.
    """
    headline = headline_of(record)
    outcomes = records.read_columns(folder, record)
    try:
        lacking = COLUMNS - {*outcomes}
        if lacking:
            raise ValueError(f"no column {', '.join(sorted(lacking))}")
        tables = tables_of(outcomes)
        if not tables:
            raise ValueError("no scorable example")
        measure = get_measure(spec, headline.metric)
        for table in tables:
            for name, column in table.items():
                if name not in TEXT and column.dtype.kind not in "biuf":
                    raise ValueError(f"{name} is no column of numbers")
                if name in WHOLE and not np.isfinite(column).all():
                    raise ValueError(f"{name} has a value that is no finite number")
            keys = list(zip(table["split"], table["subset"], table["id"], strict=True))
            if len(set(keys)) < len(keys):
                raise ValueError("an id twice")
            if spec.kind == "lm_eval" and headline.metric not in table:
                raise NotJudged(NO_TEST.format(headline.metric))
            facts = (
                np.column_stack([table["x"], table["y"]])
                if isinstance(measure, General)
                else measure.statistics(spec, table)
            )
            if not np.isfinite(facts).all():
                raise ValueError("a value that is no finite number")
        value = estimate(spec, headline.metric, tables)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{folder}: broken outcomes: {error}; rerun the cell") from None
    if headline.value is None and not math.isnan(value):
        raise InputError(
            f"{folder}: broken outcomes: they give {headline.metric} {value:.6f}, the record says "
            f"that it is undefined; rerun {record.name}"
        )
    if headline.value is not None and not abs(value - headline.value) <= AGREES:
        if spec.kind == "lm_eval":
            raise NotJudged(NO_TEST.format(headline.metric))
        raise InputError(
            f"{folder}: broken outcomes: they give {headline.metric} {value:.6f}, the record "
            f"says {headline.value:.6f}; rerun {record.name}"
        )
    return tables
