"""`codeloop exec` and `codeloop doctor`, and the jail for an ordinary user."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codeloop.sandbox import Sandbox, check_isolation, self_test

pytestmark = pytest.mark.jail

SOURCE = Path(__file__).parents[3] / "src"
FIELDS = [
    "status",
    "exit_code",
    "signal",
    "stdout",
    "stderr",
    "cpu_s",
    "wall_s",
    "peak_memory_bytes",
    "isolation",
]


def codeloop(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "codeloop", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("program", "status", "stdout", "stderr"),
    [
        (b"print('a\xc3\xa4')", 0, "aä\n", ""),
        (b"import sys; sys.exit(3)", 1, "", "codeloop: error: exit code 3\n"),
        (b"import os; os.abort()", 1, "", "codeloop: signal 6\n"),
        (b"print('x' * 200_000)", 0, "x" * 200_000 + "\n", ""),
        (b"bytearray(10**10)", 1, "", "MemoryError\ncodeloop: memory limit\n"),
        (b"\xef\xbb\xbfprint('after a mark')", 0, "after a mark\n", ""),
    ],
)
def test_exec_passes_through_what_a_program_writes(
    program: bytes, status: int, stdout: str, stderr: str
) -> None:
    done = codeloop("exec", "-", stdin=program)
    assert done.returncode == status
    assert done.stdout.decode() == stdout
    assert done.stderr.decode().endswith(stderr)
    assert stderr or not done.stderr


@pytest.mark.parametrize(
    "program",
    [
        "print('fine')",
        "import os; os.write(1, bytes(range(256)))",
        'import os; os.write(1, b\'{"status": "ok"}\\n\'); os._exit(9)',
        "print('x' * 10_000_000)",
        "import os; os.kill(os.getpid(), 9)",
        "x = (",
    ],
)
def test_exec_json_is_one_object_whatever_the_program_writes(program: str) -> None:
    done = codeloop("exec", "-", "--json", stdin=program.encode())
    record = json.loads(done.stdout)
    assert list(record) == FIELDS
    assert done.stderr == b""
    assert (done.returncode == 0) is (record["status"] == "ok")
    assert record["isolation"] == "namespaces"


def test_exec_takes_limits_and_a_file_and_input(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text("print(input()[::-1])", encoding="utf-8")
    assert codeloop("exec", str(path), "--stdin", stdin=b"abc\n").stdout == b"cba\n"
    path.write_text("import time; time.sleep(60)", encoding="utf-8")
    slow = json.loads(codeloop("exec", str(path), "--wall-s", "0.5", "--json").stdout)
    assert slow["status"] == "wall_limit"
    path.write_text("while True: pass", encoding="utf-8")
    busy = json.loads(codeloop("exec", str(path), "--cpu-s", "0.3", "--json").stdout)
    assert busy["status"] == "cpu_limit"
    path.write_text("bytearray(100 * 2**20)", encoding="utf-8")
    large = json.loads(codeloop("exec", str(path), "--memory-mb", "64", "--json").stdout)
    assert large["status"] == "memory_limit"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["exec", "/missing.py"], 2, "/missing.py: No such file"),
        (["exec", "/"], 2, "/: Is a directory"),
        (["exec", "-", "--stdin"], 2, "only one of the two"),
        (["exec", "-", "--wall-s", "0"], 2, "not a positive number"),
        (["exec", "-", "--cpu-s", "inf"], 2, "not a positive number"),
        (["exec", "-", "--language", "cobol"], 1, "cobol: no such language"),
    ],
)
def test_exec_says_what_is_wrong(arguments: list[str], status: int, words: str) -> None:
    done = codeloop(*arguments, stdin=b"1")
    assert done.returncode == status
    assert words in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_exec_refuses_what_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_bytes(b"\xff\xfe\x00")
    done = codeloop("exec", str(path))
    assert done.returncode == 2
    assert b"not UTF-8" in done.stderr


def test_doctor_says_that_the_jail_holds() -> None:
    done = codeloop("doctor")
    text = done.stdout.decode()
    assert done.returncode == 0, text
    assert "FAIL" not in text
    assert "reading a file of the host: stopped" in text
    assert "GiB free at" in text


def test_every_probe_is_stopped(sandbox: Sandbox) -> None:
    probes = self_test(sandbox)
    assert len(probes) >= 10
    assert not [probe for probe in probes if not probe.held]
    assert check_isolation() is None


NOBODY = 65534
PROBE = """
from codeloop.core.execution import ExecutionResult
from codeloop.sandbox import open_sandbox, self_test
with open_sandbox() as sandbox:
    print([probe for probe in self_test(sandbox) if not probe.held])
    session = sandbox.open_session(stateful=True)
    for event in session.run("import os; os.getuid()"):
        if isinstance(event, ExecutionResult):
            print(event.displays[0].text())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_the_jail_holds_for_an_ordinary_user(tmp_path: Path) -> None:
    python = shutil.which("python3", path="/usr/bin")
    if python is None or not _can_run_us(python):
        pytest.skip("no Python that an ordinary user may run")
    copy = tmp_path / "src"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__", "static"))
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o755)
    done = subprocess.run(
        [python, "-c", PROBE],
        env={"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[]\n1000\n", done.stderr


def _can_run_us(python: str) -> bool:
    version = subprocess.run(
        [python, "-c", "import sys; print(sys.version_info >= (3, 11))"],
        capture_output=True,
        text=True,
        check=False,
    )
    return version.stdout == "True\n"


MASKED = """
from dataclasses import replace
from adversarial.hostile import LIMITS, run
from codeloop.core.execution import MIB
from codeloop.sandbox import open_sandbox, self_test
with open_sandbox() as sandbox:
    print([probe for probe in self_test(sandbox) if not probe.held])
    session = sandbox.open_session(stateful=True, limits=replace(LIMITS, cpu_s=0.5))
    print(run(session, "import os; os.listdir('/proc')").displays[0].text())
    for code in (
        "import threading as t; x = t.Thread(target=lambda: 10 ** 10 ** 9); x.start(); x.join()",
        "import os\\nfor _ in range(3): os.fork()\\nwhile True: pass",
        "import os\\nfor _ in range(3): os.fork()\\n"
        "x = bytearray(60 * 10**6)\\nimport time; time.sleep(30)",
    ):
        print(run(session, code, replace(LIMITS, cpu_s=0.5)).status)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide a part of /proc")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare(1)")
def test_the_limits_hold_where_proc_cannot_be_mounted() -> None:
    """A container hides parts of its /proc, and the kernel then refuses to mount another."""
    hide = 'mount -t tmpfs none /proc/tty && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", hide, sys.executable, MASKED],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[]\n[]\ncpu_limit\ncpu_limit\nmemory_limit\n", done.stderr
