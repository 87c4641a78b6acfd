"""Zero-shot: a decoder answers through prompts alone; nothing is trained.

Sources: Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training"
(section 5, zero-shot heuristics); Radford et al. 2019, "Language Models are Unsupervised
Multitask Learners"; Warstadt et al. 2020, "BLiMP" (minimal pairs by the sum).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from benchsuite.errors import CellFailed, NotApplicable
from benchsuite.regimes.base import Options, Variant, read_options
from benchsuite.regimes.entities import candidate_spans, entity_spans
from benchsuite.regimes.thresholds import by_threshold, choose_threshold, threshold_slice
from benchsuite.regimes.zeroshot_methods import (
    PATHS,
    build_requests,
    clean_answer,
    decide,
    normalized,
    unit_of,
)
from benchsuite.scoring.types import Request, Score, Scorer, Usage
from benchsuite.tasks.example import Example, Prediction
from benchsuite.tasks.prompts import fit_to_window, select_prompts, values_of
from benchsuite.tasks.spec import Prompt, TaskSpec

if TYPE_CHECKING:
    from benchsuite.cells import Cell
    from benchsuite.models.registry import Model
    from benchsuite.tasks.task import SplitData, Task

CHUNK = 128
"""Examples between two reports of progress; the engine sorts by length within a chunk."""


class ZeroShotOptions(Options):
    """Options of `zeroshot`."""

    threshold: Literal["median", "tuned"] = Field(
        default="median",
        description="acceptability: the median score of the unlabelled selection slice, or the "
        "threshold that is best on that slice's labels",
    )


class ZeroShot:
    """Scores continuations or generates, as each prompt of the task says."""

    name: ClassVar[str] = "zeroshot"
    version: ClassVar[int] = 1
    summary: ClassVar[str] = "prompts and log-probabilities alone"
    trains: ClassVar[str] = "nothing"
    source: ClassVar[str] = "Radford et al. 2018, 2019"
    options: ClassVar[type[Options]] = ZeroShotOptions
    positional: ClassVar[str | None] = None
    randomized: ClassVar[bool] = False

    def reason_not_applicable(self, task: Task, family: str) -> str | None:
        """Only decoders, and only tasks that have a prompt."""
        if family != "decoder":
            return f"zero-shot scoring is implemented for decoders only, not for an {family}"
        if not task.spec.prompts:
            return f"task {task.id} has no prompts"
        return None

    def labels_used(self, task: Task, cell: Cell) -> int:
        """0; with a tuned threshold, the labelled examples of the selection slice."""
        if not self._tunes(cell):
            return 0
        slices = self.train_data(task, cell).values()
        return sum(one.target is not None for data in slices for one in data.examples)

    def train_data(self, task: Task, cell: Cell) -> dict[str, SplitData]:
        """The selection slice, where a prompt needs a threshold.

        Raises NotApplicable where there is no threshold to tune or no training split, and
        DataUnavailable where that split is absent.
        """
        prompts = select_prompts(task.spec, cell.prompts)
        if not any(prompt.method == "threshold" for prompt in prompts):
            if self._tunes(cell):
                raise NotApplicable(
                    f"threshold=tuned: no prompt of {task.id} has a threshold", "no threshold"
                )
            return {}
        return {"selection": threshold_slice(task)}

    def fit(self, model: Model, task: Task, cell: Cell, scratch: Path) -> ZeroShotPredictor:
        """Choose the thresholds that prompts need, nothing else."""
        from benchsuite.scoring import make_scorer

        scorer = make_scorer(model, batch_tokens=cell.batch_tokens)
        data = self.train_data(task, cell)
        examples = data["selection"].examples if data else []
        return make_predictor(
            task.spec, select_prompts(task.spec, cell.prompts), scorer, examples, self._tunes(cell)
        )

    def _tunes(self, cell: Cell) -> bool:
        return read_options(self, cell.regime).model_dump()["threshold"] == "tuned"


def make_predictor(
    task: TaskSpec,
    prompts: Sequence[Prompt],
    scorer: Scorer,
    selection: Sequence[Example] = (),
    tuned: bool = False,
    before: Mapping[str, str] | None = None,
) -> ZeroShotPredictor:
    """A predictor over any scorer.

    selection: the slice that thresholds are taken from. before: see ZeroShotPredictor.
    """
    predictor = ZeroShotPredictor(task, prompts, scorer, before)
    for prompt in prompts:
        if prompt.method != "threshold":
            continue
        values: list[float] = []
        for start in range(0, len(selection), CHUNK):
            values += predictor.text_scores(prompt, selection[start : start + CHUNK])
        predictor.thresholds[prompt.name] = choose_threshold(task, selection, values, tuned)
    return predictor


class ZeroShotPredictor:
    """A scorer with a task's prompts.

    before: prompt -> demonstrations in front of every context. They are never cut, and nothing
    after them is: an example that does not fit raises NotApplicable (`window`).
    thresholds: prompt -> threshold, nats a token. progress: called with the number of
    examples that were done since the last call. usage: what the scorer has done so far.
    """

    def __init__(
        self,
        task: TaskSpec,
        prompts: Sequence[Prompt],
        scorer: Scorer,
        before: Mapping[str, str] | None = None,
    ) -> None:
        self.task = task
        self.prompts = list(prompts)
        self.scorer = scorer
        self.before = dict(before or {})
        self.thresholds: dict[str, float] = {}
        self.progress: Callable[[int], None] | None = None

    @property
    def usage(self) -> Usage:
        """What the scorer has done so far."""
        return self.scorer.usage

    def state(self) -> dict[str, Any]:
        """Nothing is trained."""
        return {}

    def predict(self, examples: list[Example]) -> list[Variant]:
        """One variant a prompt, with a prediction an example, in the order given.

        Raises CellFailed on a score that is not finite.
        """
        predictions: dict[str, list[Prediction]] = {prompt.name: [] for prompt in self.prompts}
        counts: dict[str, Counter[str]] = {prompt.name: Counter() for prompt in self.prompts}
        for start in range(0, len(examples), CHUNK):
            chunk = examples[start : start + CHUNK]
            for prompt in self.prompts:
                predictions[prompt.name] += self._answer(prompt, chunk, counts[prompt.name])
            if self.progress is not None:
                self.progress(len(chunk))
        return [
            Variant(
                prompt=prompt.name,
                score=PATHS[prompt.method],
                norm=unit_of(prompt),
                predictions=predictions[prompt.name],
                counts={"truncated": 0, **counts[prompt.name]},
                notes=(
                    {"threshold": self.thresholds[prompt.name]}
                    if prompt.name in self.thresholds
                    else {}
                ),
            )
            for prompt in self.prompts
        ]

    def text_scores(self, prompt: Prompt, examples: Sequence[Example]) -> list[float]:
        """Mean token log-probability of each rendered text (method `threshold`), nats."""
        scores = self._score(prompt, examples, Counter())
        return [normalized(only, unit_of(prompt))[0] for (only,) in scores]

    def _answer(
        self, prompt: Prompt, examples: Sequence[Example], counts: Counter[str]
    ) -> list[Prediction]:
        if prompt.method == "generate":
            return self._generate(prompt, examples, counts)
        scores = self._score(prompt, examples, counts)
        if prompt.method == "threshold":
            threshold = self.thresholds[prompt.name]
            return [
                by_threshold(normalized(only, unit_of(prompt))[0], threshold) for (only,) in scores
            ]
        if prompt.method == "entity":
            _count_candidates(self.task, examples, counts)
        return [
            decide(prompt, self.task, values_of(self.task, example), found)
            for example, found in zip(examples, scores, strict=True)
        ]

    def _score(
        self, prompt: Prompt, examples: Sequence[Example], counts: Counter[str]
    ) -> list[list[Score]]:
        """Scores of every request of every example."""
        built = [self._requests(prompt, example) for example in examples]
        scores = iter(
            score_exactly(self.scorer, [one for requests, _ in built for one in requests])
        )
        found = [[next(scores) for _ in requests] for requests, _ in built]
        for (_, shortened), group in zip(built, found, strict=True):
            self._count_truncated(
                prompt, shortened or any(score.truncated for score in group), counts
            )
        return found

    def _generate(
        self, prompt: Prompt, examples: Sequence[Example], counts: Counter[str]
    ) -> list[Prediction]:
        built = [self._requests(prompt, example) for example in examples]
        for _, shortened in built:
            self._count_truncated(prompt, shortened, counts)
        contexts = [requests[0].context for requests, _ in built]
        texts = self.scorer.generate(contexts, prompt.stop, prompt.max_new_tokens)
        return [Prediction(clean_answer(prompt, text)) for text in texts]

    def _count_truncated(self, prompt: Prompt, truncated: bool, counts: Counter[str]) -> None:
        if truncated and self.before.get(prompt.name):
            raise NotApplicable(
                f"prompt '{prompt.name}': an example does not fit the window of "
                f"{self.scorer.max_length} tokens after its demonstrations",
                "window",
            )
        counts["truncated"] += truncated

    def _requests(self, prompt: Prompt, example: Example) -> tuple[list[Request], bool]:
        before = self.before.get(prompt.name, "")
        return fit_to_window(
            values_of(self.task, example),
            lambda values: build_requests(prompt, values, before),
            self.task.truncation,
            self.scorer,
            # One more for the start token that some tokenizers want.
            reserve=prompt.max_new_tokens + 1 if prompt.method == "generate" else 0,
        )


def score_exactly(scorer: Scorer, requests: Sequence[Request]) -> list[Score]:
    """Scores of requests; continuations of the same text in one request get the same score.

    An engine's last digits depend on a continuation's place in the batch, so each text is scored
    once: options that read alike tie exactly. Raises CellFailed on a score that is not finite.
    """
    unique = [Request(one.context, tuple(dict.fromkeys(one.continuations))) for one in requests]
    found = []
    for request, once, score in zip(requests, unique, scorer.score(unique), strict=True):
        for value in score.log_likelihoods:
            if not math.isfinite(value):
                raise CellFailed(f"the model's log-likelihood of a continuation is {value}")
        places = [once.continuations.index(text) for text in request.continuations]
        found.append(
            Score(
                tuple(score.log_likelihoods[place] for place in places),
                tuple(score.token_counts[place] for place in places),
                tuple(score.byte_counts[place] for place in places),
                score.truncated,
            )
        )
    return found


def _count_candidates(task: TaskSpec, examples: Sequence[Example], counts: Counter[str]) -> None:
    """Add candidates, gold entities and those among the candidates; gold only to be counted."""
    for example in examples:
        candidates = set(candidate_spans(example.fields["tokens"]))
        counts["candidates"] += len(candidates)
        if example.target is None:
            continue
        gold = entity_spans(task.labels[tag] for tag in example.target)
        counts["gold_entities"] += len(gold)
        counts["gold_covered"] += sum((start, end) in candidates for start, end, _ in gold)
