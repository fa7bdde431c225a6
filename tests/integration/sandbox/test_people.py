"""What a person does to a run: types a line, or stops it."""

import signal
import threading
import time
from dataclasses import replace

import pytest
from adversarial.hostile import LIMITS, last, run

from codeloop.core.execution import ExecutionResult, InputRequested, OutputChunk, Status
from codeloop.sandbox import Sandbox, SandboxSession

pytestmark = pytest.mark.jail


def answer(
    session: SandboxSession, code: str, *lines: str | None
) -> tuple[list[str], ExecutionResult]:
    """Run code and type the lines that it asks for; return its prompts and its result."""
    typed = iter(lines)
    prompts = []
    for event in session.run(code, limits=LIMITS):
        match event:
            case InputRequested(prompt):
                prompts.append(prompt)
                session.send_input(next(typed))
            case ExecutionResult():
                return prompts, event
            case _:
                pass
    raise AssertionError


@pytest.mark.parametrize("stateful", [True, False])
def test_a_person_is_asked(stateful: bool, sandbox: Sandbox) -> None:
    session = sandbox.open_session(stateful=stateful, interactive=True, limits=LIMITS)
    code = "a = input('first: ')\nb = input()\nprint(a, b)"
    prompts, result = answer(session, code, "one", "zwei €")
    assert prompts == ["first: ", ""]
    assert (result.status, result.stdout.text) == (Status.OK, "one zwei €\n")
    session.close()


def test_the_end_of_input_is_an_error_of_the_code(sandbox: Sandbox) -> None:
    session = sandbox.open_session(stateful=True, interactive=True, limits=LIMITS)
    _, result = answer(session, "input()", None)
    assert result.error is not None
    assert result.error.name == "EOFError"
    prompts, result = answer(session, "input('again')", "x")
    assert prompts == ["again"]
    assert result.displays[0].text() == "'x'"
    session.close()


def test_output_before_a_question_comes_before_it(sandbox: Sandbox) -> None:
    session = sandbox.open_session(stateful=True, interactive=True, limits=LIMITS)
    events = session.run("print('hello', end='')\ninput('?')")
    kinds = []
    for event in events:
        kinds.append(type(event))
        if isinstance(event, InputRequested):
            session.send_input("x")
    assert kinds == [OutputChunk, InputRequested, ExecutionResult]
    session.close()


def test_nobody_is_asked_in_a_session_that_is_not_interactive(kernel: SandboxSession) -> None:
    result = run(kernel, "input('> ')")
    assert result.error is not None
    assert result.error.name == "EOFError"
    assert run(kernel, "import sys; sys.stdin.read()").displays[0].text() == "''"


def test_time_to_think_does_not_count(sandbox: Sandbox) -> None:
    limits = replace(LIMITS, wall_s=1.0)
    session = sandbox.open_session(stateful=True, interactive=True, limits=limits)
    events = session.run("x = input()\nx")
    assert isinstance(next(events), InputRequested)
    threading.Timer(1.5, session.send_input, ["late"]).start()
    result = last(events)
    assert result.displays[0].text() == "'late'", result
    assert run(session, "import time; time.sleep(10)", limits).status is Status.WALL_LIMIT
    session.close()


def test_a_question_can_be_interrupted(sandbox: Sandbox) -> None:
    session = sandbox.open_session(stateful=True, interactive=True, limits=LIMITS)
    events = session.run("kept = 1\ninput()")
    assert isinstance(next(events), InputRequested)
    session.interrupt()
    assert last(events).status is Status.INTERRUPTED
    assert not session.interrupt()
    session.send_input("too late")
    prompts, result = answer(session, "(kept, input('again'))", "x")
    assert prompts == ["again"]
    assert result.displays[0].text() == "(1, 'x')"
    session.close()


def interrupt_when_it_says_so(session: SandboxSession, code: str) -> tuple[float, ExecutionResult]:
    """Interrupt a run at its first output; return how long it then took to end."""
    events = session.run(code, limits=LIMITS)
    assert isinstance(next(events), OutputChunk)
    started = time.monotonic()
    session.interrupt()
    result = last(events)
    return time.monotonic() - started, result


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        "import threading; threading.Event().wait()",
        "import subprocess; subprocess.run(['sleep', '60'])",
        "[0 for _ in iter(int, 1)]",
        "import sys; sys.setswitchinterval(60)\nwhile True: pass",
    ],
)
def test_an_interrupt_stops_the_cell_and_keeps_the_variables(
    code: str, kernel: SandboxSession
) -> None:
    """The demo had no stop at all; interrupting a wrapped kernel by signal had no effect."""
    _, result = interrupt_when_it_says_so(kernel, f"kept = 1\nprint('go', flush=True)\n{code}")
    assert result.status is Status.INTERRUPTED, result
    assert result.error is not None
    assert result.error.name == "KeyboardInterrupt"
    assert not result.state_lost
    assert run(kernel, "kept").displays[0].text() == "1"


