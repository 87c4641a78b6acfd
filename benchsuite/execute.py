"""Runs cells: reuses standing records, fits, predicts, scores, writes. Knows no regime by name."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from benchsuite import artifacts, provenance, records
from benchsuite.cells import Cell, digest
from benchsuite.errors import (
    BenchsuiteError,
    CellFailed,
    DataUnavailable,
    InputError,
    NotApplicable,
)
from benchsuite.files import write_atomically
from benchsuite.keys import describe, key_parts
from benchsuite.models.registry import ModelRef, load_model, resolve_model
from benchsuite.paths import tasks_root
from benchsuite.records import Record
from benchsuite.regimes import support
from benchsuite.regimes.base import Predictor, Regime, Variant

if TYPE_CHECKING:
    import pandas as pd

    from benchsuite.models.registry import Model
    from benchsuite.tasks.task import SplitData, Task

ERROR_FILE = "error.txt"


class Listener(Protocol):
    """Hears how a run goes; the command line shows it as progress."""

    def step_done(self, cell: Cell, step: int, steps: int, loss: float) -> None:
        """So many of a cell's training steps are done; loss: of the last one."""
        ...

    def cell_started(self, cell: Cell, examples: int) -> None:
        """A cell's predictions begin."""
        ...

    def examples_done(self, count: int) -> None:
        """So many more examples are predicted."""
        ...

    def cell_ended(self, cell: Cell, record: Record, reused: bool) -> None:
        """A cell's record stands."""
        ...


class Silent:
    """A listener that says nothing."""

    def step_done(self, cell: Cell, step: int, steps: int, loss: float) -> None:
        """Say nothing."""

    def cell_started(self, cell: Cell, examples: int) -> None:
        """Say nothing."""

    def examples_done(self, count: int) -> None:
        """Say nothing."""

    def cell_ended(self, cell: Cell, record: Record, reused: bool) -> None:
        """Say nothing."""


class _Models:
    """Keeps the model in use loaded; cells come grouped by model."""

    def __init__(self) -> None:
        self._key: tuple[Any, ...] | None = None
        self._model: Model | None = None

    def get(self, cell: Cell) -> Model:
        key = (cell.model, cell.dtype, cell.device, cell.max_length)
        if self._model is None or key != self._key:
            self._model = None
            self._model = load_model(
                cell.model, dtype=cell.dtype, device=cell.device, max_length=cell.max_length
            )
            self._key = key
        return self._model


def run_cells(
    cells: Sequence[Cell],
    tasks: dict[str, Task],
    store: Path,
    *,
    force: bool = False,
    keep_artifacts: bool = False,
    listener: Listener | None = None,
) -> list[Record]:
    """Run cells in order and store a record each; one that fails does not stop the others.

    tasks: id -> loaded task, for every task the cells name. A standing `done` record of the same
    key is reused unless `force`, and none that fails takes its place. Returns the records in the
    order of the cells. Raises OSError where the store cannot be written: what is computed after
    would be lost, too.
    """
    listener = listener or Silent()
    models = _Models()
    found: list[Record] = []
    for cell in cells:
        record, reused = _run_cell(
            cell, tasks[cell.task], store, models, force, keep_artifacts, listener
        )
        listener.cell_ended(cell, record, reused)
        found.append(record)
    return found


