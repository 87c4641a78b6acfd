"""Accepting a candidate, costs, and planning."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchsuite import profiles, records
from benchsuite.check import check
from benchsuite.check.planning import plan
from benchsuite.check.update import update
from benchsuite.cli import main
from benchsuite.errors import InputError
from benchsuite.profiles import Inference, Profile, Training
from tests.check.made import BASE, TASK, N, credits, flipped, store_record
from tests.made import made_record


def test_an_accepted_candidate_is_the_baseline(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    store_record(base, BASE)
    store_record(base, BASE, model="bert")
    store_record(new, flipped(BASE, 60, 0), parts={"prompts": "others"})
    store_record(new, BASE, model="t5")
    assert "same conditions: prompts" in check(base, new).unlike[0]
    assert sorted(update(base, new)) == [
        f"changed: gpt zeroshot {TASK}: 70.0 -> 64.0",
        f"kept: bert zeroshot {TASK}: 70.0",
        f"new: t5 zeroshot {TASK}: 70.0",
    ]
    assert len(records.store_folders(base)) == 3
    (base / records.folder_name(store_record(tmp_path / "x", BASE, model="bert").cell)).rename(
        tmp_path / "away"
    )
    assert check(base, new).outcome == "pass"
    assert f"unchanged: gpt zeroshot {TASK}: 64.0" in update(base, new)


def test_only_what_is_replaced_goes(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    capped = {"parts": {"data": {"validation": "100"}}, "cell": {"limit": 100}}
    half = {"parts": {"dtype": "bfloat16"}, "cell": {"dtype": "bfloat16"}}
    for seed in range(4):
        store_record(base, credits(N, 700 + seed), regime="lora", seed=seed)
    for how in ({}, capped, half):
        store_record(base, BASE, **how)
    for seed in range(2):
        store_record(new, credits(N, 600), regime="lora", seed=seed, parts={"weights": "new"})
    store_record(new, credits(N, 650), **capped)
    lines = update(base, new)
    assert f"removed: gpt lora {TASK} seed 3: 70.3" in lines
    assert f"changed: gpt zeroshot {TASK} (cap 100): 70.0 -> 65.0" in lines
    assert f"kept: gpt zeroshot {TASK} (bfloat16): 70.0" in lines
    assert len(records.store_folders(base)) == 5
    assert all(line.startswith(("unchanged", "kept")) for line in update(base, new))


def test_no_score_is_not_accepted(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    store_record(base, BASE)
    records.write(new, made_record("gpt", TASK, status="unavailable"), None)
    with pytest.raises(InputError, match="nothing is accepted"):
        update(base, new)
    store_record(new, BASE, model="t5")
    assert f"not accepted, no score: gpt zeroshot {TASK}" in update(base, new)
    assert check(base, base.parent / "new").missing


def test_a_failed_cell_is_no_baseline(tmp_path: Path) -> None:
    records.write(tmp_path / "new", made_record(status="failed"), None)
    with pytest.raises(InputError, match="a failed cell is no baseline"):
        update(tmp_path / "base", tmp_path / "new")
    assert not (tmp_path / "base").exists()


def profile(store: Path, speeds: list[float], latency: float = 0.01, **cell: str) -> None:
    described = profiles.with_key(
        {"model": "gpt", "regime": "full", "task": TASK, "hardware": "here", "dtype": "float32"}
        | cell
    )
    profiles.write(
        store,
        Profile(
            cell=described,
            status="done",
            training=Training(examples=64, epochs=3, examples_per_s=speeds, flops_per_example=1.0),
            inference=Inference(
                examples=64,
                examples_per_s=[100.0] * 5,
                latency_s=[latency + number * 1e-5 for number in range(64)],
                flops_per_example=1.0,
            ),
            memory_peak_bytes=1000,
            artifact_bytes=500,
        ),
    )


def test_costs_fail_beyond_margin_and_noise(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    for store in (base, new):
        store_record(store, BASE)
    (new / records.store_folders(new)[0].name / "record.json").touch()
    profile(base, [50, 51, 52, 53, 54], 0.010)
    profile(new, [40, 41, 42, 43, 44], 0.0105)
    found = check(base, new, cost=True)
    outcomes = {one.measure: one.outcome for one in found.costs}
    assert outcomes == {
        "training_examples_per_s": "fail",
        "examples_per_s": "pass",
        "latency_s": "pass",
        "memory_peak_bytes": "pass",
        "artifact_bytes": "pass",
    }
    assert found.outcome == "fail"
    profile(new, [40, 41, 42, 53, 54], 0.020)
    outcomes = {one.measure: one.outcome for one in check(base, new, cost=True).costs}
    assert outcomes["training_examples_per_s"] == "inconclusive"
    assert outcomes["latency_s"] == "fail"


def test_costs_of_other_hardware_are_refused(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    for store in (base, new):
        store_record(store, BASE)
    assert "no profile in scope" in check(base, new, cost=True).unlike[0]
    profile(base, [50.0] * 5)
    assert check(base, new, cost=True).missing
    profile(new, [50.0] * 5, hardware="elsewhere")
    found = check(base, new, cost=True)
    assert found.exit_code() == 2 and "these differ in hardware" in found.unlike[0]
    assert found.verdicts[0].outcome == "pass"  # what the records say is told all the same


def test_the_examples_needed_follow_the_formula(tmp_path: Path) -> None:
    store_record(tmp_path, BASE)
    one = plan(tmp_path, task=TASK, margin=0.02)[0]
    unrelated = 2 * 0.7 * 0.3 * ((1.645 + 0.842) / 0.02) ** 2
    assert one.examples_if_unrelated == pytest.approx(unrelated, rel=0.1)
    assert one.examples_needed == pytest.approx(unrelated / 10, rel=0.1)
    assert one.seeds is None and one.seeds_needed is None
    smaller = plan(tmp_path, task=TASK, margin=0.01)[0]
    assert smaller.examples_needed == pytest.approx(4 * one.examples_needed, rel=0.01)


def test_seeds_that_differ_more_need_more_seeds(tmp_path: Path) -> None:
    for name, spread in (("narrow", 2), ("wide", 25)):
        for seed, shift in enumerate((-1, 0, 1)):
            said = flipped(credits(N, 700 + shift * spread), 3, 3, seed=seed)
            store_record(tmp_path / name, said, regime="lora", seed=seed)
    narrow, wide = (plan(tmp_path / name, margin=0.02)[0] for name in ("narrow", "wide"))
    assert narrow.seeds_needed is not None and wide.seeds_needed is not None
    assert narrow.seeds_needed < 6 < wide.seeds_needed
    # 2 s^2 / k (1.645 + 0.842)^2 <= m^2, and somewhat more for Student's t
    assert wide.seeds_needed == pytest.approx(2 * (0.025 * 2.487 / 0.02) ** 2, rel=0.2)
    assert not math.isnan(narrow.examples_needed)


def test_a_plan_needs_something_to_go_by(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no records here"):
        plan(tmp_path)
    store_record(tmp_path, BASE)
    with pytest.raises(InputError, match="no record in scope that has an interval"):
        plan(tmp_path, task="mini/choice")
    with pytest.raises(InputError, match="--margin is a fraction"):
        plan(tmp_path, margin=2.0)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    store_record(base, BASE)
    store_record(new, flipped(BASE, 120, 105))

    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["check", "--baseline", str(base), *arguments])
        return int(ended.value.code or 0)

    files = ["--markdown", str(tmp_path / "out" / "c.md"), "--junit", str(tmp_path / "c.xml")]
    assert run("--candidate", str(new), *files) == 3
    told = capsys.readouterr().out
    assert "inconclusive: 1 inconclusive" in told and "120 right in the baseline alone" in told
    assert (tmp_path / "out" / "c.md").read_text().startswith("# bench check: inconclusive")
    assert (tmp_path / "c.xml").read_text().startswith("<?xml")
    assert run("--candidate", str(new), "--allow-inconclusive") == 0
    capsys.readouterr()
    assert run("--candidate", str(new), "--json") == 3
    found = json.loads(capsys.readouterr().out)
    assert found["verdicts"][0]["d"] == pytest.approx(-0.015)
    assert len(found["verdicts"][0]["flips"]) == 225
    assert run("--candidate", str(tmp_path / "none")) == 2
    assert run() == 2
    assert run("--candidate", str(new), "--map", "gpt") == 2
    assert "give OLD=NEW" in capsys.readouterr().err
    assert run("--power") == 0
    assert run("--candidate", str(new), "--update", "--map", "gpt=t5") == 2
    assert "--update takes no --map" in capsys.readouterr().err
    assert run("--candidate", str(new), "--update") == 0
    assert "changed: gpt zeroshot" in capsys.readouterr().out
    assert run("--candidate", str(new)) == 0


def test_what_a_check_refuses_is_no_baseline(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    store_record(base, BASE)
    record = store_record(new, flipped(BASE, 60, 0))
    folder = new / records.folder_name(record.cell)
    frame = records.read_outcomes(folder)
    before = (records.store_folders(base)[0] / "record.json").read_bytes()
    records.write(new, record, frame.assign(credit=[float("nan"), *frame["credit"][1:]]))
    with pytest.raises(InputError, match="no finite number"):
        update(base, new)
    record.cell["key_parts"]["task_version"] = 99
    records.write(new, record, frame)
    with pytest.raises(InputError, match="version 99"):
        update(base, new)
    assert (records.store_folders(base)[0] / "record.json").read_bytes() == before


def test_a_record_under_another_name_is_replaced_too(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    store_record(base, BASE)
    store_record(new, flipped(BASE, 60, 0))
    only = records.store_folders(base)[0]
    only.rename(base / "by-hand")
    update(base, new)
    assert [folder.name for folder in records.store_folders(base)] == [only.name]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        update(tmp_path / "file", new)


def test_costs_without_their_noise_do_not_fail(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    for store in (base, new):
        store_record(store, BASE)
    profile(base, [50.0] * 5)
    profile(new, [40.0])
    found = {one.measure: one.outcome for one in check(base, new, cost=True).costs}
    assert found["training_examples_per_s"] == "inconclusive"
    profile(new, [])
    assert "no training_examples_per_s" in check(base, new, cost=True).missing[0]
    profile(new, [40.0] * 5)
    path = next(new.glob("profile-*/profile.json"))
    path.write_text(path.read_text().replace("40.0", "NaN", 1))
    found_nan = check(base, new, cost=True)
    assert found_nan.exit_code() == 2 and "NaN is no number" in found_nan.unlike[0]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--task", TASK], "--task"),
        (["--margin", "0.5"], "--margin"),
        (["--power", "--update", "--candidate", "x"], "--candidate, --update"),
        (["--power", "--junit", "f.xml", "--cost"], "--cost, --junit"),
        (["--update", "--map", "x=y", "--json"], "--map, --json"),
    ],
)
def test_options_that_would_be_ignored_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], names: str
) -> None:
    store_record(tmp_path, BASE)
    with pytest.raises(SystemExit, match="2"):
        main(["check", "--baseline", str(tmp_path), *options])
    assert f"takes no {names}" in capsys.readouterr().err


def test_a_plan_survives_undefined_replicates(tmp_path: Path) -> None:
    """Gold values of which all but two are equal: many resamples have none of the two."""
    rng = np.random.default_rng(0)
    gold = [5.0, 4.0] + [1.0] * 98
    for seed in range(3):
        said = (np.array(gold) + rng.normal(0, 0.5, 100)).tolist()
        store_record(tmp_path, said, targets=gold, task="mini/similarity", regime="lora", seed=seed)
    one = plan(tmp_path, margin=0.1)[0]
    assert one.seeds_needed is not None and one.seeds_needed >= 3


def test_collapsed_seeds_and_single_ones_promise_no_number_of_examples(tmp_path: Path) -> None:
    for seed, right in enumerate((700, 700, 850)):
        record = store_record(tmp_path / "three", credits(N, right), regime="lora", seed=seed)
        if right == 700:  # a constant answer has an interval without width
            assert record.headline is not None
            record.headline.low = record.headline.high = record.headline.value
            outcomes = records.read_outcomes(tmp_path / "three" / records.folder_name(record.cell))
            records.write(tmp_path / "three", record, outcomes)
    one = plan(tmp_path / "three")[0]
    assert (one.seeds, one.examples_needed) == (3, None)
    store_record(tmp_path / "one", BASE, regime="lora", seed=0)
    assert plan(tmp_path / "one")[0].examples_needed is None


def test_only_the_last_run_of_a_cell_is_accepted(tmp_path: Path) -> None:
    base, new = tmp_path / "base", tmp_path / "new"
    store_record(base, BASE)
    for month, right, status in ((1, 600, "failed"), (2, 650, "done"), (3, 690, "done")):
        record = store_record(new, credits(N, right), parts={"weights": month})
        outcomes = records.read_outcomes(new / records.folder_name(record.cell))
        record.provenance["time"] = f"2026-0{month}-01T00:00:00+00:00"
        if status == "failed":
            record.status, record.headline, record.reason = "failed", None, "why"
        records.write(new, record, outcomes if status == "done" else None)
    assert update(base, new) == [f"changed: gpt zeroshot {TASK}: 70.0 -> 69.0"]


def test_a_users_own_tasks_can_be_accepted(tmp_path: Path) -> None:
    folder = tmp_path / "tasks" / "own"
    folder.mkdir(parents=True)
    shutil.copytree("tasks/mini/data", folder / "data")
    shutil.copy("tasks/mini/minimal_pairs.yaml", folder / "pairs.yaml")
    record = store_record(tmp_path / "new", BASE)
    outcomes = records.read_outcomes(tmp_path / "new" / records.folder_name(record.cell))
    record.cell["task"] = "own/pairs"
    record.cell["key"] = "0" * 64
    records.write(tmp_path / "own", record, outcomes)
    lines = update(tmp_path / "base", tmp_path / "own", tasks_dir=[tmp_path / "tasks"])
    assert lines == ["new: gpt zeroshot own/pairs: 70.0"]
