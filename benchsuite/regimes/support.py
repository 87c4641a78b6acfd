"""Which regime brings which family to which sort of task, how its answers are scored, or why not.

The table is the only ground on which a cell may end as `not_applicable`: the runner turns any
other such ending into a failure. `docs/support.md` is made from it:
`python -m benchsuite.regimes.support > docs/support.md`.
"""

from __future__ import annotations

import sys

from benchsuite.errors import NotApplicable
from benchsuite.tasks.kinds import METHODS, SCORES
from benchsuite.tasks.spec import TaskSpec

FAMILIES = ("decoder", "encoder", "encoder-decoder")

Paths = tuple[str, ...]
"""Ways of scoring: the one that counts, then those that `--score all` sets beside it."""

Row = tuple[Paths | str, Paths | str, Paths | str]
"""An entry a family, in the order of FAMILIES: its paths, or the reason why not."""

# The whole of a sentence is scored, so an encoder's and an encoder-decoder's way is a
# pseudo-log-likelihood: Kauf and Ivanova 2023 beside Salazar et al. 2020; a word a span.
_SENTENCE: Row = (("sum",), ("pll_within_word", "pll"), ("span", "whole_span"))
# One of a few short answers at the end: an encoder fills it in.
_ANSWER: Row = (("sum",), ("cloze",), ("sum",))
# An option has several words, often: masked together in one pass, else a word's end gives its
# beginning away (Kauf and Ivanova 2023).
_OPTION: Row = (("sum",), ("cloze", "pll", "pll_within_word"), ("sum",))
_NO_GENERATION = "an encoder generates no text"
_TEXT: Row = (("generate",), _NO_GENERATION, ("generate",))
_COSINE: Row = (("cosine",), ("cosine",), ("cosine",))


def _none(reason: str) -> Row:
    return reason, reason, reason


_NO_PLACE = "a sentence's own probability has no place for demonstrations"
_NO_SIMILARITY = "the labels do not say how much of the same two texts say (`similarity`)"
_ONE_TEXT = "one text has no other to be near to"

TABLE: dict[str, dict[str, Row]] = {
    "zeroshot": {
        "classification: cloze": _ANSWER,
        "classification: threshold": _SENTENCE,
        "regression: rating": _ANSWER,
        "choice: choice": _OPTION,
        "minimal_pair: pair": _SENTENCE,
        "tagging: entity": _ANSWER,
        "span: generate": _TEXT,
    },
    "fewshot": {
        "classification: cloze": _ANSWER,
        "classification: threshold": _none(_NO_PLACE),
        "regression: rating": _ANSWER,
        "choice: choice": _OPTION,
        "minimal_pair: pair": _none(_NO_PLACE),
        "tagging: entity": _ANSWER,
        "span: generate": _TEXT,
    },
    "embed": {
        "classification: similar texts": _COSINE,
        "classification: other pairs": _none(_NO_SIMILARITY),
        "classification: one text": _none(_ONE_TEXT),
        "regression: similar texts": _COSINE,
        "regression: other pairs": _none(_NO_SIMILARITY),
        "regression: one text": _none(_ONE_TEXT),
        "choice": _COSINE,
        "minimal_pair": _none("nearness does not say which of two sentences is grammatical"),
        "tagging": _none("there is nothing that a token could be near to without training"),
        "span": _none("the answer is not among given texts"),
    },
}

_MAKERS = ("ours", "peft", "scikit-learn")
_OURS = ("ours", "ours", "ours")
_PEFT = ("peft", "peft", "peft")
_UNTAUGHT = "which of two sentences is grammatical is asked, not taught"
_NOTHING = (_UNTAUGHT, _UNTAUGHT, _UNTAUGHT)


def _same(entries: tuple[str, str, str]) -> dict[str, tuple[str, str, str]]:
    """One row for every kind of task that a head can be trained on."""
    kinds = ("classification", "regression", "choice", "tagging", "span")
    return {**dict.fromkeys(kinds, entries), "minimal_pair": _NOTHING}


