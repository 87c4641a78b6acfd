"""Text to text: an encoder-decoder reads a task as text and writes the answer.

Source: Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
Transformer" (T5), appendix D for the form of the tasks; choices as Khashabi et al. 2020,
"UnifiedQA". There is no head: the network's own output layer gives the words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from string import ascii_uppercase

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchsuite.errors import Diverged, NotApplicable
from benchsuite.metrics import compute_on_slice, outcome_columns
from benchsuite.scoring.padding import pad_rows
from benchsuite.tasks.example import Example, Prediction
from benchsuite.tasks.spec import TaskSpec
from benchsuite.training.backbone import IGNORED, Backbone
from benchsuite.training.batches import Batch
from benchsuite.training.decode import LONGEST_ANSWER, Scores
from benchsuite.training.items import Counts, Item, ItemMaker
from benchsuite.training.model import TaskModel
from benchsuite.training.predictor import Selection, TrainedPredictor
from benchsuite.training.rows import Ids, Layout, Row
from benchsuite.training.split import last_states

ORDER = ("question", "options", "context", "text", "text_pair")
STEPS = 25
"""Equal steps of a regression task's range: of STS-B's 0 to 5 they are T5's, 0.2 each."""
MOST_LOGITS = 2**26
"""Of the texts that are scored at once."""


class TextMaker(ItemMaker):
    """Makes items of one row, the task as text, and the texts that answer it.

    Of a pair: the task's name, then each text behind its column's name. Of a question: question,
    options, context. What the task says to shorten is cut to the window.
    Raises NotApplicable for tagging.
    """

    def __init__(self, task: TaskSpec, layout: Layout) -> None:
        super().__init__(task, layout, "first")
        if task.kind == "tagging":
            raise NotApplicable("tags have no agreed form as text", "tags as text")
        self._end = (int(layout.tokenizer.eos_token_id),)
        self.numbers: np.ndarray | None = None
        names = task.labels
        if task.kind == "regression":
            low, high = task.range or (0.0, 1.0)
            self.numbers = np.linspace(low, high, STEPS + 1)
            # As many digits as tell the steps apart, one at least.
            digits = max(1, math.ceil(-math.log10((high - low) / STEPS)))
            names = [f"{number:.{digits}f}" for number in self.numbers]
        self._fixed = self._written(names)

    def make(self, examples: Sequence[Example]) -> list[Item]:
        """The items of the examples, one each, in their order."""
        self.counts = Counts()
        parts = list(zip(*(self._parts(example) for example in examples), strict=True))
        if not parts:
            return []
        before, cut, after = (self.layout.encode(texts) for texts in parts)
        options = self._answers(examples)
        return [
            Item(
                number,
                (self._row(before[number], cut[number], after[number]),),
                example.target,
                answers=options[number],
                gold=self._gold(example),
            )
            for number, example in enumerate(examples)
        ]

    def _parts(self, example: Example) -> tuple[str, str, str]:
        """The row as text: what stands before the field that may be cut, that field, the rest."""
        fields = {name: value for name, value in example.fields.items() if name != "options"}
        if "options" in example.fields:
            fields["options"] = " ".join(
                f"({_letter(number)}) {text.strip()}"
                for number, text in enumerate(example.fields["options"])
            )
        order = [name for name in ORDER if name in fields]
        if self.task.kind in ("choice", "span"):
            named = {name: f"{name}:" for name in order}
            cut = "context"
        else:
            # T5 has a pair in the order of its columns' names (MNLI's hypothesis comes first).
            order.sort(key=lambda name: self.task.fields.get(name, name))
            named = {name: f"{self.task.fields.get(name, name)}:" for name in order}
            # By the name of the task that it is trained on (AX: MNLI).
            name = (self.task.dataset.train_from or self.task.id).rpartition("/")[2]
            named[order[0]] = f"{name} {named[order[0]]}"
            cut = self.task.truncation.shorten if self.task.truncation else "text"
        cut = cut if cut in order else order[-1]
        place = order.index(cut)
        before = " ".join(f"{named[name]} {fields[name].strip()}" for name in order[:place])
        after = "".join(f" {named[name]} {fields[name].strip()}" for name in order[place + 1 :])
        return f"{before} {named[cut]}".strip(), f" {fields[cut].strip()}", after

    def _row(self, before: list[int], cut: list[int], after: list[int]) -> Row:
        room = self.layout.room(False)
        kept = self._cut(cut, max(0, room - len(before) - len(after)))
        ids = [*before, *kept, *after][:room]
        self.counts.truncated += len(ids) < len(before) + len(cut) + len(after)
        return Row(self.layout.join(ids).ids, (), (0,))

    def _answers(self, examples: Sequence[Example]) -> list[tuple[Ids, ...]]:
        """The texts that each example can be answered with; of a span the right one alone."""
        if self.task.kind in ("classification", "regression"):
            return [self._fixed] * len(examples)
        if self.task.kind == "choice":
            return [self._written(example.fields["options"]) for example in examples]
        return [
            () if one.target is None else self._written([one.target[0] if one.target else ""])
            for one in examples
        ]

    def _written(self, texts: Sequence[str]) -> tuple[Ids, ...]:
        """Texts as they are written: as after a space, with the end."""
        texts = [f" {text.strip()}" if text.strip() else "" for text in texts]
        return tuple((*ids, *self._end) for ids in self.layout.encode(texts))

    def _gold(self, example: Example) -> int | None:
        if example.target is None or self.task.kind == "span":
            return None if example.target is None else 0
        if self.numbers is not None:
            return int(np.abs(self.numbers - example.target).argmin())
        return int(example.target)