def _run_cell(
    cell: Cell,
    task: Task,
    store: Path,
    models: _Models,
    force: bool,
    keep_artifacts: bool,
    listener: Listener,
) -> tuple[Record, bool]:
    """The record of one cell, and whether it was standing already."""
    regime = task.regime(cell.regime.name)
    reference = resolve_model(cell.model)
    described = describe(cell, regime, reference)
    started = provenance.now()
    try:
        reason = regime.reason_not_applicable(task, reference.family)
        if reason is not None:
            raise NotApplicable(reason)
        names = cell.splits or task.spec.dataset.eval_splits
        splits = {name: task.evaluation(name, cell.limit) for name in names}
        training = regime.train_data(task, cell)
    except (NotApplicable, DataUnavailable) as error:
        status, reason = _ending(error, regime, task, reference)
        described["key"] = digest({"cell": described, "status": status})
        record = Record(cell=described, status=status, reason=reason)
        record.provenance = _provenance(started, cell, task, reference, {})
        records.write(store, record, None)
        return record, False

    parts = key_parts(cell, task, regime, reference, splits, training)
    described["key"] = digest(parts)
    described["key_parts"] = parts
    # A cap that leaves nothing out is none: the key is that of the whole, and so is the record.
    caps = {
        "limit": cell.limit if any(data.is_capped for data in splits.values()) else None,
        "train_limit": (
            cell.train_limit if any(data.is_capped for data in training.values()) else None
        ),
    }
    described |= caps
    folder = store / records.folder_name(described)
    standing = _standing(folder, described["key"])
    if (
        standing is not None
        and not force
        and (not keep_artifacts or artifacts.is_kept(standing, folder))
    ):
        if standing.cell | caps != standing.cell:  # of before caps that cut nothing were none
            standing.cell |= caps
            records.rewrite(folder, standing)
        return standing, True

    facts = _provenance(started, cell, task, reference, _data_facts(splits, training))
    record = Record(cell=described, status="failed", provenance=dict(facts))
    record.seen_in_pretraining = [
        seen for seen in reference.metadata.get("seen_in_pretraining", []) if _covers(seen, task.id)
    ]
    outcomes: pd.DataFrame | None = None
    error_text: str | None = None
    watch = provenance.Watch()
    try:
        model = models.get(cell)
        outcomes = _measure(
            record, cell, task, regime, model, splits, training, folder, keep_artifacts, listener
        )
        record.provenance |= provenance.beside(watch)
        record.status = "done"
    except (CellFailed, DataUnavailable, NotApplicable, InputError) as error:
        record.status, record.reason = _ending(error, regime, task, reference)
    except Exception as error:  # one cell's defect must not cost the cells after it
        error_text = traceback.format_exc()
        record.reason = f"unexpected {_one_line(error)}; traceback in {folder / ERROR_FILE}"
    if record.status == "done":
        try:
            records.write(store, record, outcomes)
        except (TypeError, ValueError) as error:  # a plug-in's numbers that JSON does not have
            error_text = traceback.format_exc()
            reason = f"its record cannot be written ({_one_line(error)}); a regime's notes and a "
            reason += "metric's values are finite numbers, texts, and lists of them"
            record = Record(cell=described, status="failed", reason=reason, provenance=facts)
    if record.status == "done":
        if "artifact_sha256" not in record.provenance:
            (folder / artifacts.ARTIFACT_FILE).unlink(missing_ok=True)  # of an earlier training
        if hasattr(regime, "clear"):
            regime.clear(folder)
    else:
        record.results, record.headline = [], None
        if standing is None:
            records.write(store, record, None)
        else:
            record.reason = f"{record.reason}; the record of an earlier run stands"
    if error_text is not None:
        content = error_text.encode("utf-8")
        write_atomically(folder / ERROR_FILE, lambda file: file.write(content))
    else:
        (folder / ERROR_FILE).unlink(missing_ok=True)
    return record, False


def _ending(
    error: BenchsuiteError, regime: Regime, task: Task, reference: ModelRef
) -> tuple[records.Status, str]:
    """Status and reason of a cell that was not done.

    Only the support table's grounds make a cell not applicable.
    """
    if isinstance(error, DataUnavailable):
        return "unavailable", str(error)
    if not isinstance(error, NotApplicable):
        return "failed", str(error)
    if support.allows(regime.name, task.spec, reference.family, error):
        return "not_applicable", str(error)
    return "failed", f"not applicable on a ground that docs/support.md does not have: {error}"


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def _covers(seen: str, task_id: str) -> bool:
    """Whether `race` (a folder of tasks) or `race/middle` names the task."""
    return task_id == seen or task_id.startswith(seen + "/")


def _standing(folder: Path, key: str) -> Record | None:
    """The stored record when it is done, whole and of this key; else None, so that it is redone."""
    if not (folder / records.RECORD_FILE).exists():
        return None
    try:
        record = records.read(folder)
        if record.key != key or record.status != "done":
            return None
        records.read_outcomes(folder, record)
    except InputError:
        return None
    return record