# Of the regimes that train: whose code does it (peft's, where it supports the combination; else
# ours, on torch; a probe's classifier is scikit-learn's), or the reason why not. In the order of
# FAMILIES.
TRAINED: dict[str, dict[str, tuple[str, str, str]]] = {
    "probe": _same(("scikit-learn", "scikit-learn", "scikit-learn")),
    "frozen": _same(_OURS),
    "bitfit": _same(_OURS),
    "adapter": _same(_OURS),
    "lora": _same(_PEFT),
    "ia3": _same(_PEFT),
    # peft's fails for an encoder-decoder, whose encoder takes no past keys.
    "prefix": _same(("peft", "peft", "ours")),
    "prompt": _same(_PEFT),
    "full": _same(_OURS),
}

_POOLING = {"pooling": "`pooling` on tagging and spans: the head reads a state a word or token"}
_SHARED = {
    "tags as text": "`head=text` on tagging: tags have no agreed form as text",
    **_POOLING,
    "orders": "`orders` on tasks other than pairs with `similarity: true`: one text comes first",
}

# Further grounds, each by the name that `NotApplicable.condition` carries.
CONDITIONS: dict[str, dict[str, str]] = {
    "zeroshot": {
        "no training split": "a threshold is taken from the selection slice of the training split, "
        "and the task has none, or one too small for a slice",
        "no threshold": "`threshold=tuned` where no prompt has a threshold",
        "no labels": "`threshold=tuned` where the selection slice has no labels",
        "no sentinels": "`span` where an encoder-decoder's vocabulary has no sentinels (BART)",
    },
    "fewshot": {
        "no training split": "demonstrations are drawn from it",
        "too few examples": "fewer training examples than demonstrations outside the selection "
        "slice, or of a label fewer than `balanced=true` needs",
        "prompt": "one of several prompts has no place for demonstrations; `--prompt` chooses",
        "window": "the demonstrations and the longest example exceed the window; nothing is cut",
    },
    "embed": {
        "no training split": "a threshold is taken from the selection slice of the training split, "
        "and the task has none, or one too small for a slice",
        "no threshold": "`threshold=tuned` where the task needs no threshold",
        "no labels": "`threshold=tuned` where the selection slice has no labels",
    },
    "probe": _POOLING,
    "frozen": {
        **_SHARED,
        "no blocks": "an architecture without a list of blocks that can be run apart (LongT5, "
        "whose blocks share position biases in a way of their own)",
    },
    "bitfit": {
        **_SHARED,
        "no bias terms": "the backbone has none (T5, Llama), and the head alone would be trained",
    },
    "adapter": {
        **_SHARED,
        "unknown blocks": "an architecture whose projections have unknown names; known are those "
        "of BERT, RoBERTa, ELECTRA, DistilBERT, GPT-2, GPT Neo, GPT-NeoX, BLOOM, OPT, Llama, "
        "Qwen2, Mistral, T5 and BART",
        "no blocks": "an architecture without a list of blocks",
    },
    "lora": {
        **_SHARED,
        "no targets": "`targets=attention` where peft names no modules of the architecture",
    },
    "ia3": {
        **_SHARED,
        "no targets": "peft names no modules of the architecture",
    },
    "prefix": {
        **_SHARED,
        "no past keys": "an encoder or a decoder that takes no past keys and values (DistilBERT, "
        "DeBERTa, ModernBERT, ALBERT)",
        "no blocks": "an encoder-decoder without a list of blocks",
        "unknown attention": "an encoder-decoder whose attention transformers cannot replace (LED)",
    },
    "prompt": _SHARED,
    "full": _SHARED,
}


def uses(regime: str, task: TaskSpec) -> list[str]:
    """The rows of the regime's table that a task falls under: one a method of its prompts.

    Empty where the task has no prompts and the regime needs them.
    """
    if regime != "embed":
        return list(dict.fromkeys(f"{task.kind}: {prompt.method}" for prompt in task.prompts))
    if task.kind not in ("classification", "regression"):
        return [task.kind]
    pair = "similar texts" if task.similarity else "other pairs"
    return [f"{task.kind}: {pair if task.is_pair else 'one text'}"]


def paths(regime: str, use: str, family: str) -> Paths:
    """Ways of scoring of a row of the table, the one that counts first.

    Raises NotApplicable with the table's reason.
    """
    entry = TABLE[regime][use][FAMILIES.index(family)]
    if isinstance(entry, str):
        raise NotApplicable(entry)
    return entry


