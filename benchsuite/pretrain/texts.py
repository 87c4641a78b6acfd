"""The texts that a run has read one after the other, as its metadata tells them. No torch."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchsuite.cells import digest
from benchsuite.errors import InputError
from benchsuite.pretrain.log import read_log, validation_losses


def texts_of(model: Path, shards: str, tokens: int) -> list[dict[str, Any]]:
    """What a finished run has read, for a run that goes on from it.

    Each text has its `shards` (hash), `tokens`, `distinct_tokens`, `phases` and `corpus` (what
    `shards.json` told); once it is read, as here, also the `recipe` it was read by and the
    `validation_losses` of its held-out slice at its end, by row length.

    Args:
        model: the exported model's folder.
        shards: hash of what the run's checkpoint was trained on last.
        tokens: what the checkpoint has read in all.

    Raises InputError where the folder is not of that checkpoint, or does not tell.
    """
    told = model / "benchsuite.json"
    try:
        meta = json.loads(told.read_text())
        texts: list[dict[str, Any]] = meta["texts"]
        last = texts[-1]
        read = sum(phase["tokens"] for text in texts for phase in text["phases"])
        if (last["shards"], read) != (shards, tokens):
            raise ValueError("of another checkpoint")
        log = read_log(model / "training_log.jsonl")
        last |= {"recipe": meta["recipe"], "validation_losses": validation_losses(log[-1])}
    except (OSError, LookupError, ValueError) as error:
        raise InputError(
            f"{told} does not tell what was read; delete {model} and resume the run on its own "
            f"shards, which writes it anew"
        ) from error
    return texts


def holds(model: Path, tokens: int) -> bool:
    """Whether a folder is a model with its card, exported when so many tokens had been read."""
    try:
        told = json.loads((model / "benchsuite.json").read_text())
    except (OSError, ValueError):
        return False
    return told.get("tokens") == tokens and (model / "README.md").is_file()


def recipes_of(meta: dict[str, Any]) -> list[dict[str, Any]]:
    """The recipe by which each text was read, in that order."""
    return [*(text["recipe"] for text in meta.get("texts", [])[:-1]), meta["recipe"]]


def run_hash(meta: dict[str, Any]) -> str:
    """8 hex digits that the checkpoints of one run share: of the first recipe, budget included."""
    return digest(recipes_of(meta)[0])[:8]


def of_all_recipes(meta: dict[str, Any], key: str) -> list[str]:
    """What the recipes say of their corpora under a key, each once."""
    return list(dict.fromkeys(one for recipe in recipes_of(meta) for one in recipe["corpus"][key]))


def tokens_by_source(texts: Sequence[dict[str, Any]]) -> dict[str, int]:
    """About how many tokens of each source were read: a text's rows are drawn evenly from it."""
    found: Counter[str] = Counter()
    for text in texts:
        share = text["tokens"] / text["corpus"]["train_tokens"]
        for name, counts in text["corpus"]["sources"].items():
            found[name] += round(share * counts["train_tokens"])
    return dict(found)
