"""Zero-shot and few-shot as lm-eval does them: its requests and judgements, our engines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from unittest.mock import patch

from benchsuite.errors import InputError
from benchsuite.integrations.lm_eval import BenchsuiteLM
from benchsuite.integrations.lm_eval_task import LmEvalTask, quiet
from benchsuite.regimes.base import Options, Variant
from benchsuite.regimes.registry import parse_options
from benchsuite.scoring import Usage
from benchsuite.tasks.example import Example, Prediction

if TYPE_CHECKING:
    from benchsuite.cells import Cell
    from benchsuite.models.registry import Model
    from benchsuite.tasks.task import SplitData, Task


class LmEvalZeroShot:
    """No demonstrations, whatever number the task's file has as its default."""

    name: ClassVar[str] = "zeroshot"
    version: ClassVar[int] = 1
    summary: ClassVar[str] = "lm-eval's prompts and rules"
    trains: ClassVar[str] = "nothing"
    source: ClassVar[str] = "lm-eval"
    options: ClassVar[type[Options]] = Options
    positional: ClassVar[str | None] = None
    randomized: ClassVar[bool] = False
    known: ClassVar[set[str]] = set()

    def reason_not_applicable(self, task: Task, family: str) -> str | None:
        """Rolling log-likelihoods are of decoders alone."""
        assert isinstance(task, LmEvalTask)
        if task.output_type == "loglikelihood_rolling" and family != "decoder":
            return f"{task.id} asks for left-to-right likelihoods, which an {family} has not"
        return None

    def labels_used(self, task: Task, cell: Cell) -> int:
        """As many demonstrations as are drawn: afresh for each document, from the whole pool."""
        shots = self.shots(cell)
        if not shots:
            return 0
        assert isinstance(task, LmEvalTask)
        documents = task.evaluation(task.spec.dataset.eval_splits[0], cell.limit).examples
        return min(shots * len(documents), task.pool().rows)

    def train_data(self, task: Task, cell: Cell) -> dict[str, SplitData]:
        """The pool of demonstrations.

        Raises InputError for what lm-eval's rules leave no room, NotApplicable where the pool is
        too small.
        """
        assert isinstance(task, LmEvalTask)
        self.check_options(cell)
        shots = self.shots(cell)
        return {"fewshot": task.demonstrations(shots, cell.seed, cell.limit)} if shots else {}

    def fit(self, model: Model, task: Task, cell: Cell, scratch: Path) -> LmEvalPredictor:
        """Choose nothing."""
        assert isinstance(task, LmEvalTask)
        lm = BenchsuiteLM(model, batch_tokens=cell.batch_tokens)
        return LmEvalPredictor(lm, task, self.shots(cell), cell.seed)

    def shots(self, cell: Cell) -> int:
        """Demonstrations before each document."""
        return 0

    def check_options(self, cell: Cell) -> None:
        """Raise InputError for options and scores that lm-eval has not."""
        if set(cell.regime.options) - self.known:
            raise InputError(
                f"task {cell.task} is scored by lm-eval's rules: no such options in {cell.regime}"
            )
        if cell.score != "own":
            raise InputError(
                f"task {cell.task} is scored by lm-eval's rules: leave --score {cell.score} out"
            )


class LmEvalFewShot(LmEvalZeroShot):
    """lm-eval's own demonstrations: drawn for each document, by the cell's seed."""

    name: ClassVar[str] = "fewshot"
    randomized: ClassVar[bool] = True
    known: ClassVar[set[str]] = {"", "k"}

    def reason_not_applicable(self, task: Task, family: str) -> str | None:
        """A task that pins `num_fewshot: 0` stays zero-shot in lm-eval, whatever is asked for.

        Rolling requests leave demonstrations out there.
        """
        assert isinstance(task, LmEvalTask)
        if task.output_type == "loglikelihood_rolling":
            return f"{task.id} asks for the likelihood of a whole text, without demonstrations"
        if task.pinned_shots == 0:
            return f"{task.id} pins `num_fewshot: 0`, which lm-eval does not override"
        return super().reason_not_applicable(task, family)

    def shots(self, cell: Cell) -> int:
        """The number the regime was called with."""
        return int(parse_options(cell.regime).model_dump()["k"])


REGIMES: dict[str, type[LmEvalZeroShot]] = {
    regime.name: regime for regime in (LmEvalZeroShot, LmEvalFewShot)
}


class LmEvalPredictor:
    """lm-eval's evaluator over one task.

    progress: called with the number of documents that were done since the last call. usage: what
    the engine has done so far.
    """

    def __init__(self, lm: BenchsuiteLM, task: LmEvalTask, shots: int, seed: int | None) -> None:
        self.lm = lm
        self.task = task
        self.shots = shots
        self.seed = seed
        self.progress: Callable[[int], None] | None = None
        self._documents = self._requests = 0

    @property
    def usage(self) -> Usage:
        """What the engine has done so far."""
        return self.lm.scorer.usage

    def state(self) -> dict[str, Any]:
        """Nothing is trained."""
        return {}

    def _report(self, requests: int) -> None:
        """Say how many more documents that is: a request is a part of one."""
        if self.progress is None:
            return
        before, self._requests = self._requests, self._requests + requests
        of = max(1, len(self.task.harness.instances))
        documents = [count * self._documents // of for count in (before, self._requests)]
        self.progress(documents[1] - documents[0])

    def predict(self, examples: list[Example]) -> list[Variant]:
        """One variant a filter of the task; a prediction's value is one of lm-eval's samples.

        examples: the first documents of the task, as `LmEvalTask.evaluation` gives them.
        """
        from lm_eval.evaluator import evaluate

        harness = self.task.harness
        self.task.prepare(self.shots, self.seed)
        self.lm.progress = self._report
        self._documents, self._requests = len(examples), 0
        truncated = self.usage.truncated
        # Left to `summarize`: lm-eval's own stops at a perplexity beyond the largest number.
        unused: dict[str, Any] = defaultdict(lambda: len)
        with quiet(), patch.object(harness, "aggregation", lambda: unused):
            found = evaluate(
                self.lm,
                {"tasks": {harness.task_name: harness}, "groups": {}, "group_map": {}},
                limit=len(examples),
                bootstrap_iters=0,
                log_samples=True,
            )
        samples = found["samples"][harness.task_name]
        filters = dict.fromkeys(sample["filter"] for sample in samples)
        return [
            Variant(
                prompt="" if name == "none" else name,
                score="+".join(sorted(self.lm.paths_used)) or "sum",
                norm="none",
                predictions=[Prediction(sample) for sample in samples if sample["filter"] == name],
                counts={"truncated": self.usage.truncated - truncated},
                notes={
                    "lm_eval": version("lm_eval"),
                    "task_version": self.task.spec.version,
                    "num_fewshot": self.shots,
                },
            )
            for name in filters
        ]