def _provenance(
    started: str, cell: Cell, task: Task, reference: ModelRef, data: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Where a record's numbers come from, also where there are none."""
    bundled = Path(task.spec.source).is_relative_to(tasks_root())
    facts = provenance.collect(started, data, cell.device)
    return {
        **facts,
        "task_file": "bundled" if bundled else "local",
        "pretraining": reference.pretraining,
        **({"adapted": reference.adapted} if reference.adapted else {}),
    }


def _data_facts(
    splits: dict[str, SplitData], training: dict[str, SplitData]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Where each split came from and how much of the official one is there, by what it is for."""
    return {
        use: {
            name: {
                "source": data.source,
                "rows": data.rows,
                "official": data.official,
                "used": len(data.examples),
            }
            for name, data in found.items()
        }
        for use, found in (("evaluation", splits), ("training", training))
    }


def _measure(
    record: Record,
    cell: Cell,
    task: Task,
    regime: Regime,
    model: Model,
    splits: dict[str, SplitData],
    training: dict[str, SplitData],
    folder: Path,
    keep_artifacts: bool,
    listener: Listener,
) -> pd.DataFrame:
    """Fit, predict every split, score; fills the record and returns the outcomes."""
    # First, so that a fault of it costs no training, and no cost is a model's that is not.
    bag = _bag_of_words(task, splits, training)
    clock = time.perf_counter
    begin = clock()
    if hasattr(regime, "told"):
        regime.told = lambda done: listener.step_done(cell, done.step, done.steps, done.loss)
    kept = artifacts.kept_training(folder.parent, cell, record.cell["key_parts"], task)
    if kept is not None and hasattr(regime, "load"):
        record.provenance["trained_by"] = kept[0]
        predictor = regime.load(model, task, cell, kept[1])
    else:
        predictor = regime.fit(model, task, cell, folder)
    fitted = clock()
    listener.cell_started(cell, sum(len(data.examples) for data in splits.values()))
    if hasattr(predictor, "progress"):
        predictor.progress = listener.examples_done
    by_split: dict[str, list[Variant]] = {
        name: predictor.predict(data.examples) for name, data in splits.items()
    }
    predicted = clock()
    summary = task.summarize(
        {name: (data.examples, by_split[name]) for name, data in splits.items()}
    )
    record.results = [records.Result(**row) for row in summary.results]
    record.headline = records.Headline(**summary.headline)
    record.baselines = summary.baselines | bag
    capped = sum(data.rows - len(data.examples) for data in splits.values())
    record.counts = {**summary.counts, "capped": capped}
    record.labels_used = regime.labels_used(task, cell)
    record.provenance["chosen"] = {
        variant.prompt if variant.primary else f"{variant.prompt} {variant.score} {variant.norm}": (
            variant.notes
        )
        for variants in by_split.values()
        for variant in variants
        if variant.notes
    }
    examples = sum(len(data.examples) for data in splits.values())
    usage = getattr(predictor, "usage", None)
    artifact_bytes = None
    if keep_artifacts:
        artifact_bytes, sha256 = artifacts.keep(predictor.state(), folder)
        if sha256 is not None:
            record.provenance["artifact_sha256"] = sha256
    record.cost = {
        "fit_s": round(fitted - begin + getattr(predictor, "seconds_earlier", 0.0), 3),
        "predict_s": round(predicted - fitted, 3),
        "summarize_s": round(clock() - predicted, 3),
        "tokens": usage.tokens if usage is not None else None,
        "examples_per_s": round(examples / max(predicted - fitted, 1e-9), 3),
        "parameters_total": model.parameters_total,
        "parameters_trainable": _trained(predictor),
        "artifact_bytes": artifact_bytes,
    }
    return summary.outcomes


def _bag_of_words(
    task: Task, splits: dict[str, SplitData], training: dict[str, SplitData]
) -> dict[str, float | None]:
    """The baseline of regimes that learn from a training slice: what its words alone teach."""
    from benchsuite.metrics.bag_of_words import NAME

    if not {"train", "selection"} <= set(training):
        return {}
    value = task.bag_of_words(training["train"], training["selection"], tuple(splits.values()))
    return {} if value is None else {NAME: value}


def _trained(predictor: Predictor) -> int:
    """Number of parameters that were trained; a predictor that says nothing trained its state."""
    stated: int | None = getattr(predictor, "parameters_trained", None)
    return sum(t.numel() for t in predictor.state().values()) if stated is None else stated
