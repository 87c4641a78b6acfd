"""The model card and the shortened training log beside exported weights."""

import json
import platform
from pathlib import Path

import torch

from benchsuite.files import write_atomically
from benchsuite.pretrain.shards import read_meta

LOG_LINES = 1000
TABLE_ROWS = 12


def write_card(folder: Path, log: Path, shards: Path) -> None:
    """Write `README.md` and `training_log.jsonl` into a model's folder.

    Args:
        folder: the exported model; its `benchsuite.json` says how it was trained.
        log: the run's whole log.
        shards: the shards it was trained on; their `shards.json` counts the text.
    """
    meta = json.loads((folder / "benchsuite.json").read_text())
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    text = "\n\n".join(
        [
            _front_matter(meta),
            _summary(meta, entries),
            _data(meta, read_meta(shards)),
            _curve(entries),
            _limits(meta),
        ]
    )
    write_atomically(folder / "README.md", lambda file: file.write((text + "\n").encode()))
    short = "".join(json.dumps(entry) + "\n" for entry in thin_out(entries))
    write_atomically(folder / "training_log.jsonl", lambda file: file.write(short.encode()))


def thin_out(entries: list[dict], lines: int = LOG_LINES) -> list[dict]:
    """Every k-th entry, and all that hold a validation loss, in order; about `lines` of them."""
    every = -(-len(entries) // lines) or 1
    return [
        entry
        for number, entry in enumerate(entries)
        if number % every == 0 or any(key.startswith("validation_loss") for key in entry)
    ]


def training_flops(meta: dict) -> float:
    """6 N T floating-point operations (Kaplan et al. 2020).

    N counts the weights that are multiplied with, so the output layer (tied to the token table)
    but no table look-ups; T is tokens. Attention's own products are left out.
    """
    architecture = meta["recipe"]["architecture"]
    positions = architecture["positions"] * architecture["hidden_size"]
    return 6 * (meta["parameters"]["total"] - positions) * meta["tokens"]


def _front_matter(meta: dict) -> str:
    return (
        "---\nlanguage: en\nlibrary_name: transformers\npipeline_tag: text-generation\n"
        "license: other\n---\n\n"
        f"# {meta['recipe']['name']}\n\n"
        "A small GPT-2 language model, trained from scratch as a baseline for benchsuite. It is "
        "for measuring and testing, not for writing text that anyone should rely on."
    )


def _summary(meta: dict, entries: list[dict]) -> str:
    recipe, counts = meta["recipe"], meta["parameters"]
    architecture = recipe["architecture"]
    optimizer = recipe["optimizer"]
    seconds = meta["hours"] * 3600
    last = [value for key, value in entries[-1].items() if key.startswith("validation_loss_")]
    lengths = " then ".join(
        f"{phase['length']} ({phase['share']:.0%})" for phase in recipe["lengths"]
    )
    rows = {
        "architecture": f"GPT-2: {architecture['layers']} layers, width "
        f"{architecture['hidden_size']}, {architecture['heads']} heads, "
        f"{architecture['positions']} positions, tied embeddings",
        "parameters": f"{counts['total']:,} ({counts['embedding']:,} in embedding tables, "
        f"{counts['non_embedding']:,} others), stored in float16",
        "objective": "next token, packed sequences",
        "tokens T": f"{meta['tokens']:,} in {meta['steps']:,} steps of {recipe['batch_tokens']:,}",
        "sequence lengths": f"{lengths} of the budget",
        "optimizer": f"{optimizer['name']}, peak rate {optimizer['lr']}"
        + (f" (AdamW {optimizer['adamw_lr']})" if optimizer["adamw_lr"] else "")
        + f", weight decay {optimizer['weight_decay']}, clipping at {recipe['clip']}",
        "schedule": f"linear warm-up over {recipe['schedule']['warmup']:.0%} of the budget, "
        f"cosine down to {recipe['schedule']['floor']:.0%} of the peak",
        "budget": ", ".join(f"{v:g} {k}" for k, v in recipe["budget"].items() if v is not None),
        "FLOPs (6NT)": f"{training_flops(meta):.2e}",
        "hardware": meta["hardware"],
        "time": f"{meta['hours']:.2f} h, {meta['tokens'] / seconds:,.0f} tokens/s",
        "precision": f"{recipe['precision']} autocast"
        if recipe["precision"] == "bfloat16"
        else "float32",
        "validation loss": ", ".join(
            f"{loss:.3f} nats a token at length {phase['length']}"
            for phase, loss in zip(recipe["lengths"], last, strict=False)
        ),
    }
    lines = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"## Training\n\n| | |\n|---|---|\n{lines}"


def _data(meta: dict, corpus: dict) -> str:
    lines = [
        "## Data",
        "",
        "| source | training tokens | held-out tokens | words before removal | paragraphs removed "
        "| words removed |",
        "|---|---|---|---|---|---|",
    ]
    words = 0
    for name, counts in corpus["sources"].items():
        words += counts["words"] - counts["contaminated_words"]
        lines.append(
            f"| {name} | {counts['train_tokens']:,} | {counts['validation_tokens']:,} "
            f"| {counts['words']:,} "
            f"| {_share(counts, 'paragraphs')} | {_share(counts, 'words')} |"
        )
    total = corpus["train_tokens"] + corpus["validation_tokens"]
    seen = min(1.0, meta["tokens"] / corpus["train_tokens"])
    lines += [
        "",
        f"{corpus['train_tokens']:,} training tokens were encoded in random order, of which the "
        f"run read {meta['tokens']:,} ({seen:.0%}; about "
        f"{meta['tokens'] * words / total:,.0f} words).",
        "Documents were cleaned of left-over markup; exact duplicates and stubs were dropped, and "
        "half a percent of the documents (by hash) held out for the validation loss.",
    ]
    if corpus["decontaminated"]:
        lines.append(
            "Decontaminated before training: paragraphs that share a 13-gram of words with any "
            "validation or test example of the evaluation data at hand, or with BLiMP, were "
            "removed (shares above). Training splits of the evaluation data were not looked for."
        )
    else:
        lines.append("Not decontaminated: the text may overlap with evaluation data.")
    for seen_task in meta["seen_in_pretraining"]:
        lines.append(
            f"Seen in pretraining: passages of the training split of `{seen_task}` are in the "
            "corpus, and records of that task carry the flag."
        )
    licences = "; ".join(meta["recipe"]["corpus"]["licences"])
    if licences:
        lines.append(f"Licences of the text: {licences}. The strictest one binds the weights.")
    return "\n".join(lines)


def _share(counts: dict, what: str) -> str:
    removed = counts[f"contaminated_{what}"] / counts[what] if counts[what] else 0.0
    return f"{removed:.3%}"


def _curve(entries: list[dict]) -> str:
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
        lines += ["", "| step | tokens | validation loss |", "|---|---|---|"]
        lines += [
            f"| {entry['step']} | {entry['tokens']:,} | {entry['validation_loss']:.3f} |"
            for entry in validated
        ]
    lines += ["", "`training_log.jsonl` has the curve in full, thinned out where it is long."]
    return "\n".join(lines)


def _limits(meta: dict) -> str:
    return (
        "## Limits\n\n"
        f"{meta['tokens'] / 1e6:.1f} million tokens are little: the text it writes is locally "
        "grammatical at best, it knows next to nothing, and it repeats the views of its sources, "
        "old novels among them. English only. No token is added by itself; `<|endoftext|>` is "
        "both begin and end, and the context for scoring text from its first token."
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
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}"
