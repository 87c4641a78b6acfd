"""Few-shot: demonstrations drawn from the training split stand before each prompt.

Sources: Brown et al. 2020, "Language Models are Few-Shot Learners"; Schick and Schütze 2021,
"Exploiting Cloze Questions" (cloze prompts of encoders, here without training).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, StrictBool, StrictInt

from benchsuite.errors import NotApplicable
from benchsuite.regimes import support
from benchsuite.regimes.base import Options, Variant, read_options
from benchsuite.regimes.demonstrations import Demonstration, can_show, draw, text_before
from benchsuite.regimes.zeroshot import CHUNK, ZeroShotPredictor
from benchsuite.regimes.zeroshot_methods import build_requests
from benchsuite.scoring.types import Scorer
from benchsuite.tasks.example import Example
from benchsuite.tasks.mapping import data_hash
from benchsuite.tasks.prompts import select_prompts, texts_to_fit, values_of
from benchsuite.tasks.spec import Prompt, TaskSpec

if TYPE_CHECKING:
    from benchsuite.cells import Cell
    from benchsuite.models.registry import Model
    from benchsuite.tasks.task import SplitData, Task


class FewShotOptions(Options):
    """Options of `fewshot`."""

    k: StrictInt = Field(default=4, ge=1, description="number of demonstrations")
    balanced: StrictBool = Field(
        default=False,
        description="equal numbers of demonstrations a label, or entity type and O; without "
        "effect on kinds that have no labels",
    )


class FewShot:
    """Zero-shot's prompts and scores after k demonstrations; each seed draws its own."""

    name: ClassVar[str] = "fewshot"
    version: ClassVar[int] = 2
    summary: ClassVar[str] = "prompts after k demonstrations from train"
    trains: ClassVar[str] = "nothing"
    source: ClassVar[str] = "Brown et al. 2020"
    options: ClassVar[type[Options]] = FewShotOptions
    positional: ClassVar[str | None] = "k"
    randomized: ClassVar[bool] = True

    def reason_not_applicable(self, task: Task, family: str) -> str | None:
        """What the support table says."""
        return support.reason_not_applicable(self.name, task.spec, family)

    def labels_used(self, task: Task, cell: Cell) -> int:
        """k: each demonstration shows one label."""
        return int(read_options(self, cell.regime).model_dump()["k"])

    def train_data(self, task: Task, cell: Cell) -> dict[str, SplitData]:
        """The examples drawn, as a slice of the training split without the selection slice.

        Raises NotApplicable where a prompt has no place for demonstrations, or there are too few;
        DataUnavailable where the training split is absent.
        """
        data, drawn = self._drawn(task, cell)
        examples = [one.example for one in drawn]
        subsets = {name: sum(one.subset == name for one in examples) for name in data.subsets}
        return {
            "train": replace(data, examples=examples, hash=data_hash(examples), subsets=subsets)
        }

    def fit(self, model: Model, task: Task, cell: Cell, scratch: Path) -> FewShotPredictor:
        """Write the demonstrations; raises NotApplicable where an example does not fit after them.

        All evaluation examples are measured before any is scored.
        """
        from benchsuite.scoring import make_scorer

        _, drawn = self._drawn(task, cell)
        predictor = FewShotPredictor(
            task.spec,
            select_prompts(task.spec, cell.prompts),
            make_scorer(model, batch_tokens=cell.batch_tokens),
            drawn,
            every=cell.score == "all",
        )
        for split in cell.splits or task.spec.dataset.eval_splits:
            predictor.check_room(task.evaluation(split, cell.limit).examples)
        return predictor

    def _drawn(self, task: Task, cell: Cell) -> tuple[SplitData, list[Demonstration]]:
        """The training examples in use and the demonstrations drawn from them."""
        prompts = select_prompts(task.spec, cell.prompts)
        for prompt in prompts:
            use = f"{task.spec.kind}: {prompt.method}"
            if all(isinstance(entry, str) for entry in support.TABLE[self.name][use]):
                raise NotApplicable(
                    f"prompt '{prompt.name}' of {task.id} has no place for demonstrations", "prompt"
                )
        options = read_options(self, cell.regime).model_dump()
        data = task.train(cell.train_limit)
        pool = [one for one in data.examples if all(can_show(prompt, one) for prompt in prompts)]
        drawn = draw(task.spec, pool, options["k"], cell.seed or 0, options["balanced"])
        return data, drawn


class FewShotPredictor(ZeroShotPredictor):
    """Zero-shot's predictor with demonstrations before every context.

    They are one text a prompt, so engines that share beginnings compute it once.
    """

    def __init__(
        self,
        task: TaskSpec,
        prompts: Sequence[Prompt],
        scorer: Scorer,
        drawn: Sequence[Demonstration],
        every: bool = False,
    ) -> None:
        before = {prompt.name: text_before(prompt, task, drawn) for prompt in prompts}
        super().__init__(task, prompts, scorer, before, every)
        self.drawn = list(drawn)

    def predict(self, examples: list[Example]) -> list[Variant]:
        """Zero-shot's variants, with the names of the demonstrations in their notes."""
        variants = super().predict(examples)
        for variant in variants:
            variant.notes["demonstrations"] = [one.name for one in self.drawn]
        return variants

    def check_room(self, examples: Sequence[Example]) -> None:
        """Raise NotApplicable where the longest example does not fit after the demonstrations.

        Counted as tokens of demonstrations, context and continuation, or the tokens that may be
        generated; where these stand on another side, without them. Nothing is scored.
        """
        for prompt in self.prompts:
            before = self.before[prompt.name]
            room = self.scorer.max_length - self.reserve(prompt)
            longest = 0
            for start in range(0, len(examples), CHUNK):
                requests = [
                    request
                    for example in examples[start : start + CHUNK]
                    for request in build_requests(prompt, values_of(self.task, example), before)
                ]
                texts = texts_to_fit(requests, self.apart)
                # No token is shorter than a byte.
                texts = [text for text in texts if len(text.encode()) > room]
                longest = max([longest, *self.scorer.count_tokens(texts)])
            if longest > room:
                shown = self.scorer.count_tokens([before])[0]
                raise NotApplicable(
                    f"prompt '{prompt.name}': {len(self.drawn)} demonstrations of {shown} tokens "
                    f"and the longest example make {longest}, over the {room} that the window of "
                    f"{self.scorer.max_length} leaves; nothing is cut",
                    "window",
                )
