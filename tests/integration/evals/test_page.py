"""The page of a run, and of a comparison, in a real browser."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium import CHROMIUM
from playwright.sync_api import Browser, Page, expect
from recorded import recorded, recorded_turn

from codeloop.evals.reports.comparison import Run, compare_all
from codeloop.evals.reports.figures import summarise
from codeloop.evals.reports.page import comparison_page, run_page
from codeloop.evals.rows import Row
from codeloop.evals.settings import FeedbackKind, Settings, Stop, Visible

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]

HOSTILE = (
    "</script><script>document.title='broken'</script><!--<img src=x onerror=alert(1)>\u2028\ud800"
)
SETTINGS = Settings("humaneval+@1", "m", feedback=FeedbackKind.EXECUTION, turns=2)
RIGHT, WRONG = recorded_turn(passed=True), recorded_turn(passed=False, why={"input": "[1]"})
BASE = recorded_turn(passed=False, base=True)
Show = Callable[[str], Page]


def rows() -> list[Row]:
    """Return 164 dialogues: 100 right at once, 30 in the end, 20 wrong, 10 half, 3 lost, 1 none."""
    mended = RIGHT | {"code": "def f(x):\n    return abs(x)\n"}
    ways = [[RIGHT]] * 100 + [[WRONG, mended]] * 30 + [[WRONG, WRONG | {"reason": "limit"}]] * 20
    ways += [[BASE, BASE]] * 10 + [[RIGHT, WRONG]] * 3
    made = [recorded(f"HumanEval/{at}", way) for at, way in enumerate(ways)]
    for row in made:
        row["turns"][0]["visible"] = len(row["turns"]) == 1
    made[101] = recorded("HumanEval/101", ways[101], replies=[f"needle {HOSTILE}"])
    return [*made, {"problem": "HumanEval/163", "sample": 0, "error": "ModelError: gone"}]


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """Return a function that opens a page; in the end nothing may have failed or been asked for."""
    asked: list[str] = []
    faults: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})

    def opened(text: str) -> Page:
        path = tmp_path / "report.html"
        path.write_text(text, encoding="utf-8")
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield opened
    context.close()
    assert faults == []
    assert {url.partition("#")[0] for url in asked} == {(tmp_path / "report.html").as_uri()}


@pytest.fixture
def page(show: Show) -> Page:
    return show(run_page(SETTINGS, summarise(rows()), rows()))


def test_a_run_of_164_dialogues_is_shown_and_each_has_its_outcome(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("m")
    expect(page.get_by_role("status")).to_have_text("164 of 164 dialogues")
    expect(page.locator("#grid button")).to_have_count(164)
    counts = {name: page.locator(f"#grid .{name}").count() for name in ("first", "later", "wrong")}
    assert counts == {"first": 100, "later": 30, "wrong": 20}
    assert [page.locator(f"#grid .{n}").count() for n in ("base", "lost", "error")] == [10, 3, 1]
    expect(page.get_by_label("Main figures")).to_contain_text("130 of 163")


def test_filters_work_alone_and_together(page: Page) -> None:
    count = page.get_by_role("status")
    page.get_by_role("checkbox", name="solved by a later turn").check()
    expect(count).to_have_text("30 of 164 dialogues")
    page.get_by_label("Text").fill("needle")
    expect(count).to_have_text("1 of 164 dialogues")
    page.get_by_role("button", name="Clear").click()
    expect(count).to_have_text("164 of 164 dialogues")
    page.get_by_role("combobox", name="Verdict").select_option("limit")
    expect(count).to_have_text("20 of 164 dialogues")
    page.get_by_role("combobox", name="at turn").select_option("1")
    expect(count).to_have_text("0 of 164 dialogues")
    page.get_by_role("combobox", name="Verdict").select_option("")
    page.get_by_role("combobox", name="at turn").select_option("2")
    expect(count).to_have_text("63 of 164 dialogues")
    expect(page.locator("#list li:visible")).to_have_count(63)


def test_a_dialogue_opens_by_keyboard_with_messages_verdicts_and_what_changed(page: Page) -> None:
    page.locator("#grid button").first.focus()
    for key in ("End", "Home", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    sheet = page.get_by_role("dialog")
    expect(sheet).to_be_visible()
    expect(sheet.get_by_role("heading", level=2)).to_contain_text("HumanEval/1")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(page.locator("#grid button").nth(1)).to_be_focused()
    page.get_by_label("HumanEval/102: solved by a later turn, 2 turns").click()
    expect(sheet).to_contain_text("Write f for HumanEval/102.")
    expect(sheet).to_contain_text("Try again.")
    expect(sheet.locator("dl.why")).to_contain_text("[1]")
    expect(sheet.locator("pre .cut")).to_have_text("-     return x")
    expect(sheet.locator("pre .add")).to_have_text("+     return abs(x)")
    sheet.get_by_role("button", name="Next dialogue").click()
    expect(sheet.get_by_role("heading", level=2)).to_contain_text("HumanEval/103")


def test_text_of_a_model_stays_text(page: Page) -> None:
    page.get_by_label("HumanEval/101:").click()
    said = page.get_by_role("dialog").locator(".assistant .said").first
    expect(said).to_contain_text("</script><script>document.title='broken'</script><!--<img src=x")
    assert page.title() == "humaneval+@1: m"
    assert page.locator("img").count() == 0


def test_a_page_linked_to_a_dialogue_opens_it(page: Page) -> None:
    page.goto(f"{page.url}#HumanEval%2F163")
    page.reload()
    expect(page.get_by_role("dialog")).to_contain_text("A model call failed: ModelError: gone")
    page.evaluate("location.hash = ''")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_in_its_width_in_both_schemes(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator("#grid button").first.click()
    assert page.evaluate("document.querySelector('#sheet').scrollWidth") <= 360
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(19, 20, 23)") == (scheme == "dark")


def test_everything_that_can_be_used_has_a_name(page: Page) -> None:
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, [tabindex="0"]')]
        .filter((each) => !(each.getAttribute('aria-label') || each.textContent.trim()
          || each.closest('label')?.textContent.trim())).map((each) => each.outerHTML)"""
    )
    assert nameless == []


def test_a_leaking_run_says_so_on_top(show: Show) -> None:
    leaking = Settings("mbpp+@1", "m", feedback=FeedbackKind.EXECUTION, visible=Visible.ALL)
    page = show(run_page(leaking, summarise(rows()), rows()))
    expect(page.locator(".stamp")).to_contain_text("LEAKING")
    page.get_by_text("Beside what was published").click()
    expect(page.locator("tr.own")).to_contain_text("m (all tests shown, 1 turns) + exec")


def test_a_comparison_shows_where_runs_differ(show: Show) -> None:
    one = Run("one", SETTINGS, [recorded("a", [WRONG]), recorded("b", [RIGHT])])
    two = Run("two", SETTINGS, [recorded("a", [RIGHT]), recorded("b", [RIGHT])])
    page = show(comparison_page(compare_all([one, two], Stop.VISIBLE), [one, two]))
    expect(page.get_by_role("table", name="Where they differ")).to_contain_text("a")
    expect(page.get_by_text("1 of 2 problems are solved by some")).to_be_visible()
