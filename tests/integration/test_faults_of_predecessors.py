"""One test for each known fault of the interpreters that came before (OpenCodeInterpreter's demo).

Faults that other files already cover in depth are named there: text that is not code
(`unit/loop/test_refine.py`), fences (`unit/core/test_codeblocks.py`), prompt trimming
(`unit/loop/test_refine.py`), the model that stalls (`integration/models`).
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codeloop.core.dialogue import Dialogue, Role
from codeloop.core.errors import SandboxError
from codeloop.core.events import DialogueDone, EndReason
from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    OutputChunk,
    Status,
)
from codeloop.core.protocols import Session
from codeloop.loop.critics import ExecutionCritic
from codeloop.loop.limits import Limits
from codeloop.loop.opening import ask
from codeloop.loop.refine import refine
from codeloop.models.scripted import ScriptedModel
from codeloop.sandbox import Sandbox, SandboxSession, open_sandbox

pytestmark = pytest.mark.jail


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[SandboxSession]:
    session = sandbox.open_session(stateful=True)
    yield session
    session.close()


def run(session: Session, code: str, **limits: float) -> ExecutionResult:
    *_, result = session.run(code, limits=ExecutionLimits(**limits) if limits else None)  # type: ignore[arg-type]
    assert isinstance(result, ExecutionResult)
    return result


@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/codeloop-was-here', 'w')",
        "import posix; assert posix.system('touch /usr/x') == 0",
        (
            "import os; p = os.posix_spawn('/bin/touch', ['touch', '/bin/x'], {});"
            " assert os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) == 0"
        ),
        "import ctypes; assert ctypes.CDLL(None).system(b'touch /usr/x') == 0",
        "import socket; socket.create_connection(('127.0.0.1', 22), 1)",
        "import sys; del sys.modules['os']; import os; os.unlink('/usr/bin/env')",
        "open('/etc/shadow').read()",
    ],
)
def test_the_host_is_out_of_reach_by_every_way_that_a_patched_os_left_open(
    session: SandboxSession, code: str
) -> None:
    assert run(session, code).status is Status.ERROR


def test_honest_code_is_not_broken_by_the_protection(session: SandboxSession) -> None:
    code = """
        import os, pathlib, subprocess, tempfile, threading, shutil, multiprocessing.pool
        assert os.getcwd() == str(pathlib.Path.cwd())
        pathlib.Path('a').write_text('x'); os.rename('a', 'b'); pathlib.Path('b').unlink()
        os.makedirs('d/e'); shutil.rmtree('d'); os.chdir('/tmp'); os.chdir('/work')
        with tempfile.TemporaryDirectory() as folder: pathlib.Path(folder, 'x').touch()
        assert subprocess.run(['echo', 'hi'], capture_output=True).stdout == b'hi\\n'
        assert multiprocessing.pool.ThreadPool(2).map(abs, [-1, 2]) == [1, 2]
        os.kill(os.getpid(), 0); os.environ['A'] = 'b'; os.umask(0o22)
        print('fine')
    """
    result = run(session, "\n".join(line.strip() for line in code.splitlines()))
    assert (result.status, result.stdout.text) == (Status.OK, "fine\n"), result.stderr.text


def test_a_run_that_timed_out_is_dead_and_burns_nothing(session: SandboxSession) -> None:
    result = run(session, "import os\nos.fork()\nwhile True: pass", wall_s=0.5)
    assert result.status is Status.WALL_LIMIT
    before = _children_cpu_s()
    time.sleep(0.3)
    assert _children_cpu_s() - before < 0.1


def test_what_was_printed_before_a_timeout_is_kept(session: SandboxSession) -> None:
    result = run(session, "print('so far', flush=True)\nwhile True: pass", wall_s=0.5)
    assert result.stdout.text == "so far\n"
    assert result.state_lost


def test_after_a_timeout_every_output_belongs_to_its_own_run(session: SandboxSession) -> None:
    run(session, "while True: print('old', flush=True)", wall_s=0.3)
    assert run(session, "print('first')").stdout.text == "first\n"
    assert run(session, "print('second')").stdout.text == "second\n"


def test_after_an_interrupt_every_output_belongs_to_its_own_run(session: SandboxSession) -> None:
    for item in session.run("print('old', flush=True)\nwhile True: pass"):
        if isinstance(item, OutputChunk):
            session.interrupt()
    assert run(session, "print('new')").stdout.text == "new\n"


def test_figures_and_values_are_shown(session: SandboxSession) -> None:
    result = run(session, "x = [1, 2]\nx")
    assert [display.text() for display in result.displays] == ["[1, 2]"]


def test_sessions_share_nothing(sandbox: Sandbox) -> None:
    first, second = (sandbox.open_session(stateful=True) for _ in range(2))
    try:
        run(first, "secret = 1; open('/work/f', 'w').write('x'); open('/tmp/f', 'w').write('x')")
        result = run(
            second, "import os\nprint('secret' in dir(), os.listdir(), os.listdir('/tmp'))"
        )
        assert result.stdout.text == "False [] []\n"
    finally:
        first.close()
        second.close()


def test_two_dialogues_at_once_do_not_mix(sandbox: Sandbox) -> None:
    results: dict[str, str] = {}

    def talk(name: str) -> None:
        session = sandbox.open_session(stateful=True)
        replies = [f"```python\nwho = '{name}'\nboom\n```", "```python\nprint(who)\n```"]
        model = ScriptedModel(replies)
        *_, done = refine(Dialogue.ask(name), model, session, [ExecutionCritic()])
        assert isinstance(done, DialogueDone)
        results[name] = done.dialogue.turns[-1].results[-1].stdout.text
        session.close()

    threads = [threading.Thread(target=talk, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {name: f"{name}\n" for name in "abcd"}


def test_the_model_is_told_that_it_is_an_interpreter(session: SandboxSession) -> None:
    model = ScriptedModel(["Hello."])
    list(refine(ask("Hi"), model, session, []))
    first = model.calls[0].messages[0]
    assert first.role is Role.SYSTEM
    assert "interpreter" in first.content


def test_the_last_allowed_turn_leaves_no_code_unrun_and_the_reason_is_said(
    session: SandboxSession,
) -> None:
    replies = [f"```python\nraise ValueError({n})\n```" for n in range(9)]
    limits = Limits(turns=3)
    model = ScriptedModel(replies)
    *_, done = refine(Dialogue.ask("q"), model, session, [ExecutionCritic()], limits=limits)
    assert isinstance(done, DialogueDone)
    assert done.reason is EndReason.TURN_LIMIT
    assert all(turn.ran for turn in done.dialogue.turns)


def test_a_person_can_answer_input(sandbox: Sandbox) -> None:
    session = sandbox.open_session(stateful=True, interactive=True)
    shown = []
    for item in session.run("print('Hello', input('Name? '))"):
        shown.append(item)
        if isinstance(item, InputRequested):
            session.send_input("Ada")
    session.close()
    assert InputRequested("Name? ") in shown
    result = shown[-1]
    assert isinstance(result, ExecutionResult)
    assert result.stdout.text.endswith("Hello Ada\n")


def test_without_a_person_input_fails_at_once(session: SandboxSession) -> None:
    result = run(session, "input('Name? ')")
    assert result.error is not None
    assert result.error.name == "EOFError"


def test_a_package_that_is_missing_is_named_and_takes_no_other_with_it_in_silence() -> None:
    with (
        pytest.raises(SandboxError, match="no_such_package"),
        open_sandbox(preload=("json", "no_such_package", "decimal")),
    ):
        pass


def test_nothing_goes_over_the_network_and_nothing_is_written_unasked(tmp_path: Path) -> None:
    replies = tmp_path / "replies.json"
    replies.write_text(json.dumps(["```python\nprint(1)\n```"]), encoding="utf-8")
    home = tmp_path / "home"
    home.mkdir()
    program = """
import sys
def hook(event, args):
    if event in {"socket.connect", "socket.bind", "socket.getaddrinfo"}:
        print("NETWORK", event, args, file=sys.stderr)
sys.addaudithook(hook)
from codeloop.cli import main
sys.exit(main(sys.argv[1:]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "q", "--model", f"scripted:{replies}"],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "CODELOOP_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "NETWORK" not in done.stderr
    assert list(home.iterdir()) == []


def test_a_session_that_is_closed_leaves_no_process(sandbox: Sandbox) -> None:
    before = _descendants()
    session = sandbox.open_session(stateful=True)
    run(session, "import subprocess; subprocess.Popen(['sleep', '1000'], start_new_session=True)")
    session.close()
    deadline = time.monotonic() + 5
    while _descendants() - before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _descendants() == before


def _descendants() -> set[int]:
    """Return the processes below this one, at any depth."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= grown
    return found - {os.getpid()}


def _children_cpu_s() -> float:
    ticks = 0
    for pid in _descendants():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        fields = stat.rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
