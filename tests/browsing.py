"""What a person does in the page, and a scripted model that writes as slowly as one."""

import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

from page_server import PageServer
from playwright.sync_api import Locator, Page, expect

from codeloop.core.dialogue import Message
from codeloop.core.protocols import Reply, Sampling
from codeloop.models.scripted import ScriptedModel

LONG_S = 20.0  # for a machine that has much else to do

Serve = Callable[..., PageServer]
Visit = Callable[..., Page]
OpenPage = Callable[..., Page]


class Typist:
    """A scripted model that answers by a word of the last message, a few letters at a time.

    Where a reply has a `|` it waits until `go_on()` has been called once for each.
    """

    context_tokens = None

    def __init__(self, replies: Mapping[str, str], *, name: str = "typist") -> None:
        self._replies = replies
        self._inner = ScriptedModel(self._answer, name=name, piece_chars=7)
        self._gate = threading.Semaphore(0)

    @property
    def name(self) -> str:
        return self._inner.name

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._inner.count_tokens(messages)

    def stream(
        self, messages: Sequence[Message], sampling: Sampling, *, timeout_s: float | None = None
    ) -> Generator[str | Reply, None, None]:
        for piece in self._inner.stream(messages, sampling, timeout_s=timeout_s):
            if isinstance(piece, Reply):
                yield Reply(piece.text.replace("|", ""), usage=piece.usage)
                continue
            while "|" in piece and not self._gate.acquire(timeout=0.05):
                yield ""  # the loop may close it here
            time.sleep(0.002)
            yield piece.replace("|", "")

    def go_on(self) -> None:
        self._gate.release()

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""

    def _answer(self, messages: Sequence[Message]) -> str:
        last = [each.content for each in messages if each.role.value == "user"][-1]
        return next((reply for word, reply in self._replies.items() if word in last), "Done.")


def say(page: Page, text: str) -> None:
    """Write a message and send it."""
    page.get_by_role("textbox", name="Message").fill(text)
    page.keyboard.press("Enter")


def until_rest(page: Page, ends: int = 1) -> None:
    """Wait until so many loops have ended, and nothing is in progress."""
    expect(page.locator(".banner.ended")).to_have_count(ends)
    expect(page.locator(".banner.working")).to_have_count(0)


def cells(page: Page) -> Locator:
    """Return the cells that are shown in full."""
    return page.locator("section.cell[data-cell]")


def run_own(page: Page, code: str) -> None:
    """Write a cell of one's own and run it, as soon as nothing else is in progress."""
    expect(page.locator(".banner.working")).to_have_count(0)
    if not page.get_by_role("textbox", name="Your own code").is_visible():
        page.get_by_role("button", name="Write code yourself").click()
    page.get_by_role("textbox", name="Your own code").fill(code)
    page.keyboard.press("Control+Enter")


def export(page: Page, name: str, path: Path) -> str:
    """Take a chat away in the form of that name; return what the file holds."""
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as given:
        page.locator(".menu-list a").filter(has=page.get_by_text(name, exact=True)).click()
    given.value.save_as(path)
    return path.read_text(encoding="utf-8")
