"""Servers in this process, on a loopback port, over scripted models and real jails."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from page_server import PageServer, StartPage, start_page

from codeloop.sandbox import Sandbox, open_sandbox


@pytest.fixture(scope="session")
def page_sandbox() -> Iterator[Sandbox]:
    with open_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def start(page_sandbox: Sandbox, tmp_path: Path) -> Iterator[StartPage]:
    started: list[PageServer] = []

    def begin(**settings: object) -> PageServer:
        started.append(start_page(page_sandbox, tmp_path / "kept", **settings))  # type: ignore[arg-type]
        return started[-1]

    yield begin
    for server in started:
        server.stop()
