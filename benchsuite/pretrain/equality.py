"""What pretrained models have in common and what not, from what their checkpoints say. No torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from benchsuite.paths import baselines_root
from benchsuite.pretrain.texts import recipes_of

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


def row_lengths(meta: dict) -> str:
    """Shares of what was read: `64 (30%, at shifted positions), then 256 (70%)`."""
    return ", then ".join(
        f"{phase['length']} ({phase['tokens'] / meta['tokens']:.0%}"
        f"{', at shifted positions' if phase['shifted'] else ''})"
        for text in meta["texts"]
        for phase in text["phases"]
    )


def budget_of(recipe: dict) -> str:
    """`100,000,000 tokens` or `90 minutes`."""
    return ", ".join(f"{v:,.15g} {k}" for k, v in recipe["budget"].items() if v is not None)


def _agreement(values: Sequence[str]) -> str:
    """Whether models agree in something: `equal`, of numbers that nearly do by how much, or not."""
    if len(set(values)) == 1:
        return "equal"
    try:
        numbers = [float(value.removesuffix(" M").replace(",", "")) for value in values]
    except ValueError:
        return "differs"
    apart = max(numbers) / min(numbers) - 1 if min(numbers) > 0 else math.inf
    return f"within {math.ceil(1000 * apart) / 10:g}%" if apart <= NEARLY else "differs"


def _text(meta: dict) -> str:
    sources = meta["sources"]  # as read, whatever the recipe asks for
    shares = ", ".join(f"{name} {n / sum(sources.values()):.0%}" for name, n in sources.items())
    return f"{shares}; decontaminated: {'yes' if meta['decontaminated'] else 'no'}"


def schedule(meta: dict) -> str:
    """How the rate rises and falls; of several texts, from where on by which budget."""
    schedule = meta["recipe"]["schedule"]
    constant = ", then constant" if schedule["decay"] else ""
    last = f" over the last {schedule['decay']:.0%}" if schedule["decay"] else ""
    told = (
        f"linear warm-up over {schedule['warmup']:.0%} of the budget{constant}, "
        f"{schedule['shape']} down to {schedule['floor']:.0%} of the peak{last}"
    )
    for before, recipe in pairwise(recipes_of(meta)):
        told += f"; after {budget_of(before)} as if the budget had always been {budget_of(recipe)}"
    return told


def _position_kind(meta: dict) -> str:
    architecture = meta["recipe"]["architecture"]
    start = architecture.get("position_table", "random")
    told = f", {start} at first" if start != "random" else ""
    if architecture.get("first_attention", "random") == "neighbours":
        told += ", the first block's heads at neighbours"
    return POSITIONS[architecture["type"]] + told


def _hashes(meta: dict) -> str:
    return ", then ".join(text["shards"][:12] for text in meta["texts"])


def _tokenizer(vocab_size: int, kind: str = "bpe") -> str:
    return f"{KIND_NAMES[kind]}, {vocab_size:,}"


def rates(meta: dict) -> str:
    """`muon 0.02, AdamW 0.003`: peak rates."""
    optimizer = meta["recipe"]["optimizer"]
    rest = f", AdamW {optimizer['adamw_lr']:g}" if optimizer["adamw_lr"] else ""
    # `optim.SCORE_BIAS_FACTOR`
    biases = ", relative biases tenfold" if meta["recipe"]["architecture"]["type"] == "t5" else ""
    return f"{optimizer['name']} {optimizer['lr']:g}{rest}{biases}"


_COMPARED = {
    "text": _text,
    "hash of tokens and tokenizer": _hashes,
    "tokenizer": lambda meta: _tokenizer(**meta["tokenizer"]),
    "raw tokens read (T)": lambda meta: f"{meta['tokens']:,}",
    "longest row": lambda meta: f"{meta['recipe']['architecture']['positions']:,}",
    "row lengths": row_lengths,
    "schedule": schedule,
    "positions a step": lambda meta: f"{meta['recipe']['batch_tokens']:,}",
    "optimizer, peak rates": rates,
    "parameters outside tables": lambda meta: f"{meta['parameters']['non_embedding']:,}",
    "parameters in all": lambda meta: f"{meta['parameters']['total']:,}",
    "objective": lambda meta: meta["objective"],
    "loss positions a raw token": lambda meta: f"{meta['loss_positions_per_token']:.3f}",
    "training FLOPs a raw token": lambda meta: f"{meta['flops_per_token'] / 1e6:.1f} M",
    "normalization": lambda meta: NORMS[meta["recipe"]["architecture"]["type"]],
    "positions": _position_kind,
}
