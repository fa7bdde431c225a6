"""What a person does on the way: another question, a branch, a look back, order among chats."""

from pathlib import Path

import pytest
from browsing import OpenPage, Serve, Typist, Visit, cells, run_own, say, until_rest
from chromium import CHROMIUM
from playwright.sync_api import expect
from wheels import make_wheel

from codeloop.sandbox import InstallPolicy

pytestmark = [
    pytest.mark.browser,
    pytest.mark.jail,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]
SUMS = {"Add": "```python\nprint(20 + 22)\n```\n", "Subtract": "```python\nprint(50 - 9)\n```\n"}
ASKED = "Install alpha, and what they need, from the wheels kept here?"


def test_a_message_is_asked_otherwise_in_a_branch(open_page: OpenPage) -> None:
    page = open_page(SUMS)
    say(page, "Add them")
    until_rest(page)
    first = page.url
    page.get_by_role("article", name="Your message").hover()
    page.get_by_role("button", name="Ask otherwise").click()
    page.get_by_role("textbox", name="The message, otherwise").fill("Subtract them")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url != first)
    until_rest(page)
    expect(page.get_by_role("article", name="Your message")).to_have_text("Subtract them")
    expect(cells(page).locator("pre.output")).to_have_text("41\n")
    page.goto(first)
    expect(cells(page).locator("pre.output")).to_have_text("42\n")


def test_a_branch_begins_after_a_cell_of_ones_own(open_page: OpenPage) -> None:
    page = open_page(SUMS)
    run_own(page, "kept = 1")
    expect(page.get_by_role("button", name="Branch from here")).to_have_count(1)
    run_own(page, "kept = 2")
    expect(page.get_by_role("button", name="Branch from here")).to_have_count(2)
    first = page.url
    page.get_by_role("button", name="Branch from here").first.click()
    page.wait_for_url(lambda url: url != first)
    expect(cells(page)).to_have_count(1)
    run_own(page, "print(kept)")
    expect(cells(page).last.locator("pre.output")).to_have_text("1\n")


def test_a_package_comes_once_a_person_agrees(serve: Serve, visit: Visit, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "alpha", {"alpha.py": "x = 42"})
    code = "```python\n%pip install alpha\nimport alpha\nprint(alpha.x)\n```\n"
    replies = {"nobody did": code.replace("%pip", "# please\n%pip"), "Use": code}
    server = serve(Typist(replies), installs=InstallPolicy(str(wheels), asks=True))
    page = visit(server.port, server.token)
    say(page, "Use alpha")
    question = page.get_by_role("group", name=ASKED)
    question.get_by_role("button", name="No").click()
    expect(page.locator(".superseded")).to_contain_text("nobody did")
    question.get_by_role("button", name="Yes").click()
    until_rest(page)
    expect(cells(page).last.locator("pre.output")).to_contain_text("42")


def test_the_palette_does_what_is_typed_and_finds_chats(open_page: OpenPage) -> None:
    page = open_page(SUMS)
    say(page, "Add them")
    until_rest(page)
    first = page.url
    page.keyboard.press("Control+k")
    page.keyboard.type("show var")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary")).to_contain_text("No variables yet.")
    page.keyboard.press("Control+k")
    page.keyboard.type("theme: dark")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("Control+k")
    page.keyboard.type("new chat")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Ask for something")).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("20 + 22")
    expect(page.get_by_role("listbox", name="What there is").get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    page.wait_for_url(first)


def test_chats_lie_in_folders(open_page: OpenPage) -> None:
    page = open_page(SUMS)
    say(page, "Add them")
    until_rest(page)
    row = page.locator(".chat-row").first
    row.hover()
    row.get_by_role("button", name="Put Add them into a folder").click()
    page.get_by_role("combobox", name="Folder").fill("Sums")
    page.keyboard.press("Enter")
    folder = page.get_by_role("list", name="Chats in Sums")
    expect(folder.locator(".chat-row")).to_have_count(1)
    page.reload()
    expect(folder.get_by_role("link", name="Add them")).to_be_visible()
    folder.locator(".chat-row").hover()
    folder.get_by_role("button", name="Put Add them into a folder").click()
    page.get_by_role("combobox", name="Folder").fill("")
    page.keyboard.press("Enter")
    expect(folder).to_have_count(0)
    expect(page.locator(".chat-row")).to_have_count(1)


def test_the_timeline_tells_all_that_happened_and_branches_from_any_of_it(
    open_page: OpenPage,
) -> None:
    page = open_page({"Add": "```python\nprint(1 / 0)\n```\n", "division": SUMS["Add"]})
    say(page, "Add them")
    until_rest(page)
    first = page.url
    page.get_by_role("button", name="Timeline").click()
    line = page.get_by_role("complementary").get_by_role("listitem")
    expect(line.filter(has_text="c1: error after")).to_have_count(1)
    expect(line.filter(has_text="c2: ok after")).to_have_count(1)
    reply = line.filter(has_text="Reply:").last
    reply.get_by_text("What the model was told").click()
    expect(reply).to_contain_text("ZeroDivisionError")
    line.filter(has_text="c1: error after").get_by_role("button").click()
    page.wait_for_url(lambda url: url != first)
    expect(page.locator(".banner.ended")).to_contain_text("The branch begins here.")
    expect(cells(page)).to_have_count(1)
    expect(cells(page).locator(".failure")).to_contain_text("division by zero")
