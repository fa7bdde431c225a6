"""Jupyter's own Python kernel in the jail, as a session like any other."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from adversarial.hostile import LIMITS, last, run

from codeloop.cli.wiring import guest_packages
from codeloop.core.errors import ConfigError
from codeloop.core.execution import ExecutionResult, InputRequested, Isolation, OutputChunk, Status
from codeloop.sandbox import Sandbox, SandboxSession

PACKAGES = guest_packages()
pytestmark = [
    pytest.mark.jail,
    pytest.mark.slow,
    pytest.mark.skipif(
        PACKAGES is None or not (PACKAGES / "ipykernel").is_dir(),
        reason="ipykernel is not among the guest's packages: scripts/guest-packages",
    ),
]


@pytest.fixture(scope="module")
def lending() -> Iterator[Sandbox]:
    """A sandbox whose guests may import packages."""
    with Sandbox(PACKAGES) as opened:
        yield opened


@pytest.fixture(scope="module")
def warm(lending: Sandbox) -> Iterator[SandboxSession]:
    """A session that lives through all tests that do not harm it."""
    session = lending.open_session(stateful=True, limits=LIMITS, kernel="python3")
    session.await_ready()
    yield session
    session.close()


def test_a_value_an_error_and_the_streams_come_as_from_our_own_kernel(warm: SandboxSession) -> None:
    result = run(warm, "import sys\nx = 41\nprint('out')\nprint('err', file=sys.stderr)\nx + 1")
    assert (result.status, result.stdout.text, result.stderr.text) == (Status.OK, "out\n", "err\n")
    assert result.displays[0].text() == "42"
    result = run(warm, "1 / 0")
    assert result.status is Status.ERROR
    assert result.error is not None
    assert (result.error.name, result.error.message) == ("ZeroDivisionError", "division by zero")
    assert result.stderr.text.endswith("ZeroDivisionError: division by zero\n")
    assert "\x1b" not in result.stderr.text
    assert run(warm, "x").displays[0].text() == "41"
    assert run(warm, "").status is Status.OK


def test_output_comes_as_it_is_written(warm: SandboxSession) -> None:
    events = warm.run("import time\nprint('first', flush=True)\ntime.sleep(0.3)\nprint('last')")
    first = next(events)
    assert isinstance(first, OutputChunk)
    assert first.text == "first\n"
    assert last(events).stdout.text == "first\nlast\n"


def test_all_forms_of_what_is_shown_come_through(warm: SandboxSession) -> None:
    code = """
