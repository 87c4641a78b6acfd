"""Made records and profiles of which every plot of the page has marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchsuite import profiles, records
from benchsuite.cells import digest
from benchsuite.profiles import Inference, Profile
from benchsuite.records import Record
from benchsuite.report import html, table
from benchsuite.report.family import families_of
from tests.made import made_record
from tests.report.scaling.made import scored

FAMILIES = {"bert": "encoder", "gpt": "decoder", "t5": "encoder-decoder"}
TASK = "glue/sst2"
SIZES = {100: 100, 1000: 1000, None: 10_000}
"""--train-limit -> training examples that were used."""
SHARES = (0.0, 0.5, 1.0)


def cell_record(
    model: str,
    regime: str = "zeroshot",
    value: float = 0.6,
    trainable: int = 0,
    task: str = TASK,
    used: int = 0,
    **cell: Any,
) -> Record:
    """A record of one cell; used: training examples; cell: over the cell."""
    record = made_record(model=model, regime=regime, task=task, value=value)
    record.cell |= {
        "family": FAMILIES.get(model, "decoder"),
        "regime_name": regime.partition(":")[0],
        "options": {},
        "train_limit": None,
        **cell,
    }
    record.cell["key"] = digest({"all": repr(sorted(record.cell.items(), key=lambda x: x[0]))})
    record.cost |= {"parameters_total": 7_000_000, "parameters_trainable": trainable}
    if used:
        split = {"source": "mirror", "rows": 10_000, "official": 10_000, "used": used}
        record.provenance["data"]["training"] = {"train": split}
    assert record.headline is not None
    record.headline.low, record.headline.high = value - 0.03, value + 0.04
    return record


def page_of(found: list[Record]) -> str:
    """The page of records, as it is without outcomes and profiles."""
    boards = table.build(found)
    return html.render(boards, found, families_of(boards, found))


def profile(
    model: str,
    regime: str = "zeroshot",
    latency: float = 0.01,
    flops: float = 1e9,
    hardware: str = "box",
    task: str = TASK,
    **cell: Any,
) -> Profile:
    """A profile of inference; cell: over the cell."""
    described = {"model": model, "regime": regime, "task": task, "hardware": hardware, **cell}
    inference = Inference(
        examples=3,
        examples_per_s=[1 / latency],
        latency_s=[latency, latency / 2, latency * 2],
        flops_per_example=flops,
    )
    return Profile(cell=profiles.with_key(described), status="done", inference=inference)


def _plotted() -> tuple[list[Record], list[Profile]]:
    found, measured = [], []
    for number, (model, family) in enumerate(FAMILIES.items()):
        base = 0.5 + 0.013 * number
        found.append(cell_record(model, "zeroshot", base))
        found.append(cell_record(model, "lora", base + 0.2, 50_000, used=10_000))
        for step, (limit, used) in enumerate(SIZES.items()):
            value = base + 0.11 + 0.07 * step
            found.append(cell_record(model, "full", value, 7_000_000, used=used, train_limit=limit))
        for k in SHARES:
            options = {"k": k}
            value = base + 0.3 - 0.1 * k
            trainable = int(6e6 * (1 - k)) + 1000
            found.append(
                cell_record(model, f"frozen:k={k}", value, trainable, used=10_000, options=options)
            )
        for place, regime in enumerate(("zeroshot", "lora", "full")):
            cost = (number + 1) * 10.0**place
            measured.append(profile(model, regime, 0.001 * cost, 1e9 * cost))
        for step, tokens in ((64, 10**6), (128, 2 * 10**6), (256, 8 * 10**6)):
            flops = tokens * 2e7 * (number + 1)
            said = 0.5 + 0.01 * number + step / 2000
            name = f"{model}@{step}"
            found.append(scored(name, said, tokens, flops, task="glue/rte", recipe="r"))
            found[-1].cell["family"] = family
    return found, measured


PLOTTED, PROFILES = _plotted()


def plotted_store(store: Path) -> Path:
    """Write all of them."""
    for record in PLOTTED:
        records.write(store, record, None)
    for one in PROFILES:
        profiles.write(store, one)
    return store


def row_name(record: Record) -> str:
    """The name of a record's row in a board, which says how many examples a capped one saw."""
    limit = record.cell.get("train_limit")
    model = str(record.cell["model"])
    return f"{model} ({limit:,} training examples)" if limit else model
