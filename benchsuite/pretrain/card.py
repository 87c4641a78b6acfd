"""The model card and the shortened training log beside exported weights."""

import json
import platform
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import torch

from benchsuite.files import write_atomically
from benchsuite.pretrain.equality import (
    NORMS,
    POSITIONS,
    budget_of,
    bundled_models,
    equality_table,
    rates,
    row_lengths,
    schedule,
)
from benchsuite.pretrain.log import read_log, validation_losses, write_log
from benchsuite.pretrain.texts import of_all_recipes, recipes_of

LOG_LINES = 500
TABLE_ROWS = 12


_NAMES = {"gpt2": "GPT-2", "bert": "BERT", "t5": "T5"}
_TAGS = {
    "encoder": "fill-mask",
    "decoder": "text-generation",
    "encoder-decoder": "text2text-generation",
}
_USE = {
    "decoder": "No token is added by itself; `<|endoftext|>` is both begin and end, and the "
    "context for scoring text from its first token.",
    "encoder": "The tokenizer adds `[CLS]` and `[SEP]`, and gives a second text the other segment "
    "id. The second segment always went on where the first ends: it says nothing of whether two "
    "texts belong together.",
    "encoder-decoder": "The tokenizer ends a text with `<|endoftext|>`; the decoder starts with "
    "`[PAD]`, and asks for the spans that `<extra_id_0>`, `<extra_id_1>`, ... stand for. Nothing "
    "else was asked of it: untuned, it answers no questions.",
}


def write_card(folder: Path, log: Path, evidence: Sequence[str] = ()) -> None:
    """Write `README.md` and `training_log.jsonl` into a model's folder.

    Args:
        folder: the exported model; its `benchsuite.json` says how it was trained.
        log: the run's whole log.
        evidence: more sections, of what was measured with the model.
    """
    meta = json.loads((folder / "benchsuite.json").read_text())
    entries = read_log(log)
    text = "\n\n".join(
        [
            _front_matter(meta),
            *_comparison(meta),
            _summary(meta, entries),
            _data(meta),
            _curve(entries, meta),
            *evidence,
            _limits(meta),
        ]
    )
    write_atomically(folder / "README.md", lambda file: file.write((text + "\n").encode()))
    write_log(folder / "training_log.jsonl", thin_out(entries))


