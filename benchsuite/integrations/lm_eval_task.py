"""`bench run --task lm-eval:<task>`: a task of lm-eval, found, loaded and scored by its rules.

lm-eval itself builds the requests, judges the answers and aggregates; the engines are this
project's. The record's metrics, document ids and limits are lm-eval's own.
"""

from __future__ import annotations

import difflib
import inspect
import json
import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from benchsuite.cells import digest
from benchsuite.errors import InputError, NotApplicable
from benchsuite.integrations import require_lm_eval
from benchsuite.tasks.data import Source
from benchsuite.tasks.example import Example
from benchsuite.tasks.hub import first_line
from benchsuite.tasks.spec import Dataset, TaskSpec
from benchsuite.tasks.task import SplitData, Task

if TYPE_CHECKING:
    from benchsuite.regimes.base import Regime, Variant
    from benchsuite.results import Summary

PREFIX = "lm-eval:"
KIND = "lm_eval"
OUTPUT_TYPES = ("multiple_choice", "loglikelihood", "loglikelihood_rolling")

# A task's own name in its YAML, and names that stand for several tasks.
_TASK = re.compile(r"""^["']?task["']?\s*:\s*["']?([^\s"'#\[]+)["']?\s*(?:#.*)?$""", re.MULTILINE)
_GROUP = re.compile(r"""^["']?(?:group|tag)["']?\s*:\s*["']?([^\s"'#\[]+)["']?""", re.MULTILINE)


