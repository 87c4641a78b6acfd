"""The flat table of records."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd

from benchsuite import records
from benchsuite.report import long_form, write_report
from tests.made import made_outcomes, made_record


def test_a_row_a_record() -> None:
    hostile = 'gpt, "the" <b>\n=1+1'
    found = [
        made_record(hostile, value=0.61),
        made_record("bert", regime="lora", seed=1, value=None),
        made_record("bert", regime="lora", seed=0, status="failed"),
    ]
    table = pd.read_csv(io.StringIO(long_form.to_csv(found)))
    assert list(table.columns) == list(long_form.COLUMNS)
    assert list(table["model"]) == ["bert", "bert", hostile]
    assert list(table["status"]) == ["failed", "done", "done"]
    assert table["value"].isna().tolist() == [True, True, False]
    assert table["value"][2] == 0.61 and table["trivial"][2] == 0.55
    assert table["seconds"][2] == 2.0
    assert table["reason"][0] == "because"


def test_it_is_the_same_in_any_order() -> None:
    found = [made_record(model) for model in ("t5", "gpt", "bert")]
    assert long_form.to_csv(found) == long_form.to_csv(found[::-1])


def test_the_reference_lists_the_columns() -> None:
    page = Path("docs/reference.md").read_text(encoding="utf-8")
    for name, (_, meaning) in long_form.COLUMNS.items():
        assert f"| `{name}` | {meaning} |" in page


def test_a_report_has_it(tmp_path: Path) -> None:
    records.write(tmp_path, made_record(), made_outcomes())
    folder = write_report(tmp_path).parent
    assert len(pd.read_csv(folder / "leaderboard.csv")) == 1
    typed = pd.read_parquet(folder / "leaderboard.parquet")
    assert list(typed.columns) == list(long_form.COLUMNS)
    assert (typed["value"][0], typed["n"][0]) == (0.6, 100)


def test_parquet_has_the_same_rows_with_types() -> None:
    found = [made_record("gpt", seed=1, value=0.61), made_record("bert", status="failed")]
    typed = pd.read_parquet(io.BytesIO(long_form.to_parquet(found)))
    assert list(typed["model"]) == ["bert", "gpt"]
    assert typed["seed"][1] == 1 and typed["value"][1] == 0.61 and typed["value"].isna()[0]
    assert long_form.to_parquet(found) == long_form.to_parquet(found[::-1])
