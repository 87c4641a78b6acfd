"""Examples to items: the rows an example is read in, and what is to be learned from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchsuite.tasks.example import Example
from benchsuite.tasks.spec import TaskSpec
from benchsuite.training.rows import Ids, Joined, Layout, Row

Pooling = Literal["first", "last", "mean"]
STRIDE = 128  # tokens that neighbouring windows share, as BERT on SQuAD (Devlin et al. 2019)


@dataclass(frozen=True, slots=True)
class Item:
    """What is scored together: the rows of one example, or one window of a long one.

    example: its number among the examples given. target: label, number (regression), tag of each
    position (tagging), first and last position of the answer (span; 0, 0: none in this window),
    None where there is no label. spans: characters of the context that each position of a span
    row covers, position 0 being that of `no answer`. words: number of the word each position of a
    tagging row stands for. answers: token ids of the texts that can be written for it, `gold` the
    number of the right one, where answers are written.
    """

    example: int
    rows: tuple[Row, ...]
    target: Any
    spans: tuple[tuple[int, int], ...] = ()
    words: Ids = ()
    answers: tuple[Ids, ...] = ()
    gold: int | None = None

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return sum(len(row.ids) for row in self.rows)


@dataclass(slots=True)
class Counts:
    """Facts about how examples were made into items."""

    truncated: int = 0
    unreachable: int = 0  # answers that no window holds whole


class ItemMaker:
    """Makes items of a task's kind for a family.

    pooling: position of a sequence that the head reads; an encoder-decoder's is its decoder's
    first. Tags are learned and read at the first subword of each word (Devlin et al. 2019), of a
    decoder at its last, for at the first it has read a part of the word alone. An answer is looked
    for in windows of the context that overlap. orders: whether the two texts of a similarity task
    are read in both orders, for neither comes first; by default a decoder does (Radford et al.
    2018).
    """

    def __init__(
        self,
        task: TaskSpec,
        layout: Layout,
        pooling: Pooling,
        orders: Literal["one", "both"] | None = None,
    ) -> None:
        self.task = task
        self.layout = layout
        self.pooling = pooling
        default = "both" if layout.family == "decoder" else "one"
        self.both = task.similarity and (orders or default) == "both"
        self.counts = Counts()

    def make(self, examples: Sequence[Example]) -> list[Item]:
        """The items of the examples, in their order; a span example has one a window."""
        self.counts = Counts()
        match self.task.kind:
            case "tagging":
                return list(self._tagging(examples))
            case "span":
                return list(self._span(examples))
            case "choice":
                return list(self._choice(examples))
        return list(self._sequence(examples))

    def _sequence(self, examples: Sequence[Example]) -> Iterator[Item]:
        firsts = self.layout.encode_led([one.fields["text"] for one in examples])
        pair = self.task.is_pair
        seconds: list[Any] = (
            self.layout.encode_led([one.fields["text_pair"] for one in examples])
            if pair
            else [None] * len(firsts)
        )
        name = self.task.truncation.shorten if self.task.truncation else "text"
        for number, (example, first, second) in enumerate(
            zip(examples, firsts, seconds, strict=True)
        ):
            if second is None:
                kept = [self._cut(first, self.layout.room(False))]
            elif name == "text_pair":
                kept = [first, self._cut(second, max(0, self.layout.room(True) - len(first)))]
            else:
                kept = [self._cut(first, max(0, self.layout.room(True) - len(second))), second]
            if len(kept) == 2:
                kept = self._force(kept)
            self.counts.truncated += sum(map(len, kept)) < len(first) + len(second or ())
            orders = [kept, kept[::-1]] if self.both else [kept]
            rows = tuple(self._pooled(self.layout.join(*order)) for order in orders)
            yield Item(number, rows, example.target)

    def _choice(self, examples: Sequence[Example]) -> Iterator[Item]:
        contexts = self.layout.encode_led([one.fields.get("context", "") for one in examples])
        for number, (example, context) in enumerate(zip(examples, contexts, strict=True)):
            question, options = example.fields["question"], example.fields["options"]
            if "context" in example.fields:
                asked = self.layout.encode_led(
                    [f"{question.strip()} {one.strip()}" for one in options]
                )
                starts = [context] * len(options)
            else:
                asked = self.layout.encode_led([one.strip() for one in options])
                starts = [self.layout.encode_led([question])[0]] * len(options)
            rows, cut = [], False
            for start, end in zip(starts, asked, strict=True):
                room = max(0, self.layout.room(True) - len(end))
                kept = self._force([self._cut(start, room), end])
                cut = cut or kept != [start, end]
                rows.append(self._pooled(self.layout.join(*kept)))
            self.counts.truncated += cut
            yield Item(number, tuple(rows), example.target)

    def _tagging(self, examples: Sequence[Example]) -> Iterator[Item]:
        texts = [" ".join(one.fields["tokens"]) for one in examples]
        room = self.layout.room(False)
        at_last = self.layout.family == "decoder"
        encoded = self.layout.encode_with_offsets(texts)
        for number, (example, (ids, offsets)) in enumerate(zip(examples, encoded, strict=True)):
            joined = self.layout.join(ids[:room])
            self.counts.truncated += len(ids) > room
            positions, words = [], []
            at = token = 0
            for word, text in enumerate(example.fields["tokens"]):
                while token < len(offsets) and offsets[token][1] <= at:
                    token += 1
                # A word of characters that the tokenizer drops has no token of its own.
                end = at + len(text)
                own = token < len(offsets) and offsets[token][0] < end
                if own and token < room:
                    read = token
                    while at_last and read + 1 < min(room, len(ids)) and offsets[read + 1][0] < end:
                        read += 1
                    positions.append(joined.first + read)
                    words.append(word)
                at = end + 1
            tags = example.target
            yield Item(
                number,
                (Row(joined.ids, joined.types, tuple(positions)),),
                None if tags is None else tuple(tags[word] for word in words),
                words=tuple(words),
            )

    def _span(self, examples: Sequence[Example]) -> Iterator[Item]:
        contexts = self.layout.encode_with_offsets([one.fields["context"] for one in examples])
        questions = self.layout.encode_led([one.fields["question"].strip() for one in examples])
        for number, (example, question, (ids, offsets)) in enumerate(
            zip(examples, questions, contexts, strict=True)
        ):
            # At least half of a row is context, whatever the question.
            question = question[: self.layout.room(True) // 2]
            room = self.layout.room(True) - len(question)
            answer = _answer_tokens(example, offsets)
            self.counts.truncated += len(ids) > room
            stride = min(STRIDE, room // 2)
            windows = []
            for start in _window_starts(len(ids), room, stride):
                joined = self.layout.join(question, ids[start : start + room])
                inside = range(start, min(start + room, len(ids)))
                # The last token of a decoder alone has seen all of the window.
                null = len(joined.ids) - 1 if self.layout.family != "encoder" else 0
                positions = (null, *(joined.second + token - start for token in inside))
                target = (0, 0)
                if answer and inside.start <= answer[0] and answer[1] < inside.stop:
                    target = (answer[0] - start + 1, answer[1] - start + 1)
                row = Row(joined.ids, joined.types, positions)
                windows.append((row, target, ((0, 0), *(offsets[token] for token in inside))))
            reached = example.target == () or any(target != (0, 0) for _, target, _ in windows)
            self.counts.unreachable += not reached and example.target is not None
            for row, target, spans in windows:
                # Windows that hold nothing of an answer they should hold teach nothing.
                yield Item(number, (row,), target if reached else None, spans=spans)

    def _pooled(self, joined: Joined) -> Row:
        """The row with the positions that the head reads."""
        length = len(joined.ids)
        if self.layout.family == "encoder-decoder" or self.pooling == "first":
            positions: Ids = (0,)
        elif self.pooling == "last":
            positions = (length - 1,)
        else:
            positions = tuple(range(length))
        return Row(joined.ids, joined.types, positions)

    def _cut(self, ids: list[int], room: int) -> list[int]:
        """At most `room` tokens, of the part the task says to keep."""
        keep = self.task.truncation.keep if self.task.truncation else "start"
        if len(ids) <= room:
            return ids
        return ids[:room] if keep == "start" else ids[len(ids) - room :]

    def _force(self, texts: list[list[int]]) -> list[list[int]]:
        """Where one text alone exceeds the row, it is cut as well."""
        room = self.layout.room(True)
        second = texts[1][:room]
        return [texts[0][: room - len(second)], second]


def _window_starts(tokens: int, room: int, stride: int) -> Iterator[int]:
    """Where windows of `room` tokens begin that cover all tokens, each sharing `stride` tokens."""
    start = 0
    yield start
    while start + room < tokens:
        start += room - stride
        yield start


def _answer_tokens(example: Example, offsets: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """First and last context token of the first gold answer; None where there is none.

    Of several occurrences the one that the data names is taken, else the first.
    """
    if not example.target:
        return None
    text = example.target[0]
    at = example.starts[0] if example.starts else example.fields["context"].find(text)
    if at < 0:
        return None
    inside = [n for n, (low, high) in enumerate(offsets) if high > at and low < at + len(text)]
    return (inside[0], inside[-1]) if inside else None
