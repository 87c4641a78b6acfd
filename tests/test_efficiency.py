"""Profiles: fresh processes, busy machines, tables. FLOPs are in `test_flops.py`."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import benchsuite
from benchsuite import api, efficiency, measure, profiles, provenance
from benchsuite.cells import parse_regime
from benchsuite.cli import main
from benchsuite.errors import InputError
from benchsuite.profiles import Inference, Profile, Training
from benchsuite.records import folder_name
from benchsuite.report import write_report
from benchsuite.report.costs import inference_costs, machine_of, profile_rows
from benchsuite.scoring.encoder import EncoderScorer
from tests.made import made_record
from tests.training.made import made_cell, made_task

BUSY, OTHERS = profiles.busy, provenance.Watch.others


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine is doing, and without the second of waiting."""
    monkeypatch.setattr(profiles, "busy", lambda: 0.0)
    monkeypatch.setattr(provenance.Watch, "others", lambda watch: 0.0)


@pytest.fixture
def planned(tiny_bert_folder: Path, tmp_path: Path) -> Any:
    made_task(tmp_path / "tasks", "classification", examples=40)

    def plan(regime: str, task: str = "classification") -> api.Plan:
        folders = [tmp_path / "tasks"]
        return api.prepare(
            str(tiny_bert_folder), regime, task, tasks_dir=folders, store=tmp_path / "store"
        )

    return plan


def run(plan: api.Plan, tmp_path: Path, **settings: Any) -> list[Profile]:
    return efficiency.profile_cells(
        plan.cells, plan.tasks, plan.store, examples=8, tasks_dir=[tmp_path / "tasks"], **settings
    )