SWALLOW = """
import time
while True:
    try:
        print('go', flush=True)
        time.sleep(60)
    except BaseException:
        pass
"""


@pytest.mark.parametrize(
    "code",
    [
        SWALLOW,
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)" + SWALLOW,
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])" + SWALLOW,
    ],
)
def test_a_cell_that_swallows_an_interrupt_is_killed(code: str, kernel: SandboxSession) -> None:
    took, result = interrupt_when_it_says_so(kernel, code)
    assert result.status is Status.INTERRUPTED
    assert result.state_lost
    assert took >= 1.0
    assert run(kernel, "1").displays[0].text() == "1"


def test_a_cell_that_minds_an_interrupt_ends_well(kernel: SandboxSession) -> None:
    code = """
import time
try:
    print('go', flush=True)
    time.sleep(60)
except KeyboardInterrupt: print('minded')
"""
    _, result = interrupt_when_it_says_so(kernel, code)
    assert (result.status, result.stdout.text) == (Status.OK, "go\nminded\n")


def test_a_cell_that_fails_as_it_is_interrupted_was_interrupted(kernel: SandboxSession) -> None:
    code = (
        "import time; kept = 1\n"
        "try: print(1, flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt: raise ValueError('no') from None"
    )
    _, result = interrupt_when_it_says_so(kernel, code)
    assert result.status is Status.INTERRUPTED
    assert result.error is not None
    assert result.error.name == "ValueError"
    assert run(kernel, "kept").displays[0].text() == "1"


def test_a_script_can_be_interrupted(sandbox: Sandbox) -> None:
    session = sandbox.open_session(stateful=False, limits=LIMITS)
    _, result = interrupt_when_it_says_so(session, "print('go')\nwhile True: pass")
    assert result.status is Status.INTERRUPTED
    assert result.signal == signal.SIGINT
    assert result.stderr.text.endswith("KeyboardInterrupt\n")
    assert run(session, "print(1)").stdout.text == "1\n"
    session.close()


def test_an_interrupt_of_nothing_does_nothing(kernel: SandboxSession) -> None:
    for _ in range(1000):
        assert not kernel.interrupt()
    assert run(kernel, "6 * 7").displays[0].text() == "42"
    kernel.interrupt()
    time.sleep(0.05)
    assert run(kernel, "import time; time.sleep(0.2); 'slept'").displays[0].text() == "'slept'"


def interrupt_as_it_begins(session: SandboxSession, code: str) -> ExecutionResult:
    """Interrupt a run at the first moment at which there is one."""
    over = threading.Event()

    def press() -> None:
        while not session.interrupt() and not over.is_set():
            time.sleep(0.0001)

    thread = threading.Thread(target=press)
    thread.start()
    result = run(session, code)
    over.set()
    thread.join()
    assert not session.interrupt()
    return result


def test_an_interrupt_that_comes_as_a_run_begins_keeps_the_variables(
    kernel: SandboxSession,
) -> None:
    """It once reached a guest that did not listen yet, and was killed a second later."""
    assert run(kernel, "kept, begun = 1, 0").status is Status.OK
    for _ in range(40):
        result = interrupt_as_it_begins(kernel, "begun += 1\nwhile True: pass")
        assert result.status is Status.INTERRUPTED
        assert not result.state_lost
        assert run(kernel, "kept").displays[0].text() == "1"


def test_a_session_that_is_interrupted_before_its_process_is_up_lives_on(sandbox: Sandbox) -> None:
    for _ in range(10):
        session = sandbox.open_session(stateful=True, limits=LIMITS)
        result = interrupt_as_it_begins(session, "while True: pass")
        assert (result.status, result.state_lost) == (Status.INTERRUPTED, False)
        assert run(session, "1").displays[0].text() == "1"
        session.close()


def test_a_script_that_is_interrupted_as_it_begins_shows_nothing_of_the_sandbox(
    sandbox: Sandbox,
) -> None:
    session = sandbox.open_session(stateful=False, limits=LIMITS)
    for _ in range(20):
        result = interrupt_as_it_begins(session, "while True: pass")
        assert (result.status, result.signal) == (Status.INTERRUPTED, signal.SIGINT)
        assert "jail" not in result.stderr.text
    session.close()


def test_an_interrupt_that_a_cell_was_too_quick_for_hits_no_other_cell(
    kernel: SandboxSession,
) -> None:
    for _ in range(40):
        interrupt_as_it_begins(kernel, "pass")
        assert run(kernel, "6 * 7").displays[0].text() == "42"


def test_an_interrupt_may_come_from_a_signal_handler(kernel: SandboxSession) -> None:
    previous = signal.signal(signal.SIGALRM, lambda *_: kernel.interrupt())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        assert run(kernel, "while True: pass").status is Status.INTERRUPTED
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