class LmEvalTask(Task):
    """A task of lm-eval as this project's tasks look from outside.

    harness: lm-eval's own task object, its data read.
    """

    def __init__(self, harness: Any, source: Source, file: Path) -> None:
        self.harness = harness
        self.output_type = str(harness.OUTPUT_TYPE)
        self.pinned_shots: int | None = harness.config.num_fewshot
        self.source: Source = source
        config = harness.config
        split = config.test_split if harness.has_test_docs() else config.validation_split
        metrics = [str(name) for name in harness.aggregation()]
        # Made, not checked: the schema is that of this project's own task files.
        spec = TaskSpec.model_construct(
            id=PREFIX + str(config.task),
            source=str(file),
            version=str(harness.VERSION),
            kind=KIND,
            description=f"lm-eval's task {config.task}",
            dataset=Dataset.model_construct(
                path=config.dataset_path, eval_splits=[split or "test"], train_split=None
            ),
            fields={},
            metrics=_headline_first(metrics, harness.higher_is_better()),
        )
        super().__init__(spec)

    def rules(self) -> dict[str, Any]:
        """The whole YAML with the files its functions come from, and lm-eval's version."""
        config = self.harness.config.to_dict(keep_callable=True)
        config.pop("num_fewshot", None)  # the regime's
        config.pop("dataset_kwargs", None)  # the data have their own hash, wherever they lie
        metadata = config.get("metadata") or {}
        # Where the file lies says nothing of the numbers.
        config["metadata"] = {key: metadata[key] for key in metadata if key != "config_source"}
        plain = json.loads(json.dumps(config, default=_source_of, sort_keys=True))
        own = _source_of(type(self.harness))
        return {"kind": KIND, "lm_eval": version("lm_eval"), "class": own, "config": plain}

    def regime(self, name: str) -> Regime:
        """Zero-shot and few-shot, by lm-eval's rules. Raises InputError for another regime."""
        from benchsuite.integrations.lm_eval_regime import REGIMES

        if name not in REGIMES:
            raise InputError(
                f"task {self.id} is scored by lm-eval's rules: regime {' or '.join(REGIMES)}, "
                f"not {name}"
            )
        return REGIMES[name]()

    def summarize(
        self, splits: Mapping[str, tuple[Sequence[Example], Sequence[Variant]]]
    ) -> Summary:
        """Result rows and headline by lm-eval's own aggregation."""
        from benchsuite.integrations.lm_eval_results import summarize

        return summarize(self, splits)

    def evaluation(self, split: str, limit: int | None = None) -> SplitData:
        """The documents lm-eval scores, in its order. limit: the first so many, as lm-eval's."""
        (known,) = self.spec.dataset.eval_splits
        if split != known:
            raise InputError(f"task {self.id} has no split '{split}'; lm-eval scores {known}")
        key = ("evaluation", split, limit)
        if key not in self._data:
            documents = list(self.harness.eval_docs)
            data = self._of(documents[:limit], split, len(documents))
            self._data[key] = self._asked(data, 0, None, limit)
        return self._data[key]

    def pool(self) -> SplitData:
        """The documents that lm-eval draws demonstrations from."""
        if ("pool",) not in self._data:
            documents = list(self.harness.fewshot_docs() or [])
            self._data["pool",] = self._of(documents, "fewshot", len(documents))
        return self._data["pool",]

    def demonstrations(self, shots: int, seed: int | None, limit: int | None) -> SplitData:
        """The pool, its hash that of the requests with so many demonstrations, too.

        Raises NotApplicable where the pool is too small for one of the first `limit` documents.
        """
        key = ("demonstrations", shots, seed, limit)
        if key not in self._data:
            most = self._most_shots(limit)
            if shots > most:
                raise NotApplicable(
                    f"{self.id} has {most} demonstrations for each document, not {shots}",
                    "too few examples",
                )
            self._data[key] = self._asked(self.pool(), shots, seed, limit)
        return self._data[key]

    def prepare(self, shots: int, seed: int | None) -> None:
        """Set the number of demonstrations, and the seed that draws them (None: lm-eval's own)."""
        from lm_eval.defaults import DEFAULT_OTHER_SEED

        self.harness.set_config("num_fewshot", shots)
        self.harness.set_fewshot_seed(DEFAULT_OTHER_SEED if seed is None else seed)

    def _asked(self, data: SplitData, shots: int, seed: int | None, limit: int | None) -> SplitData:
        """The data with the requests lm-eval makes of the first `limit` documents in its hash.

        Functions may look at anything; what they give is all that a model is asked.
        """
        self.prepare(shots, seed)
        try:
            with quiet():
                self.harness.build_all_requests(limit=limit, rank=0, world_size=1)
        except Exception as error:  # a task file may run code of its own
            raise InputError(
                f"task {self.id}: its requests cannot be made: "
                f"{type(error).__name__}: {first_line(error)}"
            ) from None
        requests = [[one.doc_id, one.request_type, one.args] for one in self.harness.instances]
        return replace(data, hash=digest({"data": data.hash, "requests": _plain(requests)}))

    def _most_shots(self, limit: int | None) -> int:
        """The most demonstrations there are for each of the first `limit` documents.

        lm-eval leaves out what equals the document itself, but only where the split it draws from
        goes by the same name as the test split, which no name at all does, too.
        """
        from lm_eval.api.samplers import FirstNSampler

        config, pool = self.harness.config, self.pool()
        if config.fewshot_config.split != config.test_split:
            return pool.rows
        (split,) = self.spec.dataset.eval_splits
        copies = Counter(_plain(one.fields) for one in pool.examples)
        own = max(
            (copies[_plain(one.fields)] for one in self.evaluation(split, limit).examples),
            default=0,
        )
        # Its usual sampler draws one more, for there may be the document itself.
        spare = 0 if isinstance(self.harness.sampler, FirstNSampler) else 1
        return pool.rows - max(own, spare)

    def train(self, train_limit: int | None = None, seed: int | None = None) -> SplitData:
        """Raises NotApplicable: nothing is trained on lm-eval's tasks."""
        raise NotApplicable(f"task {self.id} is one of lm-eval's, on which nothing is trained")

    def selection(self) -> SplitData:
        """Raises NotApplicable: nothing is chosen on lm-eval's tasks."""
        return self.train()

    def _of(self, documents: Sequence[Mapping[str, Any]], split: str, rows: int) -> SplitData:
        examples = [
            Example(
                id=str(number),
                split=split,
                subset="",
                cluster=str(number),
                group="",
                fields=dict(document),
                target=self.harness.doc_to_target(document),
            )
            for number, document in enumerate(documents)
        ]
        plain = _plain([[one.fields, one.target] for one in examples])
        return SplitData(
            examples=examples,
            hash=digest({"documents": plain}),
            source=self.source,
            rows=rows,
            official=None,
            subsets={"": len(examples)},
            is_capped=len(examples) < rows,
        )


def load_lm_eval_task(
    name: str, tasks_dirs: Sequence[Path] = (), offline: bool = False
) -> LmEvalTask:
    """The task `lm-eval:<name>` or `lm-eval:<file>.yaml`, with its data.

    Names are looked for in tasks_dirs first, then among those that come with lm-eval. Raises
    InputError, in one line, for an unknown name, a group, a task that generates, and where the
    data are not to be had.
    """
    require_lm_eval()
    file = find_yaml(name.removeprefix(PREFIX), tasks_dirs)
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._yaml_loader import load_yaml

    from benchsuite.integrations.lm_eval_data import mirror_folder, mirrored_datasets

    try:
        config = load_yaml(file, resolve_func=False)
    except Exception as error:  # whatever a YAML reader finds
        raise InputError(f"{file}: not a task of lm-eval: {first_line(error)}") from None
    _check(config, file)
    path, subset = config.get("dataset_path"), config.get("dataset_name")
    try:
        with quiet(), mirrored_datasets(offline):
            loaded = TaskManager(include_defaults=False).load(str(file))
    except Exception as error:  # a task file may run code of its own
        reason = f"{type(error).__name__}: {first_line(error)}"
        if isinstance(error, KeyError):  # a mirror may hold some of the splits only
            reason = f"no {error} in its data set"
        where = f"{path}/{subset}" if subset else path
        raise InputError(
            f"task {name} cannot be loaded: {reason} (data set {where}: looked for in the mirror "
            "that BENCHSUITE_DATA names, then on the hub)"
        ) from None
    (harness,) = loaded["tasks"].values()
    if harness.OUTPUT_TYPE not in OUTPUT_TYPES:
        raise InputError(_generates(file, str(harness.OUTPUT_TYPE)))
    source: Source = "hub"
    if "data_files" in (config.get("dataset_kwargs") or {}) or "custom_dataset" in config:
        source = "files"
    elif path is not None and mirror_folder(path, subset) is not None:
        source = "mirror"
    return LmEvalTask(harness, source, file)


