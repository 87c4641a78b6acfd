"""The page in a real browser, from disk, without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.html.conftest import FAMILIES, HOSTILE, REGIMES, TASKS
from tests.report.html.made import cell_record, page_of


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


@pytest.fixture
def open_page(browser: Any) -> Iterator[Any]:
    """A way to open any page in a window of any width; its contexts are closed."""
    contexts = []

    def opened(path: Path, width: int = 1280, state: str = "", **options: Any) -> Any:
        size = {"width": width, "height": 800}
        contexts.append(browser.new_context(viewport=size, offline=True, **options))
        page = contexts[-1].new_page()
        page.goto(path.as_uri() + state)
        page.wait_for_selector("html[data-ready=yes]")
        return page

    yield opened
    for context in contexts:
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
    shown = cell.inner_text().split()
    first = page.locator("#cell-body p").first.inner_text()
    assert first.startswith(" ".join(shown[:3])) and "over 2 seeds" in first
    page.keyboard.press("Escape")
    assert not page.locator("#cell").is_visible()


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


def test_a_score_is_announced_with_its_marks(page: Any) -> None:
    label = page.locator("button.score[aria-label^='bert, lora, mini/choice']").get_attribute(
        "aria-label"
    )
    assert re.search(r": [\d.]+ \[.*\], .*over 2 seeds", label)
    assert any(
        "not significantly worse than the best" in one.get_attribute("aria-label")
        for one in page.locator("button.score").all()
    )


def test_sorting_is_announced_without_markup(page: Any) -> None:
    labels = [
        one.get_attribute("aria-label") for one in page.locator("#board-0 .dt-column-order").all()
    ]
    assert any(label.startswith(f"{TASKS[1]} accuracy") for label in labels)
    assert not any(set("<>") & set(label) for label in labels)


def test_a_pop_up_closes_on_escape_and_when_focus_leaves_it(page: Any) -> None:
    box, summary = (
        page.locator("[data-filter=family]"),
        page.locator("[data-filter=family] summary"),
    )
    summary.click()
    page.locator("[data-filter=family] input").first.focus()
    page.keyboard.press("Escape")
    assert box.get_attribute("open") is None
    assert page.evaluate("document.activeElement.parentElement.dataset.filter") == "family"
    page.keyboard.press("Enter")
    assert box.get_attribute("open") is not None
    page.locator("[data-filter=family] input").last.focus()
    assert box.get_attribute("open") is not None
    page.keyboard.press("Tab")
    assert box.get_attribute("open") is None


@pytest.mark.parametrize("section", ["families", "plots", "legend"])
def test_a_jump_moves_the_focus_to_a_heading_that_can_be_seen(page: Any, section: str) -> None:
    page.evaluate("document.body.style.paddingBottom = '2000px'")
    page.locator(f"nav a[href='#{section}']").click()
    top, bar, name = page.evaluate(
        "[document.activeElement.getBoundingClientRect().top,"
        " document.querySelector('.filters').getBoundingClientRect().bottom,"
        " document.activeElement.tagName]"
    )
    assert name == "H2" and bar <= top < bar + 60


def test_a_link_pasted_into_an_open_page_is_followed(page: Any) -> None:
    page.evaluate("location.hash = 'family=encoder&find=ber&sort=0:3:asc'")
    page.wait_for_function("document.querySelectorAll('#board-0 tbody tr').length === 4")
    assert page.locator("[data-filter=family] input[value=encoder]").is_checked()
    assert page.locator("[data-filter=family] summary").inner_text() == "Family: encoder"
    assert page.locator("#find").input_value() == "ber"
    assert [regime for _, regime in rows(page)] == ["zeroshot", "lora", "bitfit", "full"]
    page.evaluate("location.hash = ''")
    page.wait_for_function("document.querySelectorAll('#board-0 tbody tr').length > 10")
    assert page.locator("#find").input_value() == ""


def test_what_a_link_says_of_other_pages_is_passed_over(open_page: Any, report: Path) -> None:
    state = "#family=nobody&regime=lora&task=toString&size=length&sort=0:99:asc&sort=7:0:up"
    page = open_page(report / "leaderboard.html", state=state)
    assert len(rows(page)) == 3
    assert page.evaluate("location.hash") == "#regime=lora"


def test_rows_without_a_score_come_last_both_ways(page: Any) -> None:
    for way in ("asc", "desc"):
        page.evaluate(f"location.hash = 'sort=0:3:{way}'")
        page.wait_for_function(f"document.querySelector('#board-0 th[aria-sort^={way}]')")
        shown = rows(page)
        assert shown[-1] == [HOSTILE, "zeroshot"]
        assert shown[0][0] == {"asc": "bert", "desc": "t5"}[way]


def scrolled(page: Any) -> dict[str, Any]:
    """Where the names of the first row stand before and after scrolling sideways."""
    found: dict[str, Any] = page.evaluate(
        """() => {
          const scroller = document.querySelector(".dt-layout-table > div");
          const cells = () => [...document.querySelectorAll("#board-0 tbody tr:first-child td")]
            .slice(0, 3).map((cell) => cell.getBoundingClientRect());
          const before = cells();
          scroller.scrollLeft = 200;
          const after = cells();
          const colours = [...document.querySelectorAll("#board-0 .model, #board-0 .regime")]
            .filter((node) => ["TD", "TH"].includes(node.tagName))
            .map((node) => getComputedStyle(node).backgroundColor);
          return {
            moved: after.map((box, at) => box.left - before[at].left),
            right: after.map((box) => box.right), left: after.map((box) => box.left),
            width: after.map((box) => box.width), colours: [...new Set(colours)],
            small: getComputedStyle(document.querySelector("#board-0 td .regime")).display,
          };
        }"""
    )
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_model_and_regime_stay_in_sight(open_page: Any, wide: Path, scheme: str) -> None:
    found = scrolled(open_page(wide, 1100, color_scheme=scheme))
    assert found["moved"][:2] == pytest.approx([0, 0], abs=0.5) and found["moved"][2] < -50
    assert found["left"][1] == pytest.approx(found["right"][0], abs=0.5)
    assert found["small"] == "none"
    assert all(colour.startswith("rgb(") for colour in found["colours"])  # opaque


def test_on_a_phone_the_regime_stands_below_the_model(open_page: Any, wide: Path) -> None:
    found = scrolled(open_page(wide, 390))
    assert found["moved"][0] == pytest.approx(0, abs=0.5) and found["moved"][2] < -150
    assert found["width"][1] == 0 and found["small"] == "block"
    assert found["width"][0] < 190


def test_on_a_phone_a_filter_closes_where_it_opened(open_page: Any, wide: Path) -> None:
    page = open_page(wide, 390)
    for name in ("family", "regime", "task"):
        button = page.locator(f"details[data-filter={name}] summary")
        button.click()
        assert page.locator(f"details[data-filter={name}] label").first.is_visible()
        button.click(timeout=2_000)  # nothing lies on it
        assert not page.locator(f"details[data-filter={name}] label").first.is_visible()


def test_a_table_is_printed_whole(open_page: Any, wide: Path) -> None:
    page = open_page(wide, 1062)  # A4 across, but for its margins
    assert page.locator("#board-0 tbody tr").count() == 50
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#board-0 tbody tr").count() == 70
    ends = page.evaluate(
        "[...document.querySelectorAll('#board-0 tr')].map(row => [row.cells.length,"
        " Math.max(...[...row.cells].map(cell => cell.getBoundingClientRect().right))])"
    )
    assert {cells for cells, _ in ends} == {14} and max(right for _, right in ends) <= 1062
    broken = page.evaluate(
        """[...document.querySelectorAll("#board-0 td b, #board-0 td.number")].filter((node) => {
          const range = document.createRange();
          range.selectNodeContents(node);
          return !node.textContent.includes("[") && range.getClientRects().length > 1;
        }).length"""
    )
    assert broken == 0  # no number is parted between two lines
    assert (
        page.evaluate(
            "getComputedStyle(document.querySelector('.dt-layout-table > div')).overflowX"
        )
        == "visible"
    )
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#board-0 tbody tr").count() == 50


def test_published_rows_come_on_demand_and_follow_the_filters(
    open_page: Any, plotted: Path
) -> None:
    page = open_page(plotted)

    def models() -> list[str]:
        found = page.locator("#published-rows tr[data-model] td:first-child")
        return [one.inner_text() for one in found.all() if one.is_visible()]

    assert models() == []
    page.locator("#published").check()
    assert "BERT-base" in models() and "published=1" in page.url
    heads = "#published-rows th[data-task]"
    assert [one.split() for one in page.locator(heads).all_inner_texts()] == [
        ["glue/rte", "accuracy"],
        ["glue/sst2", "accuracy"],
    ]
    page.locator("#find").fill("roberta lora")
    assert models() == ["RoBERTa-base"]
    page.locator("#find").fill("")
    with_all = len(models())
    page.locator("[data-filter=task] summary").click()
    page.locator("[data-filter=task] input[value='glue/rte']").check()
    assert 0 < len(models()) < with_all  # RoBERTa's own table has no RTE
    assert [one.is_visible() for one in page.locator(heads).all()] == [True, False]
    page.reload()
    page.wait_for_selector("html[data-ready=yes]")
    assert 0 < len(models()) < with_all
    page.locator("#published").uncheck()
    assert models() == []


def test_names_of_javascript_are_names(open_page: Any, tmp_path: Path) -> None:
    """A row without a score of the task `constructor` has none."""
    found = [cell_record("gpt", task="glue/rte"), cell_record("bert", task="constructor")]
    path = tmp_path / "page.html"
    path.write_text(page_of(found), encoding="utf-8")
    page = open_page(path)
    shown = {
        row.locator("td").first.inner_text(): row.locator("button.score").count()
        for row in page.locator("table.board tbody tr").all()
    }
    assert shown == {"gpt": 1, "bert": 1}
