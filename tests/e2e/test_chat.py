"""The chat at a real terminal: typed to and read from, with ^C at bad moments."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

pytestmark = pytest.mark.jail

Scripted = Callable[[Sequence[str]], str]
Terminal = Callable[..., "pexpect.spawn[str]"]

LOOP = "```python\nimport time\nkept = 7\nprint('started', flush=True)\nwhile True: pass\n```"
READY = "\x1b[?2004h"  # the terminal is told to mark pastes: the chat reads keys now
KEPT = "```python\nprint('kept is', kept)\n```"


@pytest.fixture
def terminal(environment: dict[str, str]) -> Iterator[Terminal]:
    """Yield a function that starts `codeloop WORDS...` at a terminal of its own."""
    started: list[pexpect.spawn[str]] = []

    def start(*words: str) -> "pexpect.spawn[str]":
        child: pexpect.spawn[str] = pexpect.spawn(
            sys.executable,
            ["-m", "codeloop", *words],
            env={**environment, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
            encoding="utf-8",
            timeout=30,
            dimensions=(40, 200),
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


@contextmanager
def chatting(terminal: Terminal, model: str) -> Iterator["pexpect.spawn[str]"]:
    child = terminal("chat", "--model", model)
    child.expect("/help")
    yield child
    child.expect_exact(READY)
    child.sendcontrol("d")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


def say(child: "pexpect.spawn[str]", request: str) -> None:
    """Type a request once the chat asks for one."""
    child.expect_exact(READY)
    child.sendline(request)


def test_variables_live_on_from_request_to_request(terminal: Terminal, scripted: Scripted) -> None:
    model = scripted(["```python\nkept = 41\n```", "```python\nprint(kept + 1)\n```"])
    with chatting(terminal, model) as child:
        say(child, "set")
        child.expect("answered")
        say(child, "get")
        child.expect("\n42\r")
        child.expect("answered")


def test_ctrl_c_interrupts_the_run_and_keeps_the_variables(
    terminal: Terminal, scripted: Scripted
) -> None:
    with chatting(terminal, scripted([LOOP, KEPT])) as child:
        say(child, "loop")
        child.expect("started\r")
        child.sendcontrol("c")
        child.expect("interrupted by you")
        say(child, "and now")
        child.expect("kept is 7")
        child.expect("answered")


def test_commands_work_and_mistakes_are_one_line(
    terminal: Terminal, scripted: Scripted, tmp_path: Path
) -> None:
    file, saved = tmp_path / "a.txt", tmp_path / "d.jsonl"
    file.write_text("inside", encoding="utf-8")
    model = scripted(["```python\nprint(open('a.txt').read())\n```"])
    with chatting(terminal, model) as child:
        for typed, shown in [
            ("/help", "leaves"),
            ("/nonsense", "no command /nonsense"),
            ("/turns x", "takes a number"),
            ("/turns 2", "up to 2 turns"),
            ("/file /no/such", "no such file"),
            (f"/file {file}", "lies in the work directory"),
            ("/save", "/save FILE"),
            ("/model nonsense", "nonsense"),
            ("read it", "\ninside\r"),
            (f"/save {saved}", "saved to"),
            ("/reset", "new dialogue"),
        ]:
            say(child, typed)
            child.expect_exact(shown)
    assert saved.read_text(encoding="utf-8").count("\n") == 1


MADE = """```python
import os
table = [1, 2]
os.mkdir('out')
open('out/my report.txt', 'w').write('all well')
table.append(3)
print('made')
```"""


def test_what_the_code_made_is_shown_and_saved(
    terminal: Terminal, scripted: Scripted, tmp_path: Path
) -> None:
    saved = tmp_path / "kept.txt"
    with chatting(terminal, scripted([MADE])) as child:
        for typed, shown in [
            ("/vars", "no name a value"),
            ("/files", "no files"),
            ("/figure", "no figure was shown"),
            ("make", "answered"),
            ("/vars", "[1, 2, 3]"),
            ("/files", "out/my report.txt"),
            ("/get", "/get NAME [PATH]"),
            ("/get 'open", "/get NAME [PATH]"),
            ("/get nothing", "nothing: cannot be taken"),
            (f"/get 'out/my report.txt' {saved}", "saved to"),
            (f"/get 'out/my report.txt' {saved}", "File exists"),
            ("/replay", "1 cells ran again, 0 otherwise"),
            ("/vars", "[1, 2, 3]"),
        ]:
            say(child, typed)
            child.expect_exact(shown)
    assert saved.read_text(encoding="utf-8") == "all well"


def test_ctrl_c_stops_a_replay(terminal: Terminal, scripted: Scripted) -> None:
    slow = "```python\nimport time\nprint('slowly')\ntime.sleep(1)\nprint('done')\n```"
    with chatting(terminal, scripted([slow])) as child:
        say(child, "sleep")
        child.expect("answered")
        say(child, "/replay")
        child.expect_exact("/replay")
        time.sleep(0.5)
        child.sendcontrol("c")
        child.expect("0 cells ran again|stopped by you")
        say(child, "/replay")
        child.expect("1 cells ran again, 0 otherwise")


def test_input_of_the_code_is_asked_of_the_person(terminal: Terminal, scripted: Scripted) -> None:
    reply = "```python\nname = input('Your name? ')\nprint('Hello', name.upper())\n```"
    with chatting(terminal, scripted([reply])) as child:
        say(child, "greet")
        child.expect_exact("Your name? ")
        child.sendline("ada")
        child.expect("Hello ADA")
        child.expect("answered")


def test_ctrl_c_while_the_code_waits_for_input_ends_the_run(
    terminal: Terminal, scripted: Scripted
) -> None:
    reply = "```python\ninput('Name? ')\n```"
    with chatting(terminal, scripted([reply])) as child:
        say(child, "greet")
        child.expect_exact("Name? ")
        child.sendcontrol("c")
        child.expect("stopped|interrupted")


def test_ctrl_c_in_run_ends_with_130(terminal: Terminal, scripted: Scripted) -> None:
    child = terminal("run", "q", "--model", scripted([LOOP]))
    child.expect("started\r")
    child.sendcontrol("c")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130


def test_exec_keeps_escape_sequences_from_the_terminal(terminal: Terminal, tmp_path: Path) -> None:
    program = tmp_path / "p.py"
    program.write_text("print('\\x1b]0;owned\\x07\\x1b[2Jplain')", encoding="utf-8")
    child = terminal("exec", str(program))
    child.expect(pexpect.EOF)
    assert child.before == "plain\r\n"