def find_yaml(name: str, tasks_dirs: Sequence[Path]) -> Path:
    """The file of a task: a path, or looked up by the `task:` it states.

    The files are only skimmed: to read all of lm-eval's takes more than ten seconds.
    """
    if name.endswith(".yaml"):
        if not Path(name).is_file():
            raise InputError(f"task {PREFIX}{name}: no such file")
        return Path(name)
    from lm_eval import tasks

    known: list[str] = []
    several: set[str] = set()
    # As lm-eval has it, a task of one's own hides one of the same name.
    for root in (*reversed(tasks_dirs), Path(tasks.__file__).parent):
        if not root.is_dir():
            raise InputError(f"the tasks folder {root} does not exist")
        for file, text in _yaml_files(root):
            found = _TASK.findall(text)
            if name in found:
                return file
            known += found
            several.update(_GROUP.findall(text))
    if name in several:
        raise InputError(f"{PREFIX}{name} is a group of lm-eval's tasks; name its tasks one by one")
    near = difflib.get_close_matches(name, known, n=2)
    hint = f"; did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""
    raise InputError(
        f"lm-eval has no task `{name}`{hint} (`bench lm-eval ls tasks` lists them; "
        "--tasks-dir adds a folder)"
    )


def _yaml_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Every YAML below a folder, in lm-eval's order, with its text."""
    files = (
        Path(folder, file)
        for folder, _, names in os.walk(root)
        for file in names
        if file.endswith(".yaml")
    )
    for file in sorted(files, key=Path.as_posix):
        yield file, file.read_text(encoding="utf-8", errors="replace")


def _check(config: Mapping[str, Any], file: Path) -> None:
    """Refuse, before any data is read, what cannot be run."""
    if "group" in config or not isinstance(config.get("task"), str):
        raise InputError(f"{file}: a group of tasks; name its tasks one by one")
    output_type = config.get("output_type", "generate_until")
    if "class" not in config and output_type not in OUTPUT_TYPES:
        raise InputError(_generates(file, output_type))
    for key in ("unsafe_code", "doc_to_image", "doc_to_audio"):
        if config.get(key):
            raise InputError(f"{file}: `{key}` is not supported")


def _generates(file: Path, output_type: str) -> str:
    return (
        f"{file}: `output_type: {output_type}` cannot be stored as a record, only "
        f"{', '.join(OUTPUT_TYPES)}; run it with `bench lm-eval --model benchsuite`"
    )


def _headline_first(metrics: Iterable[str], higher_is_better: Mapping[str, bool]) -> list[str]:
    """The metrics in the task's order, but the first of which more is better before all."""
    return sorted(metrics, key=lambda name: not higher_is_better.get(name, True))


def _plain(value: Any) -> str:
    return json.dumps(value, default=str, sort_keys=True)


def _source_of(value: Any) -> Any:
    """A function's or a class's name and the Python files of its folder.

    What it calls and the constants it reads may lie anywhere in them: another text is another rule.
    """
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    known = value if inspect.isclass(value) or inspect.isroutine(value) else type(value)
    name = f"{known.__module__}.{known.__qualname__}"
    try:
        file = inspect.getsourcefile(known)
    except (TypeError, OSError):  # built in
        return name
    if file is None:
        return name
    texts = [one.read_text(encoding="utf-8") for one in sorted(Path(file).parent.glob("*.py"))]
    return [known.__qualname__, digest({"files": texts})]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep bars and remarks of lm-eval and datasets off the terminal: a run has its own."""
    import datasets
    import lm_eval.api.task

    shown, logger = datasets.is_progress_bar_enabled(), logging.getLogger("lm_eval")
    with ExitStack() as stack:
        stack.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.ERROR)
        stack.enter_context(patch.object(lm_eval.api.task, "tqdm", lambda items, **_: items))
        datasets.disable_progress_bars()
        if shown:
            stack.callback(datasets.enable_progress_bars)
        yield
