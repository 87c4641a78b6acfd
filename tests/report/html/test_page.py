"""The page as text: self-contained, the same twice, and what is hostile stays text."""

from __future__ import annotations

import json
import re
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchsuite.errors import InputError
from benchsuite.report import write_report
from benchsuite.report.costs import COST_HEADER
from benchsuite.report.html.page import _script_json
from tests.report.html.conftest import FAMILIES, HOSTILE, REGIMES, TASKS, made_store


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


@pytest.mark.parametrize("library", ["altair", "itables"])
def test_without_the_pages_libraries_nothing_is_written(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = made_store(tmp_path / "store")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=r"pip install 'benchsuite\[report\]'"):
        write_report(store, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    write_report(store, tmp_path / "out", page=False)
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".md", ".csv", ".parquet"}


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


def rows_of(table: str) -> list[list[str]]:
    """The cells of a table of the page, its header first."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", table, re.S)
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S) for row in rows]
    return [[unescape(cell) for cell in row] for row in cells]


def test_what_the_cells_cost_stands_below_their_board_by_hardware(report: Path) -> None:
    page = (report / "leaderboard.html").read_text(encoding="utf-8")
    [costs] = re.findall(r'<details class="costs">(.*?)</details>', page, re.S)
    assert "<summary" in costs and "cost on made hardware" in costs
    header, *rows = rows_of(costs)
    assert tuple(header) == COST_HEADER
    assert len(rows) == len(FAMILIES) * len(REGIMES) * len(TASKS)
    assert ["bert", "lora", "mini/choice"] in [row[:3] for row in rows]


def test_scores_at_equal_tokens_and_flops_are_those_of_the_markdown(plotted: Path) -> None:
    page = plotted.read_text(encoding="utf-8")
    markdown = plotted.with_suffix(".md").read_text(encoding="utf-8")
    for title in ("At equal tokens", "At equal FLOPs"):
        section = page.split(f"<h3>{title}</h3>")[1].split("</table>")[0]
        _, *rows = rows_of(section)
        lines = markdown.split(f"### {title}\n")[1].split("\n#")[0].splitlines()
        told = [line.replace("\\", "").strip("| ").split(" | ") for line in lines if "|" in line]
        assert rows == told[2:] and len(rows) == len(FAMILIES) + 1  # and chance
        assert "more counts as equal" in section


def test_without_javascript_the_page_says_where_the_scores_are(report: Path) -> None:
    page = (report / "leaderboard.html").read_text(encoding="utf-8")
    assert re.search(r"<noscript>.*leaderboard\.md.*</noscript>", page, re.S)


def test_a_plot_says_what_it_leaves_out(plotted: Path) -> None:
    page = plotted.read_text(encoding="utf-8")
    before = page.split('id="plot-latency"')[0].rsplit("<h2>", 1)[1]
    assert "Not drawn: 9 scores of checkpoints of a pretraining; 9 scores without" in before
    assert "Medians of examples one by one, on " in before
    assert "Not drawn" not in page.split('id="plot-depth"')[0].rsplit("<h2>", 1)[1]


def test_a_dialog_repeats_score_interval_and_marks(report: Path) -> None:
    page = (report / "leaderboard.html").read_text(encoding="utf-8")
    text = re.search(r'id="facts">(.*?)</script>', page, re.S)
    assert text is not None
    facts = json.loads(text[1])
    for row in facts["boards"][0]["rows"]:
        for cell in row["cells"].values():
            found = facts["details"][cell["detail"]]
            said = [found[name] for name in ("score", "interval", "marks")]
            assert said == [cell["text"], cell["interval"], cell["marks"]]
