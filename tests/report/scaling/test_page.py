"""The page's tables as a reader sees them, and its command."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite import records
from benchsuite.report.scaling import collect
from benchsuite.report.scaling.__main__ import main
from benchsuite.report.scaling.page import equal_tables, render
from benchsuite.report.scaling.page import section as shown_section
from tests.report.scaling.made import scored

# FLOPs a token: 40 million for gpt, 20 million for t5.
TRIO = [
    scored("gpt:untrained", 0.49),
    scored("gpt@256", 0.52, 1_000_000, 4e13),
    scored("gpt@512", 0.56, 2_000_000, 8e13),
    scored("gpt@1024", 0.60, 4_000_000, 1.6e14),
    scored("gpt", 0.64, 8_000_000, 3.2e14),
    scored("t5@256", 0.51, 1_000_000, 2e13),
    scored("t5", 0.55, 5_000_000, 1e14),
    scored("t5", 0.30, 5_000_000, 1e14, task="glue/cola"),
]


def section(page: str, title: str) -> list[list[str]]:
    """Cells of the rows of the table under a heading."""
    text = page.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_every_checkpoint_is_a_row_after_its_untrained_self() -> None:
    rows = section(render(collect(TRIO)), "Every checkpoint")
    assert [row[0] for row in rows] == [
        *("gpt:untrained", "gpt@256", "gpt@512", "gpt@1024", "gpt"),
        *("t5@256", "t5", "chance"),
    ]
    blimp = "\\[50.0, 70.0\\]"
    assert rows[0] == ["gpt:untrained", "decoder", "0", "0", f"49.0 {blimp}", "-"]
    assert rows[2] == ["gpt@512", "decoder", "2,000,000", "8.00e13", f"56.0 {blimp}", "-"]
    assert rows[6][1:5] == ["encoder-decoder", "5,000,000", "1.00e14", f"55.0 {blimp}"]
    assert rows[6][5].startswith("30.0")
    assert rows[7][4:] == ["50.0", "50.0"]


def test_equal_tokens_and_equal_flops_say_what_was_really_spent() -> None:
    page = render(collect(TRIO))
    assert "within 5,000,000 tokens" in page and "within 1.00e14 FLOPs" in page
    by_tokens = section(page, "At equal tokens")
    assert [(row[0], row[2], row[4][:4]) for row in by_tokens] == [
        ("gpt:untrained", "0", "49.0"),
        ("gpt@1024", "4,000,000", "60.0"),
        ("t5", "5,000,000", "55.0"),
        ("chance", "-", "50.0"),
    ]
    by_flops = section(page, "At equal FLOPs")
    assert [(row[0], row[3], row[4][:4]) for row in by_flops[1:3]] == [
        ("gpt@512", "8.00e13", "56.0"),
        ("t5", "1.00e14", "55.0"),
    ]


def test_tables_and_sections_say_the_same() -> None:
    tokens, flops = equal_tables(TRIO)
    assert (tokens.title, flops.title) == ("At equal tokens", "At equal FLOPs")
    assert tokens.header[:4] == ["model", "family", "tokens", "FLOPs"]
    assert [row[0] for row in tokens.rows] == ["gpt:untrained", "gpt@1024", "t5", "chance"]
    assert tokens.rows[1][4] == "60.0 [50.0, 70.0]" and "5,000,000 tokens" in tokens.text
    lines = [line for table in (tokens, flops) for line in shown_section(table, "###")]
    assert [line for line in lines if line.startswith("#")] == [
        "### At equal tokens",
        "### At equal FLOPs",
    ]
    rows = section("\n".join(lines).replace("###", "##"), "At equal tokens")
    assert [[cell.replace("\\", "") for cell in row] for row in rows] == tokens.rows


def test_one_model_is_compared_with_nothing() -> None:
    page = render(collect([one for one in TRIO if one.cell["model"].startswith("gpt")]))
    assert "At equal" not in page and "| gpt@512 |" in page


def test_a_model_without_a_checkpoint_small_enough_is_named() -> None:
    page = render(collect([scored("gpt", 0.6, 10), scored("t5", 0.5, 4), scored("t5@1", 0.5, 1)]))
    assert "gpt: its first one is beyond that." in page
    assert [row[0] for row in section(page, "At equal tokens")] == ["t5", "chance"]
    assert "At equal FLOPs" not in page


def test_the_command_writes_page_and_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for record in TRIO:
        records.write(tmp_path, record, None)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "record.json").write_text('{"schema_version": 7}')
    assert main(["--store", str(tmp_path)]) == 0
    page = tmp_path / "report" / "scaling.md"
    assert capsys.readouterr().out.strip() == str(page)
    assert "](scaling.svg)" in page.read_text() and "schema version 7" in page.read_text()
    assert main(["--store", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    for name in ("scaling.md", "scaling.svg"):
        assert (tmp_path / "out" / name).read_bytes() == (page.parent / name).read_bytes()


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()

    def refused(*arguments: str) -> str:
        assert main(list(arguments)) == 2
        [line] = capsys.readouterr().err.splitlines()
        return line

    assert "no records here" in refused("--store", str(tmp_path / "none"))
    records.write(tmp_path, scored("hf:x/y", 0.5), None)
    assert "say how far their models were trained" in refused("--store", str(tmp_path))
    records.write(tmp_path, TRIO[1], None)
    out = str(tmp_path / "file" / "out")
    assert "cannot be written" in refused("--store", str(tmp_path), "--out", out)
