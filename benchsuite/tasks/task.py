"""A task with its data: evaluation, training and selection examples, capped by whole clusters."""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchsuite.errors import InputError, NotApplicable
from benchsuite.tasks.data import Source, read_table
from benchsuite.tasks.example import Example
from benchsuite.tasks.hub import LoadDataset
from benchsuite.tasks.mapping import data_hash, examples_of
from benchsuite.tasks.spec import Dataset, TaskSpec

if TYPE_CHECKING:
    from benchsuite.regimes.base import Regime, Variant
    from benchsuite.results import Summary

SELECTION_SHARE = 0.1
SELECTION_MAXIMUM = 1000

Availability = Literal["full", "partial", "absent"]


@dataclass(frozen=True)
class SplitData:
    """Examples in use of one split.

    hash: of these examples (see `mapping.data_hash`). rows: rows of the split before the
    selection slice and caps. official: rows of the split as published, None where unknown.
    subsets: examples in use a subset, "" where the task has one config. is_capped: whether a cap
    has left any out.
    """

    examples: list[Example]
    hash: str
    source: Source
    rows: int
    official: int | None
    subsets: dict[str, int]
    is_capped: bool = False

    @property
    def availability(self) -> Availability:
        """`partial` where the source holds fewer rows than the official split."""
        return compare_rows(self.rows, self.official)


@dataclass(frozen=True)
class _Loaded:
    """A whole split, cached."""

    examples: list[Example]
    source: Source


