"""^C at any moment of a run: no traceback, and nothing is left behind."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.jail

Scripted = Callable[[Sequence[str]], str]

PROGRAM = """
import sys
from codeloop.cli import main
print("ready", file=sys.stderr, flush=True)
sys.exit(main(sys.argv[1:]))
"""
REPLIES = [
    "```python\nimport subprocess\nsubprocess.run(['sleep', '0.2'])\nboom\n```",
    "```python\nwhile True: pass\n```",
]


@pytest.mark.parametrize("seed", range(12))
def test_an_interrupt_ends_a_run_cleanly(
    environment: dict[str, str], scripted: Scripted, seed: int
) -> None:
    delay_s = random.Random(seed).uniform(0, 1.2)
    words = ["run", "q", "--model", scripted(REPLIES), "--wall-s", "20"]
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert child.stderr is not None
    assert child.stderr.readline() == "ready\n"
    time.sleep(delay_s)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=30)[1]
    assert child.returncode == 130, said
    assert "Traceback" not in said
    assert _left_in_session(child.pid) == []


def _left_in_session(session: int) -> list[int]:
    """Return the processes of a session that are still there after a moment."""
    deadline = time.monotonic() + 5
    while True:
        left = [pid for pid in _processes() if _of(pid, session)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _of(pid: int, session: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return int(stat.rpartition(")")[2].split()[3]) == session
