"""mini/entailment: every premise and every hypothesis occurs under both labels."""

from __future__ import annotations

import random
from collections.abc import Hashable
from functools import partial

from tools.mini import entailment_eval, entailment_train
from tools.mini.english import Lexicon, draw, render
from tools.mini.entailment_train import Crossed
from tools.mini.lexicon import EVAL, TRAIN
from tools.mini.sampling import Row, fresh, numbered, rng_for

TEMPLATES = {
    "train": entailment_train.TEMPLATES,
    "validation_matched": entailment_eval.MATCHED,
    "validation_mismatched": entailment_eval.MISMATCHED,
}
EXAMPLES = {"train": 48, "validation_matched": 40, "validation_mismatched": 40}  # a template
FIRST_TEMPLATE = {"validation_mismatched": len(entailment_eval.MATCHED)}


def entailment(split: str) -> list[Row]:
    """Premise, hypothesis, and label: 0 entailment, 1 not_entailment."""
    lexicon = TRAIN if split == "train" else EVAL
    seen: set[Hashable] = set()
    groups: list[list[Row]] = [[] for _ in range(FIRST_TEMPLATE.get(split, 0))]
    for index, template in enumerate(TEMPLATES[split]):
        rng = rng_for("entailment", split, index)
        rows: list[Row] = []
        make = partial(_crossed, template, lexicon, rng)
        while len(rows) < EXAMPLES[split]:
            rows += fresh(make, lambda row: [(row["text"], row["text_pair"])], seen)
        groups.append(rows)
    return numbered(split, groups, rng_for("entailment", split))


def _crossed(template: Crossed, lexicon: Lexicon, rng: random.Random) -> list[Row]:
    """Both premises with both hypotheses."""
    draws = draw(template, lexicon, rng)
    first, second, *hypotheses = (render(pattern, draws) for pattern in template)
    return [
        {"text": premise, "text_pair": hypothesis, "label": int(i != j)}
        for i, premise in enumerate((first, second))
        for j, hypothesis in enumerate(hypotheses)
    ]
