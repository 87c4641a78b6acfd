"""The leaderboard: numbers as recorded, marks, reasons, hostile strings as text."""

from html import unescape
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt

from benchsuite import records
from benchsuite.errors import InputError
from benchsuite.report import html, markdown, table, write_report
from tests.made import made_outcomes, made_record

HOSTILE = [
    "<script>alert(1)</script>",
    "a|b|c",
    "**bold** _em_ `code` [x](http://y)",
    "![i](z) # h",
    "line\nbreak",
    "\\| \\",
    "„ünïcode“ 漢字 🙂",
    "x" * 300,
]


def board_of(*found: records.Record) -> str:
    return markdown.render(table.build(found))


def test_scores_intervals_and_baselines_are_shown() -> None:
    text = board_of(made_record(value=0.61234))
    assert "61.2 \\[50.0, 70.0\\]" in text
    assert "| trivial | baseline | 55.0 |" in text
    assert "glue/sst2 (accuracy)" in text


def test_the_spread_over_prompts_is_shown() -> None:
    record = made_record(value=0.6)
    assert record.headline is not None
    record.headline.spread = 0.012
    assert "60.0 \\[50.0, 70.0\\] ±1.2" in board_of(record)


def test_marks_name_caps_partial_data_labels_and_seen_text() -> None:
    record = made_record(n=50, labels_used=7, seen_in_pretraining=["race"])
    record.provenance["data"]["training"]["train"] = {
        "source": "mirror",
        "rows": 10,
        "official": 99,
        "used": 10,
    }
    text = board_of(record)
    assert "cap, part, 7 labels, seen" in text
    assert "partial data: train has 10 of 99 official rows" in text


def test_a_threshold_of_no_answer_that_nothing_chose_is_marked() -> None:
    record = made_record()
    for told, marked in (
        ({"no_answer_threshold": 0.0, "tuned": False}, True),
        ({"no_answer_threshold": 0.0}, False),
        ({"threshold": -3.0}, False),
    ):
        record.provenance["chosen"] = {"p": told}
        assert ("70.0\\] untuned |" in board_of(record)) is marked


def test_a_cap_is_told_of_an_evaluation_split_named_train() -> None:
    record = made_record(n=50)
    data = record.provenance["data"]["evaluation"]
    data["train"] = data.pop("validation")
    assert "70.0\\] cap |" in board_of(record)


def test_cells_that_are_not_done_carry_their_reason() -> None:
    for status, word in (
        ("failed", "failed"),
        ("not_applicable", "n/a"),
        ("unavailable", "no data"),
    ):
        text = board_of(made_record(status=status))
        assert f"| {word} |" in text and f"{word}: because" in text


def test_mini_is_never_in_a_table_with_official_tasks() -> None:
    boards = table.build([made_record(), made_record(task="mini/sentiment")])
    assert [board.columns for board in boards] == [["glue/sst2"], ["mini/sentiment"]]
    assert "mini" in boards[1].title


def test_a_user_s_task_is_no_official_one() -> None:
    own = made_record(task="moods")
    own.provenance["data"]["evaluation"]["validation"]["source"] = "files"
    titles = [board.title for board in table.build([made_record(), own])]
    assert titles == ["GLUE", "Tasks of local files"]


def test_hardware_is_never_mixed_in_a_cost_table() -> None:
    one, two = made_record(), made_record(task="glue/cola")
    two.provenance["hardware"] = "other hardware"
    text = board_of(one, two)
    assert text.count("## Cost: GLUE") == 2
    assert "\nOn made hardware.\n" in text and "\nOn other hardware.\n" in text


def test_costs_stand_below_the_scores_and_a_new_head_is_more_than_the_model() -> None:
    record = made_record(regime="full", seed=0)
    record.cost |= {"parameters_trainable": 7_098_882, "parameters_total": 7_098_368}
    text = board_of(record)
    assert "| 7,098,882 | 100% |" in text
    assert text.index("## GLUE") < text.index("## Cost") < text.index("## How to read the tables")


