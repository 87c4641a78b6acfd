"""The page in a real browser, from disk, without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.report.html.conftest import FAMILIES, HOSTILE, REGIMES, TASKS


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The opened page; errors in its console fail the test."""
    troubles: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    opened = context.new_page()
    opened.on("console", lambda message: troubles.append(message.text))
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("request", lambda r: troubles.append(r.url) if r.url.startswith("http") else None)
    opened.goto((report / "leaderboard.html").as_uri())
    opened.wait_for_selector("html[data-ready=yes]")
    yield opened
    assert not troubles
    context.close()


def rows(page: Any) -> list[list[str]]:
    """Model and regime of the table's rows, as shown."""
    found: list[list[str]] = page.evaluate(
        "[...document.querySelectorAll('#board-0 tbody tr')].map("
        "row => [...row.cells].slice(0, 2).map(cell => cell.innerText))"
    )
    return found


def test_all_rows_are_there_and_hostile_text_is_text(page: Any) -> None:
    shown = rows(page)
    assert len(shown) == len(FAMILIES) * len(REGIMES) + 1
    assert [HOSTILE, "zeroshot"] in shown


def test_a_click_on_a_column_sorts_by_its_scores(page: Any) -> None:
    header = page.locator("#board-0 thead th", has_text=TASKS[0])
    header.click()
    page.wait_for_function("location.hash.includes('sort')")
    first = page.evaluate(
        "[...document.querySelectorAll('#board-0 tbody tr td:nth-child(4)')]"
        ".map(cell => parseFloat(cell.innerText))"
    )
    scores = [value for value in first if value is not None]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) > 3
    page.reload()
    page.wait_for_selector("html[data-ready=yes]")
    assert rows(page)[0] == ["t5", "full"]


@pytest.mark.parametrize(
    ("name", "value", "left"), [("family", "encoder", 4), ("regime", "lora", 3)]
)
def test_a_filter_changes_what_is_shown_and_the_url(
    page: Any, name: str, value: str, left: int
) -> None:
    page.locator(f"[data-filter={name}] summary").click()
    page.locator(f"[data-filter={name}] input[value='{value}']").check()
    assert len(rows(page)) == left and f"{name}={value}" in page.url
    page.reload()
    page.wait_for_selector("html[data-ready=yes]")
    assert len(rows(page)) == left
    page.locator("#reset").click()
    page.wait_for_selector("html[data-ready=yes]")
    page.wait_for_function("!location.hash")
    page.wait_for_function("document.querySelectorAll('#board-0 tbody tr').length > 10")


def test_tasks_sizes_and_words_filter_too(page: Any) -> None:
    page.locator("[data-filter=task] summary").click()
    page.locator(f"[data-filter=task] input[value='{TASKS[0]}']").check()
    heads = page.locator("#board-0 thead th").all_inner_texts()
    assert any(TASKS[0] in head for head in heads) and not any(TASKS[1] in h for h in heads)
    page.locator("#find").fill("gpt fu")
    assert rows(page) == [["gpt", "full"]]
    page.locator("#find").fill("")
    page.locator("#size").select_option(label="100 M to 1 B")
    assert page.locator("#count-0").inner_text().startswith("0 of")
    page.locator("#size").select_option(label="1 to 10 M")
    assert page.locator("#count-0").inner_text().startswith("12 of")


def test_a_cell_opens_with_the_keyboard(page: Any) -> None:
    cell = page.locator("button.score[aria-label^='bert, lora, mini/choice']")
    cell.focus()
    page.keyboard.press("Enter")
    text = page.locator("#cell").inner_text()
    assert "bench run --model bert <made>" in text and "score by seed" in text
    page.keyboard.press("Escape")
    assert not page.locator("#cell").is_visible()


def test_marks_of_the_plots_are_the_records(page: Any, report: Path) -> None:
    frame = pd.read_parquet(report / "leaderboard.parquet")
    done = frame[frame["status"] == "done"]
    means = done.groupby(["model", "regime", "task"])["value"].mean()
    for plot in ("trainable", "heat", "families"):
        labels = page.evaluate(
            f"[...document.querySelectorAll('#plot-{plot} [role=graphics-symbol][aria-label]')]"
            ".map(mark => mark.getAttribute('aria-label'))"
        )
        labels = [label for label in labels if re.match(r"\S+, \S+, mini/", label)]
        assert len(labels) == len(means)
        for label in labels[:3]:
            model, regime, rest = label.split(", ", 2)
            task, score = rest.split(": ")
            assert float(score.split(" ")[0]) == pytest.approx(
                100 * means[model, regime, task], abs=0.051
            )


def test_it_is_dark_where_that_is_preferred_and_fits_a_phone(browser: Any, report: Path) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 800}, color_scheme="dark", offline=True
    )
    page = context.new_page()
    page.goto((report / "leaderboard.html").as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    for selector in ("body", "#board-0 tbody tr td", "div.dt-container"):
        colour = page.evaluate(
            f"getComputedStyle(document.querySelector('{selector}')).backgroundColor"
        )
        numbers = [float(x) for x in re.findall(r"[\d.]+", colour)]
        assert sum(numbers[:3]) < 150 or (len(numbers) == 4 and numbers[3] == 0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
