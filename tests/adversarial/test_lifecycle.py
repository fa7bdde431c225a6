"""What must not be left, however a run or its host ends: processes, descriptors, mounts, files."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from adversarial.hostile import LIMITS, alive, family, last, open_descriptors, run, zygote_of

from codeloop.core.errors import SandboxError
from codeloop.core.execution import ExecutionResult, Status
from codeloop.sandbox import Sandbox, SandboxSession, open_sandbox

pytestmark = pytest.mark.jail

SURVIVE = """
import os, signal, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True: time.sleep(1)
        os._exit(0)
"""
MIXED = (
    "print('fine')",
    "1 / 0",
    SURVIVE,
    "import os; os._exit(3)",
    "import os; os.kill(os.getpid(), 9)",
    "import os; os.kill(-1, 9)",
    "import sys; sys.exit(2)",
    "print('x' * 300_000)",
    "import os\nwhile os.fork(): pass",
    "open('/tmp/x', 'w').write('x' * 1000)",
    "import os; os.close(1); os.close(2)",
    "import multiprocessing as m\nif __name__ == '__main__': m.Process(target=print).start()",
    "def f(:",
    "bytearray(10**10)",
)


@pytest.fixture
def own() -> Iterator[Sandbox]:
    """A sandbox that the test may break."""
    with open_sandbox() as opened:
        yield opened


def wait_until_gone(processes: dict[int, str], timeout_s: float = 10.0) -> set[int]:
    """Wait for processes that were killed; return those that still live in the end."""
    ends = time.monotonic() + timeout_s
    while (living := alive(processes)) and time.monotonic() < ends:
        time.sleep(0.01)
    return living


def test_survivors_of_a_run_do_not_survive_it(own: Sandbox) -> None:
    session = own.open_session(stateful=False, limits=LIMITS)
    assert run(session, "1").status is Status.OK
    before = family(zygote_of(own).pid)
    assert run(session, SURVIVE).status is Status.OK
    assert len(family(zygote_of(own).pid)) == len(before) == 1  # pid 1 alone


def test_closing_a_session_ends_all_that_runs_in_it(own: Sandbox) -> None:
    session = own.open_session(stateful=True, limits=LIMITS)
    run(session, SURVIVE + "time.sleep(0.2)")  # for those that are about to be forked
    processes = family(zygote_of(own).pid)
    assert len(processes) >= 3
    session.close()
    assert not alive(processes)


def test_closing_the_sandbox_ends_all_sessions() -> None:
    before = open_descriptors()
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    sandbox = open_sandbox()
    sessions = [sandbox.open_session(stateful=True, limits=LIMITS) for _ in range(3)]
    for session in sessions:
        run(session, SURVIVE)
    processes = family(zygote_of(sandbox).pid)
    assert len(processes) >= 6
    sandbox.close()
    assert not wait_until_gone(processes)
    assert zygote_of(sandbox)._process.returncode == 0
    assert open_descriptors() == before
    assert Path("/proc/self/mountinfo").read_text(encoding="utf-8") == mounts
    sandbox.close()  # once more does nothing


def test_a_closed_session_says_so(own: Sandbox) -> None:
    session = own.open_session(stateful=True, limits=LIMITS)
    session.close()
    session.close()
    session.interrupt()
    session.send_input("x")
    with pytest.raises(SandboxError, match="closed"):
        run(session, "1")


def test_a_generator_closed_early_kills_the_run(own: Sandbox) -> None:
    for stateful in (True, False):
        session = own.open_session(stateful=stateful, limits=LIMITS)
        events = session.run("print('x', flush=True)\nwhile True: pass")
        next(events)
        events.close()
        assert run(session, "print(7)").stdout.text == "7\n"
        session.close()


def test_a_generator_never_started_does_nothing(own: Sandbox) -> None:
    session = own.open_session(stateful=True, limits=LIMITS)
    session.run("while True: pass").close()
    assert run(session, "1").status is Status.OK


def test_a_result_taken_is_the_end_even_if_the_generator_is_kept(own: Sandbox) -> None:
    session = own.open_session(stateful=True, limits=LIMITS)
    events = session.run("1")
    assert isinstance(next(events), ExecutionResult)
    assert run(session, "2").status is Status.OK  # though `events` has not been closed
    events.close()


def test_two_runs_at_once_are_refused(own: Sandbox) -> None:
    session = own.open_session(stateful=True, limits=LIMITS)
    first = session.run("print('x', flush=True)\nimport time; time.sleep(30)")
    next(first)
    with pytest.raises(SandboxError, match="something else"):
        run(session, "1")
    first.close()
    assert run(session, "1").status is Status.OK


def test_a_slot_killed_from_outside_is_our_failure_and_restart_mends_it(own: Sandbox) -> None:
    session = own.open_session(stateful=True, limits=LIMITS)
    events = session.run("print('x', flush=True)\nwhile True: pass")
    next(events)
    (slot,) = [pid for pid in family(zygote_of(own).pid) if _parent(pid) == zygote_of(own).pid]
    os.kill(slot, signal.SIGKILL)
    with pytest.raises(SandboxError):
        last(events)
    with pytest.raises(SandboxError, match="restart"):
        run(session, "1")
    session.restart()
    assert run(session, "1").status is Status.OK


def test_a_zygote_killed_from_outside_is_our_failure_and_restart_mends_it(own: Sandbox) -> None:
    session = own.open_session(stateful=True, limits=LIMITS)
    events = session.run("print('x', flush=True)\nwhile True: pass")
    next(events)
    processes = family(zygote_of(own).pid)
    os.kill(zygote_of(own).pid, signal.SIGKILL)
    with pytest.raises(SandboxError):
        last(events)
    assert not wait_until_gone(processes)
    session.restart()
    assert run(session, "1").status is Status.OK
    assert "python" in own.open_session(stateful=False).languages


def _parent(pid: int) -> int:
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return int(text.rpartition(")")[2].split()[1])


HOST = """
import sys
from codeloop.sandbox import open_sandbox
from codeloop.core.execution import ExecutionLimits
sandbox = open_sandbox()
sessions = [sandbox.open_session(stateful=True) for _ in range(2)]
list(sessions[0].run({program!r}))
events = sessions[1].run("print('x', flush=True)\\nwhile True: pass")
next(events)
try:
    print("ready", flush=True)
    list(events)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    events.close()  # the interrupt may have come between two of its events
    print([type(e).__name__ for e in sessions[1].run("1")], flush=True)
    sandbox.close()
