"""The levels of isolation below namespaces: each is asked for, tried, stamped, and cleans up."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from adversarial.hostile import (
    LIMITS,
    alive,
    family,
    last,
    open_descriptors,
    run,
    run_once,
    zygote_of,
)
from polyglot import need

from codeloop.core.errors import IsolationError
from codeloop.core.execution import Isolation, Status, TrialLimits
from codeloop.core.problem import FunctionTests, Problem
from codeloop.judge.judging import judge
from codeloop.judge.programs import rig_programs
from codeloop.sandbox import Sandbox, open_sandbox, probes
from codeloop.sandbox.isolation import machine
from codeloop.sandbox.jail.walls import NOBODY, landlock

pytestmark = pytest.mark.jail

BRIEF = replace(LIMITS, cpu_s=0.5)
LOWER = [Isolation.LANDLOCK, Isolation.CONTAINER, Isolation.NONE]


def ready(level: Isolation) -> Isolation:
    if level is not Isolation.NONE and landlock.version() < landlock.SCOPED_FROM:
        pytest.skip(f"this kernel has version {landlock.version()} of Landlock")
    return level


@pytest.fixture(scope="module", params=LOWER)
def lower(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("container", "for-tests")
        with open_sandbox(isolation=ready(request.param)) as sandbox:
            yield sandbox


@pytest.fixture
def landlocked() -> Iterator[Sandbox]:
    with open_sandbox(isolation=ready(Isolation.LANDLOCK)) as sandbox:
        yield sandbox


def bases() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob(f"codeloop-jail-{os.getpid()}-*"))


def test_every_result_carries_its_level(lower: Sandbox) -> None:
    session = lower.open_session(stateful=True, limits=LIMITS)
    try:
        assert run(session, "x = 1").isolation is lower.isolation
        assert last(session.run("echo", language="bash")).isolation is lower.isolation
    finally:
        session.close()
    assert run_once(lower, "while True: pass", BRIEF).isolation is lower.isolation


def test_a_session_keeps_its_variables_and_shares_its_files(lower: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("forty-two", encoding="ascii")
    session = lower.open_session(stateful=True, limits=LIMITS)
    try:
        session.put_file(tmp_path / "data.txt")
        assert run(session, "text = open('data.txt').read()").status is Status.OK
        assert run(session, "text").displays[0].text() == "'forty-two'"
        assert last(session.run("cat data.txt", language="bash")).stdout.text == "forty-two"
        assert run(session, "while True: pass", BRIEF).status is Status.CPU_LIMIT
        assert run(session, "'text' in globals()").displays[0].text() == "False"
    finally:
        session.close()


def test_a_compiled_program_runs(lower: Sandbox) -> None:
    need("c")
    session = lower.open_session(stateful=False, limits=LIMITS)
    try:
        program = '#include <stdio.h>\nint main(void) { puts("compiled"); return 0; }'
        assert last(session.run(program, language="c")).stdout.text == "compiled\n"
    finally:
        session.close()


SURVIVE = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True: time.sleep(1)
        os._exit(0)
"""


def test_nothing_of_a_run_is_left_for_the_next(lower: Sandbox) -> None:
    session = lower.open_session(stateful=False, limits=LIMITS)
    try:
        deep = "import os\nfor _ in range(200):\n  os.mkdir('d', 0o000); os.chmod('d', 0o700)\n"
        assert run(session, SURVIVE + "open('left', 'w').write('x')").status is Status.OK
        assert len(family(zygote_of(lower).pid)) == 1  # the slot alone
        run(session, deep + "  os.chdir('d')")
        seen = run(session, "import os; print(os.listdir('.'), os.listdir(os.environ['TMPDIR']))")
        assert seen.stdout.text == "['main.py'] []\n", seen
    finally:
        session.close()


def test_the_sandbox_s_end_leaves_no_process_and_no_file(lower: Sandbox) -> None:
    descriptors = open_descriptors()
    before = bases()
    with open_sandbox(isolation=lower.isolation) as sandbox:
        session = sandbox.open_session(stateful=True, limits=LIMITS)
        assert run(session, SURVIVE).status is Status.OK
        (base,) = bases() - before
        processes = family(zygote_of(sandbox).pid)
        assert len(processes) >= 2
    assert not alive(processes)
    assert not base.exists()
    assert open_descriptors() == descriptors


def test_a_killed_slot_leaves_nothing(lower: Sandbox) -> None:
    session = lower.open_session(stateful=True, limits=LIMITS)
    assert run(session, SURVIVE).status is Status.OK
    slot = zygote_of(lower).pid
    children = [pid for pid in family(slot) if _parent(pid) == slot]
    processes = family(slot)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    ends = time.monotonic() + 10
    while alive(processes) and time.monotonic() < ends:
        time.sleep(0.02)
    assert not alive(processes)
    session.restart()
    assert run(session, "1").status is Status.OK
    session.close()


