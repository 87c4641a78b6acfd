"""The Python front door: `benchsuite.run(...)`. The command line calls the same functions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from benchsuite.cells import Cell, RegimeCall, parse_regime, plan
from benchsuite.errors import CellFailed, DataUnavailable, InputError, NotApplicable
from benchsuite.records import Record
from benchsuite.tasks.registry import Registry
from benchsuite.tasks.task import Task, load_task

if TYPE_CHECKING:
    from benchsuite.regimes.base import Regime
    from benchsuite.tasks.spec import Dataset

DEFAULT_STORE = Path("runs")
DEFAULT_SUITE = "mini"
Names = str | Sequence[str]


@dataclass(slots=True)
class Plan:
    """Checked input of a run: every name resolves, every explicit task's data is there."""

    cells: list[Cell]
    tasks: dict[str, Task]
    store: Path


def prepare(
    model: Names = "gpt",
    regime: Names = "zeroshot",
    task: Names | None = None,
    suite: str | None = None,
    *,
    seeds: Sequence[int] = (0,),
    limit: int | None = None,
    train_limit: int | None = None,
    split: Names | None = None,
    prompt: Names | None = None,
    score: str = "own",
    dtype: str = "float32",
    device: str = "cpu",
    batch_tokens: int = 8192,
    max_length: int | None = None,
    tune: bool = False,
    store: Path | str = DEFAULT_STORE,
    tasks_dir: Sequence[Path] = (),
    offline: bool = False,
) -> Plan:
    """Turn names into cells, or say in one line why nothing can be run.

    No task and no suite means the suite `mini`. `limit` lifts or sets the caps of evaluation
    examples (0: no cap); a suite's own caps hold where it is None. `score` is `own` (each prompt's
    own score) or `all` (every score there is as a result row beside it). `tune` searches the
    learning rate of regimes that train by gradient descent on the selection slice.

    Raises InputError for anything a user can mend, before any model is loaded: unknown names,
    bad options, an unwritable store, an explicit task whose data is not to be had.
    """
    from benchsuite.models.registry import check_window, resolve_model
    from benchsuite.regimes.registry import canonical, get_regime

    for name, value, allowed in (
        ("--score", score, ("own", "all")),
        ("--dtype", dtype, ("float32", "bfloat16")),
        ("--device", device, ("cpu", "cuda")),
    ):
        if value not in allowed:
            raise InputError(f"{name} {value}: choose {' or '.join(allowed)}")
    for name, number, low in (
        ("--limit", limit, 0),
        ("--train-limit", train_limit, 0),
        ("--batch-tokens", batch_tokens, 1),
        ("--max-length", max_length, 2),
    ):
        if number is not None and number < low:
            raise InputError(f"{name} {number}: must be at least {low}")
    if device == "cuda":
        _check_cuda()

    models = _names(model, "--model")
    references = [resolve_model(name) for name in models]
    for reference in references:
        check_window(reference, max_length)
    calls = [
        parse_regime(name) if isinstance(name, str) else name for name in _names(regime, "--regime")
    ]
    calls = list({str(call): call for call in map(canonical, calls)}.values())
    randomized: dict[str, bool] = {}
    for call in calls:
        found = get_regime(call.name)
        randomized[call.name] = found.randomized
        check = getattr(found, "check_model", None)
        if check is not None:
            for reference in references:
                check(call, reference)

    explicit = _names(task, "--task") if task is not None else []
    if explicit and suite is not None:
        raise InputError("give --task or --suite, not both")
    wanted: list[tuple[str, int | None, int | None]] = []
    folders = tuple(tasks_dir)
    if explicit:
        loaded = [load_task(name, tasks_dirs=folders, offline=offline) for name in explicit]
        wanted = [(one.id, limit or None, train_limit or None) for one in loaded]
    else:
        chosen = Registry(folders).suite(suite or DEFAULT_SUITE)
        for name in chosen.tasks:
            cap = chosen.limits.get(name, chosen.limit) if limit is None else limit
            train_cap = chosen.train_limit if train_limit is None else train_limit
            wanted.append((name, cap or None, train_cap or None))
        loaded = [load_task(name, tasks_dirs=folders, offline=offline) for name, *_ in wanted]
    tasks = {one.id: one for one in loaded}
    splits = tuple(_names(split, "--split")) if split is not None else None
    prompts = tuple(_names(prompt, "--prompt")) if prompt is not None else None
    if prompts is not None:
        _check_prompts(prompts, tasks)
    cells = plan(
        models,
        calls,
        wanted,
        seeds,
        randomized,
        splits=splits,
        prompts=prompts,
        score=score,
        dtype=dtype,
        device=device,
        batch_tokens=batch_tokens,
        max_length=max_length,
    )
    if tune:
        cells = [_tuned(cell) for cell in cells]
        if not any(cell.tune for cell in cells):
            raise InputError("--tune: none of the regimes has a rate to search; leave it out")
    for cell in cells:
        _check_data(cell, tasks[cell.task], needed=bool(explicit))
    return Plan(cells=cells, tasks=tasks, store=Path(store))


