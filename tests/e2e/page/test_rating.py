"""Models side by side with a blind vote, and rated chats that become training data."""

import json
from pathlib import Path

import pytest
from browsing import OpenPage, Serve, Typist, Visit, say, until_rest
from chromium import CHROMIUM
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.jail,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]
GOOD = {"Add": "So:\n\n```python\nprint(20 + 22)\n```\n"}
BAD = {"Add": "It is about forty."}


def test_models_are_compared_blind_and_ranked_by_the_vote(serve: Serve, visit: Visit) -> None:
    server = serve(Typist(GOOD, name="runs-code"), Typist(BAD, name="guesses"))
    page = visit(server.port, server.token)
    page.get_by_role("link", name="Compare models").click()
    page.get_by_role("textbox", name="What shall all of them do?").fill("Add 20 and 22")
    page.get_by_role("button", name="Ask 2 models").click()
    columns = page.locator(".columns > section")
    expect(columns).to_have_count(2)
    expect(columns.locator(".banner.ended")).to_have_count(2)
    expect(page.locator(".columns")).not_to_contain_text("guesses")
    best = columns.filter(has=page.locator("pre.output"))
    letter = (best.locator("h2").inner_text()).split()[1][0]
    page.get_by_role("group", name="Vote").get_by_role("button", name=letter, exact=True).click()
    expect(page.get_by_text("You chose runs-code.")).to_be_visible()
    expect(page.locator(".columns")).to_contain_text("guesses")
    page.reload()
    expect(page.locator(".columns .winner h2")).to_contain_text("runs-code")
    page.get_by_role("link", name="Ranks, and another one").click()
    expect(page.locator("table.plain tbody tr").first).to_contain_text("runs-code")


def test_hidden_tests_run_in_each_sandbox_and_say_which_model_is_right(
    serve: Serve, visit: Visit
) -> None:
    right = {"Write": "```python\ndef add(a, b):\n    return a + b\n```\n"}
    wrong = {"Write": "```python\ndef add(a, b):\n    return a - b\n```\n"}
    server = serve(Typist(right, name="right"), Typist(wrong, name="wrong"))
    page = visit(server.port, server.token)
    page.get_by_role("link", name="Compare models").click()
    page.get_by_role("textbox", name="What shall all of them do?").fill("Write add")
    page.get_by_text("Hidden tests").click()
    page.get_by_role("textbox", name="Python that raises").fill("assert add(2, 3) == 5")
    page.get_by_role("checkbox", name="Blind").uncheck()
    page.get_by_role("button", name="Ask 2 models").click()
    expect(page.get_by_role("region", name="right", exact=True)).to_contain_text("tests passed")
    expect(page.get_by_role("region", name="wrong", exact=True)).to_contain_text("tests failed")


def test_rated_chats_are_filtered_checked_and_exported(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(GOOD)
    say(page, "Add them")
    until_rest(page)
    page.get_by_role("button", name="Good reply").click()
    expect(page.get_by_role("button", name="Good reply")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Data").click()
    row = page.locator("table.plain tbody tr")
    expect(row).to_contain_text("Add them")
    expect(row).to_contain_text("passed")
    page.get_by_role("combobox", name="Any thumb").select_option("down")
    expect(page.get_by_text("No rated chat fits.")).to_be_visible()
    page.get_by_role("combobox", name="Any thumb").select_option("up")
    expect(row).to_have_count(1)
    expect(page.get_by_role("button", name="Export")).to_be_disabled()
    page.get_by_role("checkbox", name="Whoever wrote these chats agrees").check()
    with page.expect_download() as given:
        page.get_by_role("link", name="Export").click()
    given.value.save_as(tmp_path / "rated.jsonl")
    (line,) = (tmp_path / "rated.jsonl").read_text(encoding="utf-8").splitlines()
    assert "print(20 + 22)" in json.dumps(json.loads(line)["messages"])
