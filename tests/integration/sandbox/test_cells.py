"""A stateful session: variables, values, errors, exits, put files."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from adversarial.hostile import LIMITS, last, run
from builders import open_chosen

from codeloop.core.errors import DataError
from codeloop.core.execution import ExecutionResult, OutputChunk, Status
from codeloop.core.protocols import Session
from codeloop.sandbox import Sandbox, SandboxSession

pytestmark = pytest.mark.jail


def shown(result: ExecutionResult) -> list[str]:
    return [display.text() for display in result.displays]


def test_it_is_a_session(kernel: SandboxSession) -> None:
    session: Session = kernel
    assert "python" in session.languages


def test_variables_functions_and_imports_are_kept(kernel: SandboxSession) -> None:
    run(kernel, "import math\nx = 20\ndef double(n):\n    return 2 * n")
    assert shown(run(kernel, "double(x) + math.floor(2.5)")) == ["42"]


@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("1 + 1", ["2"]),
        ("x = 1", []),
        ("None", []),
        ("print('a')", []),
        ("x = 5\nx", ["5"]),
        ("if True:\n    5", []),
        ("'a'\n'b'", ["'b'"]),
        ("", []),
        ("# nothing", []),
        ("def f():\n    return 1\nf()", ["1"]),
        ("class A:\n    def __repr__(self):\n        return 'an A'\nA()", ["an A"]),
        ("'ä€😀'", ["'ä€😀'"]),
    ],
)
def test_the_value_of_a_last_expression_is_shown(
    code: str, values: list[str], kernel: SandboxSession
) -> None:
    result = run(kernel, code)
    assert result.status is Status.OK
    assert shown(result) == values
    assert result.stdout.text == ("a\n" if "print" in code else "")
    assert result.exit_code is None
    assert result.signal is None


def test_a_set_has_one_order_in_every_process(kernel: SandboxSession) -> None:
    words = "{'alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta', 'eta', 'theta'}"
    program = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', \"print({words})\"])"
    told = {run(kernel, f"print({words})").stdout.text, run(kernel, program).stdout.text}
    with open_chosen() as other:
        session = other.open_session(stateful=True, limits=LIMITS)
        told.add(run(session, f"print({words})").stdout.text)
        session.close()
    assert len(told) == 1, told


def test_a_traceback_shows_the_cells_alone(kernel: SandboxSession) -> None:
    run(kernel, "def divide(n):\n    return 1 / n")
    result = run(kernel, "a = 1\ndivide(0)")
    assert result.status is Status.ERROR
    assert result.stderr.text == (
        "Traceback (most recent call last):\n"
        '  File "<cell 2>", line 2, in <module>\n'
        "    divide(0)\n"
        '  File "<cell 1>", line 2, in divide\n'
        "    return 1 / n\n"
        "           ~~^~~\n"
        "ZeroDivisionError: division by zero\n"
    )
    assert result.error is not None
    assert (result.error.name, result.error.message) == ("ZeroDivisionError", "division by zero")
    assert result.error.line == 2
    assert shown(run(kernel, "a")) == ["1"]


def test_causes_and_groups_are_told(kernel: SandboxSession) -> None:
    result = run(
        kernel,
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('worse') from e",
    )
    assert "direct cause" in result.stderr.text
    assert "jail" not in result.stderr.text
    group = run(kernel, "raise ExceptionGroup('two', [ValueError(1), TypeError(2)])")
    assert group.error is not None
    assert group.error.name == "ExceptionGroup"


def test_code_that_is_no_python_never_starts(kernel: SandboxSession) -> None:
    result = run(kernel, "print('not said')\ndef f(:")
    assert result.status is Status.COMPILE_ERROR
    assert result.stdout.text == ""
    assert result.error is not None
    assert (result.error.name, result.error.line) == ("SyntaxError", 2)
    assert result.stderr.text.startswith('  File "<cell 1>", line 2\n')


@pytest.mark.parametrize(
    ("code", "status", "exit_code"),
    [
        ("import sys; sys.exit()", Status.OK, 0),
        ("exit(0)", Status.OK, 0),
        ("import sys; sys.exit(3)", Status.ERROR, 3),
        ("raise SystemExit('no')", Status.ERROR, 1),
        ("quit(2)", Status.ERROR, 2),
    ],
)
def test_an_exit_ends_the_cell_and_not_the_session(
    code: str, status: Status, exit_code: int, kernel: SandboxSession
) -> None:
    run(kernel, "kept = 1")
    result = run(kernel, code)
    assert (result.status, result.exit_code, result.state_lost) == (status, exit_code, False)
    assert shown(run(kernel, "kept")) == ["1"]


@pytest.mark.parametrize(
    ("code", "exit_code", "number"),
    [
        ("import os; os._exit(3)", 3, None),
        ("import os; os.kill(os.getpid(), 9)", None, 9),
        ("import ctypes; ctypes.string_at(0)", None, 11),
        ("import os; os.abort()", None, 6),
    ],
)
def test_the_end_of_the_process_loses_the_variables_and_keeps_the_files(
    code: str, exit_code: int | None, number: int | None, kernel: SandboxSession
) -> None:
    run(kernel, "gone = 1; open('kept.txt', 'w').write('x')")
    result = run(kernel, code)
    assert result.state_lost
    assert (result.exit_code, result.signal) == (exit_code, number)
    assert result.status is (Status.ERROR if number is None else Status.SIGNAL)
    after = run(kernel, "('gone' in globals(), open('kept.txt').read())")
    assert shown(after) == ["(False, 'x')"]
    assert not after.state_lost


def test_a_kernel_that_dies_between_two_cells_is_replaced(kernel: SandboxSession) -> None:
    run(kernel, "import threading, os; threading.Timer(0.05, os._exit, [7]).start()")
    assert run(kernel, "import time; time.sleep(0.3)").state_lost
    run(kernel, "import threading, os; threading.Timer(0.05, os._exit, [7]).start()")
    import time  # noqa: PLC0415  beside its use

    time.sleep(0.3)
    result = run(kernel, "6 * 7")
    assert (shown(result), result.state_lost) == (["42"], True)


def test_output_comes_as_it_is_written(kernel: SandboxSession) -> None:
    code = "import time\nprint('one')\ntime.sleep(0.2)\nprint('two')"
    pieces = [event.text for event in kernel.run(code) if isinstance(event, OutputChunk)]
    assert pieces == ["one\n", "two\n"]


def test_other_languages_are_unsupported_and_no_error(kernel: SandboxSession) -> None:
    assert last(kernel.run("DISPLAY 1.", language="cobol")).status is Status.UNSUPPORTED
    assert shown(run(kernel, "1")) == ["1"]


def test_restart_forgets_all_but_put_files(kernel: SandboxSession, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("a,b\n1,2\n", encoding="utf-8")
    kernel.put_file(data)
    kernel.put_file(data, "other name.csv")
    data.unlink()  # what was put is kept, whatever becomes of the host's own
    run(kernel, "x = 1; open('made', 'w').close(); open('data.csv', 'a').write('3,4\\n')")
    kernel.restart()
    result = run(
        kernel, "import os; (sorted(os.listdir()), 'x' in globals(), open('data.csv').read())"
    )
    assert shown(result) == ["(['data.csv', 'other name.csv'], False, 'a,b\\n1,2\\n')"]


def test_a_file_may_be_put_again_and_between_runs(kernel: SandboxSession, tmp_path: Path) -> None:
    data = tmp_path / "data.bin"
    for content in (b"\0\xff" * 100_000, b"", b"new"):
        data.write_bytes(content)
        kernel.put_file(data)
        assert shown(run(kernel, "len(open('data.bin', 'rb').read())")) == [str(len(content))]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a//b", "a/../b", "/etc/passwd", "../up", "nul\0byte", "x" * 2000]
)
def test_a_put_file_stays_in_the_work_directory(
    name: str, kernel: SandboxSession, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.touch()
    with pytest.raises(DataError, match="not a path in the work directory"):
        kernel.put_file(data, name)


def test_a_file_that_cannot_be_put_says_why(kernel: SandboxSession, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        kernel.put_file(tmp_path / "missing")
    with pytest.raises(DataError, match="not a regular file"):
        kernel.put_file(tmp_path)
    large = tmp_path / "large"
    large.write_bytes(bytes(LIMITS.disk_bytes + 4096))
    with pytest.raises(DataError, match="No space left"):
        kernel.put_file(large)
    small = tmp_path / "taken"
    small.touch()
    run(kernel, "import os; os.mkdir('taken')")
    with pytest.raises(DataError, match="taken"):
        kernel.put_file(small)
    assert run(kernel, "1").status is Status.OK


def test_measures_are_taken(kernel: SandboxSession) -> None:
    result = run(kernel, "x = bytearray(60 * 10**6)\nfor _ in range(3 * 10**6): pass")
    assert result.status is Status.OK
    assert 0.01 < result.cpu_s <= result.wall_s + 0.05
    assert 60 * 10**6 < result.peak_memory_bytes < 120 * 10**6


def test_a_long_program_is_taken_whole(sandbox: Sandbox) -> None:
    code = "x = 0\n" + "x += 1\n" * 100_000 + "x"
    limits = replace(
        LIMITS, cpu_s=30, memory_bytes=1 << 30
    )  # a kernel's memory is set at its start
    with closing(sandbox.open_session(stateful=True, limits=limits)) as session:
        assert shown(run(session, code, limits)) == ["100000"]


def test_honest_libraries_work(kernel: SandboxSession) -> None:
    code = """
