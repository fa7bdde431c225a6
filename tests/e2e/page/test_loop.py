"""What a person meets first: a run that fails and is repaired, plots, tables, code of their own."""

import csv
from pathlib import Path

import pytest
from browsing import OpenPage, Serve, Typist, Visit, cells, run_own, say, until_rest
from chromium import CHROMIUM
from playwright.sync_api import expect

from codeloop.cli.wiring import guest_packages

pytestmark = [
    pytest.mark.browser,
    pytest.mark.jail,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]
needs_pandas = pytest.mark.skipif(guest_packages() is None, reason="needs scripts/guest-packages")

REPAIR = {
    "mean": "I add them up.\n\n```python\nvalues = []\nprint(sum(values) / len(values))\n```\n",
    "ZeroDivisionError": "It was |empty.\n\n```python\nvalues = [40, 44]\n"
    "print(sum(values) / len(values))\n```\n",
}
TABLE = """```python
import pandas as pd
pd.DataFrame({"city": [f"town {n}" for n in range(30)], "people": [n * 7 % 30 for n in range(30)]})
```"""
PLOT = """```python
import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
```"""


def test_a_first_visit_shows_where_to_begin(open_page: OpenPage) -> None:
    page = open_page({})
    expect(page.get_by_role("heading", name="Ask for something that code can do.")).to_be_visible()
    expect(page.get_by_text("No chats yet.")).to_be_visible()
    assert "token" not in page.url
    page.get_by_role("button", name="Plot a damped oscillation").click()
    expect(page.get_by_role("textbox", name="Message")).to_have_value(
        "Plot a damped oscillation and mark where it first stays below 5 %."
    )


def test_without_a_token_the_page_says_what_it_needs(serve: Serve, visit: Visit) -> None:
    server = serve()
    page = visit(server.port, server.token)
    page.context.clear_cookies()
    page.reload()
    expect(page.get_by_text("This page needs the link")).to_be_visible()
    page.goto("about:blank")


def test_a_failing_run_is_repaired_before_ones_eyes(serve: Serve, visit: Visit) -> None:
    typist = Typist(REPAIR)
    server = serve(typist)
    page = visit(server.port, server.token)
    say(page, "What is the mean?")
    expect(page.get_by_text("Turn 2 of 4: repairing ZeroDivisionError")).to_be_visible()
    first = cells(page).first
    expect(first.locator(".failure")).to_contain_text("division by zero")
    first.get_by_role("button", name="line 2").click()
    expect(first.locator(".line.marked")).to_contain_text("len")
    typist.go_on()
    until_rest(page)
    expect(page.locator(".banner.ended")).to_contain_text("nothing left to do")
    expect(page.locator(".superseded")).to_contain_text("ZeroDivisionError: division by zero")
    last = cells(page).last
    expect(last.locator("pre.output")).to_have_text("42.0\n")
    expect(last.get_by_role("button", name="Attempt 2: ok")).to_have_attribute(
        "aria-pressed", "true"
    )
    last.get_by_role("button", name="Difference").click()
    expect(last.locator(".diff .gone")).to_have_text("- values = []")
    expect(last.locator(".diff .new")).to_have_text("+ values = [40, 44]")
    last.get_by_role("button", name="Attempt 1: failed").click()
    expect(last.locator(".failure")).to_contain_text("division by zero")


def test_what_failed_for_good_is_said_and_a_hint_goes_on(serve: Serve, visit: Visit) -> None:
    typist = Typist(
        {
            "Go": "```python\n1 / 0\n```",
            "ZeroDivisionError": "I give up.",
            "by two": "```python\nprint(1 / 2)\n```",
        }
    )
    server = serve(typist)
    page = visit(server.port, server.token)
    say(page, "Go")
    until_rest(page)
    expect(page.locator(".banner.ended")).to_contain_text("The last run failed, and the model had")
    page.get_by_role("button", name="Give a hint").click()
    page.get_by_role("textbox", name="Hint for the model").fill("Divide by two.")
    page.keyboard.press("Enter")
    until_rest(page, ends=2)
    expect(page.get_by_role("article", name="Your hint")).to_contain_text("Divide by two.")
    expect(cells(page).last.locator("pre.output")).to_have_text("0.5\n")