def test_models_are_introduced() -> None:
    record = made_record()
    record.cell["family"] = "decoder"
    record.cost["parameters_total"] = 7_098_368
    record.provenance["pretraining"] = {"tokens": 15_073_280}
    text = board_of(record, *(made_record(f"m{number:02}") for number in range(13)))
    assert "- gpt: decoder, 7.1 M parameters, pretrained on 15.1 M tokens\n" in text
    assert "- and 2 more\n" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@someone", "@<!-- -->someone"),
        ("hf:a/b@main", "hf:a/b@main"),
        ("some.one@a.example", "some.one@<!-- -->a.example"),
        ("#12", "\\#<!-- -->12"),
        ("https://x.y", "https:<!-- -->//x.y"),
        ("www.x.y", "www<!-- -->.x.y"),
        (":smile:", ":<!-- -->smile:"),
        ("$x$", "\\$x\\$"),
        ("a\u202eb\x1b[31m", "a b \\[31m"),
    ],
)
def test_github_makes_nothing_of_a_text(text: str, shown: str) -> None:
    assert markdown.escape(text) == shown


def test_what_needs_no_model_is_of_the_columns_own_data() -> None:
    capped = made_record("a", value=0.9, n=50)
    capped.cell["key_parts"] = {"data": "capped"}
    capped.baselines = {"majority": 0.9}
    whole = [made_record(model, value=0.6) for model in ("b", "c")]
    for one in whole:
        one.baselines = {"majority": 0.55}
    [board] = table.build([capped, *whole])
    assert dict(board.references)["trivial"] == {"glue/sst2": "55.0"}
    assert any("nothing is bold" in note for note in board.notes)


def test_what_is_apart_or_untested_is_marked_and_the_want_of_a_mean_is_told() -> None:
    one, other = made_record("a", value=0.6), made_record("b", value=0.7)
    capped = made_record("c", value=0.9, n=50)
    capped.cell["key_parts"] = {"data": "capped"}
    drawn = {one.key: np.linspace(0.5, 0.7, 100)}
    (board,) = table.build([one, other, capped], drawn)
    entries = {row.model: row.entries["glue/sst2"] for row in board.rows}
    assert "untested" in entries["b"].marks and "apart" in entries["c"].marks
    assert not {"untested", "apart"} & {*entries["a"].marks}
    assert not any(entry.best for entry in entries.values())
    text = board_of(made_record("a"), made_record("b", task="glue/cola"))
    assert "no mean and no rank" in text and "no mean" not in board_of(made_record("a"))


def test_of_several_records_the_most_complete_is_shown() -> None:
    text = board_of(made_record(n=10, value=0.1), made_record(n=100, value=0.9))
    assert "90.0" in text and "10.0 " not in text
    assert "1 other record" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_strings_are_text(name: str) -> None:
    text = board_of(made_record(model=name), made_record(model="b", status="failed", reason=name))
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    page = page[page.index("<h2>") : page.index("<h2>How to read")].replace("<!-- -->", "")
    for markup in ("<script", "<strong>", "<em>", "<code>", "<a ", "<img"):
        assert markup not in page
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    shown = " ".join(name.split())
    assert shown in unescape(page)
    assert rows and page.count("<tr>") >= 4


