"""Which tasks there are: the bundled ones and those of the user's folders."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from benchsuite.errors import CellFailed, InputError
from benchsuite.paths import tasks_root
from benchsuite.tasks.checks import train_from_fault
from benchsuite.tasks.reading import Fault, Parsed, parse
from benchsuite.tasks.spec import Suite, TaskSpec

SUITES = "suites"
FILE_TYPES = (".csv", ".jsonl", ".parquet")
# No comma, colon, at sign or space: ids stand in lists and beside options on the command line.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")


def load_spec(path: Path, root: Path) -> TaskSpec:
    """Read one task file; its id is the path below root without the suffix.

    Raises InputError, one line with file, line and key, when the file is not a sound task.
    """
    parsed = _parse_spec(path, root)
    if parsed.model is None:
        raise InputError(_first(path, parsed.faults))
    return parsed.model


def load_suite(path: Path) -> Suite:
    """Read one suite file. Raises InputError like load_spec."""
    parsed = parse(path, Suite)
    if parsed.model is None:
        raise InputError(_first(path, parsed.faults))
    return parsed.model.model_copy(update={"id": path.stem})


def validate_dir(folder: Path, bundled: bool = True) -> list[str]:
    """Every fault in a folder of tasks and of its local data files, one line each.

    bundled: whether ids and suite members are also checked against the bundled tasks.
    """
    if not folder.is_dir():
        return [f"{folder} is not a folder"]
    specs, suites = _scan(folder)
    if not specs and not suites:
        return [f"{folder} has no task files (NAME.yaml)"]
    known = {name: (path, folder) for name, path in specs.items()}
    lines: list[str] = []
    if bundled and folder.resolve() != tasks_root().resolve():
        ours, our_suites = _scan(tasks_root())
        for noun, there, here in (("task", ours, specs), ("suite", our_suites, suites)):
            lines += [
                f"{here[name]}: a bundled {noun} is already called `{name}`; rename the file"
                for name in here
                if name in there
            ]
        known = {name: (path, tasks_root()) for name, path in ours.items()} | known
    for path in specs.values():
        parsed = _parse_spec(path, folder)
        faults = list(parsed.faults)
        if parsed.model is not None:
            trouble = _train_from_trouble(parsed.model, known)
            if trouble:
                faults.append(Fault(trouble, parsed.line(("dataset", "train_from"))))
        lines += [fault.line_of(path) for fault in faults]
        if parsed.model is not None and parsed.model.dataset.files and not faults:
            lines += _data_faults(parsed.model)
    for path in suites.values():
        suite = parse(path, Suite)
        faults = list(suite.faults)
        for place, task in enumerate(suite.model.tasks if suite.model else ()):
            if task not in known:
                where = suite.line(("tasks", place))
                faults.append(Fault(_unknown("task", task, sorted(known)), where))
        lines += [fault.line_of(path) for fault in faults]
    lines += [
        f"{path}: a task file ends in .yaml; rename it" for path in sorted(folder.rglob("*.yml"))
    ]
    return lines


class Registry:
    """The bundled tasks and suites, and those of the user's folders; files are read when asked.

    Raises InputError when a folder does not exist or two files give the same id.
    """

    def __init__(self, tasks_dirs: Sequence[Path] = ()) -> None:
        self._specs: dict[str, tuple[Path, Path]] = {}
        self._suites: dict[str, Path] = {}
        self._loaded: dict[str, TaskSpec] = {}
        for root in (tasks_root(), *map(Path, tasks_dirs)):
            if not root.is_dir():
                raise InputError(f"the tasks folder {root} does not exist")
            specs, suites = _scan(root)
            for task_id, path in specs.items():
                if task_id in self._specs:
                    raise InputError(
                        f"{path}: id `{task_id}` is already taken by {self._specs[task_id][0]}; "
                        "rename the file"
                    )
                self._specs[task_id] = (path, root)
            for name, path in suites.items():
                if name in self._suites:
                    raise InputError(
                        f"{path}: suite `{name}` is already defined by {self._suites[name]}; "
                        "rename the file"
                    )
                self._suites[name] = path

    def ids(self) -> list[str]:
        """Ids of all tasks, sorted."""
        return sorted(self._specs)

    def get(self, task_id: str) -> TaskSpec:
        """The task of this id. Raises InputError, with a suggestion, when there is none."""
        if task_id not in self._loaded:
            if task_id not in self._specs:
                raise InputError(_unknown("task", task_id, self.ids()))
            spec = load_spec(*self._specs[task_id])
            trouble = _train_from_trouble(spec, self._specs)
            if trouble:
                raise InputError(f"{spec.source}: {trouble}")
            self._loaded[task_id] = spec
        return self._loaded[task_id]

    def suites(self) -> list[str]:
        """Names of all suites, sorted."""
        return sorted(self._suites)

    def suite(self, name: str) -> Suite:
        """The suite of this name. Raises InputError, with a suggestion, when there is none."""
        if name not in self._suites:
            raise InputError(_unknown("suite", name, self.suites()))
        suite = load_suite(self._suites[name])
        for task_id in suite.tasks:
            if task_id not in self._specs:
                raise InputError(f"{self._suites[name]}: {_unknown('task', task_id, self.ids())}")
        return suite


def _scan(root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """(task id -> file, suite name -> file) below a folder, read by name only."""
    specs: dict[str, Path] = {}
    suites: dict[str, Path] = {}
    for path in sorted(root.rglob("*.yaml")):
        name = path.relative_to(root).with_suffix("").as_posix()
        if name.startswith(f"{SUITES}/"):
            suites[name.removeprefix(f"{SUITES}/")] = path
        else:
            specs[name] = path
    return specs, suites


def _parse_spec(path: Path, root: Path) -> Parsed[TaskSpec]:
    """A task file with its id and source set, and its local files looked for."""
    parsed = parse(path, TaskSpec)
    task_id = path.relative_to(root).with_suffix("").as_posix()
    faults = list(parsed.faults)
    if not _ID.fullmatch(task_id):
        faults.append(Fault(f"id `{task_id}` may hold letters, digits and `._-/` only", 1))
    if parsed.model is not None:
        for split, name in parsed.model.dataset.files.items():
            trouble = _file_trouble(path.parent, name)
            if trouble:
                where = ("dataset", "files", split)
                faults.append(Fault(f"key `dataset.files.{split}`: {trouble}", parsed.line(where)))
    if faults or parsed.model is None:
        return Parsed(None, faults, parsed.root)
    update = {"id": task_id, "source": str(path)}
    return Parsed(parsed.model.model_copy(update=update), [], parsed.root)


def _data_faults(spec: TaskSpec) -> list[str]:
    """The first fault of each local data file, and prompts that its first example breaks."""
    # Imported here: reading tables is slow to import, and listing tasks does not need it.
    from benchsuite.regimes.zeroshot_methods import build_requests
    from benchsuite.tasks.prompts import values_of
    from benchsuite.tasks.task import Task

    lines = []
    for split in spec.dataset.files:
        try:
            for example in Task(spec, offline=True).evaluation(split).examples[:1]:
                for prompt in spec.prompts:
                    build_requests(prompt, values_of(spec, example))
        except (InputError, CellFailed) as error:
            lines.append(f"{spec.source}: {error}")
    return lines


def _train_from_trouble(spec: TaskSpec, known: Mapping[str, tuple[Path, Path]]) -> str | None:
    """What is wrong with the task whose training a task uses; `known`: id -> file and folder."""
    source = spec.dataset.train_from
    if source is None:
        return None
    if source not in known:
        return _unknown("task", source, sorted(known))
    other = _parse_spec(*known[source]).model
    return None if other is None else train_from_fault(spec, other)


def _file_trouble(folder: Path, name: str) -> str | None:
    """What is wrong with a data file named in a task: it must lie in the task's own folder."""
    target = (folder / name).resolve()
    if Path(name).is_absolute() or not target.is_relative_to(folder.resolve()):
        return f"`{name}` leads out of the folder of the task file"
    if target.suffix not in FILE_TYPES:
        return f"`{name}` is not one of {', '.join(FILE_TYPES)}"
    if not target.is_file():
        return f"`{name}` does not exist beside the task file"
    return None


def _unknown(noun: str, name: str, known: Sequence[str]) -> str:
    """One line for a name that is not known, with the nearest ones."""
    by_last = {entry.rpartition("/")[2]: entry for entry in known}
    close = get_close_matches(name, known, n=2, cutoff=0.7) or [
        by_last[entry]
        for entry in get_close_matches(name.rpartition("/")[2], by_last, n=2, cutoff=0.7)
    ]
    hint = f"; did you mean {' or '.join(f'`{entry}`' for entry in close)}?" if close else ""
    return f"unknown {noun} `{name}`{hint} (`bench tasks` lists them)"


def _first(path: Path, faults: Sequence[Fault]) -> str:
    """The first fault as a line, and how many others there are."""
    others = len(faults) - 1
    more = f" (and {others} more: `bench tasks --validate {path.parent}`)" if others else ""
    return faults[0].line_of(path) + more