def reason_not_applicable(regime: str, task: TaskSpec, family: str) -> str | None:
    """Why the regime cannot bring the family to any part of the task; None where it can."""
    if regime in TRAINED:
        entry = TRAINED[regime][task.kind][FAMILIES.index(family)]
        return None if entry in _MAKERS else entry
    rows = uses(regime, task)
    if not rows:
        return f"task {task.id} has no prompts"
    entries = [TABLE[regime][row][FAMILIES.index(family)] for row in rows]
    reasons = [entry for entry in entries if isinstance(entry, str)]
    return reasons[0] if len(reasons) == len(entries) else None


def allows(regime: str, task: TaskSpec, family: str, error: NotApplicable) -> bool:
    """Whether the table has this ground for not being applicable.

    True for regimes and kinds of task that the table does not speak of: those of plugins and of
    lm-eval.
    """
    if regime not in (*TABLE, *TRAINED) or task.kind not in METHODS:
        return True
    if error.condition:
        return error.condition in CONDITIONS[regime]
    return reason_not_applicable(regime, task, family) is not None


def markdown() -> str:
    """The table as the page `docs/support.md`."""
    from benchsuite.tasks.registry import Registry

    lines = [
        "# What is scored how",
        "",
        "Made by `python -m benchsuite.regimes.support > docs/support.md`; the tables are those of",
        "`benchsuite/regimes/support.py`. A cell ends as `not_applicable` on these grounds only;",
        "on any other it has failed. Tasks of lm-eval have rules of their own",
        "([lm-eval.md](lm-eval.md)).",
        "",
        "Each entry names a way of scoring ([scoring.md](scoring.md)); what stands in brackets is",
        "set beside it by `--score all`.",
    ]
    for regime, rows in TABLE.items():
        use = "kind: texts" if regime == "embed" else "kind: method"
        lines += ["", f"## {regime}", "", f"| {use} | {' | '.join(FAMILIES)} |"]
        lines += ["|---|---|---|---|"]
        lines += [f"| {use} | {' | '.join(map(_cell, row))} |" for use, row in rows.items()]
        lines += ["", "Not applicable, too, where:", ""]
        if regime != "embed":
            lines += ["- the task has no prompts"]
        lines += [f"- {text} (`{name}`)" for name, text in CONDITIONS[regime].items()]
    lines += [
        "",
        "## Regimes that train",
        "",
        "Whose code trains it: `peft` where that library supports the combination, `ours` on torch",
        "elsewhere; `scikit-learn` fits a probe's classifier. A task without training examples is",
        "`unavailable` under all of them.",
    ]
    for regime, entries in TRAINED.items():
        lines += [
            "",
            f"### {regime}",
            "",
            f"| kind | {' | '.join(FAMILIES)} |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {kind} | {' | '.join(e if e in _MAKERS else f'no: {e}' for e in row)} |"
            for kind, row in entries.items()
        ]
        if CONDITIONS[regime]:
            lines += ["", "Not applicable, too, where:", ""]
            lines += [f"- {text} (`{name}`)" for name, text in CONDITIONS[regime].items()]
    lines += [
        "",
        "## Scores a method of prompting can have",
        "",
        "`likelihood` is the sum of log-probabilities, or its mean a token or a byte (`norm`);",
        "[adding-a-task.md](adding-a-task.md#scores) says what the others are. `--score all`",
        "reports each of them, `pmi` where the prompt names a `premise`.",
        "",
        "| method | scores |",
        "|---|---|",
        *(f"| {method} | {', '.join(names) or '-'} |" for method, names in SCORES.items()),
        "",
        "## The score of each bundled prompt",
        "",
        "Taken from the literature, not chosen by comparing results.",
        "",
        "| task | prompt | score | norm | why |",
        "|---|---|---|---|---|",
    ]
    registry = Registry()
    for task in map(registry.get, registry.ids()):
        for prompt in task.prompts:
            score = prompt.score if SCORES[prompt.method] else "generate"
            norm = "token" if prompt.method == "threshold" else prompt.norm
            lines.append(f"| {task.id} | {prompt.name} | {score} | {norm} | {prompt.why} |")
    return "\n".join(lines) + "\n"


def _cell(entry: Paths | str) -> str:
    if isinstance(entry, str):
        return f"no: {entry}"
    own, *beside = (f"`{path}`" for path in entry)
    return f"{own} ({', '.join(beside)})" if beside else own


if __name__ == "__main__":
    sys.stdout.write(markdown())
