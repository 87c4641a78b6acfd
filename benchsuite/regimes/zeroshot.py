"""Zero-shot: a model answers through prompts alone; nothing is trained.

Sources: Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training"
(section 5, zero-shot heuristics); Radford et al. 2019, "Language Models are Unsupervised
Multitask Learners"; Warstadt et al. 2020, "BLiMP" (minimal pairs by the sum). How each family
answers: `support`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from benchsuite.errors import CellFailed, NotApplicable
from benchsuite.regimes import support
from benchsuite.regimes.base import Options, Variant, read_options
from benchsuite.regimes.entities import candidate_spans, entity_spans
from benchsuite.regimes.scores import Way, calibrated, pmi, ways
from benchsuite.regimes.thresholds import (
    by_threshold,
    choose_threshold,
    labelled,
    noted,
    threshold_slice,
)
from benchsuite.regimes.zeroshot_methods import (
    answer_scores,
    build_requests,
    clean_answer,
    content_free_requests,
    decide,
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
    version: ClassVar[int] = 3
    summary: ClassVar[str] = "prompts and log-probabilities alone"
    trains: ClassVar[str] = "nothing"
    source: ClassVar[str] = "Radford et al. 2018, 2019"
    options: ClassVar[type[Options]] = ZeroShotOptions
    positional: ClassVar[str | None] = None
    randomized: ClassVar[bool] = False

    def reason_not_applicable(self, task: Task, family: str) -> str | None:
        """What the support table says."""
        return support.reason_not_applicable(self.name, task.spec, family)

    def labels_used(self, task: Task, cell: Cell) -> int:
        """0; with a tuned threshold, the labelled examples of the selection slice."""
        return labelled(self.train_data(task, cell)) if self._tunes(cell) else 0

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
        """Choose the thresholds that prompts need, nothing else.

        Raises NotApplicable where sentences are filled in and the model has no sentinels.
        """
        from benchsuite.scoring import make_scorer

        scorer = make_scorer(model, batch_tokens=cell.batch_tokens)
        prompts = select_prompts(task.spec, cell.prompts)
        _check_sentinels(model, task, prompts)
        data = self.train_data(task, cell)
        examples = data["selection"].examples if data else []
        return make_predictor(
            task.spec,
            prompts,
            scorer,
            examples,
            self._tunes(cell),
            every=cell.score == "all",
        )

    def _tunes(self, cell: Cell) -> bool:
        return read_options(self, cell.regime).model_dump()["threshold"] == "tuned"


def _check_sentinels(model: Model, task: Task, prompts: Sequence[Prompt]) -> None:
    """Raise NotApplicable for paths in spans where the vocabulary has nothing to name a span."""
    from benchsuite.scoring.sentinels import find_sentinels

    uses = {f"{task.spec.kind}: {prompt.method}" for prompt in prompts}
    found = {path for use in uses for path in support.paths("zeroshot", use, model.family)}
    if "span" in found and not find_sentinels(model.tokenizer):
        raise NotApplicable(
            f"the vocabulary of {model.path} has no sentinels (<extra_id_0>), "
            "so that no span of a sentence can be filled in",
            "no sentinels",
        )


def make_predictor(
    task: TaskSpec,
    prompts: Sequence[Prompt],
    scorer: Scorer,
    selection: Sequence[Example] = (),
    tuned: bool = False,
    before: Mapping[str, str] | None = None,
    every: bool = False,
) -> ZeroShotPredictor:
    """A predictor over any scorer.

    selection: the slice that thresholds are taken from. before, every: see ZeroShotPredictor.
    """
    predictor = ZeroShotPredictor(task, prompts, scorer, before, every)
    for prompt in prompts:
        if prompt.method != "threshold":
            continue
        for way, values in predictor.text_scores(prompt, selection).items():
            threshold = choose_threshold(task, selection, values, tuned)
            predictor.thresholds[prompt.name, way] = threshold
    return predictor


class ZeroShotPredictor:
    """A scorer with a task's prompts.

    before: prompt -> demonstrations in front of every context. They are never cut, and nothing
    after them is: an example that does not fit raises NotApplicable (`window`). every: score in
    every way there is, not only in each prompt's own.
    thresholds: (prompt, way) -> threshold, in the way's unit. progress: called with the number of
    examples that were done since the last call. usage: what the scorer has done so far.
    """

    def __init__(
        self,
        task: TaskSpec,
        prompts: Sequence[Prompt],
        scorer: Scorer,
        before: Mapping[str, str] | None = None,
        every: bool = False,
    ) -> None:
        self.task = task
        self.prompts = list(prompts)
        self.scorer = scorer
        self.before = dict(before or {})
        self.thresholds: dict[tuple[str, Way], float] = {}
        self.progress: Callable[[int], None] | None = None
        self.ways: dict[str, list[Way]] = {}
        for prompt in self.prompts:
            use = f"{task.kind}: {prompt.method}"
            found = support.paths(ZeroShot.name, use, scorer.family)
            self.ways[prompt.name] = ways(prompt, found, every)
        self._premises: dict[tuple[str, tuple[str, ...]], Score] = {}
        self._content_free: dict[str, list[list[float]]] = {}

    @property
    def usage(self) -> Usage:
        """What the scorer has done so far."""
        return self.scorer.usage

    @property
    def apart(self) -> bool:
        """Whether a context and what follows it stand on two sides, each with its own window.

        An encoder reads the context and a decoder writes the rest. Where instead all of a text
        but a word is read (`span`), the context is empty, so that this makes no difference.
        """
        return self.scorer.family == "encoder-decoder"

    def reserve(self, prompt: Prompt) -> int:
        """Tokens of the context's window that a prompt leaves to what is generated."""
        if prompt.method != "generate" or self.apart:
            return 0
        # One more for the start token that some tokenizers want.
        return prompt.max_new_tokens + 1

    def state(self) -> dict[str, Any]:
        """Nothing is trained."""
        return {}

    def predict(self, examples: list[Example]) -> list[Variant]:
        """One variant a prompt and way of scoring, with a prediction an example, in their order.

        Raises CellFailed on a score that is not finite.
        """
        counts: dict[str, Counter[str]] = {prompt.name: Counter() for prompt in self.prompts}
        predictions: dict[tuple[str, Way], list[Prediction]] = {
            (prompt, way): [] for prompt, found in self.ways.items() for way in found
        }
        for start in range(0, len(examples), CHUNK):
            chunk = examples[start : start + CHUNK]
            for prompt in self.prompts:
                for way, answers in self._answer(prompt, chunk, counts[prompt.name]).items():
                    predictions[prompt.name, way] += answers
            if self.progress is not None:
                self.progress(len(chunk))
        prompts = {prompt.name: prompt for prompt in self.prompts}
        return [
            Variant(
                prompt=name,
                score=way.score,
                norm=way.norm,
                predictions=answers,
                primary=way == self.ways[name][0],
                counts={"truncated": 0, **counts[name]} if way == self.ways[name][0] else {},
                notes=noted(prompts[name], self.thresholds.get((name, way))),
            )
            for (name, way), answers in predictions.items()
        ]

    def text_scores(self, prompt: Prompt, examples: Sequence[Example]) -> dict[Way, list[float]]:
        """Score of each rendered text (method `threshold`) in each way, nats a unit."""
        found: dict[Way, list[float]] = {way: [] for way in self.ways[prompt.name]}
        for start in range(0, len(examples), CHUNK):
            scored = self._score(prompt, examples[start : start + CHUNK], Counter())
            for way, answers in scored.items():
                found[way] += [only for ((only,),) in answers]
        return found

    def _answer(
        self, prompt: Prompt, examples: Sequence[Example], counts: Counter[str]
    ) -> dict[Way, list[Prediction]]:
        """Predictions of the examples in each way."""
        if prompt.method == "generate":
            return {self.ways[prompt.name][0]: self._generate(prompt, examples, counts)}
        scored = self._score(prompt, examples, counts)
        if prompt.method == "threshold":
            return {
                way: [
                    by_threshold(only, self.thresholds[prompt.name, way]) for ((only,),) in answers
                ]
                for way, answers in scored.items()
            }
        if prompt.method == "entity":
            _count_candidates(self.task, examples, counts)
        values = [values_of(self.task, example) for example in examples]
        return {
            way: [
                decide(prompt, self.task, one, found)
                for one, found in zip(values, answers, strict=True)
            ]
            for way, answers in scored.items()
        }

    def _score(
        self, prompt: Prompt, examples: Sequence[Example], counts: Counter[str]
    ) -> dict[Way, list[list[list[float]]]]:
        """In each way: of each example, of each of its requests, the scores of the answers."""
        built = [self._requests(prompt, example) for example in examples]
        requests = [one for group, _ in built for one in group]
        found = self.ways[prompt.name]
        scores = {
            path: score_exactly(self.scorer, requests, path)
            for path in dict.fromkeys(way.path for way in found)
        }
        cut = iter(score.truncated for score in scores[found[0].path])
        for group, shortened in built:
            parts = [next(cut) for _ in group]
            self._count_truncated(prompt, shortened or any(parts), counts)
        by_way = {}
        for way in found:
            answers = iter(self._answers(prompt, way, requests, scores[way.path]))
            by_way[way] = [[next(answers) for _ in group] for group, _ in built]
        return by_way

    def _answers(
        self, prompt: Prompt, way: Way, requests: Sequence[Request], scores: Sequence[Score]
    ) -> list[list[float]]:
        """Of each request the scores of its answers, in one way."""
        if way.score not in ("pmi", "calibrated"):
            return [answer_scores(prompt, score, way.norm) for score in scores]
        values = [answer_scores(prompt, score, "none") for score in scores]
        if way.score == "pmi":
            premises = self._after_premise(prompt, way, requests)
            return [pmi(one, prior) for one, prior in zip(values, premises, strict=True)]
        if prompt.name not in self._content_free:
            free = content_free_requests(prompt, self.task, self.before.get(prompt.name, ""))
            self._content_free[prompt.name] = [
                answer_scores(prompt, score, "none")
                for score in score_exactly(self.scorer, free, way.path)
            ]
        return [calibrated(one, self._content_free[prompt.name]) for one in values]

    def _after_premise(
        self, prompt: Prompt, way: Way, requests: Sequence[Request]
    ) -> list[list[float]]:
        """Of each request the scores of its answers after the premise; each set scored once."""
        context = self.before.get(prompt.name, "") + (prompt.premise or "")
        keys = [(prompt.name, request.continuations) for request in requests]
        new = [key for key in dict.fromkeys(keys) if key not in self._premises]
        if new:
            asked = [Request(context, continuations) for _, continuations in new]
            scores = score_exactly(self.scorer, asked, way.path)
            self._premises.update(zip(new, scores, strict=True))
        return [answer_scores(prompt, self._premises[key], "none") for key in keys]

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
            reserve=self.reserve(prompt),
            apart=self.apart,
        )


def score_exactly(scorer: Scorer, requests: Sequence[Request], path: str) -> list[Score]:
    """Scores of requests on a path; the same continuations of one request get the same score.

    An engine's last digits depend on a continuation's place in the batch, so each text is scored
    once: options that read alike tie exactly. Raises CellFailed on a score that is not finite.
    """
    unique = [Request(one.context, tuple(dict.fromkeys(one.continuations))) for one in requests]
    found = []
    for request, once, score in zip(requests, unique, scorer.score(unique, path), strict=True):
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