def check_store(store: Path) -> None:
    """Make the store's folder; InputError in one line where it cannot be written."""
    try:
        store.mkdir(parents=True, exist_ok=True)
        probe = store / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"store {store} cannot be written ({error.strerror}); choose another with --store"
        ) from None


class Settings(TypedDict, total=False):
    """Settings of `run` beside its names; meanings and defaults are those of `prepare`."""

    seeds: Sequence[int]
    limit: int | None
    train_limit: int | None
    split: Names | None
    prompt: Names | None
    score: str
    dtype: str
    device: str
    batch_tokens: int
    max_length: int | None
    tune: bool
    store: Path | str
    tasks_dir: Sequence[Path]
    offline: bool


def run(
    model: Names = "gpt",
    regime: Names = "zeroshot",
    task: Names | None = None,
    suite: str | None = None,
    *,
    force: bool = False,
    keep_artifacts: bool = False,
    **settings: Unpack[Settings],
) -> list[Record]:
    """Run every cell of models x regimes x tasks x seeds and return a record each.

    Names may be one string (also comma-separated) or a list; settings are those of `bench run`,
    documented at `prepare`. A standing record of the same settings is reused unless `force`.
    Raises InputError before anything runs; a cell that fails is a record with status `failed`.
    """
    from benchsuite.execute import run_cells

    planned = prepare(model, regime, task, suite, **settings)
    check_store(planned.store)
    return run_cells(
        planned.cells, planned.tasks, planned.store, force=force, keep_artifacts=keep_artifacts
    )


def _names(value: Names | Sequence[RegimeCall], option: str) -> list[str]:
    """Names of a comma-separated string or a sequence; InputError where one is empty."""
    parts = value.split(",") if isinstance(value, str) else [str(part) for part in value]
    parts = [part.strip() for part in parts]
    if not parts or not all(parts):
        raise InputError(f"{option} '{value}' has an empty entry; write names joined by commas")
    return list(dict.fromkeys(parts))


def _tuned(cell: Cell) -> Cell:
    """The cell with its rate to be searched, where its regime has one.

    Raises InputError where the call names the rate.
    """
    from benchsuite.regimes.registry import get_regime, parse_options

    if not getattr(get_regime(cell.regime.name), "tunable", False):
        return cell
    if parse_options(cell.regime).model_dump().get("lr") is not None:
        raise InputError(f"--tune searches the rate, and {cell.regime} names one; leave one out")
    return cell.model_copy(update={"tune": True})


def _check_prompts(prompts: Sequence[str], tasks: dict[str, Task]) -> None:
    """Every prompt asked for must be one of each task's."""
    for task in tasks.values():
        known = [prompt.name for prompt in task.spec.prompts]
        for name in prompts:
            if name not in known:
                raise InputError(f"task {task.id} has no prompt '{name}'; it has {known}")


def _check_data(cell: Cell, task: Task, needed: bool) -> None:
    """Read what a cell will look at, so that broken data stops a run before it starts.

    Each prompt is rendered once, on the first example: one that no example can take ends here.
    Data that is not to be had is an error only where it is needed: a suite goes on without.
    """
    from benchsuite.models.registry import resolve_model
    from benchsuite.regimes.zeroshot_methods import build_requests
    from benchsuite.tasks.prompts import select_prompts, values_of

    regime = task.regime(cell.regime.name)
    if regime.reason_not_applicable(task, resolve_model(cell.model).family) is not None:
        return
    try:
        for split in cell.splits or task.spec.dataset.eval_splits:
            for example in task.evaluation(split, cell.limit).examples[:1]:
                for prompt in select_prompts(task.spec, cell.prompts):
                    build_requests(prompt, values_of(task.spec, example))
        regime.train_data(task, cell)
        _check_labels(cell, task, regime)
    except NotApplicable:
        return  # stored as such when the cell is run
    except DataUnavailable as error:
        if needed:
            raise InputError(str(error)) from None
    except CellFailed as error:
        raise InputError(f"task {task.id}: {error}") from None


def _check_labels(cell: Cell, task: Task, regime: Regime) -> None:
    """Labels that a regime looks at must not be of a split that is scored."""
    dataset = task.spec.dataset
    if dataset.train_split is None or not regime.labels_used(task, cell):
        return
    taken = _origin(dataset, dataset.train_split)
    for split in cell.splits or dataset.eval_splits:
        if _origin(dataset, split) == taken:
            raise InputError(
                f"task {task.id}: {cell.regime} takes labels from the split it would be scored on, "
                f"{split}; score another with --split, or use a regime that takes no labels"
            )


def _origin(dataset: Dataset, split: str) -> str:
    """The file or the hub's split that a task's name of a split stands for."""
    return dataset.files.get(split) or dataset.splits.get(split, split)


def _check_cuda() -> None:
    import torch

    if not torch.cuda.is_available():
        raise InputError("--device cuda: no CUDA device is to be seen; use --device cpu")