from IPython.display import display
forms = {'text/plain': 'x', 'text/html': '<b>x</b>', 'application/json': {'a': [1, None]}}
display(forms, raw=True)
shown = display('before', display_id='one')
shown.update('after')
"""
    displays = run(warm, code).displays
    assert dict(displays[0].parts) == {
        "text/plain": "x",
        "text/html": "<b>x</b>",
        "application/json": '{"a":[1,null]}',
    }
    assert [each.text() for each in displays[1:]] == ["'after'"]


@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(60)"])
def test_an_interrupt_keeps_the_variables(code: str, warm: SandboxSession) -> None:
    events = warm.run(f"kept = 1\nprint('go', flush=True)\n{code}", limits=LIMITS)
    assert isinstance(next(events), OutputChunk)
    warm.interrupt()
    result = last(events)
    assert (result.status, result.state_lost) == (Status.INTERRUPTED, False)
    assert run(warm, "kept").displays[0].text() == "1"


def test_an_interrupt_that_comes_as_a_cell_begins_is_not_lost(lending: Sandbox) -> None:
    """What it cannot promise is that ipykernel keeps the variables: it may lose the cell."""
    session = lending.open_session(stateful=True, limits=LIMITS, kernel="python3")
    session.await_ready()

    def press() -> None:
        while not session.interrupt():
            time.sleep(0.0001)

    for _ in range(5):
        thread = threading.Thread(target=press)
        thread.start()
        assert run(session, "while True: pass").status is Status.INTERRUPTED
        thread.join()
        assert run(session, "6 * 7").displays[0].text() == "42"
    session.close()


def answered(session: SandboxSession, code: str, line: str | None) -> ExecutionResult:
    """Run code, and type a line when it asks for one."""
    for event in session.run(code, limits=LIMITS):
        match event:
            case InputRequested(prompt):
                assert prompt == "? "
                session.send_input(line)
            case ExecutionResult():
                return event
            case _:
                pass
    raise AssertionError


def test_a_person_is_asked_for_lines(lending: Sandbox) -> None:
    session = lending.open_session(stateful=True, interactive=True, limits=LIMITS, kernel="python3")
    assert answered(session, "input('? ')", "zwei €").displays[0].text() == "'zwei €'"
    failed = answered(session, "input('? ')", None)
    assert failed.error is not None
    assert failed.error.name == "EOFError"
    events = session.run("kept = 3\ninput('? ')", limits=LIMITS)
    assert isinstance(next(events), InputRequested)
    session.interrupt()
    result = last(events)
    assert (result.status, result.state_lost) == (Status.INTERRUPTED, False)
    assert run(session, "kept").displays[0].text() == "3"
    session.close()


def test_a_kernel_that_dies_is_replaced_and_its_cells_can_be_run_again(lending: Sandbox) -> None:
    session = lending.open_session(stateful=True, limits=LIMITS, kernel="python3")
    assert run(session, "x = 6 * 7").status is Status.OK
    result = run(session, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert (result.status, result.state_lost) == (Status.SIGNAL, True)
    result = run(session, "x")
    assert result.error is not None
    assert result.error.name == "NameError"
    session.replay(session.cells[:1])
    assert run(session, "x").displays[0].text() == "42"
    session.restart()
    assert run(session, "x").status is Status.ERROR
    session.close()


def test_it_has_the_walls_and_the_limits_of_every_guest(warm: SandboxSession) -> None:
    result = run(warm, "import socket\nsocket.socket(socket.AF_INET)")
    assert result.error is not None
    assert result.error.name == "PermissionError"
    assert run(warm, "open('/etc/shadow')").status is Status.ERROR
    assert run(warm, "import os; os.listdir('/work')").displays[0].text() == "[]"
    assert warm.variables() == ()
    assert run(warm, "echo beside").status is Status.ERROR
    *_, beside = warm.run("echo beside", language="bash", limits=LIMITS)
    assert isinstance(beside, ExecutionResult)
    assert beside.stdout.text == "beside\n"


def test_a_cell_over_a_limit_ends_the_kernel(lending: Sandbox) -> None:
    session = lending.open_session(stateful=True, limits=LIMITS, kernel="python3")
    session.await_ready()
    result = run(session, "x = bytearray(1 << 30)\nx[::4096] = b'1' * len(x[::4096])")
    assert (result.status, result.state_lost) == (Status.MEMORY_LIMIT, True)
    assert run(session, "1").displays[0].text() == "1"
    session.close()


def test_a_kernel_that_is_not_there_is_refused_by_name(lending: Sandbox) -> None:
    with pytest.raises(ConfigError, match=r"no Jupyter kernel cobol; there are: .*python3"):
        lending.open_session(stateful=True, kernel="cobol")


def test_a_level_without_unix_sockets_is_refused() -> None:
    try:
        sandbox = Sandbox(PACKAGES, isolation=Isolation.LANDLOCK)
    except Exception as error:  # noqa: BLE001  this kernel has no such level
        pytest.skip(str(error))
    with sandbox, pytest.raises(ConfigError, match="landlock"):
        sandbox.open_session(stateful=True, kernel="python3")


def test_a_kernel_without_pyzmq_is_refused(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox, pytest.raises(ConfigError, match="pyzmq"):
        sandbox.open_session(stateful=True, kernel="python3")
