"""A name is not a network: what earlier weights gave, or an earlier profile, is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchsuite import records
from benchsuite.profiles import Inference, Profile, with_key
from benchsuite.records import Record
from benchsuite.report import records_of, write_report
from benchsuite.report.superseded import newest_profiles, of_newest_weights
from tests.made import made_record

OLD, NEW = "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"


def made(
    weights: str, time: str, task: str = "glue/sst2", value: float = 0.6, **more: Any
) -> Record:
    record = made_record(task=task, value=value, **more)
    record.cell["key"] = weights + record.cell["key"]
    record.cell["key_parts"] = {"weights": weights}
    record.provenance["time"] = time
    return record


def test_the_newest_weights_of_a_name_are_shown() -> None:
    first = [made("a", OLD), made("a", OLD, "glue/cola"), made("a", OLD, model="t5")]
    assert of_newest_weights(first) == (first, [])
    no_weights = made_record(model="gpt", status="not_applicable")
    again = made("b", NEW)
    # What is not applicable says no weights, and stands for any.
    kept, left = of_newest_weights([again, no_weights, *first])
    assert kept == [again, no_weights, first[2]]
    assert len(left) == 1 and left[0].startswith("gpt: 2 record(s) of other weights")
    # One that failed makes no other network of the name.
    failed = made("c", "2026-03-01T00:00:00+00:00", status="failed")
    assert of_newest_weights([failed, again])[0] == [again]
    # More examples do not make earlier weights those of the name.
    large = made("a", OLD, n=1000)
    assert of_newest_weights([large, again])[0] == [again]


def test_a_report_says_what_it_leaves_out(tmp_path: Path) -> None:
    for record in (made("a", OLD, value=0.61), made("a", OLD, "glue/cola"), made("b", NEW)):
        records.write(tmp_path, record, None)
    text = write_report(tmp_path).read_text()
    assert "61.0" not in text and "glue/cola" not in text
    assert "gpt: 2 record(s) of other weights" in text
    assert "other weights" in (tmp_path / "report" / "leaderboard.html").read_text()
    found, left = records_of([tmp_path])
    assert len(found) == 1 and len(left) == 1


def profile(time: str, latency: float, **cell: Any) -> Profile:
    named = {"model": "gpt", "regime": "full", "task": "glue/sst2", "hardware": "h", **cell}
    one = Inference(examples=1, examples_per_s=[1.0], latency_s=[latency], flops_per_example=1.0)
    return Profile(
        cell=with_key(named | {"made": time}),
        status="done",
        inference=one,
        provenance={"time": time},
    )


def test_the_newest_profile_of_a_cell_is_shown() -> None:
    old, new = profile(OLD, 1.0), profile(NEW, 2.0)
    elsewhere, half = profile(OLD, 3.0, hardware="g"), profile(OLD, 4.0, dtype="bfloat16")
    assert newest_profiles([new, old, elsewhere, half], []) == [new, elsewhere, half]
    failed = old.model_copy(update={"status": "failed", "provenance": {"time": "2026-03"}})
    assert newest_profiles([failed, new], []) == [failed, new]
    # Of the weights that the records are of, where both say.
    mine, other = profile(OLD, 1.0, weights="b"), profile(NEW, 2.0, regime="lora", weights="a")
    assert newest_profiles([mine, other], [made("b", NEW)]) == [mine]
    later = profile(NEW, 2.0, weights="a")
    assert newest_profiles([mine, later], [made("b", NEW)]) == [mine]
    assert newest_profiles([mine, other], []) == [mine, other]
