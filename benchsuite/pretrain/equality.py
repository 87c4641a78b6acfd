"""What pretrained models have in common and what not, from what their checkpoints say. No torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from benchsuite.paths import baselines_root

KIND_NAMES = {"bpe": "byte-level BPE", "wordpiece": "WordPiece", "unigram": "byte-level Unigram"}
NEARLY = 0.05
"""Share by which numbers that are to be matched may lie apart."""

# what the three architectures bring with them, whatever the recipe says
NORMS = {
    "gpt2": "LayerNorm before each sublayer, and a last one",
    "bert": "LayerNorm after each sublayer, and on the embeddings",
    "t5": "RMSNorm before each sublayer, and a last one a stack",
}
POSITIONS = {
    "gpt2": "learned table",
    "bert": "learned table",
    "t5": "relative biases, 32 buckets a head, shared by a stack's layers",
}


def equality_table(models: Mapping[str, dict]) -> list[tuple[str, ...]]:
    """Rows of a table of what is equal and what is not: its name, a value a model, the verdict.

    models: by name, what their checkpoints say of their training (`benchsuite.json`).
    """
    rows = []
    for title, show in _COMPARED.items():
        values = [show(meta) for meta in models.values()]
        rows.append((title, *values, _agreement(values)))
    return rows


def bundled_models() -> dict[str, dict]:
    """What the bundled models' checkpoints say of their training, by name."""
    found = {}
    for path in sorted((baselines_root() / "models").glob("*/benchsuite.json")):
        meta = json.loads(path.read_text())
        if "flops_per_token" in meta:
            found[path.parent.name] = meta
    return found


def row_lengths(recipe: dict) -> str:
    """The phases, as `64 (30%, at shifted positions), then 256 (70%)`."""
    return ", then ".join(
        f"{phase['length']} ({phase['share']:.0%}"
        f"{', at shifted positions' if phase.get('shifted') else ''})"
        for phase in recipe["lengths"]
    )


def _agreement(values: Sequence[str]) -> str:
    """Whether models agree in something: `equal`, of numbers that nearly do by how much, or not."""
    if len(set(values)) == 1:
        return "equal"
    try:
        numbers = [float(value.removesuffix(" M").replace(",", "")) for value in values]
    except ValueError:
        return "differs"
    apart = max(numbers) / min(numbers) - 1
    return f"within {math.ceil(1000 * apart) / 10:g}%" if apart <= NEARLY else "differs"


def _text(meta: dict) -> str:
    corpus = meta["recipe"]["corpus"]
    shares = ", ".join(f"{name} {share:.0%}" for name, share in (corpus["mix"] or {}).items())
    return f"{shares or 'all sources'}; decontaminated: {'yes' if meta['decontaminated'] else 'no'}"


def schedule(meta: dict) -> str:
    # Runs of before these keys had a cosine over all that follows the warm-up.
    schedule = {"shape": "cosine", "decay": None, **meta["recipe"]["schedule"]}
    constant = ", then constant" if schedule["decay"] else ""
    last = f" over the last {schedule['decay']:.0%}" if schedule["decay"] else ""
    return (
        f"linear warm-up over {schedule['warmup']:.0%} of the budget{constant}, "
        f"{schedule['shape']} down to {schedule['floor']:.0%} of the peak{last}"
    )


def _position_kind(meta: dict) -> str:
    architecture = meta["recipe"]["architecture"]
    start = architecture.get("position_table", "random")
    told = f", {start} at first" if start != "random" else ""
    if architecture.get("first_attention", "random") == "neighbours":
        told += ", the first block's heads at neighbours"
    return POSITIONS[architecture["type"]] + told


def _tokenizer(vocab_size: int, kind: str = "bpe") -> str:
    return f"{KIND_NAMES[kind]}, {vocab_size:,}"


def _rates(meta: dict) -> str:
    optimizer = meta["recipe"]["optimizer"]
    return f"{optimizer['name']} {optimizer['lr']:g}, AdamW {optimizer['adamw_lr'] or 0:g}"


_COMPARED = {
    "text": _text,
    "tokenizer": lambda meta: _tokenizer(**meta["recipe"]["tokenizer"]),
    "raw tokens read (T)": lambda meta: f"{meta['tokens']:,}",
    "longest row": lambda meta: f"{meta['recipe']['architecture']['positions']:,}",
    "row lengths": lambda meta: row_lengths(meta["recipe"]),
    "schedule": schedule,
    "positions a step": lambda meta: f"{meta['recipe']['batch_tokens']:,}",
    "optimizer, peak rates": _rates,
    "parameters outside tables": lambda meta: f"{meta['parameters']['non_embedding']:,}",
    "parameters in all": lambda meta: f"{meta['parameters']['total']:,}",
    "objective": lambda meta: meta["objective"],
    "loss positions a raw token": lambda meta: f"{meta['loss_positions_per_token']:.3f}",
    "training FLOPs a raw token": lambda meta: f"{meta['flops_per_token'] / 1e6:.1f} M",
    "normalization": lambda meta: NORMS[meta["recipe"]["architecture"]["type"]],
    "positions": _position_kind,
}
