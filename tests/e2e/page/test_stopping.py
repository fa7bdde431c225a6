"""What must not be lost: a stop, a reload, a server that is killed, two users at once."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import OpenPage, Serve, Typist, Visit, cells, run_own, say, until_rest
from chromium import CHROMIUM
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.jail,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]
TOKEN = "a-token-of-the-test"
Begin = Callable[[], tuple[subprocess.Popen[str], int]]
ESSAY = "Once upon a time | there was a loop, and it ended well."
ENDLESS = "print('on', flush=True)\nkept = 42\nwhile True:\n    pass"


def test_a_reply_is_stopped_in_mid_stream(open_page: OpenPage) -> None:
    page = open_page({"story": ESSAY})
    say(page, "Tell a story")
    expect(page.locator(".prose")).to_contain_text("Once upon a")
    page.locator(".banner.working").get_by_role("button", name="Stop").click()
    until_rest(page)
    expect(page.locator(".banner.ended")).to_contain_text("Stopped by you.")
    expect(page.locator(".prose")).not_to_contain_text("ended well")
    expect(page.get_by_role("button", name="Continue +3")).to_be_visible()


def test_a_run_is_interrupted_and_its_variables_stay(open_page: OpenPage) -> None:
    page = open_page({})
    run_own(page, ENDLESS)
    expect(cells(page).locator("pre.output")).to_have_text("on\n")
    page.locator("h1").click()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(cells(page).locator(".foot")).to_contain_text("interrupted")
    run_own(page, "print(kept)")
    expect(cells(page)).to_have_count(2)
    expect(cells(page).last.locator("pre.output")).to_have_text("42\n")


def test_a_reload_in_mid_stream_loses_nothing(serve: Serve, visit: Visit) -> None:
    typist = Typist({"story": ESSAY})
    server = serve(typist)
    page = visit(server.port, server.token)
    say(page, "Tell a story")
    expect(page.locator(".prose")).to_contain_text("Once upon a")
    page.reload()
    expect(page.locator(".prose")).to_contain_text("Once upon a")
    expect(page.locator(".banner.working")).to_be_visible()
    typist.go_on()
    until_rest(page)
    live = page.locator(".column").inner_text()
    assert ESSAY.replace("|", "").replace("  ", " ") in live
    page.reload()
    until_rest(page)
    assert page.locator(".column").inner_text() == live


def test_two_users_at_once_never_see_each_other(
    serve: Serve, visit: Visit, faults: list[str]
) -> None:
    server = serve(Typist({"secret": "```python\nsecret = 'of ada'\nprint(secret)\n```"}))
    ada = visit(server.port, server.user("ada").token)
    bob = visit(server.port, server.user("bob").token)
    say(ada, "My secret")
    run_own(bob, "print('secret' in dir())")
    until_rest(ada)
    expect(cells(ada).locator("pre.output")).to_have_text("of ada\n")
    expect(cells(bob).locator("pre.output")).to_have_text("False\n")
    bob.reload()
    expect(bob.locator(".chat-row")).to_have_count(1)
    expect(bob.get_by_role("navigation", name="Chats")).not_to_contain_text("secret")
    bob.goto(ada.url)
    expect(bob.get_by_text("This chat is not there.")).to_be_visible()
    expect(bob.locator(".column")).not_to_contain_text("of ada")
    assert all("404 (Not Found)" in fault for fault in faults)
    faults.clear()


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Return a function that starts the command, each time on the same folder and port."""
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    (tmp_path / "model.json").write_text(
        '["```python\\nx = 41\\nprint(x)\\n```"]', encoding="utf-8"
    )
    started: list[subprocess.Popen[str]] = []
    ports = [0]

    def start() -> tuple[subprocess.Popen[str], int]:
        command = [sys.executable, "-m", "codeloop", "serve", "--port", str(ports[-1])]
        command += ["--token-file", str(tmp_path / "token"), "--data", str(tmp_path / "kept")]
        command += ["--model", f"scripted:{tmp_path / 'model.json'}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        ports.append(int(process.stdout.readline().split(":")[2].partition("/")[0]))
        return process, ports[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_a_killed_server_is_found_again_and_variables_are_back(begin: Begin, visit: Visit) -> None:
    process, port = begin()
    page = visit(port, TOKEN)
    say(page, "Set x")
    until_rest(page)
    process.send_signal(signal.SIGKILL)
    process.wait()
    expect(page.get_by_text("connection lost")).to_be_visible()
    begin()
    expect(page.get_by_text("connection lost")).to_be_hidden()
    run_own(page, "print(x + 1)")
    expect(cells(page)).to_have_count(2)
    expect(cells(page).last.locator("pre.output")).to_have_text("42\n")
    expect(page.get_by_text("variables and files are back")).to_be_visible()
