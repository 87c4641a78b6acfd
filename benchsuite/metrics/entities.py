"""Entity counts of tag sequences, as the CoNLL shared tasks count them.

Tjong Kim Sang and De Meulder 2003: an entity is right only if type, start and end all agree. Ill
formed sequences (`I-PER` after `O`) are read the way `conlleval` reads them, which is seqeval's
default mode; the reading is seqeval's.
"""

from __future__ import annotations

from collections.abc import Sequence


def entity_counts(gold: Sequence[str], predicted: Sequence[str]) -> tuple[int, int, int]:
    """(true positives, false positives, false negatives) of one sentence's IOB2 tags.

    Raises ValueError when the two differ in length.
    """
    from seqeval.metrics.sequence_labeling import get_entities

    if len(gold) != len(predicted):
        raise ValueError(f"{len(predicted)} predicted tags for {len(gold)} tokens")
    right, said = set(get_entities(list(gold))), set(get_entities(list(predicted)))
    found = len(right & said)
    return found, len(said) - found, len(right) - found
