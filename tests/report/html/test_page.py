"""The page as text: self-contained, the same twice, and what is hostile stays text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchsuite.report import write_report
from benchsuite.report.html.page import _script_json
from tests.report.html.conftest import HOSTILE, made_store


class Tags(HTMLParser):
    """Counts elements and their external references."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action") and not str(value).startswith("#"):
                self.outside.append(str(value))


def test_the_page_stands_alone(report: Path) -> None:
    page = (report / "leaderboard.html").read_text(encoding="utf-8")
    found = Tags()
    found.feed(page)
    assert found.scripts == 3 and found.outside == ["data:,"]
    assert not re.search(r"url\((?!data:)[\"']?https?:", page)
    assert len(page.encode()) < 2_500_000


def test_the_same_records_make_the_same_page(report: Path, tmp_path: Path) -> None:
    write_report(made_store(tmp_path / "store"), tmp_path / "out")
    ours, theirs = (
        (folder / "leaderboard.html").read_bytes() for folder in (report, tmp_path / "out")
    )
    assert ours == theirs


def test_hostile_names_are_text(report: Path) -> None:
    page = (report / "leaderboard.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    text = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page, re.S)
    assert text is not None
    facts = json.loads(text[1])
    models = {row["model"] for board in facts["boards"] for row in board["rows"]}
    assert HOSTILE in models
    markdown = (report / "leaderboard.md").read_text(encoding="utf-8")
    assert "<script>" not in markdown and "&lt;script&gt;" in markdown


@pytest.mark.parametrize("text", ["</script>", "<!--", "\u2028", "&lt;", "a\u2029b"])
def test_data_cannot_leave_its_script(text: str) -> None:
    made = _script_json({"x": text})
    assert json.loads(made) == {"x": text}
    assert not set("<>&\u2028\u2029") & set(made)


def test_a_dialog_has_what_made_the_cell(report: Path) -> None:
    page = (report / "leaderboard.html").read_text(encoding="utf-8")
    text = re.search(r'id="facts">(.*?)</script>', page, re.S)
    assert text is not None
    facts = json.loads(text[1])
    board = facts["boards"][0]
    row = next(r for r in board["rows"] if (r["model"], r["regime"]) == ("t5", "lora"))
    cell = row["cells"]["mini/choice"]
    found = facts["details"][cell["detail"]]
    assert [seed for seed, _ in found["seeds"]] == [0, 1]
    assert cell["value"] == pytest.approx(sum(value for _, value in found["seeds"]) / 2)
    assert found["provenance"]["command"] == "bench run --model t5 <made>"
    assert (row["family"], row["kind"], row["bucket"]) == ("encoder-decoder", "lora", 1)


def test_texts_are_there_only_where_asked_for(tmp_path: Path) -> None:
    from benchsuite.cli import main

    def run(arguments: list[str]) -> None:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert not left.value.code

    store = tmp_path / "store"
    command = ["run", "--model", "gpt:untrained", "--task", "mini/choice", "--limit", "20"]
    run([*command, "--store", str(store)])
    assert not (store / "report" / "leaderboard.html").exists()  # a run's own report is quick
    pages = []
    for options in ([], ["--with-text"]):
        run(["report", "--store", str(store), "--out", str(tmp_path), *options])
        text = re.search(
            r'id="facts">(.*?)</script>', (tmp_path / "leaderboard.html").read_text(), re.S
        )
        assert text is not None
        pages.append(json.loads(text[1])["details"][0]["texts"])
    assert pages[0] == [] and len(pages[1]) == 5
    assert {"id", "gold"} <= pages[1][0].keys()