def test_no_repeat_looks_up_what_another_computed(
    tiny_bert_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every repeat passes as many masked copies, though the engine remembers what it did last."""
    task = benchsuite.load_task("mini/acceptability")
    cell = made_cell(task, "zeroshot", "").model_copy(update={"model": str(tiny_bert_folder)})
    computed: list[int] = []
    passed, timed = EncoderScorer._batch, measure._seconds

    def batch(self: EncoderScorer, rows: Sequence[Any], wanted: Sequence[Any]) -> None:
        computed.append(len(rows))
        passed(self, rows, wanted)

    def seconds(*rest: Any) -> float:
        computed.clear()
        spent = timed(*rest)
        repeats.append(sum(computed))
        return spent

    repeats: list[int] = []
    monkeypatch.setattr(EncoderScorer, "_batch", batch)
    monkeypatch.setattr(measure, "_seconds", seconds)
    measure.measure(cell, [], examples=8, repeats=5)
    whole, alone = repeats[:6], repeats[6:]
    assert len({*whole}) == 1 and len(alone) == 32 and min(alone) > 0
    assert whole[0] == pytest.approx(sum(alone[:8]), rel=0.05)  # but for copies that examples share


def test_a_fresh_process_measures_and_its_profile_is_kept(planned: Any, tmp_path: Path) -> None:
    plan = planned("lora")
    [profile] = run(plan, tmp_path)
    assert profile.status == "done", profile.reason
    assert profile.training is not None and profile.inference is not None
    assert len(profile.training.examples_per_s) == len(profile.inference.examples_per_s) == 5
    assert min(profile.training.examples_per_s + profile.inference.latency_s) > 0
    assert profile.training.flops_per_example > profile.inference.flops_per_example > 0
    assert profile.memory_before_bytes is not None and profile.memory_peak_bytes is not None
    assert 0 < profile.memory_before_bytes < profile.memory_peak_bytes
    assert profiles.read(plan.store / profiles.folder_name(profile.cell)) == profile
    # What a run says of the same cell.
    [record] = benchsuite.run(
        plan.cells[0].model,
        "lora:epochs=1",
        "classification",
        tasks_dir=[tmp_path / "tasks"],
        store=plan.store,
        keep_artifacts=True,
    )
    assert record.cost["parameters_trainable"] == profile.parameters_trainable
    assert record.cost["artifact_bytes"] == profile.artifact_bytes
    assert (plan.store / folder_name(record.cell)).is_dir()


def test_a_profile_that_stands_is_not_made_again(
    planned: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned("probe")
    [first] = run(plan, tmp_path)
    assert first.training is not None and first.training.epochs == 1

    def never(asked: Any) -> Any:
        raise AssertionError("measured again")

    monkeypatch.setattr(efficiency, "_in_fresh_process", never)
    assert run(plan, tmp_path) == [first]
    with pytest.raises(AssertionError, match="measured again"):
        run(plan, tmp_path, force=True)


def test_a_busy_machine_is_refused_or_told_of(
    planned: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiles, "busy", lambda: 0.6)
    with pytest.raises(InputError, match="busy: others use 60% of its processors"):
        run(planned("probe"), tmp_path)
    [profile] = run(planned("probe"), tmp_path, allow_busy=True)
    assert (profile.busy["before"], profile.busy["after"]) == (0.6, 0.6)
    # It stands for who does not mind, and is measured anew once the machine is free.
    assert run(planned("probe"), tmp_path, allow_busy=True) == [profile]
    monkeypatch.setattr(profiles, "busy", lambda: 0.0)
    [again] = run(planned("probe"), tmp_path)
    assert again.busy["before"] == 0.0 and again != profile


def test_work_of_others_while_it_measures_is_told(
    planned: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance.Watch, "others", lambda watch: 0.4)
    monkeypatch.setattr(
        efficiency, "_in_fresh_process", lambda asked: {"status": "failed", "reason": "not run"}
    )
    [profile] = run(planned("probe"), tmp_path)
    assert profile.busy == {"before": 0.0, "during": 0.4, "after": 0.0} and profile.is_crowded


def test_too_few_repeats_are_refused(planned: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 5 repeats"):
        run(planned("probe"), tmp_path, repeats=4)


def test_seeds_do_not_matter(planned: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned("lora")
    [cell] = plan.cells
    plan.cells.append(cell.model_copy(update={"seed": 1}))
    monkeypatch.setattr(
        efficiency, "_in_fresh_process", lambda asked: {"status": "failed", "reason": "not run"}
    )
    assert len(run(plan, tmp_path)) == 1


def test_what_does_not_apply_says_so(planned: Any, tiny_t5_folder: Path, tmp_path: Path) -> None:
    plan = planned("bitfit")
    plan.cells[:] = [plan.cells[0].model_copy(update={"model": str(tiny_t5_folder)})]
    [profile] = run(plan, tmp_path)
    assert profile.status == "not_applicable" and "no bias terms" in (profile.reason or "")


def test_a_process_that_dies_is_a_failed_profile(
    planned: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*given: Any, **named: Any) -> Any:
        return subprocess.CompletedProcess(given, -9, "", "one\nKilled by the system\n")

    monkeypatch.setattr(efficiency.subprocess, "run", dies)
    [profile] = run(planned("probe"), tmp_path)
    assert profile.status == "failed"
    assert profile.reason == "the measuring process ended with -9: Killed by the system"


def made_profile(hardware: str = "made hardware", **changes: Any) -> Profile:
    cell = {"model": "gpt", "regime": "zeroshot", "task": "glue/sst2", "hardware": hardware}
    parts: dict[str, Any] = {
        "cell": profiles.with_key({**cell, **changes.pop("cell", {})}),
        "status": "done",
        "training": Training(
            examples=8, epochs=3, examples_per_s=[10.0, 12.0, 11.0], flops_per_example=3e6
        ),
        "inference": Inference(
            examples=8,
            examples_per_s=[100.0, 120.0, 110.0],
            latency_s=[0.01] * 18 + [0.5, 0.9],
            flops_per_example=1e6,
        ),
        "parameters_total": 1000,
        "parameters_trainable": 10,
        "artifact_bytes": 2048,
        "memory_before_bytes": 2**20,
        "memory_peak_bytes": 2**21,
        "busy": {"before": 0.0, "after": 0.0},
    }
    return Profile(**{**parts, **changes})


def test_the_leaderboard_shows_profiles_by_hardware(tmp_path: Path) -> None:
    benchsuite.records.write(tmp_path, made_record(), None)
    for profile in (
        made_profile(),
        made_profile("other"),
        made_profile(cell={"task": "glue/cola"}),
        made_profile(cell={"model": "a|<b>"}, busy={"before": 0.7, "after": 0.0}),
    ):
        profiles.write(tmp_path, profile)
    torn = profiles.write(tmp_path, made_profile(cell={"model": "torn"}))
    (torn / profiles.PROFILE_FILE).write_text('{"schema_version": 1, "cell"')
    text = write_report(tmp_path).read_text()
    assert "## Measured on made hardware" in text and "## Measured on other" in text
    row = "| gpt | zeroshot | glue/sst2 | 11 (10 to 12) | 3 | 110 (100 to 120) | 10 (500) | 1 |"
    assert text.count(f"{row} 2 | 2 | 10 |") == 2
    assert "| gpt | zeroshot | glue/cola |" in text  # also without a record
    assert "a\\|&lt;b&gt; (busy)" in text
    assert "not readable as a profile" in text


def test_profiles_of_other_settings_are_told_apart() -> None:
    hardware = "Made, 4 cores, avx2"
    usual = made_profile(hardware, cell={"threads": "4", "batch_tokens": 8192})
    others = [
        made_profile(hardware, cell={"threads": "1"}),
        made_profile(hardware, cell={"threads": "4", "max_length": 64}),
        made_profile(hardware, cell={"threads": "4", "batch_tokens": 100}),
    ]
    names = [row[0] for row in profile_rows([usual, *others])[hardware]]
    assert sorted(names) == [
        "gpt",
        "gpt (100 tokens a batch)",
        "gpt (threads: 1)",
        "gpt (window 64)",
    ]
    assert others[0].inference is not None
    others[0].inference.latency_s = [9.0]
    [found] = inference_costs([others[0], usual]).values()
    assert found.latency == {hardware: 0.01}


def test_a_gpu_is_part_of_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Made GPU")
    provenance.hardware_id.cache_clear()
    name = provenance.hardware_id("cuda")
    provenance.hardware_id.cache_clear()
    assert name == f"{provenance.hardware_id()}, Made GPU"
    assert provenance.cores_of(name) == os.cpu_count()


def test_profiles_alone_are_a_report(tmp_path: Path) -> None:
    profiles.write(tmp_path, made_profile())
    assert "Measured on made hardware" in write_report(tmp_path).read_text()


def test_more_threads_are_another_profile(
    planned: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        efficiency, "_in_fresh_process", lambda asked: {"status": "failed", "reason": "not run"}
    )
    keys = set()
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        keys |= {profile.key for profile in run(planned("probe"), tmp_path)}
    assert len(keys) == 2


def test_an_older_schema_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = profiles.write(tmp_path, made_profile())
    file = folder / profiles.PROFILE_FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema_version": 0}))
    with pytest.raises(InputError, match="schema version 0, but this benchsuite reads 1"):
        profiles.read(folder)


def test_the_command(
    planned: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = planned("probe")
    arguments = ["profile", "--model", plan.cells[0].model, "--task", "classification"]
    arguments += ["--tasks-dir", str(tmp_path / "tasks"), "--store", str(tmp_path / "store")]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--regime", "probe", "--examples", "8", "--json"])
    shown = capsys.readouterr()
    assert not ended.value.code
    [found] = json.loads(shown.out)
    assert found["status"] == "done" and "probe classification: done" in shown.err
    monkeypatch.setattr(profiles, "busy", lambda: 1.0)
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--regime", "lora"])
    assert ended.value.code == 2 and "busy" in capsys.readouterr().err


def test_what_others_use_is_a_share_without_one_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance.Watch, "others", OTHERS)
    before = provenance._processor_seconds()
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    after = provenance._processor_seconds()
    if before is not None and after is not None:
        used, own, whole = (b - a for a, b in zip(before, after, strict=True))
        assert 0.25 <= own <= 0.4  # ticks are hundredths of a second
        assert own - 0.05 <= used <= whole + 0.05
    # Two processors for a second: one and a half seconds in use, one of them by this process.
    seconds = iter([(10.0, 3.0, 20.0), (11.5, 4.0, 22.0), (10.0, 3.0, 20.0), (10.0, 3.0, 20.01)])
    monkeypatch.setattr(provenance, "_processor_seconds", lambda: next(seconds))
    assert provenance.Watch().others() == pytest.approx(0.25)
    assert provenance.Watch().others() is None
    monkeypatch.setattr(provenance, "_processor_seconds", lambda: None)
    assert provenance.Watch().others() is None


def test_regimes_are_profiled_as_called(tmp_path: Path) -> None:
    from benchsuite.regimes.registry import get_regime

    brief = measure._briefly(get_regime("lora"), parse_regime("lora:rank=4+epochs=50"))
    assert brief.options == {"rank": 4, "epochs": 3, "keep": "last"}
    assert measure._briefly(get_regime("probe"), parse_regime("probe:layer=1")).options == {
        "layer": 1
    }


def test_threads_are_part_of_the_machine_and_others_make_it_busy() -> None:
    record = made_record()
    record.provenance |= {"hardware": "any, 2 cores, avx2", "load": 9.0}
    assert machine_of(record) == "any, 2 cores, avx2" and record.is_crowded
    record.provenance |= {"threads": 1, "busy": 0.1}
    assert machine_of(record) == "any, 2 cores, avx2, 1 thread" and not record.is_crowded
    record.provenance |= {"threads": 2, "busy": 0.3}
    assert machine_of(record) == "any, 2 cores, avx2, 2 threads" and record.is_crowded


@pytest.mark.parametrize(("others", "told"), [(0.3, 0.3), (None, 0.75), (0.0, 0.0)])
def test_busy_is_what_others_use_or_else_the_load(
    others: float | None, told: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance.Watch, "others", lambda watch: others)
    monkeypatch.setattr(profiles, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr(os, "getloadavg", lambda: (1.5, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert BUSY() == told