@needs_pandas
def test_a_table_is_sorted_filtered_paged_and_taken_away(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page({"towns": TABLE})
    say(page, "Show the towns")
    until_rest(page)
    table = page.locator(".table")
    expect(table.locator("tbody tr")).to_have_count(10)
    expect(table).to_contain_text("30 rows")
    table.get_by_role("button", name="people").click()
    table.get_by_role("button", name="people").click()
    expect(table.locator("tbody tr").first).to_contain_text("29")
    expect(table.locator("th[aria-sort=descending]")).to_have_text("people ↓")
    table.get_by_role("button", name="Next page").click()
    expect(table).to_contain_text("2 / 3")
    table.get_by_role("searchbox", name="Filter rows").fill("town 2")
    expect(table).to_contain_text("11 found")
    with page.expect_download() as given:
        table.get_by_role("button", name="CSV").click()
    given.value.save_as(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert rows[3] == {"index": "3", "city": "town 3", "people": "21"}


@needs_pandas
def test_a_plot_is_shown(open_page: OpenPage) -> None:
    page = open_page({"Draw": PLOT})
    say(page, "Draw a line")
    until_rest(page)
    picture = page.get_by_role("img", name="Plot 1")
    expect(picture).to_be_visible()
    width = picture.evaluate("async (image) => (await image.decode(), image.naturalWidth)")
    assert width > 100
    page.get_by_role("button", name="Show the data of the plot").click()
    expect(page.locator(".picture td")).to_have_text(["0", "1", "1", "3", "2", "2"])


def test_code_is_edited_and_run_again_and_variables_are_listed(open_page: OpenPage) -> None:
    page = open_page({"Set": "```python\nanswer = 6 * 7\nprint(answer)\n```"})
    say(page, "Set it")
    until_rest(page)
    cell = cells(page).first
    cell.get_by_role("button", name="Edit").click()
    cell.get_by_role("textbox", name="Edit the code").fill("answer += 1\nprint(answer)\n")
    page.keyboard.press("Control+Enter")
    expect(cell.locator("pre.output")).to_have_text("43\n")
    expect(cell.get_by_role("button", name="Attempt 2: ok")).to_be_visible()
    page.get_by_role("button", name="Variables").click()
    drawer = page.get_by_role("complementary")
    expect(drawer.locator(".variables li").first).to_contain_text("answer")
    expect(drawer.locator(".variables li").first).to_contain_text("43")


def test_a_line_that_the_code_asks_for_is_typed_in_its_cell(open_page: OpenPage) -> None:
    page = open_page({})
    run_own(page, "name = input('Who? ')\nprint('Hello', name)")
    asked = page.get_by_label("Who?")
    expect(asked).to_be_focused()
    asked.fill("Ada")
    page.keyboard.press("Enter")
    expect(cells(page).first.locator("pre.output")).to_have_text("Who? Ada\nHello Ada\n")


def test_a_failed_cell_of_ones_own_is_mended_by_the_model(open_page: OpenPage) -> None:
    page = open_page({"NameError": "```python\nx = 1\nprint(x)\n```"})
    run_own(page, "print(x)")
    expect(cells(page).first.locator(".failure")).to_contain_text("NameError")
    cells(page).first.get_by_role("button", name="Fix with model").click()
    until_rest(page)
    expect(cells(page).locator("pre.output").last).to_have_text("1\n")


def test_nothing_runs_that_was_not_allowed(open_page: OpenPage) -> None:
    page = open_page({"Go": "```python\nprint('ran')\n```"})
    page.get_by_role("combobox", name="What is run").select_option("confirm")
    say(page, "Go")
    question = page.get_by_role("group", name="May this code run?")
    expect(question).to_be_visible()
    expect(page.locator("pre.output")).to_have_count(0)
    question.get_by_role("button", name="Run it").click()
    until_rest(page)
    expect(cells(page).locator("pre.output")).to_have_text("ran\n")
