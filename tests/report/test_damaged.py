"""A record that is damaged in one place is named, or shown; it never takes the report down."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchsuite import records
from benchsuite.errors import InputError
from benchsuite.report import family, inspect, long_form, markdown, table
from benchsuite.report.figures.points import by_depth, by_size
from benchsuite.report.html.cells import cells_of, detail
from tests.made import made_record

WRONG: tuple[Any, ...] = (None, "text", 3, 0, [], {}, [1], {"a": 1}, True)


def whole() -> records.Record:
    """A record with all that reports look at."""
    record = made_record("gpt", regime="full", seed=0, labels_used=3)
    record.cell |= {
        "family": "decoder",
        "regime_name": "full",
        "options": {"k": 0.5, "lr": None},
        "train_limit": 100,
        "splits": ["validation"],
        "prompts": ["p"],
        "key_parts": {"task_version": 1, "data": {"validation": "x"}, "train": {"train": "y"}},
    }
    record.cost |= {"parameters_trainable": 10, "parameters_total": 100, "artifact_bytes": None}
    record.provenance |= {
        "pretraining": {"step": 64, "tokens": 100, "flops": 1e9, "recipe": "x"},
        "chosen": {"": {"lr": 0.1, "frozen_blocks": [3, 6]}},
        "command": "bench run",
    }
    fact = {"source": "mirror", "rows": 100, "official": 100, "used": 100}
    record.provenance["data"]["training"] = {"train": fact}
    return record


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything in nested JSON."""
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, name)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, name))


def damaged(raw: dict[str, Any], path: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """The record without one thing, and with others in its place."""
    for wrong in (*WRONG, ...):
        copied = copy.deepcopy(raw)
        inner: Any = copied
        for name in path[:-1]:
            inner = inner[name]
        if wrong is ...:
            del inner[path[-1]]
        else:
            inner[path[-1]] = wrong
        yield copied


def report(found: list[records.Record]) -> str:
    """All that a report makes of records, but for pictures."""
    boards = table.build(found)
    for one in cells_of(boards, []):
        detail(one)
    by_depth(found)
    by_size(found)
    sections = family.to_markdown(family.families_of(boards, found))
    long_form.to_parquet(found)
    return markdown.render(boards, sections=sections) + long_form.to_csv(found)


@pytest.mark.parametrize("regime", ["full", "zeroshot", "frozen"])
def test_no_damage_to_one_field_takes_the_report_down(tmp_path: Path, regime: str) -> None:
    other = made_record("bert", regime=regime)
    other.cell |= {"family": "encoder", "regime_name": regime, "train_limit": 100}
    record = whole()
    record.cell |= {"regime": regime, "regime_name": regime}
    raw = json.loads(records.to_json(record))
    (tmp_path / records.RECORD_FILE).write_text(json.dumps(raw))
    assert "gpt" in report([other, records.read(tmp_path)])
    shown = named = 0
    for path in places(raw):
        for broken in damaged(raw, path):
            (tmp_path / records.RECORD_FILE).write_text(json.dumps(broken))
            try:
                found = records.read(tmp_path)
            except InputError as error:
                assert len(str(error).splitlines()) == 1
                named += 1
                continue
            report([other, found])
            shown += 1
    assert named > 300 and shown > 200


def test_a_broken_profile_is_named(tmp_path: Path) -> None:
    from benchsuite import profiles

    cell = {"model": "gpt", "regime": "full", "task": "glue/sst2", "key": "0" * 64}
    path = profiles.write(tmp_path, profiles.Profile(cell=cell, status="failed"))
    with pytest.raises(InputError, match="cell lacks its hardware"):
        profiles.read(path)
    assert len(profiles.read_all(tmp_path)[1]) == 1


def test_a_damaged_record_hides_no_other_from_its_key(tmp_path: Path) -> None:
    record = made_record("gpt")
    folder = records.write(tmp_path, record, None)
    (tmp_path / "another-00000000").mkdir()
    (tmp_path / "another-00000000" / "record.json").write_text("{")
    assert inspect.find(tmp_path, record.key) == (record, folder)
    with pytest.raises(InputError, match="another-00000000"):
        inspect.find(tmp_path, "another")


@pytest.mark.parametrize(
    ("status", "message"),
    [("failed", "failed .because.: it has no outcomes"), ("done", "is missing: .* rerun the cell")],
)
def test_missing_outcomes_say_why(status: Any, message: str, tmp_path: Path) -> None:
    record = made_record("gpt", status=status, reason="because" if status == "failed" else None)
    with pytest.raises(InputError, match=message):
        records.read_outcomes(records.write(tmp_path, record, None))