class TextModel(TaskModel):
    """An encoder-decoder that learns to write the right answer, without a head."""

    def __init__(self, backbone: Backbone, task: TaskSpec) -> None:
        nn.Module.__init__(self)
        self.backbone = backbone
        self.kind = task.kind
        self.head = None
        self.register_buffer("number", torch.tensor([0.0, 1.0]))
        self.lm_weight = 0.0
        self.language_loss = None

    def forward(self, batch: Batch) -> Tensor:
        """Logits (tokens, vocabulary) of the right answers' tokens, one answer after the other."""
        texts = [_gold_text(item) for item in batch.items]
        read, targets = self._shifted(texts, batch.ids.device)
        rows = torch.arange(len(texts), device=batch.ids.device)
        logits: Tensor = self.backbone(replace(batch, writing=read, writes=rows))
        return logits[targets != IGNORED]

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """Sum of the answers' cross-entropy, in nats."""
        targets = [token for item in batch.items for token in _gold_text(item)]
        return functional.cross_entropy(
            logits.float(), torch.tensor(targets, device=logits.device), reduction="sum"
        )

    def weight(self, batch: Batch) -> int:
        """Tokens of the answers."""
        return sum(len(_gold_text(item)) for item in batch.items)

    def log_likelihoods(self, batch: Batch) -> list[Scores]:
        """Of each item's answers, in nats, (answers,) each."""
        states, extra = self._encoded(batch)
        texts = [answer for item in batch.items for answer in item.answers]
        owners = [number for number, item in enumerate(batch.items) for _ in item.answers]
        found: list[float] = []
        words = self.backbone.network.config.vocab_size * max(map(len, texts), default=1)
        most = max(1, MOST_LOGITS // words)
        for start in range(0, len(texts), most):
            read, targets = self._shifted(texts[start : start + most], states.device)
            rows = torch.tensor(owners[start : start + most], device=states.device)
            logits = Backbone.finish(
                self.backbone, states, replace(batch, writing=read, writes=rows), extra
            )
            losses = functional.cross_entropy(
                logits.float().transpose(1, 2), targets, reduction="none", ignore_index=IGNORED
            )
            found += (-losses.double().sum(1)).tolist()
        ends = np.cumsum([len(item.answers) for item in batch.items])[:-1]
        return np.split(np.asarray(found), ends)

    def write(self, batch: Batch, end: int, longest: int) -> list[Ids]:
        """What is written for each row, always the likeliest token, up to the end or `longest`."""
        states, extra = self._encoded(batch)
        rows = torch.arange(len(states), device=states.device)
        text = torch.full((len(states), 1), self.backbone.start, device=states.device)
        ended = torch.zeros(len(states), dtype=torch.bool, device=states.device)
        for _ in range(longest):
            logits = Backbone.finish(
                self.backbone, states, replace(batch, writing=text, writes=rows), extra
            )[:, -1]
            if not torch.isfinite(logits).all():
                raise Diverged("the model gave a score that is not finite")
            # An ended text is filled up with ends.
            token = logits.argmax(1).masked_fill(ended, end)
            text = torch.cat([text, token[:, None]], dim=1)
            ended |= token == end
            if ended.all():
                break
        return [tuple(ids[: ids.index(end)] if end in ids else ids) for ids in text[:, 1:].tolist()]

    def _encoded(self, batch: Batch) -> tuple[Tensor, int]:
        """The encoder's states, and how many virtual positions stand before the text's."""
        states = last_states(self.backbone.body, lambda: Backbone.forward(self.backbone, batch))
        return states, states.shape[1] - batch.ids.shape[1]

    def _shifted(self, texts: Sequence[Ids], device: torch.device) -> tuple[Tensor, Tensor]:
        """What the decoder has written before each token of the texts, and those tokens."""
        read = pad_rows([(self.backbone.start, *text[:-1]) for text in texts], 0)[0]
        targets = pad_rows(texts, IGNORED)[0]
        return read.to(device), targets.to(device)


class TextPredictor(TrainedPredictor):
    """Answers with the likeliest of the possible texts; of a span, with the text it writes."""

    maker: TextMaker
    model: TextModel

    def selection(self, examples: Sequence[Example], unanswerable: bool) -> Selection:
        """The selection slice; answers that are written need no threshold."""
        return TextSelection(self, examples, unanswerable)

    @torch.inference_mode()
    def scores(self, items: Sequence[Item], numbered: bool = False) -> list[Scores]:
        """Log-likelihoods of each item's answers; of a regression the likeliest number."""
        found: dict[int, Scores] = {}

        def work(numbers: list[int], batch: Batch) -> None:
            found.update(zip(numbers, self.model.log_likelihoods(batch), strict=True))

        self._each_batch(items, work)
        scores = [found[number] for number in range(len(items))]
        if self.maker.numbers is None:
            return scores
        return [
            self.maker.numbers[[one.argmax()]] if np.isfinite(one).all() else one[:1]
            for one in scores
        ]

    @torch.inference_mode()
    def answer(self, examples: Sequence[Example], items: Sequence[Item]) -> list[Prediction]:
        """A prediction an example."""
        if self.task.kind != "span":
            return super().answer(examples, items)
        tokenizer = self.maker.layout.tokenizer
        end = int(tokenizer.eos_token_id)
        found: dict[int, str] = {}

        def work(numbers: list[int], batch: Batch) -> None:
            texts = self.model.write(batch, end, LONGEST_ANSWER)
            said = [tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in texts]
            found.update(zip(numbers, said, strict=True))

        self._each_batch(items, work)
        return [Prediction(found[number]) for number in range(len(items))]


class TextSelection(Selection):
    """The selection slice of a predictor that writes."""

    predictor: TextPredictor

    def score(self) -> tuple[float, float]:
        """(metric, mean log-likelihood of the right answers) where answers are written."""
        task = self.predictor.task
        if task.kind != "span":
            return super().score()
        predictions = self.predictor.answer(self.examples, self.items)
        value = compute_on_slice(task, outcome_columns(task, self.examples, predictions))
        likelihoods = self.predictor.scores(self.items)
        return value, float(np.mean([one[0] for one in likelihoods]))

    def choose_threshold(self) -> float | None:
        """None: a text without words says that there is no answer."""
        return None


def _letter(number: int) -> str:
    """Of an option: A to Z, then numbers."""
    return ascii_uppercase[number] if number < len(ascii_uppercase) else str(number + 1)


def _gold_text(item: Item) -> Ids:
    assert item.gold is not None  # items without a target are not learned from
    return item.answers[item.gold]
