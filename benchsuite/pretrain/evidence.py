"""Sections of a model card that come from records, other runs and lm-eval's own output."""

import json
from collections.abc import Sequence
from pathlib import Path

from benchsuite.errors import InputError
from benchsuite.pretrain.checkpoint import read_checkpoint
from benchsuite.pretrain.log import read_log, validation_losses
from benchsuite.records import Record, folder_name, read_outcomes, read_store
from benchsuite.report import records_of
from benchsuite.report.scaling.page import equal_tables, section


def blimp_section(name: str, weights: str, untrained: str, store: Path) -> str:
    """BLiMP by field, of a model and of its untrained self.

    Args:
        weights: hash of the model's weights; a record of other weights is not its own.
        untrained: that of its untrained self, whose record must be of the same prompt.

    Raises InputError where the store has no such zero-shot records.
    """
    own = _record(store, name, weights)
    fresh = _record(store, f"{name}:untrained", untrained, own.cell["key_parts"]["prompts"])
    fields = [r.subset for r in own.results if r.primary and r.subset.startswith("group:")]
    pairs, others = (one.headline.n if one.headline else 0 for one in (own, fresh))
    less = "" if others == pairs else f", {others:,} pairs"
    lines = [
        "## BLiMP",
        "",
        f"Zero-shot by `{own.headline.score if own.headline else ''}` over {pairs:,} pairs, "
        "percent with 95% bootstrap intervals; the untrained model has the same architecture and "
        "tokenizer.",
        "",
        f"| field | accuracy | untrained{less} |",
        "|---|---:|---:|",
    ]
    for field in ["", *sorted(fields)]:
        title = field.removeprefix("group:").replace("_", " and ") or "mean over 67 paradigms"
        lines.append(f"| {title} | {_shown(own, field)} | {_shown(fresh, field)} |")
    return "\n".join(lines)


def trials_section(trials: Sequence[Path]) -> str:
    """What was tried before the run, a row a folder of `bench pretrain`."""
    lines = [
        "## Trials",
        "",
        "Short runs with other settings; validation losses in nats a target.",
        "",
        "| optimizer | peak rate | AdamW's | schedule | positions a step | position table "
        "| tokens | minutes | validation loss |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for folder in trials:
        if not (folder / "checkpoint.pt").is_file():
            raise InputError(f"{folder} holds no run; give folders of `bench pretrain`")
        recipe = read_checkpoint(folder / "checkpoint.pt")["recipe"]
        entries = read_log(folder / "log.jsonl")
        steps = [entry for entry in entries if "loss" in entry]
        losses = validation_losses(entries[-1]) if entries else {}
        if not losses:
            raise InputError(f"{folder}: the run is not finished; resume it with `bench pretrain`")
        optimizer, schedule = recipe["optimizer"], recipe["schedule"]
        decay = f" over the last {schedule['decay']:.0%}" if schedule.get("decay") else ""
        lines.append(
            f"| {optimizer['name']} | {optimizer['lr']:g} | {optimizer['adamw_lr'] or '-'} "
            f"| {schedule.get('shape', 'cosine')}{decay} | {recipe['batch_tokens']:,} "
            f"| {recipe['architecture'].get('position_table', 'random')} "
            f"| {steps[-1]['tokens']:,} | {steps[-1]['seconds'] / 60:.1f} "
            f"| {', '.join(f'{value:.3f} at {length}' for length, value in losses.items())} |"
        )
    return "\n".join(lines)


def harness_section(name: str, weights: str, store: Path, samples: Path) -> str:
    """Our accuracy on BLiMP's paradigms beside lm-eval's own, on the pairs that both scored.

    lm-eval counts a tie as right where the grammatical sentence comes first, which it always does,
    and this project as a half: pairs that tie in either are left out of both.

    Args:
        samples: folder of lm-eval's `--log_samples`, made by its own engine (`--model hf`).

    Raises InputError where the record and a file of samples have no pair in common.
    """
    record = _record(store, name, weights)
    outcomes = read_outcomes(store / folder_name(record.cell), record)
    lines = [
        "## Against lm-eval",
        "",
        "Accuracy of lm-eval's own engine (`hf`, float32) and of this project's on the same pairs, "
        "percent; pairs that tie are set apart.",
        "",
        "| paradigm | pairs | ties | lm-eval | benchsuite |",
        "|---|---:|---:|---:|---:|",
    ]
    for file in sorted(samples.rglob("samples_blimp_*.jsonl")):
        paradigm = file.name.removeprefix("samples_blimp_").rpartition("_")[0]
        rows = outcomes[outcomes["primary"] & (outcomes["subset"] == paradigm)]
        ours = {row["id"]: row for row in rows.to_dict("records")}
        pairs = ties = right = 0
        credits = 0.0
        for line in file.read_text().splitlines():
            sample = json.loads(line)
            mine = ours.get(str(sample["doc_id"]))
            if mine is None:  # beyond the record's cap
                continue
            pairs += 1
            good, bad = (float(answer[0]) for answer in sample["filtered_resps"])
            if good == bad or mine["tied"]:
                ties += 1
                continue
            right += good > bad
            credits += float(mine["credit"])
        if pairs == ties:
            raise InputError(f"{file}: no pair of it is in the record of {name} on blimp untied")
        lines.append(
            f"| {paradigm} | {pairs:,} | {ties} | {100 * right / (pairs - ties):.1f} "
            f"| {100 * credits / (pairs - ties):.1f} |"
        )
    return "\n".join(lines)


def scaling_section(store: Path) -> str:
    """Scores of all models at equal tokens and at equal FLOPs, from records of their checkpoints.

    Raises InputError where the store has none of two models at least.
    """
    tables = equal_tables(records_of([store])[0])
    if not tables:
        raise InputError(f"{store} has no zero-shot records of checkpoints of two models")
    return "\n".join(line for table in tables for line in section(table, "##")).rstrip()


def _record(store: Path, model: str, weights: str, prompts: str | None = None) -> Record:
    """The zero-shot record on BLiMP with the most examples, of several the newest."""
    found = [
        record
        for record in read_store(store)
        if (record.cell["model"], record.cell["task"]) == (model, "blimp")
        and (record.cell["regime"], record.status) == ("zeroshot", "done")
        and record.cell["key_parts"]["weights"] == weights
        and prompts in (None, record.cell["key_parts"]["prompts"])
    ]
    if not found:
        raise InputError(
            f"{store} has no record of {model} on blimp; run "
            f"`bench run --model {model} --task blimp --store {store}`"
        )
    return max(found, key=lambda one: (one.counts["examples"], one.provenance.get("time", "")))


def _shown(record: Record, subset: str) -> str:
    for row in record.results:
        if row.primary and row.subset == subset and row.metric == "accuracy":
            assert row.value is not None and row.low is not None and row.high is not None
            return f"{100 * row.value:.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}]"
    return "-"
