"""A browser before a server, over a scripted model that writes a little at a time."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from browsing import LONG_S, Serve, Typist, Visit
from page_server import PageServer, start_page
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
)

from codeloop.cli.wiring import guest_packages
from codeloop.sandbox import Sandbox, open_sandbox


@pytest.fixture(scope="session")
def jail() -> Iterator[Sandbox]:
    with open_sandbox(guest_packages=guest_packages()) as sandbox:
        yield sandbox


@pytest.fixture
def serve(jail: Sandbox, tmp_path: Path) -> Iterator[Serve]:
    """Return a function that starts a server whose models are typists with these replies."""
    started: list[PageServer] = []

    def begin(*typists: Typist, **settings: object) -> PageServer:
        models = {each.name: each for each in typists} or {"typist": Typist({})}
        started.append(start_page(jail, tmp_path / "kept", models=models, **settings))  # type: ignore[arg-type]
        return started[-1]

    yield begin
    for server in started:
        server.stop()


@pytest.fixture
def faults() -> list[str]:
    """What a browser complained of; a test that expects some looks at them, and clears them."""
    return []


@pytest.fixture
def visit(browser: Browser, faults: list[str]) -> Iterator[Visit]:
    """Return a function that logs a new browser in; nothing may fail, or be asked of others."""
    contexts: list[BrowserContext] = []

    def opened(port: int, token: str, **settings: object) -> Page:
        settings = {"viewport": {"width": 1280, "height": 860}, "accept_downloads": True} | settings
        context = browser.new_context(**settings)  # type: ignore[arg-type]
        context.set_default_timeout(LONG_S * 1000)
        contexts.append(context)
        page = context.new_page()
        origin = f"http://127.0.0.1:{port}/"
        page.on("console", lambda said: _note_error(said, faults))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda asked: _note_foreign(asked.url, origin, faults))
        page.goto(f"{origin}?token={token}")
        expect(page.get_by_role("textbox", name="Message")).to_be_visible()
        return page

    expect.set_options(timeout=LONG_S * 1000)
    yield opened
    for context in contexts:
        context.close()
    wanted = ("net::ERR_", "401 (Unauthorized)")  # a server that is away; no token
    assert [fault for fault in faults if not any(each in fault for each in wanted)] == []


def _note_error(said: ConsoleMessage, faults: list[str]) -> None:
    if said.type == "error":
        faults.append(said.text)


def _note_foreign(url: str, origin: str, faults: list[str]) -> None:
    if not url.startswith((origin, "data:", "blob:", "about:")):
        faults.append(f"asked for {url}")


@pytest.fixture
def open_page(serve: Serve, visit: Visit) -> Callable[..., Page]:
    """Return a function that serves replies by their words and logs a browser in."""

    def opened(replies: Mapping[str, str], **settings: object) -> Page:
        server = serve(Typist(replies))
        return visit(server.port, server.token, **settings)

    return opened
