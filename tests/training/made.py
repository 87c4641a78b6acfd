"""Made tasks of the five kinds that a head can be trained on, small enough to be memorized."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchsuite.cells import Cell, parse_regime
from benchsuite.tasks.task import Task, load_task

KINDS = ("classification", "regression", "choice", "tagging", "span")
TRAIN = 16  # examples left for training once the selection slice, one of 17, is taken out
WORDS = [
    "apple",
    "basket",
    "city",
    "door",
    "east",
    "farm",
    "gate",
    "hill",
    "iron",
    "jar",
    "key",
    "lamp",
    "moon",
    "nest",
    "oak",
    "pear",
    "quill",
]
HEAD = """\
version: 1
kind: {kind}
description: made, to be memorized
licence: Apache-2.0
dataset:
  files: {{train: train.jsonl, validation: validation.jsonl}}
"""
REST = {
    "classification": "fields: {id: id, text: text, label: label}\nlabels: [bad, good]\n"
    "metrics: [accuracy]\n",
    "regression": "fields: {id: id, text: text, text_pair: text_pair, label: label}\n"
    "range: [0, 5]\nsimilarity: true\nmetrics: [pearson]\n",
    "choice": "fields: {id: id, context: context, question: question, options: options, "
    "label: label}\nmetrics: [accuracy]\n",
    "tagging": "fields: {id: id, tokens: tokens, tags: tags}\nlabels: [O, B-PER, I-PER, B-LOC]\n"
    "metrics: [entity_f1]\n",
    "span": "fields: {id: id, context: context, question: question, answers: answers}\n"
    "metrics: [f1, em]\n",
}


def row(kind: str, number: int) -> dict[str, Any]:
    """An example; the answer follows from nothing that a model could have learned elsewhere."""
    one, two = WORDS[number % 17], WORDS[(5 * number + 3) % 17]
    text = f"The {one} and the {two} of number {number}."
    match kind:
        case "classification":
            return {"text": text, "label": (number * 7 // 3) % 2}
        case "regression":
            return {"text": text, "text_pair": f"A {two}.", "label": (number * 7) % 11 / 2}
        case "choice":
            options = [WORDS[(number + step) % 17] for step in range(3)]
            return {
                "context": text,
                "question": "Which one?",
                "options": options,
                "label": (number * 5) % 3,
            }
        case "tagging":
            tokens = ["The", one.title(), two.title(), "went", "to", WORDS[(3 * number) % 17]]
            tags = ["O", "B-PER", "I-PER", "O", "O", "B-LOC"]
            return {"tokens": tokens, "tags": tags if number % 2 else [*tags[:2], "O", *tags[3:]]}
    # The first three have no answer.
    chosen = [] if number < 3 else [WORDS[(5 * number + 3) % 17]]
    return {"context": text, "question": f"What of {one}?", "answers": {"text": chosen}}


def made_task(folder: Path, kind: str, examples: int = TRAIN + 1) -> Task:
    """A task of the kind in `folder`; it is evaluated on a copy of its training examples."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"id": str(n), **row(kind, n)}) for n in range(examples)]
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / f"{kind}.yaml").write_text(HEAD.format(kind=kind) + REST[kind])
    return load_task(kind, (folder,))


def made_cell(task: Task, regime: str, model: str, **changes: Any) -> Cell:
    """A cell of seed 0."""
    settings = {"seed": 0, **changes}
    return Cell(model=model, task=task.id, regime=parse_regime(regime), **settings)