class Task:
    """A task's specification and its examples, read when first asked for.

    train_task: the task named by `train_from`, whose training and selection examples are this
    one's. load_dataset replaces `datasets.load_dataset`.
    """

    def __init__(
        self,
        spec: TaskSpec,
        train_task: Task | None = None,
        offline: bool = False,
        load_dataset: LoadDataset | None = None,
    ) -> None:
        self.spec = spec
        self.offline = offline
        self._train_task = train_task
        self._load_dataset = load_dataset
        self._loaded: dict[str, _Loaded] = {}
        self._data: dict[tuple[object, ...], SplitData] = {}
        self._bags: dict[tuple[str, ...], float | None] = {}

    @property
    def id(self) -> str:
        """The task's id, a path like `glue/sst2`."""
        return self.spec.id

    def bag_of_words(
        self, train: SplitData, selection: SplitData, scored: Sequence[SplitData]
    ) -> float | None:
        """The baseline of this name on the splits, computed once for the same data."""
        from benchsuite.metrics.bag_of_words import bag_of_words

        key = tuple(data.hash for data in (train, selection, *scored))
        if key not in self._bags:
            examples = [example for data in scored for example in data.examples]
            self._bags[key] = bag_of_words(self.spec, train.examples, selection.examples, examples)
        return self._bags[key]

    def rules(self) -> dict[str, Any]:
        """What of the specification its numbers depend on beside prompts and data: for the key."""
        elsewhere = {"version", "description", "citation", "licence", "dataset", "prompts"}
        rules = self.spec.model_dump(exclude=elsewhere)
        return {**rules, "concat": self.spec.dataset.concat}

    def regime(self, name: str) -> Regime:
        """The regime of this name as it is brought to this task."""
        from benchsuite.regimes.registry import get_regime

        return get_regime(name)

    def summarize(
        self, splits: Mapping[str, tuple[Sequence[Example], Sequence[Variant]]]
    ) -> Summary:
        """Result rows, headline and outcomes of the variants predicted for each split."""
        from benchsuite.results import summarize

        return summarize(self.spec, splits)

    def evaluation(self, split: str, limit: int | None = None) -> SplitData:
        """Examples of an evaluation split (the task's own name of it), in the source's order.

        limit: at most so many examples a subset, whole clusters (see `capped`).
        Raises DataUnavailable, or InputError on an unknown split or broken data.
        """
        known = list(split_names(self.spec.dataset))
        if split not in known:
            near = difflib.get_close_matches(split, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise InputError(
                f"task {self.id} has no split '{split}'; there are: {', '.join(known)}{hint}"
            )
        key = ("evaluation", split, limit)
        if key not in self._data:
            self._data[key] = self._split_data(split, self._load(split).examples, limit)
        return self._data[key]

    def train(self, train_limit: int | None = None, seed: int | None = None) -> SplitData:
        """Labelled training examples without the selection slice, in the source's order.

        train_limit: at most so many examples a subset, whole clusters; another seed caps to
        another sample. Raises NotApplicable when the task has no training split.
        """
        if self._train_task is not None:
            return self._train_task.train(train_limit, seed)
        split = self._train_split()
        key = ("train", train_limit, seed)
        if key not in self._data:
            held_out = self._selected()
            rest = [
                one
                for one in self._load(split).examples
                if one.cluster not in held_out and one.target is not None
            ]
            salt = "cap" if seed is None else f"cap\x1f{seed}"
            self._data[key] = self._split_data(split, rest, train_limit, salt)
        return self._data[key]

    def selection(self) -> SplitData:
        """The selection slice: min(10%, 1,000) of train, whole clusters, fixed by the task alone.

        Whatever is chosen by looking (a threshold, an epoch) is chosen on it. It keeps unlabelled
        examples, which a label-free threshold can use. Empty when all of train is one cluster.
        Raises NotApplicable when the task has no training split.
        """
        if self._train_task is not None:
            return self._train_task.selection()
        split = self._train_split()
        key = ("selection",)
        if key not in self._data:
            chosen = self._selected()
            examples = [one for one in self._load(split).examples if one.cluster in chosen]
            self._data[key] = self._split_data(split, examples)
        return self._data[key]

    def _selected(self) -> set[str]:
        examples = self._load(self._train_split()).examples
        number = min(int(len(examples) * SELECTION_SHARE), SELECTION_MAXIMUM)
        sizes = Counter(example.cluster for example in examples)
        if len(sizes) < 2:
            return set()
        return take_clusters(sizes, number, salt=f"selection\x1f{self.id}")

    def _train_split(self) -> str:
        split = self.spec.dataset.train_split
        if split is None:
            raise NotApplicable(f"task {self.id} has no training split", "no training split")
        return split

    def _load(self, split: str) -> _Loaded:
        if split not in self._loaded:
            self._loaded[split] = self._read(split)
        return self._loaded[split]

    def _read(self, split: str) -> _Loaded:
        dataset = self.spec.dataset
        examples: list[Example] = []
        sources: list[Source] = []
        for config in dataset.configs or [""]:
            table = read_table(self.spec, config, split, self.offline, self._load_dataset)
            subset = config if len(dataset.configs) > 1 else ""
            examples += examples_of(self.spec, table, split, subset)
            sources.append(table.source)
        # A table of the hub among a mirror's makes the whole the hub's: the less local one.
        return _Loaded(examples, "hub" if "hub" in sources else sources[0])

    def _split_data(
        self, split: str, candidates: list[Example], limit: int | None = None, salt: str = "cap"
    ) -> SplitData:
        loaded, examples = self._loaded[split], capped(candidates, limit, salt)
        return SplitData(
            examples=examples,
            hash=data_hash(examples),
            source=loaded.source,
            rows=len(loaded.examples),
            official=official_rows(self.spec.dataset, split),
            subsets=dict(Counter(example.subset for example in examples)),
            is_capped=len(examples) < len(candidates),
        )


def load_task(name: str, tasks_dirs: Sequence[Path] = (), offline: bool = False) -> Task:
    """A task by its id, from the bundled tasks or a user's folders; its data are read later.

    `lm-eval:<task>` is one of lm-eval's, with its data. Raises InputError for an unknown task or
    a broken task file.
    """
    if name.startswith("lm-eval:"):
        from benchsuite.integrations.lm_eval_task import load_lm_eval_task

        return load_lm_eval_task(name, tasks_dirs, offline)
    from benchsuite.tasks.registry import Registry

    registry = Registry(tasks_dirs)
    spec = registry.get(name)
    train_from = spec.dataset.train_from
    train_task = Task(registry.get(train_from), offline=offline) if train_from else None
    return Task(spec, train_task, offline=offline)


def split_names(dataset: Dataset) -> list[str]:
    """Splits a task knows of, in its own naming: scored ones first, then train, then the rest."""
    names = [*dataset.eval_splits]
    if dataset.train_split and not dataset.train_from:
        names.append(dataset.train_split)
    names += [*dataset.files, *dataset.splits, *dataset.rows]
    return list(dict.fromkeys(names))


def official_rows(dataset: Dataset, split: str, config: str | None = None) -> int | None:
    """Rows of a split as published: of one config, or of all; None where unknown."""
    rows = dataset.rows.get(split)
    if isinstance(rows, dict):
        if config is not None:
            return rows.get(config)
        return sum(rows.values()) if set(rows) >= set(dataset.configs) else None
    return rows if config is None or len(dataset.configs) <= 1 else None


def compare_rows(rows: int, official: int | None) -> Availability:
    """`full`, `partial` (fewer rows than official) or `absent` (none)."""
    if rows == 0:
        return "absent"
    return "partial" if official is not None and rows < official else "full"


def capped(examples: list[Example], limit: int | None, salt: str) -> list[Example]:
    """At most `limit` examples a subset, whole clusters by hash, in the order they came in.

    Nested: a smaller cap takes a subset of a larger one. A cap below the size of the first
    cluster still takes that one cluster. Raises InputError when the limit is below 1.
    """
    if limit is None:
        return examples
    if limit < 1:
        raise InputError(f"a limit of {limit} examples: it must be at least 1")
    sizes: dict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        sizes[example.subset][example.cluster] += 1
    chosen = {subset: take_clusters(counts, limit, salt) for subset, counts in sizes.items()}
    return [example for example in examples if example.cluster in chosen[example.subset]]


def take_clusters(sizes: Counter[str], number: int, salt: str) -> set[str]:
    """Clusters in the order of their hash while they sum to at most `number`, at least one.

    It stops at the first that does not fit, so that a smaller number takes a subset.
    """
    order = sorted(
        sizes, key=lambda cluster: hashlib.sha256(f"{salt}\x1f{cluster}".encode()).digest()
    )
    taken = set(order[:1])
    total = sizes[order[0]] if order else 0
    for cluster in order[1:]:
        total += sizes[cluster]
        if total > number:
            break
        taken.add(cluster)
    return taken
