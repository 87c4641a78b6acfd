"""What `--keep-artifacts` kept, ready to answer again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite import records
from benchsuite.cells import Cell, digest, parse_regime
from benchsuite.errors import InputError
from benchsuite.files import write_atomically
from benchsuite.records import Record

if TYPE_CHECKING:
    from torch import Tensor

    from benchsuite.regimes.base import Predictor
    from benchsuite.tasks.task import Task

ARTIFACT_FILE = "artifact.safetensors"
# Parts of a cell's key in which a task may differ from the one whose training it uses.
FREE_PARTS = (
    "task",
    "task_version",
    "task_rules",
    "prompts",
    "data",
    "score",
    "scorer_version",
    "metrics_version",
)


def keep(state: dict[str, Tensor], folder: Path) -> tuple[int, str | None]:
    """Save what was trained, and only that; its bytes and their SHA-256 (0 and None: nothing was).

    The record names the hash, so that a reader notices a file that is not its own.
    """
    if not state:
        return 0, None
    from safetensors.torch import save

    content: bytes = save(state)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / ARTIFACT_FILE, lambda file: file.write(content))
    return len(content), hashlib.sha256(content).hexdigest()


def is_kept(record: Record, folder: Path) -> bool:
    """Whether the record's artifact stands beside it, whole, or it has none to keep."""
    if record.cost.get("artifact_bytes") == 0:
        return True
    try:
        _read(record, folder)
    except InputError:
        return False
    return True


def _read(record: Record, folder: Path) -> bytes:
    """A record's artifact; InputError where there is none, or another than the record names."""
    if record.status != "done":
        raise InputError(f"{record.name}: {record.status} ({record.reason}): nothing was trained")
    if record.cost.get("artifact_bytes") == 0:
        raise InputError(f"{record.name}: the regime trains nothing that could be kept")
    redo = "run the cell with --keep-artifacts"
    missing = f"{folder} keeps nothing that was trained; {redo}"
    sha256 = record.provenance.get("artifact_sha256")
    return records.read_named(folder / ARTIFACT_FILE, sha256, missing, redo)


def kept_training(
    store: Path, cell: Cell, parts: dict[str, Any], task: Task
) -> tuple[str, dict[str, Any]] | None:
    """Key and tensors of the kept cell whose training a task with `train_from` uses.

    The cell of that task with the same model, regime, settings and training slices; None where the
    store keeps none that can be read.
    """
    from safetensors.torch import load

    source = task.spec.dataset.train_from
    if source is None:
        return None
    wanted = {name: part for name, part in parts.items() if name not in FREE_PARTS}
    start = records.slug(f"{source} {cell.model} {cell.regime}")
    for folder in records.store_folders(store):
        if not folder.name.startswith(start) or not (folder / ARTIFACT_FILE).is_file():
            continue
        try:
            record = records.read(folder)
            same = record.parts_but(FREE_PARTS) == wanted
            if record.cell["task"] == source and same:
                return record.key, load(_read(record, folder))
        except InputError:
            continue
    return None


def load_predictor(folder: Path | str, tasks_dir: Sequence[Path] = ()) -> Predictor:
    """The predictor of a record's folder: its model with what was trained, as it was kept.

    tasks_dir: folders of a user's own tasks. Raises InputError where nothing was kept there, or
    the model is no longer the one it was trained on.
    """
    from safetensors.torch import load

    from benchsuite.models.registry import load_model
    from benchsuite.tasks.task import load_task

    folder = Path(folder)
    record = records.read(folder)
    state = load(_read(record, folder))
    known = {name: value for name, value in record.cell.items() if name in Cell.model_fields}
    cell = Cell(**{**known, "regime": parse_regime(record.cell["regime"])})
    task = load_task(cell.task, tasks_dirs=tuple(tasks_dir))
    regime: Any = task.regime(cell.regime.name)
    model = load_model(cell.model, dtype=cell.dtype, device=cell.device, max_length=cell.max_length)
    parts = record.cell["key_parts"]
    if (model.ref.weights_hash, model.ref.tokenizer_hash) != (parts["weights"], parts["tokenizer"]):
        raise InputError(f"{folder}: model '{cell.model}' is not the one it was trained on")
    if (task.spec.version, digest(task.rules())) != (parts["task_version"], parts["task_rules"]):
        raise InputError(f"{folder}: task {task.id} is no longer the one it was trained on")
    if regime.version != parts["regime_version"]:
        raise InputError(
            f"{folder}: trained by version {parts['regime_version']} of {regime.name}, this is "
            f"version {regime.version}; rerun the cell"
        )
    predictor: Predictor = regime.load(model, task, cell, state)
    return predictor
