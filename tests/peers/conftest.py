"""A server over a scripted model and real jails, and programs of the peers' environment."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from page_server import PageServer, StartPage, start_page

from codeloop.sandbox import open_sandbox

PYTHON = os.environ.get("CODELOOP_PEERS")
Peer = Callable[..., str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartPage]:
    started: list[PageServer] = []
    with open_sandbox() as sandbox:

        def begin(**settings: object) -> PageServer:
            started.append(start_page(sandbox, tmp_path / "kept", **settings))  # type: ignore[arg-type]
            return started[-1]

        yield begin
        for server in started:
            server.stop()


@pytest.fixture
def peer(tmp_path: Path) -> Peer:
    """Return what runs a program of the peers' environment and gives what it prints."""

    def run(*words: str | Path, **environment: str) -> str:
        done = subprocess.run(
            [str(PYTHON), *map(str, words)],
            env=os.environ | {"HOME": str(tmp_path), "PYTHONPATH": ""} | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
