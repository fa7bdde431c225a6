"""What a person brings, says of it, and takes away; and what must never get into the page."""

import json
from pathlib import Path

import pytest
from browsing import OpenPage, cells, export, run_own, say, until_rest
from chromium import CHROMIUM
from playwright.sync_api import Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.jail,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]
AXE = Path(__file__).parents[3] / "web" / "node_modules" / "axe-core" / "axe.min.js"
SUM = {"Add": "So:\n\n```python\nprint(20 + 22)\n```\n"}
DROP = """([target, name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  const kind = name.startsWith("pasted") ? "paste" : "drop";
  const event = kind === "drop" ? new DragEvent("drop", {dataTransfer: data, bubbles: true})
    : new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
  document.querySelector(target).dispatchEvent(event);
}"""


def test_files_go_in_by_button_drop_and_paste_and_out_again(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page({})
    (tmp_path / "chosen.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    page.locator("form.composer input[type=file]").set_input_files(tmp_path / "chosen.csv")
    expect(page.locator("form.composer .chip")).to_contain_text("chosen.csv")
    page.evaluate(DROP, ["form.composer", "dropped.txt", "d"])
    page.evaluate(DROP, ["#composer", "pasted.txt", "p"])
    expect(page.locator("form.composer .chip")).to_have_count(3)
    run_own(page, "import os\nopen('made.txt', 'w').write('x' * 9)\nprint(sorted(os.listdir()))")
    expect(cells(page).locator("pre.output")).to_contain_text("chosen.csv")
    expect(cells(page).locator("pre.output")).to_contain_text("dropped.txt")
    page.get_by_role("button", name="Files", exact=True).click()
    drawer = page.get_by_role("complementary")
    with page.expect_download() as given:
        drawer.get_by_role("link", name="made.txt").click()
    assert Path(given.value.path()).read_text(encoding="utf-8") == "x" * 9


def test_what_is_rated_and_corrected_comes_with_the_export(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(SUM)
    say(page, "Add them")
    until_rest(page)
    page.get_by_role("button", name="Bad cell").click()
    page.get_by_role("button", name="incomplete").click()
    page.get_by_role("textbox", name="Comment").fill("say what it is")
    page.get_by_role("textbox", name="I would have written").fill("print('sum:', 20 + 22)\n")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_text("your version")).to_be_visible()
    page.reload()
    expect(page.get_by_text("your version")).to_be_visible()
    expect(page.get_by_role("button", name="Bad cell")).to_have_attribute("aria-pressed", "true")
    row = json.loads(export(page, "Code-Feedback", tmp_path / "f.jsonl").splitlines()[0])
    assert [each["role"] for each in row["messages"]][:3] == ["system", "user", "assistant"]
    assert "print(20 + 22)" in row["messages"][2]["content"]


def test_a_notebook_is_taken_away_and_comes_in_again(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(SUM)
    say(page, "Add them")
    until_rest(page)
    path = tmp_path / "chat.ipynb"
    notebook = json.loads(export(page, "Notebook", path))
    code = [each for each in notebook["cells"] if each["cell_type"] == "code"]
    assert "".join(code[0]["source"]).strip() == "print(20 + 22)"
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("File to import").set_input_files(path)
    expect(cells(page)).to_have_count(1)
    expect(cells(page).locator("pre.output")).to_have_text("42\n")


def test_a_branch_goes_on_by_itself(open_page: OpenPage) -> None:
    page = open_page(SUM)
    say(page, "Add them")
    until_rest(page)
    first = page.url
    page.get_by_role("button", name="Branch from here").click()
    page.wait_for_url(lambda url: url != first)
    expect(cells(page)).to_have_count(1)
    expect(page.locator(".banner.ended")).to_contain_text("The branch begins here.")
    run_own(page, "print('only here')")
    expect(cells(page)).to_have_count(2)
    page.goto(first)
    expect(cells(page)).to_have_count(1)


HOSTILE = """<script>document.title = 'broken'</script><img src=x onerror="document.title='broken'">

![a](http://example.org/leak.png) [b](javascript:document.title='broken') <b onclick=x>c</b>

```python
class Page:
    def _repr_html_(self):
        return ("<p id=p></p><script>document.getElementById('p').textContent = 'in: ' + (1 + 1);"
            "try { parent.document.title = 'broken' } catch {}; fetch('http://example.org/')"
            "</script><img src='http://example.org/x.png'>")
Page()
```
"""


def test_hostile_text_and_html_change_nothing_and_reach_nothing(
    open_page: OpenPage, faults: list[str]
) -> None:
    page = open_page({"Go": HOSTILE})
    asked: list[str] = []
    page.context.on("requestfinished", lambda request: asked.append(request.url))
    say(page, "Go")
    until_rest(page)
    frame = page.frame_locator(".frame iframe")
    expect(frame.locator("#p")).to_have_text("in: 2")
    expect(page.locator(".prose img, .prose b, .prose script")).to_have_count(0)
    assert page.locator(".prose a[href^=javascript]").count() == 0
    assert "broken" not in page.title()
    assert [url for url in asked if "example.org" in url] == []
    refused = ("Content Security Policy", "asked for http://example.org", "Failed to fetch")
    assert all(any(each in fault for each in refused) for fault in faults)
    faults.clear()


def test_keys_do_what_the_page_says_they_do(open_page: OpenPage) -> None:
    page = open_page(SUM)
    say(page, "Add them")
    until_rest(page)
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("next cell, cell before")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(cells(page).first).to_be_focused()
    page.keyboard.press("e")
    expect(page.get_by_role("textbox", name="Edit the code")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("textbox", name="Edit the code")).to_have_count(0)
    page.locator("h1").click()
    page.keyboard.press("v")
    expect(page.get_by_role("complementary")).to_be_visible()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="What to do")).to_be_focused()
    page.keyboard.type("zebra")
    expect(page.get_by_text("Nothing found.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Do anything")).to_have_count(0)


@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: scripts/page check")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_screen_has_a_serious_fault_of_access(open_page: OpenPage, scheme: str) -> None:
    page = open_page(SUM | {"by": "```python\n1 / 0\n```"}, color_scheme=scheme)
    found = faults_of_access(page)
    say(page, "Add them")
    until_rest(page)
    page.get_by_role("button", name="Bad cell").click()
    found += faults_of_access(page)
    say(page, "Divide by")
    until_rest(page, ends=2)
    for drawer in ("f", "v", "u", "t", "s"):
        page.locator("h1").click()
        page.keyboard.press(drawer)
        found += faults_of_access(page)
    for dialog in ("?", "Control+k"):
        page.keyboard.press(dialog)
        expect(page.get_by_role("dialog")).to_be_visible()
        found += faults_of_access(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    for screen in ("compare", "data", "settings"):
        page.goto(page.url.partition("#")[0] + f"#/{screen}")
        expect(page.locator("main h1")).to_be_visible()
        found += faults_of_access(page)
    assert found == []


def faults_of_access(page: Page) -> list[str]:
    """Return what axe finds serious in the page as it is."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    report = page.evaluate("axe.run(document)")
    assert len(report["passes"]) > 10
    return [
        f"{rule['id']}: {node['html'][:160]}"
        for rule in report["violations"]
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]


def test_on_a_phone_nothing_is_wider_than_the_screen(open_page: OpenPage) -> None:
    page = open_page(SUM, viewport={"width": 390, "height": 844}, has_touch=True)
    say(page, "Add them")
    until_rest(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Show the chats").click()
    expect(page.get_by_role("navigation", name="Chats")).to_be_visible()


def test_in_a_chat_that_only_answers_nothing_runs(open_page: OpenPage) -> None:
    page = open_page(SUM)
    page.get_by_role("combobox", name="What is run").select_option("ask")
    say(page, "Add them")
    until_rest(page)
    expect(page.locator("pre.code")).to_contain_text("print(20 + 22)")
    expect(page.locator("pre.output")).to_have_count(0)


def test_light_or_dark_is_chosen_and_kept(open_page: OpenPage) -> None:
    page = open_page({}, color_scheme="light")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    body = page.locator("body")
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("combobox", name="Light or dark").select_option("dark")
    expect(body).not_to_have_css("background-color", light)
    dark = page.evaluate(colour)
    page.reload()
    expect(page.get_by_role("combobox", name="Light or dark")).to_have_value("dark")
    expect(body).to_have_css("background-color", dark)
