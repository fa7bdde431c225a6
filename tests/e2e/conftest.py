"""Run the command as a user does, with a model that says what a test wants it to say."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """Return the environment of a user who has nothing yet."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    return {**kept, "CODELOOP_HOME": str(home), "HOME": str(home), "NO_COLOR": "1"}


@pytest.fixture
def codeloop(environment: dict[str, str]) -> Run:
    """Return a function that runs `codeloop WORDS...` to its end."""

    def run(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "codeloop", *words],
            input=given,
            text=True,
            capture_output=True,
            env=environment,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[[Sequence[str]], str]:
    """Return a function that gives the name of a model with these replies."""

    def name(replies: Sequence[str]) -> str:
        path = tmp_path / f"replies-{len(list(tmp_path.iterdir()))}.json"
        path.write_text(json.dumps(list(replies)), encoding="utf-8")
        return f"scripted:{path}"

    return name
