"""Demonstrations for few-shot prompting: which training examples, and how they are written.

Sources: Brown et al. 2020, "Language Models are Few-Shot Learners" (section 2); Zhao et al. 2021,
"Calibrate Before Use", and Lu et al. 2022, "Fantastically Ordered Prompts and Where to Find Them"
(choice, order and label balance of demonstrations move the results: hence several seeds).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchsuite.errors import NotApplicable
from benchsuite.regimes.entities import Span, candidate_spans, entity_spans
from benchsuite.regimes.zeroshot_methods import build_requests
from benchsuite.tasks.example import Example
from benchsuite.tasks.prompts import values_of
from benchsuite.tasks.spec import Prompt, TaskSpec

SEPARATOR = "\n\n"
"""Stands after each demonstration."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A labelled example to be shown.

    span: tagging: the candidate span that is asked about. label: what balancing balances: the
    label's name, tagging: the span's type or O; "" for other kinds.
    """

    example: Example
    span: Span | None = None
    label: str = ""

    @property
    def name(self) -> str:
        """Its example's subset and id, with the span where there is one."""
        parts = [self.example.subset] if self.example.subset else []
        span = "" if self.span is None else f"[{self.span[0]}:{self.span[1]}]"
        return "/".join([*parts, self.example.id]) + span


def draw(
    task: TaskSpec, examples: Sequence[Example], k: int, seed: int, balanced: bool = False
) -> list[Demonstration]:
    """k demonstrations in the order of a hash of seed and example, each of another cluster.

    Fixed by examples and seed, and nested: the first k of a larger number. balanced: equal
    numbers a label (classification) or a type, O among them (tagging), one apart where k is no
    multiple; without effect on kinds that have no labels.
    Raises NotApplicable where there are fewer than k, or of a label too few to be balanced.
    """
    order = sorted(examples, key=lambda one: _hash(seed, one.subset, one.id))
    labels = [*task.entity_types, "O"] if task.kind == "tagging" else task.labels
    found = []
    for one in _by_label(task, order, labels if balanced else [], seed):
        found.append(one)
        if len(found) == k:
            return found
    reason = f"{task.id} has {len(found)} demonstrations outside its selection slice, not {k}"
    if balanced and labels:
        counts = Counter(one.label for one in found)
        each = ", ".join(f"{counts[label]} {label}" for label in labels)
        reason += f", when balanced: after {each} a label has no more"
    raise NotApplicable(reason, "too few examples")


def can_show(prompt: Prompt, example: Example) -> bool:
    """Whether a prompt has words for the example's answer; all have but for `no answer`."""
    return prompt.method != "generate" or bool(example.target) or bool(prompt.no_answer)


def text_before(prompt: Prompt, task: TaskSpec, drawn: Iterable[Demonstration]) -> str:
    """What stands before every context: the demonstrations in their order, each with SEPARATOR."""
    return "".join(demonstrate(prompt, task, one) + SEPARATOR for one in drawn)


def demonstrate(prompt: Prompt, task: TaskSpec, one: Demonstration) -> str:
    """One demonstration: the prompt's context and the right continuation.

    That is the label's first verbalizer, the rating nearest to the gold one (the lower of two
    equally near), the right option, the first gold answer, or the first of the texts that mean
    there is none.
    """
    requests = build_requests(prompt, values_of(task, one.example))
    target = one.example.target
    if one.span is not None:
        place = candidate_spans(one.example.fields["tokens"]).index(one.span)
        return requests[place].context + _first(prompt.verbalizers[one.label])
    (request,) = requests
    if prompt.method == "cloze":
        return request.context + _first(prompt.verbalizers[task.labels[target]])
    if prompt.method == "rating":
        ratings = prompt.ratings
        # Whatever the order of the ratings, which the prompt's hash does not see.
        order = sorted(ratings, key=lambda text: (ratings[text], text))
        return request.context + min(order, key=lambda text: abs(ratings[text] - target))
    if prompt.method == "choice":
        return request.context + request.continuations[target]
    answer = target[0].strip() if target else prompt.no_answer[0]
    return f"{request.context} {answer}"


def _by_label(
    task: TaskSpec, order: Sequence[Example], labels: Sequence[str], seed: int
) -> Iterator[Demonstration]:
    """Each of another cluster, by `order`; with labels, in rounds of one a label each.

    The order within a round is that of a hash. The first round that lacks a label is the last, so
    that no label is ever more than one ahead of another.
    """
    taken: set[tuple[str, str]] = set()
    if not labels:
        yield from _one_a_cluster(task, order, None, seed, taken)
    lines = [_one_a_cluster(task, order, label, seed, taken) for label in labels]
    whole = bool(lines)
    while whole:
        found = [drawn for line in lines if (drawn := next(line, None)) is not None]
        whole = len(found) == len(lines)
        yield from sorted(found, key=lambda one: _hash(seed, one.example.subset, one.name))


def _one_a_cluster(
    task: TaskSpec,
    order: Sequence[Example],
    label: str | None,
    seed: int,
    taken: set[tuple[str, str]],
) -> Iterator[Demonstration]:
    """One of each cluster that is not in `taken`, which takes it in; of a label if named."""
    for example in order:
        cluster = (example.subset, example.cluster)
        for one in _candidates(task, example, seed) if cluster not in taken else ():
            if label is None or one.label == label:
                taken.add(cluster)
                yield one
                break


def _candidates(task: TaskSpec, example: Example, seed: int) -> list[Demonstration]:
    """What an example can show: itself; tagging: its candidate spans, in the order of a hash."""
    if task.kind != "tagging":
        return [Demonstration(example, None, task.labels[example.target] if task.labels else "")]
    tags = [task.labels[tag] for tag in example.target]
    gold = {(start, end): kind for start, end, kind in entity_spans(tags)}
    found = [
        Demonstration(example, span, gold.get(span, "O"))
        for span in candidate_spans(example.fields["tokens"])
    ]
    return sorted(found, key=lambda one: _hash(seed, one.example.subset, one.name))


def _hash(seed: int, *names: str) -> bytes:
    return hashlib.sha256("\x1f".join(["demonstration", str(seed), *names]).encode()).digest()


def _first(texts: str | list[str]) -> str:
    return texts if isinstance(texts, str) else texts[0]
