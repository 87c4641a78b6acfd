"""The sentinels of span corruption (Raffel et al. 2020), and who is addressed in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchsuite.scoring.plan import Row

if TYPE_CHECKING:
    from benchsuite.models.registry import Model

# T5's own name, and what mT5's SentencePiece vocabulary calls the same thing.
NAMES = ("<extra_id_{}>", "▁<extra_id_{}>")


def find_sentinels(tokenizer: Any) -> Row:
    """Ids of all sentinels in their order; () where the vocabulary has fewer than two."""
    vocabulary = tokenizer.get_vocab()
    for name in NAMES:
        found: list[int] = []
        while (token := name.format(len(found))) in vocabulary:
            found.append(vocabulary[token])
        if len(found) > 1:
            return tuple(found)
    return ()


def speaks_in_spans(model: Model) -> bool:
    """Whether a checkpoint continues a text by filling a span in, rather than as a plain target.

    What its `benchsuite.json` says counts first. Else it does if its tokenizer has sentinels and
    its configuration lists no `task_specific_params`: T5 and FLAN-T5, trained on texts to texts
    too, list them, while T5 1.1, mT5 and untrained models, which know spans alone or nothing, do
    not.
    """
    if not find_sentinels(model.tokenizer):
        return False
    if "objective" in model.ref.metadata:
        return bool(model.ref.metadata["objective"] == "span_corruption")
    return not getattr(model.network.config, "task_specific_params", None)
