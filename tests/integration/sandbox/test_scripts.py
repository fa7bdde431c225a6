"""A one-shot run: what `python main.py` does, in a directory of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from adversarial.hostile import LIMITS, run, run_once

from codeloop.core.execution import Isolation, Status
from codeloop.sandbox import Sandbox

pytestmark = pytest.mark.jail

# Programs whose output, errors and exit code must be those of Python itself.
PROGRAMS = {
    "prints": "print('a', 1); import sys; print('b', file=sys.stderr)",
    "fails": "def f():\n    return {}['k']\nf()",
    "fails in a chain": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    [][1]",
    "is no Python": "x = (\n",
    "is badly indented": "if 1:\nx = 2\n",
    "exits": "raise SystemExit",
    "exits with a number": "import sys; sys.exit(300)",
    "exits with words": "import sys; sys.exit('words')",
    "exits with an object": "import sys; sys.exit([1])",
    "exits by exit()": "exit(3)",
    "leaves": "import os; print('said', flush=True); os._exit(4)",
    "registers": "import atexit; atexit.register(print, 'last'); print('first')",
    "fails at exit": "import atexit; atexit.register(lambda: 1 / 0)",
    "has a finalizer": "class A:\n    def __del__(self): print('del')\na = A()",
    "has a thread": "import threading, time\n"
    "threading.Thread(target=lambda: (time.sleep(.1), print('thread'))).start()\nprint('main')",
    "has a thread that fails": "import threading\n"
    "t = threading.Thread(target=lambda: 1 / 0, name='T')\nt.start()\nt.join()",
    "has a daemon": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "has its own hook": "import sys\nsys.excepthook = lambda *a: print('hook', a[0])\n1 / 0",
    "is a module": "print(__name__, __package__, __doc__, __spec__, __cached__)",
    "has a docstring": "'doc'\nprint(__doc__)",
    "reads": "print(input('> '), input())\nimport sys; print(sys.stdin.read())",
    "reads to the end": "while True: print(input())",
    "reads bytes": "import os; print(os.read(0, 5))",
    "imports itself": "if __name__ == '__main__':\n    import main\nelse: print(__name__)",
    "inspects itself": "import inspect\ndef f(): pass\nprint(inspect.getsource(f))",
    "spawns": "import multiprocessing as m\n"
    "def f(x): return x + 1\n"
    "if __name__ == '__main__':\n"
    "    with m.get_context('spawn').Pool(1) as p: print(p.map(f, [1]))",
    "sets its name": "import sys; print(len(sys.argv), sys.flags.interactive)",
    "encodes": "# -*- coding: utf-8 -*-\nprint('ä€😀')",
    "warns": "import warnings; warnings.warn('careful')",
    "has an odd escape": "print('\\d')",
    "asserts": "assert 1 == 2, 'no'",
    "raises a group": "raise ExceptionGroup('g', [ValueError(1)])",
    "recurses": "import sys; sys.setrecursionlimit(80)\ndef f(n): return n and f(n - 1)\nf(500)",
    "kills itself": "import os; print('x', flush=True); os.kill(os.getpid(), 15)",
    "interrupts itself": "import os, time; os.kill(os.getpid(), 2)\ntime.sleep(1)",
    "closes stdout": "import sys; sys.stdout.close()",
    "flushes at the end": "import sys; sys.stdout.write('no line end')",
}
STDIN = b"one\ntwo\nthree\nfour\n"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_script_does_what_python_does(name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    program = PROGRAMS[name]
    path = tmp_path / "main.py"
    path.write_text(program, encoding="utf-8")
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    theirs = subprocess.run(
        [python, "-X", "utf8", "main.py"],
        cwd=tmp_path,
        capture_output=True,
        input=STDIN,
        env={"PATH": "/usr/bin:/bin"},
        check=False,
    )
    ours = run_once(sandbox, program, stdin=STDIN)
    code = ours.exit_code if ours.signal is None else -ours.signal
    assert code == theirs.returncode, ours
    assert ours.stdout.text == theirs.stdout.decode()
    assert comparable(ours.stderr.text) == comparable(
        theirs.stderr.decode().replace(str(tmp_path), "/work")
    )


def comparable(text: str) -> str:
    """Return a traceback without addresses, and without how deep a recursion got."""
    return re.sub(r"0x[0-9a-f]+|repeated \d+ more", "...", text)


def test_a_result_tells_all(sandbox: Sandbox) -> None:
    result = run_once(sandbox, "x = 1\nraise ValueError('bad')")
    assert result.status is Status.ERROR
    assert result.exit_code == 1
    assert result.error is not None
    assert (result.error.name, result.error.message, result.error.line) == ("ValueError", "bad", 2)
    assert result.isolation is Isolation.NAMESPACES
    assert not result.state_lost
    assert not result.displays
    assert 0 < result.cpu_s < 1
    assert result.wall_s > 0
    assert 1 << 20 < result.peak_memory_bytes < 100 << 20


def test_the_line_of_an_error_is_one_of_the_script(sandbox: Sandbox) -> None:
    result = run_once(sandbox, "import json\n\njson.loads('{')")
    assert result.error is not None
    assert result.error.line == 3


def test_every_run_starts_anew_with_the_put_files(sandbox: Sandbox, tmp_path: Path) -> None:
    data = tmp_path / "data.txt"
    data.write_text("content", encoding="utf-8")
    session = sandbox.open_session(stateful=False, limits=LIMITS)
    session.put_file(data)
    for _ in range(3):
        result = run(
            session,
            "import os; print(sorted(os.listdir()), open('data.txt').read())\n"
            "open('left', 'w').close(); open('data.txt', 'w').close()",
        )
        assert result.stdout.text == "['data.txt', 'main.py'] content\n"
    session.restart()
    assert run(session, "print(open('data.txt').read())").stdout.text == "content\n"
    session.close()


def test_stdin_is_empty_unless_given(sandbox: Sandbox) -> None:
    assert run_once(sandbox, "import sys; print(repr(sys.stdin.read()))").stdout.text == "''\n"
    result = run_once(sandbox, "input()")
    assert result.error is not None
    assert result.error.name == "EOFError"


def test_a_large_stdin_is_no_dead_end(sandbox: Sandbox) -> None:
    size = 3_000_000
    result = run_once(sandbox, "import sys; print(len(sys.stdin.buffer.read()))", stdin=b"x" * size)
    assert result.stdout.text == f"{size}\n"
    unread = run_once(sandbox, "print('not read')", stdin=b"x" * size)
    assert unread.stdout.text == "not read\n"


def test_stdin_cannot_be_written_to(sandbox: Sandbox) -> None:
    """It is memory that no limit of the guest counts."""
    program = """
import os
for call in (lambda: os.write(0, b"x"), lambda: os.ftruncate(0, 1 << 30),
             lambda: os.write(os.open("/proc/self/fd/0", os.O_RDWR), b"x")):
    try: call()
    except OSError: continue
    raise AssertionError
print("held")
"""
    assert run_once(sandbox, program, stdin=b"data").stdout.text == "held\n"