def test_write_report(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no records"):
        write_report(tmp_path)
    records.write(tmp_path, made_record(), made_outcomes())
    path = write_report(tmp_path)
    assert path == tmp_path / "report" / "leaderboard.md"
    first = path.read_bytes()
    assert write_report(tmp_path).read_bytes() == first
    assert write_report(tmp_path, tmp_path / "elsewhere").read_bytes() == first


def test_a_page_that_is_there_is_never_older_than_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.write(tmp_path, made_record(), made_outcomes())
    page = write_report(tmp_path, page=False).with_suffix(".html")
    assert not page.exists()
    write_report(tmp_path)
    records.write(tmp_path, made_record("another"), made_outcomes())
    write_report(tmp_path, page=False)
    assert "another" in page.read_text()

    def without(*_: object) -> str:
        raise InputError("plots need altair")

    monkeypatch.setattr(html, "render", without)
    with pytest.raises(InputError, match="altair"):
        write_report(tmp_path)
    assert page.exists()
    write_report(tmp_path, page=False)
    assert not page.exists() and page.with_suffix(".md").exists()


def test_tasks_of_lm_eval_have_a_board_and_perplexities_are_no_percent() -> None:
    own, choice = made_record(), made_record(task="lm-eval:sst2")
    rolling = made_record(task="lm-eval:wikitext", value=31.25)
    assert rolling.headline is not None
    rolling.headline.metric = "word_perplexity"
    official, lm_eval = table.build([own, choice, rolling])
    assert official.columns == ["glue/sst2"]
    assert lm_eval.columns == ["lm-eval:sst2", "lm-eval:wikitext"]
    (row,) = lm_eval.rows
    entries = row.entries
    assert entries["lm-eval:sst2"].text == "60.0"
    assert entries["lm-eval:wikitext"].text == "31.250"


def test_the_best_is_bold_and_whole_rows_have_a_mean_and_a_rank() -> None:
    generator = np.random.default_rng(0)
    found, drawn = [], {}
    for model, values in (("a", (0.9, 0.8)), ("b", (0.6, 0.79)), ("c", (0.5, None))):
        for task, value in zip(("glue/cola", "glue/sst2"), values, strict=True):
            if value is None:
                continue
            record = made_record(model, task, value=value)
            drawn[record.key] = value + 0.02 * generator.standard_normal(500)
            found.append(record)
    text = markdown.render(table.build(found, drawn))
    scores = text.split("## Cost")[0].splitlines()
    lines = {line.split(" | ")[0][2:]: line[:-2] for line in scores if line.startswith("| ")}
    assert "**90.0**" in lines["a"] and "**80.0**" in lines["a"]
    assert "| 60.0 " in lines["b"] and "**79.0**" in lines["b"]
    assert lines["a"].endswith("| 85.0 | 1.0 \\[1.0, 1.5\\]")
    assert lines["b"].endswith("| 69.5 | 2.0 \\[1.5, 2.0\\]")
    assert lines["c"].endswith("| - | -") and "**" not in lines["c"]
    untested = markdown.render(table.build(found)).split("## GLUE")[1]
    assert "**" not in untested.split("## How to read")[0]


def test_what_compares_is_told_column_by_column() -> None:
    """Caps differ between columns: in each those of most rows compare, and no other's."""
    found, drawn = [], {}
    generator = np.random.default_rng(0)
    for task, cap, models in (("glue/cola", 1_000, "abc"), ("glue/stsb", 2_000, "ab")):
        for number, model in enumerate(models):
            record = made_record(model, task, "full", value=0.9 - 0.3 * number, seed=0)
            record.cell |= {"train_limit": cap, "regime_name": "full"}
            found.append(record)
            drawn[record.key] = record.headline.value + 0.01 * generator.standard_normal(100)
    stray = made_record("d", "glue/stsb", "full", value=0.95, seed=0)
    stray.cell |= {"train_limit": 1_000, "regime_name": "full"}
    [board] = table.build([*found, stray], drawn)
    entries = {(row.model, task): one for row in board.rows for task, one in row.entries.items()}
    best = {place for place, entry in entries.items() if entry.best}
    assert best == {
        ("a (1,000 training examples)", "glue/cola"),
        ("a (2,000 training examples)", "glue/stsb"),
    }
    apart = {place for place, entry in entries.items() if "apart" in entry.marks}
    assert apart == {("d (1,000 training examples)", "glue/stsb")}


def test_references_are_of_the_column_s_examples() -> None:
    """A row without a score (its predictions are constant) lends nothing of other examples."""
    one, two = made_record("b", value=0.6), made_record("c", value=0.5)
    other = made_record("a", value=None, n=50)
    for record, share in ((one, 0.5), (two, 0.5), (other, 0.9)):
        record.baselines = {"majority": share, "chance": share}
    [board] = table.build([other, one, two])
    assert dict(board.references) == {
        "chance": {"glue/sst2": "50.0"},
        "trivial": {"glue/sst2": "50.0"},
    }