"""


@pytest.fixture
def host() -> Iterator[subprocess.Popen[str]]:
    """Another process that has a sandbox with a run in progress."""
    with subprocess.Popen(
        [sys.executable, "-c", HOST.format(program=SURVIVE)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_nothing_outlives_a_host_that_is_killed(host: subprocess.Popen[str]) -> None:
    processes = family(host.pid)
    assert len(processes) >= 5
    host.kill()
    host.wait()
    assert not wait_until_gone(processes)


def test_an_interrupt_of_the_host_kills_the_run_and_leaves_the_session(
    host: subprocess.Popen[str],
) -> None:
    host.send_signal(signal.SIGINT)
    output, _ = host.communicate(timeout=30)
    assert output == "interrupted\n['ExecutionResult']\n"
    assert host.returncode == 0


def test_a_forgotten_sandbox_ends_with_its_host() -> None:
    program = (
        "from codeloop.sandbox import open_sandbox\n"
        "s = open_sandbox(); k = s.open_session(stateful=True); list(k.run('x = 1'))\n"
        "print(s._zygote.pid)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert not Path(f"/proc/{int(done.stdout)}").exists()


def test_the_zygote_outlives_the_thread_that_opened_it() -> None:
    """The kernel's own way to tie a process to its parent ties it to the parent's thread."""
    opened: list[Sandbox] = []
    thread = threading.Thread(target=lambda: opened.append(open_sandbox()))
    thread.start()
    thread.join()
    with opened[0] as sandbox:
        time.sleep(0.1)
        assert run(sandbox.open_session(stateful=False, limits=LIMITS), "1").status is Status.OK


def test_interrupts_at_any_moment_leave_a_session_that_works(own: Sandbox) -> None:
    rounds = int(os.environ.get("CODELOOP_TEST_INTERRUPTS", "150"))
    chance = random.Random(7)
    session = own.open_session(stateful=True, limits=LIMITS)
    run(session, "kept = 1")
    lost = 0
    for at in range(rounds):
        delay = chance.choice([0.0, 0.0001, 0.0003, 0.001, 0.003])
        timer = threading.Timer(delay, session.interrupt)
        timer.start()
        spin = chance.choice(
            ["x = 1", "for _ in range(20000): pass", "import time; time.sleep(.002)"]
        )
        result = run(session, spin)
        assert result.status in {Status.OK, Status.INTERRUPTED}, (at, result)
        lost += result.state_lost
        timer.join()
        assert [d.text() for d in run(session, f"{at}").displays] == [str(at)], (at, result)
    assert not lost
    assert run(session, "kept").displays[0].text() == "1"


def test_many_mixed_runs_leak_nothing(own: Sandbox) -> None:
    runs = int(os.environ.get("CODELOOP_TEST_RUNS", "200"))
    one_shot = own.open_session(stateful=False, limits=LIMITS)
    stateful = own.open_session(stateful=True, limits=LIMITS)
    for program in MIXED:  # everything that is set up once is set up now
        run(one_shot, program)
        run(stateful, program)
    stateful.restart()
    run(stateful, "1")
    descriptors, processes = open_descriptors(), len(family(zygote_of(own).pid))
    zygote_descriptors = _descriptors_of(zygote_of(own).pid)
    for at in range(runs):
        session = (one_shot, stateful)[at % 2]
        run(session, MIXED[at % len(MIXED)])
        if at % 50 == 49:
            session.restart()
    stateful.restart()
    run(stateful, "1")
    assert open_descriptors() == descriptors
    assert len(family(zygote_of(own).pid)) == processes
    assert _descriptors_of(zygote_of(own).pid) == zygote_descriptors


def _descriptors_of(pid: int) -> int | None:
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except PermissionError:  # an ordinary user may not look
        return None


def test_many_threads_use_one_sandbox(own: Sandbox) -> None:
    failures: list[object] = []

    def use(number: int) -> None:
        session: SandboxSession = own.open_session(stateful=number % 2 == 0, limits=LIMITS)
        try:
            for at in range(12):
                result = run(session, f"print({number} * 1000 + {at})")
                if result.stdout.text != f"{number * 1000 + at}\n":
                    failures.append((number, at, result))
        except BaseException as error:  # noqa: BLE001  it has to reach the test
            failures.append(error)
        finally:
            session.close()

    threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_restart_ends_the_run_of_another_thread(own: Sandbox) -> None:
    session = own.open_session(stateful=True, limits=LIMITS)
    events = session.run("print('x', flush=True)\nwhile True: pass")
    next(events)
    seen: list[BaseException] = []

    def consume() -> None:
        try:
            last(events)
        except SandboxError as error:
            seen.append(error)

    thread = threading.Thread(target=consume)
    thread.start()
    time.sleep(0.1)
    session.restart()
    thread.join()
    assert len(seen) == 1
    assert run(session, "6 * 7").displays[0].text() == "42"


@pytest.mark.parametrize("stateful", [True, False])
def test_a_restart_ends_a_run_that_nobody_consumes(stateful: bool, own: Sandbox) -> None:
    session = own.open_session(stateful=stateful, limits=LIMITS)
    events = session.run("print('x', flush=True)\nwhile True: pass")
    next(events)
    session.restart()
    assert run(session, "print(1)").stdout.text == "1\n"
    events.close()  # must not touch what is new
    assert run(session, "print(2)").stdout.text == "2\n"


def test_a_file_is_not_put_into_the_middle_of_a_run(own: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    session = own.open_session(stateful=True, limits=LIMITS)
    events = session.run("print('x', flush=True)\nwhile True: pass")
    next(events)
    with pytest.raises(SandboxError, match="something else"):
        session.put_file(tmp_path / "data")
    events.close()
    session.put_file(tmp_path / "data")