def thin_out(entries: list[dict], lines: int = LOG_LINES) -> list[dict]:
    """Every k-th entry, and all that hold a validation loss, in order; about `lines` of them.

    Figures have six digits, more than runs agree in: a log is part of what is published.
    """
    every = -(-len(entries) // lines) or 1
    return [
        {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in entry.items()}
        for number, entry in enumerate(entries)
        if number % every == 0 or any(key.startswith("validation_loss") for key in entry)
    ]


def _front_matter(meta: dict) -> str:
    return (
        f"---\nlibrary_name: transformers\npipeline_tag: {_TAGS[meta['family']]}\n"
        "license: other\n---\n\n"
        f"# {meta['recipe']['name']}\n\n"
        f"A small {_NAMES[meta['recipe']['architecture']['type']]} language model, trained from "
        "scratch as a baseline for benchsuite. It is for measuring and testing, not for writing "
        "text that anyone should rely on."
    )


def _summary(meta: dict, entries: list[dict]) -> str:
    recipe, counts = meta["recipe"], meta["parameters"]
    architecture = recipe["architecture"]
    optimizer = recipe["optimizer"]
    seconds = meta["hours"] * 3600
    rows = {
        "architecture": _architecture(architecture),
        "parameters": f"{counts['total']:,} ({counts['embedding']:,} in embedding tables, "
        f"{counts['non_embedding']:,} others), stored in float16",
        "objective": meta["objective_description"],
        "loss positions": f"{meta['loss_positions_per_token']:.3f} a raw token",
        "tokens T": f"{meta['tokens']:,} raw tokens of text in {meta['steps']:,} steps of "
        f"{recipe['batch_tokens']:,} positions",
        "sequence lengths": f"{row_lengths(meta)} of the tokens",
        "optimizer": f"peak rates {rates(meta)}; weight decay {optimizer['weight_decay']}, "
        f"clipping at {recipe['clip']}",
        "schedule": schedule(meta),
        "budget": ", then ".join(map(budget_of, recipes_of(meta))),
        "FLOPs": f"{meta['flops_per_token'] * meta['tokens']:.2e}: "
        f"{meta['flops_per_token'] / 1e6:.1f} million a raw token, 6 N a position it passes "
        "through, N the weights applied there (tied output layer included where a loss is "
        "computed; no table look-ups, no attention products)",
        "hardware": meta["hardware"],
        "time": f"{meta['hours']:.2f} h, {meta['tokens'] / seconds:,.0f} tokens/s",
        "precision": f"{recipe['precision']} autocast"
        if recipe["precision"] == "bfloat16"
        else "float32",
        **_validation(meta, entries),
    }
    lines = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"## Training\n\n| | |\n|---|---|\n{lines}"


def _validation(meta: dict, entries: list[dict]) -> dict[str, str]:
    """Rows of the losses on the held-out slice of each text, when the last of it had been read."""
    texts = meta["texts"]
    ends = [*(text["validation_losses"] for text in texts[:-1]), validation_losses(entries[-1])]
    return {
        "validation loss" + (f", text {number}" if len(texts) > 1 else ""): ", ".join(
            f"{loss:.3f} nats a target at length {length}" for length, loss in losses.items()
        )
        for number, losses in enumerate(ends, start=1)
    }


def _architecture(architecture: dict) -> str:
    kind = architecture["type"]
    depth = f"{architecture['layers']} layers"
    if kind == "t5":
        depth = f"{architecture['layers']} + {architecture['layers']} layers"
    width = architecture.get("feed_forward") or 4 * architecture["hidden_size"]
    return (
        f"{_NAMES[kind]}: {depth}, width {architecture['hidden_size']}, inner width {width}, "
        f"{architecture['heads']} heads, rows of at most {architecture['positions']}, tied "
        f"embeddings; {NORMS[kind]}; positions: {POSITIONS[kind]}"
    )


def _comparison(meta: dict) -> list[str]:
    """What is equal and what is not between this model and the bundled ones, as one section."""
    models = bundled_models() | {meta["recipe"]["name"]: meta}
    if len(models) == 1:
        return []
    models = dict(sorted(models.items()))
    lines = [f"| | {' | '.join(models)} | |", "|---" * (len(models) + 2) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in equality_table(models)]
    return ["\n".join(["## What is equal and what is not", "", *lines])]


def _data(meta: dict) -> str:
    texts = meta["texts"]
    lines = ["## Data", ""]
    for number, text in enumerate(texts):
        if len(texts) > 1:
            then = "Then, with rates fitted to the larger budget: " if number else ""
            lines += [f"{then}{text['tokens']:,} tokens of text {number + 1}.", ""]
        lines += [*_text_read(text), ""]
    lines.append(
        "Documents were cleaned of left-over markup; exact duplicates and stubs were dropped, and "
        "half a percent of the documents (by hash) held out for the validation loss. Passages that "
        "two documents share may be on both sides."
    )
    absent = sorted(
        {
            name
            for text in texts
            for name, counts in text["corpus"]["sources"].items()
            if counts["train_tokens"] and not counts["validation_tokens"]
        }
    )
    if absent:  # few long documents
        lines.append(
            f"No document of {', '.join(absent)} is held out: no validation loss is of them."
        )
    if len(texts) > 1:
        words = sum(_words_read(text) for text in texts)
        lines.append(
            f"In all about {words:,.0f} words. What the texts have in common counts in each, as "
            "read at least once and as removed."
        )
    if meta["decontaminated"]:
        lines.append(
            "Decontaminated before training: paragraphs that share a 13-gram of words with any "
            "validation or test example of the evaluation data at hand, or with BLiMP, were "
            "removed (shares above). Texts of fewer than 13 words, most sentences of BLiMP among "
            "them, cannot be found so, and training splits of the evaluation data were not looked "
            "for."
        )
        sources = [counts for text in texts for counts in text["corpus"]["sources"].values()]
        lines += _removed_by_dataset(sources)
    else:
        lines.append("Not decontaminated: the text may overlap with evaluation data.")
    for seen_task in meta["seen_in_pretraining"]:
        lines.append(
            f"Seen in pretraining: passages of the training split of `{seen_task}` are in the "
            "corpus, and records of that task carry the flag."
        )
    licences = "; ".join(of_all_recipes(meta, "licences"))
    if licences:
        lines.append(f"Licences of the text: {licences}. The strictest one binds the weights.")
    return "\n".join(lines)


def _text_read(text: dict) -> list[str]:
    """Sources of a text, and how much of it was read."""
    corpus = text["corpus"]
    lines = [
        "| source | training tokens | held-out tokens | words before removal | paragraphs removed "
        "| words removed |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {counts['train_tokens']:,} | {counts['validation_tokens']:,} "
        f"| {counts['words']:,} "
        f"| {_share(counts, 'paragraphs')} | {_share(counts, 'words')} |"
        for name, counts in corpus["sources"].items()
    ]
    distinct = text["distinct_tokens"]
    return [
        *lines,
        "",
        f"{corpus['train_tokens']:,} training tokens were encoded in random order, of which the "
        f"run read {distinct:,} ({distinct / corpus['train_tokens']:.0%}) at least once, and "
        f"{text['tokens']:,} in all (about {_words_read(text):,.0f} words): each row length goes "
        "through the text in an order of its own.",
    ]


def _words_read(text: dict) -> float:
    """About how many words a text's tokens were."""
    corpus = text["corpus"]
    words = sum(c["words"] - c["contaminated_words"] for c in corpus["sources"].values())
    return text["tokens"] * words / (corpus["train_tokens"] + corpus["validation_tokens"])


def _removed_by_dataset(sources: Collection[dict]) -> list[str]:
    """What was removed for each evaluation set, most first."""
    words = sum(counts["words"] for counts in sources)
    removed: Counter[str] = Counter()
    for counts in sources:
        removed.update(counts.get("contaminated_by", {}))
    if not removed:
        return []
    lines = ["", "| removed for | words | share of all words |", "|---|---|---|"]
    lines += [
        f"| {name} | {count:,} | {count / words:.4%} |" for name, count in removed.most_common()
    ]
    return [*lines, ""]


def _share(counts: dict, what: str) -> str:
    removed = counts[f"contaminated_{what}"] / counts[what] if counts[what] else 0.0
    return f"{removed:.3%}"


def _curve(entries: list[dict], meta: dict) -> str:
    """Losses at steps evenly spaced on a logarithmic axis; training loss averaged around them."""
    steps = [entry for entry in entries if "loss" in entry]
    positions = sorted({round(len(steps) ** (i / (TABLE_ROWS - 1))) - 1 for i in range(TABLE_ROWS)})
    validated = [entry for entry in entries if "validation_loss" in entry]
    lines = ["## Loss", "", "| step | tokens | training loss |", "|---|---|---|"]
    for position in positions:
        around = steps[max(0, position - position // 20) : position + 1]
        mean = sum(entry["loss"] for entry in around) / len(around)
        lines.append(f"| {steps[position]['step']} | {steps[position]['tokens']:,} | {mean:.3f} |")
    if validated:
        # a run validates at its first row length while it goes on
        length = meta["recipe"]["lengths"][0]["length"]
        lines += ["", f"| step | tokens | validation loss at {length} |", "|---|---|---|"]
        lines += [
            f"| {entry['step']} | {entry['tokens']:,} | {entry['validation_loss']:.3f} |"
            for entry in validated
        ]
    read = 0
    for number, text in enumerate(meta["texts"][:-1], start=2):
        read += text["tokens"]
        lines += ["", f"After {read:,} tokens all losses are of text {number}, validation's too."]
    lines += ["", "`training_log.jsonl` has the curve in full, thinned out where it is long."]
    return "\n".join(lines)


def _limits(meta: dict) -> str:
    return (
        "## Limits\n\n"
        f"{meta['tokens'] / 1e6:.1f} million tokens are little: what it writes or fills in is "
        "locally grammatical at best, it knows next to nothing, it has the languages of its "
        f"sources and repeats their views. {_USE[meta['family']]}"
    )


def describe_hardware() -> str:
    """Processor, cores in use, accelerator and library version of this machine."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    if torch.cuda.is_available():
        name = f"{torch.cuda.get_device_name()}, {name}"
    threads = torch.get_num_threads()
    return f"{name}, {threads} thread{'s'[: threads != 1]}, torch {torch.__version__}"