import asyncio, ctypes, decimal, hashlib, json, multiprocessing, os, sqlite3, subprocess
import tempfile, threading, zoneinfo

async def later():
    await asyncio.sleep(0.01)
    return "async"

def square(n):
    return n * n

seen = [asyncio.run(later())]
with multiprocessing.get_context("fork").Pool(2) as pool:
    seen.append(pool.map(square, [1, 2, 3]))
seen.append(subprocess.run(["sh", "-c", "echo $HOME"], capture_output=True, text=True).stdout)
seen.append(subprocess.check_output(["python3", "-c", "print(6 * 7)"], text=True))
with tempfile.TemporaryDirectory() as folder:
    database = sqlite3.connect(os.path.join(folder, "x.db"))
    database.execute("create table t (x)")
    database.execute("insert into t values (1)")
    seen.append(database.execute("select x from t").fetchall())
    database.close()
threads = [threading.Thread(target=seen.append, args=("thread",)) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
seen.append(ctypes.CDLL(None).getpid() == os.getpid())
seen.append(os.getcwd() + os.path.expanduser("~"))
seen.append(os.cpu_count() > 0)
open("/dev/stdout", "w").write("direct\\n")
seen
"""
    result = run(kernel, code)
    assert result.status is Status.OK, result.stderr.text
    assert result.stdout.text == "direct\n"
    assert shown(result) == [
        "['async', [1, 4, 9], '/work\\n', '42\\n', [(1,)], 'thread', 'thread', True, '/work/work', True]"  # noqa: E501
    ]


def test_packages_lent_to_guests_can_be_imported(tmp_path: Path) -> None:
    from codeloop.sandbox import open_sandbox  # noqa: PLC0415  one of its own, beside its use

    tmp_path.chmod(0o755)  # or nobody but root may look into it
    (tmp_path / "lent").mkdir()
    (tmp_path / "lent" / "__init__.py").write_text("x = 42", encoding="utf-8")
    with open_sandbox(guest_packages=tmp_path, preload=("lent",)) as sandbox:
        session = sandbox.open_session(stateful=True, limits=LIMITS)
        assert shown(run(session, "import sys; ('lent' in sys.modules, __import__('lent').x)")) == [
            "(True, 42)"
        ]
        child = run(
            session,
            "import os; os.popen('python3 -c \"import lent; print(lent.x)\"').read()",
        )
        assert shown(child) == ["'42\\n'"]
        denied = run(session, "open('/opt/packages/lent/__init__.py', 'w')")
        assert denied.status is Status.ERROR


def test_two_sessions_keep_apart(sandbox: Sandbox, kernel: SandboxSession) -> None:
    """The demo had one dialogue and one interpreter for all of its users."""
    other = sandbox.open_session(stateful=True, limits=LIMITS)
    run(kernel, "x = 1")
    run(other, "x = 2")
    assert shown(run(kernel, "x")) == ["1"]
    assert shown(run(other, "x")) == ["2"]
    other.close()