def test_a_rig_judges_and_ends_nothing_but_its_candidates(lower: Sandbox) -> None:
    """Its nursery ends all that a candidate leaves, with no namespace that bounds "all"."""
    user = NOBODY if os.geteuid() == 0 else None
    tests = FunctionTests(((3,), (10,)), (122, 381))
    problem = Problem("p", "", (tests,), "f", limits=TrialLimits(cpu_s=4.0, wall_s=20.0))
    leaving = f"{SURVIVE}\ndef f(x): return x * 37 + 11"
    with subprocess.Popen(["sleep", "60"], user=user) as bystander:
        rig = lower.open_rig(rig_programs(), limits=LIMITS)
        before = family(zygote_of(lower).pid)
        assert judge(problem, leaving, rig).passed
        assert not judge(problem, "def f(x): return 122", rig).passed
        there = family(zygote_of(lower).pid)
        assert len(there) - len(before) == 4  # a slot and its program, twice: no candidate
        rig.close()
        assert not set(family(zygote_of(lower).pid)) - set(before)
        assert bystander.poll() is None
        bystander.kill()


def _parent(pid: int) -> int:
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return int(text.rpartition(")")[2].split()[1])


HOST = """
from codeloop.core.execution import Isolation
from codeloop.sandbox import open_sandbox
sandbox = open_sandbox(isolation=Isolation({level!r}))
session = sandbox.open_session(stateful=True)
list(session.run({program!r}))
print("ready", flush=True)
input()
"""


def test_nothing_outlives_a_host_that_is_killed(lower: Sandbox) -> None:
    code = HOST.format(level=lower.isolation.value, program=SURVIVE)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == "ready\n"
        processes = family(host.pid)
        assert len(processes) >= 2
        host.kill()
    ends = time.monotonic() + 10
    where = Path(tempfile.gettempdir())
    while (alive(processes) or [*where.glob(f"codeloop-jail-{host.pid}-*")]) and (
        time.monotonic() < ends
    ):
        time.sleep(0.02)
    assert not alive(processes)
    assert not [*where.glob(f"codeloop-jail-{host.pid}-*")]


def test_folders_of_a_host_that_is_gone_are_removed(landlocked: Sandbox) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    stale = Path(tempfile.mkdtemp(prefix=f"codeloop-jail-{gone.pid}-"))
    (stale / "1").mkdir()
    with open_sandbox(isolation=landlocked.isolation):
        assert not stale.exists()


STRAYS = {
    "another session's file": "open({other!r} + '/secret').read()",
    "another session's folder": "import os; os.listdir({other!r})",
    "planting there": "open({other!r} + '/planted', 'w')",
    "a link to it": "import os; os.symlink({other!r} + '/secret', 'x'); open('x').read()",
    "a hard link to it": "import os; os.link({other!r} + '/secret', 'x')",
    "its process": "import os; os.kill({pid}, 0)",
    "its memory": "open('/proc/{pid}/mem', 'rb').read(1)",
    "the temporary directory of all": "import os; os.listdir('/tmp')",
    "a socket": "import socket; socket.socket(socket.AF_UNIX)",
    "a pair that can send anywhere": "import socket; socket.socketpair(type=socket.SOCK_DGRAM)",
}


@pytest.mark.parametrize("name", STRAYS)
def test_landlock_keeps_sessions_apart(name: str, landlocked: Sandbox) -> None:
    one = landlocked.open_session(stateful=True, limits=LIMITS)
    program = "import os; open('secret', 'w').write('x'); (os.getcwd(), os.getpid())"
    place, pid = eval(run(one, program).displays[0].text())
    result = run_once(landlocked, STRAYS[name].format(other=place, pid=pid))
    assert result.status is Status.ERROR, result
    assert result.error is not None
    assert result.error.name in {"PermissionError", "OSError"}, result
    assert run(one, "os.listdir('.')").displays[0].text() == "['secret']"


def test_landlock_makes_believe_that_modes_change(landlocked: Sandbox) -> None:
    """Copying a file changes its mode; Landlock cannot tell its own file from another's."""
    program = "import os, shutil; open('a', 'w').close(); shutil.copy2('a', 'b'); os.stat('b')"
    assert run_once(landlocked, program).status is Status.OK


def test_too_old_a_landlock_is_refused_with_what_it_needs() -> None:
    text = machine.explain("landlock", None, "version 5 of Landlock")
    assert "version 6" in text
    assert "Linux 6.12" in text
    assert "version 5" in text


def test_a_container_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "_CONTAINER_FILES", (tmp_path / "absent",))
    for name in machine._CONTAINER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(IsolationError, match="no sign of one"):
        open_sandbox(isolation=Isolation.CONTAINER)
    (tmp_path / "absent").touch()
    machine.require_container()


def test_a_level_that_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The filter is left out on the jail's side, as a fault of ours would."""
    ready(Isolation.LANDLOCK)
    before = bases()
    monkeypatch.setattr(probes, "_NETWORK", "raise AssertionError('connected')")
    with pytest.raises(IsolationError, match="does not hold here: opening a network connection"):
        open_sandbox(isolation=Isolation.LANDLOCK)
    assert bases() == before


def codeloop(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "codeloop", "exec", "-", *arguments]
    return subprocess.run(
        command, check=False, input="print(6 * 7)", capture_output=True, text=True
    )


def test_the_command_names_a_lower_level_and_warns() -> None:
    ready(Isolation.LANDLOCK)
    done = codeloop("--isolation", "landlock", "--json")
    assert '"isolation": "landlock"' in done.stdout, done.stderr
    assert "isolation landlock" in done.stderr


def test_no_isolation_has_to_be_accepted() -> None:
    refused = codeloop("--isolation", "none")
    assert refused.returncode == 2
    assert "--i-accept-no-isolation" in refused.stderr
    done = codeloop("--isolation", "none", "--i-accept-no-isolation")
    assert done.stdout == "42\n", done.stderr
    assert "no isolation" in done.stderr
