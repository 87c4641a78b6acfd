"""What the gate refuses, and what comes out of it."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from benchsuite import records
from benchsuite.check import assert_no_regression, check
from benchsuite.check.policy import load_policy
from benchsuite.check.render import to_junit, to_markdown
from benchsuite.errors import InputError
from tests.check.made import BASE, N, compare, store_record


def test_broken_outcomes_are_refused(stores: tuple[Path, Path]) -> None:
    import hashlib

    import pandas as pd

    compare(stores, 3, 3)
    folder = records.store_folders(stores[1])[0]
    whole = (folder / "outcomes.parquet").read_bytes()
    record = records.read(folder)
    frame = pd.read_parquet(folder / "outcomes.parquet")

    def put(table: pd.DataFrame) -> None:
        table.to_parquet(folder / "outcomes.parquet", index=False)
        content = (folder / "outcomes.parquet").read_bytes()
        record.provenance["outcomes_sha256"] = hashlib.sha256(content).hexdigest()
        (folder / "record.json").write_text(records.to_json(record))

    (folder / "outcomes.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="truncated"):
        check(*stores)
    put(pd.concat([frame, frame.head(1)]))
    with pytest.raises(InputError, match="an id twice"):
        check(*stores)
    put(frame.assign(credit=[float("nan"), *frame["credit"][1:]]))
    with pytest.raises(InputError, match="no finite number"):
        check(*stores)
    put(frame.assign(gold=[float("nan"), *frame["gold"][1:]]))
    with pytest.raises(InputError, match="gold has a value that is no finite number"):
        check(*stores)
    put(frame.assign(x=["text"] * N))
    with pytest.raises(InputError, match="x is no column of numbers"):
        check(*stores)
    put(frame.assign(credit=[7.0, *frame["credit"][1:]]))
    with pytest.raises(InputError, match="they give accuracy"):
        check(*stores)
    put(frame.drop(columns="credit"))
    with pytest.raises(InputError, match="no column credit"):
        check(*stores)
    put(frame.assign(id=[f"other {number}" for number in range(N)]))
    with pytest.raises(InputError, match="not of the same examples"):
        check(*stores)
    text = (folder / "record.json").read_text()
    (folder / "record.json").write_text(text.replace('"schema_version": 1', '"schema_version": 9'))
    with pytest.raises(InputError, match="schema version 9"):
        check(*stores)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "null"])
def test_a_score_that_is_no_number_is_refused(stores: tuple[Path, Path], value: str) -> None:
    compare(stores, 3, 3)
    path = records.store_folders(stores[1])[0] / "record.json"
    head, tail = path.read_text().split('"headline": {')
    path.write_text(head + '"headline": {' + tail.replace('"value": 0.7', f'"value": {value}', 1))
    with pytest.raises(InputError, match="is no number of JSON|says that it is undefined"):
        check(*stores)


@pytest.mark.parametrize(
    ("name", "value"),
    [("key_parts", None), ("seed", [1]), ("prompts", 3), ("splits", [1]), ("limit", "all")],
)
def test_a_broken_cell_is_refused(stores: tuple[Path, Path], name: str, value: Any) -> None:
    compare(stores, 3, 3)
    path = records.store_folders(stores[1])[0] / "record.json"
    raw = json.loads(path.read_text())
    raw["cell"][name] = value
    path.write_text(json.dumps(raw))
    with pytest.raises(InputError, match=rf"cell\.{name}(\.0)? is"):
        check(*stores)


def test_a_policy_file_is_strict(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("margins: {accuracy: 0.01}\ntasks: {glue/cola: {margin: 0.1, strict: true}}\n")
    policy = load_policy(path)
    assert policy.margin("glue/sst2", "accuracy") == 0.01
    assert policy.margin("glue/cola", "matthews") == 0.1
    assert policy.is_strict("glue/cola") and not policy.is_strict("glue/sst2")
    with pytest.raises(InputError, match="no margin is known for the metric 'perplexity'"):
        policy.margin("lm-eval:wikitext", "perplexity")
    for text, words in (
        ("margin: 0.1", "margin"),
        ("margins: {accuracy: -1}", "accuracy"),
        ("alpha: 0.9", "alpha"),
        ("[", "malformed YAML"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            load_policy(path)


def test_junit_has_a_case_a_verdict(stores: tuple[Path, Path]) -> None:
    store_record(stores[0], BASE, model='<b>&"')
    found = compare(stores, 120, 105)
    root = ET.fromstring(to_junit(found))
    assert (root.get("tests"), root.get("failures")) == ("2", "2")
    assert {case[0].get("type") for case in root} == {"inconclusive", "missing"}
    allowed = ET.fromstring(to_junit(found, allow_inconclusive=True))
    assert (allowed.get("failures"), allowed.get("skipped")) == ("1", "1")


def test_a_test_can_hold_a_candidate_to_its_baseline(stores: tuple[Path, Path]) -> None:
    compare(stores, 0, 0)
    assert assert_no_regression(*stores).outcome == "pass"
    compare(stores, 60, 10)
    with pytest.raises(AssertionError, match=r"\| fail \|"):
        assert_no_regression(*stores)


def test_the_answer_is_the_same_twice(stores: tuple[Path, Path]) -> None:
    assert to_markdown(compare(stores, 60, 40)) == to_markdown(check(*stores))


def test_the_gate_needs_no_torch(stores: tuple[Path, Path]) -> None:
    compare(stores, 3, 3)
    code = (
        "import sys; from benchsuite import assert_no_regression as hold; "
        f"hold({str(stores[0])!r}, {str(stores[1])!r}, allow_inconclusive=True); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
