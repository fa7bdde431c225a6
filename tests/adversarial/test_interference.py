"""Programs that meddle with the kernel that runs them, or with the channel to the host."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from adversarial.hostile import LIMITS, run, run_once

from codeloop.core.execution import ExecutionResult, Status
from codeloop.sandbox import Sandbox, SandboxSession

pytestmark = pytest.mark.jail

# What a cell takes apart; the next cells must run, print, show values and tell of errors.
MEDDLING = {
    "builtins": """
import builtins
for name in list(vars(builtins)):
    if name not in ("print", "__build_class__", "__import__", "ZeroDivisionError", "repr"):
        try: setattr(builtins, name, None)
        except Exception: pass
""",
    "print": "import builtins; builtins.print = lambda *a, **k: None; del builtins.print",
    "exec and compile": "import builtins; builtins.exec = builtins.eval = builtins.compile = None",
    "len and type": "import builtins; builtins.len = builtins.type = builtins.isinstance = None",
    "sys.modules": "import sys; sys.modules.clear()",
    "main": "import sys; del sys.modules['__main__']",
    "os": "import os\nfor name in list(vars(os)): setattr(os, name, None)",
    "json": "import json, json.encoder, json.decoder\n"
    "for m in (json, json.encoder, json.decoder):\n"
    "  for name in list(vars(m)): setattr(m, name, None)",
    "traceback": "import traceback as t\nfor name in list(vars(t)): setattr(t, name, None)",
    "linecache": "import linecache as c\nfor name in list(vars(c)): setattr(c, name, None)",
    "contextlib": "import contextlib; contextlib.suppress = None",
    "struct": "import struct; struct.Struct = struct.pack = struct.unpack = None",
    "signal": "import signal\nfor name in list(vars(signal)): setattr(signal, name, None)",
    "resource": "import resource\nfor name in list(vars(resource)): setattr(resource, name, None)",
    "sys": "import sys; sys.stdout = sys.stderr = sys.stdin = None; sys.excepthook = None",
    "closed streams": "import sys; sys.stdout.close(); sys.stderr.close(); sys.stdin.close()",
    "closed descriptors": "import os\nfor fd in (0, 1, 2): os.close(fd)",
    "path": "import sys; sys.path.clear(); sys.meta_path.clear(); sys.path_hooks.clear()",
    "recursion limit": "import sys; sys.setrecursionlimit(60)",
    "switch interval": "import sys; sys.setswitchinterval(10)",
    "trace": "import sys; sys.settrace(lambda *a: 1/0); sys.setprofile(None)",
    "audit": "import sys; sys.addaudithook(lambda *a: None)",
    "gc": "import gc; gc.disable(); gc.set_threshold(1)",
    "signals": "import signal\n"
    "for n in range(1, 65):\n"
    "  try: signal.signal(n, signal.SIG_IGN)\n"
    "  except (OSError, ValueError): pass",
    "blocked signals": "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))",
    "directory": "import os, shutil; os.makedirs('/tmp/a'); os.chdir('/tmp/a'); os.rmdir('/tmp/a')",
    "permissions": "import os; os.chmod('/work', 0); os.umask(0o777)",
    "namespace": "globals().clear()",
    "dunder builtins": "globals()['__builtins__'] = {}",
    "locale": "import locale; locale.setlocale(locale.LC_ALL, 'C')",
    "threads": "import threading, time\n"
    "for _ in range(3): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "exit handlers": "import atexit, os; atexit.register(os._exit, 7)",
    "fork": "import os; os.fork()",
    "fork and wait": "import os\nif os.fork() == 0: os._exit(3)\nos.wait()",
    "a child that goes on": "import os, time\nif os.fork() == 0:\n  time.sleep(60)\n1",
}
UNPRINTABLE = {"sys"}  # what the cell took away is the cell's own to take


@pytest.mark.parametrize("name", MEDDLING)
def test_the_next_cells_run_all_the_same(name: str, kernel: SandboxSession) -> None:
    run(kernel, MEDDLING[name])
    shown = run(kernel, "6 * 7")
    assert [display.text() for display in shown.displays] == ["42"], shown
    failed = run(kernel, "1 / 0")
    assert failed.status is Status.ERROR, failed
    assert failed.error is not None
    assert failed.error.name == "ZeroDivisionError"
    assert "ZeroDivisionError" in failed.stderr.text
    if name not in UNPRINTABLE:
        again = run(kernel, "'back'")
        assert [display.text() for display in again.displays] == ["'back'"]
    assert not failed.state_lost


FIND_LINK = """
import os, stat, struct, json
links = []
for fd in range(3, 4096):
    try:
        if stat.S_ISSOCK(os.fstat(fd).st_mode): links.append(fd)
    except OSError:
        pass
assert links

def say(text, length=None):
    data = text if isinstance(text, bytes) else text.encode()
    for fd in links:
        os.write(fd, struct.pack("=I", len(data) if length is None else length) + data)
"""

FORGERIES = {
    "garbage": "for fd in links: os.write(fd, os.urandom(4096))",
    "huge length": "say('{}', 2**32 - 1)",
    "half a message": "say('{\"seq\"', 1000)",
    "not JSON": "say('hello')",
    "not an object": "say('[1, 2]')",
    "nothing": "say('')",
    "not ASCII": 'say(b\'{"seq": "\\xff"}\')',
    "deep": "say('[' * 100000)",
    "deep object": "say('{\"seq\": 1, \"error\": ' + '[' * 50000 + ']' * 50000 + '}')",
    "later number": "say('{\"seq\": 99999}')",
    "earlier number": "say('{\"seq\": 0}')",
    "negative number": "say('{\"seq\": -1}')",
    "number as text": 'say(\'{"seq": "1"}\')',
    "number as bool": "say('{\"seq\": true}')",
    "huge number": "say('{\"seq\": ' + '9' * 4000 + '}')",
    "NaN": 'say(\'{"seq": 1, "cpu_s": NaN}\')',
    "infinity": 'say(\'{"seq": 1, "cpu_s": 1e999}\')',
    "error as a list": 'say(\'{"seq": 1, "error": []}\')',
    "error without a name": 'say(\'{"seq": 1, "error": {}}\')',
    "line as text": ('say(\'{"seq": 1, "error": {"name": "E", "message": "", "line": "1"}}\')'),
    "half a character": 'say(\'{"seq": 1, "display": "\\\\ud800"}\')',
    "long display": "say('{\"seq\": 1, \"display\": \"' + 'x' * 4000000 + '\"}')",
    "question": 'say(\'{"input": "your password: "}\')',
    "two questions": 'say(\'{"input": "1"}\'); say(\'{"input": "2"}\')',
    "many answers": "for _ in range(2000): say('{\"seq\": 1}')",
    "many old answers": "for _ in range(2000): say('{\"seq\": 0}')",
    "closed": "for fd in links: os.close(fd)",
    "shut down": "import socket\nfor fd in links: socket.socket(fileno=os.dup(fd)).shutdown(2)",
    "read by another": "import threading\n"
    "threading.Thread(target=lambda: os.read(links[0], 100), daemon=True).start()",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_message_harms_its_own_session_only(name: str, sandbox: Sandbox) -> None:
    limits = replace(LIMITS, wall_s=1.5)
    session = sandbox.open_session(stateful=True, limits=limits)
    try:
        result = run(session, FIND_LINK + FORGERIES[name], limits)
        assert isinstance(result, ExecutionResult)
        for _ in range(3):  # at the latest when the forger was stopped
            after = run(session, "40 + 2", limits)
            if [display.text() for display in after.displays] == ["42"]:
                break
        else:
            raise AssertionError((result, after))
    finally:
        session.close()


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_report_of_a_script_harms_itself_only(name: str, sandbox: Sandbox) -> None:
    started = time.monotonic()
    result = run_once(sandbox, FIND_LINK + FORGERIES[name] + "\nimport sys; sys.exit(3)")
    assert result.status is not Status.OK
    assert time.monotonic() - started < LIMITS.wall_s + 10


def test_a_forged_answer_cannot_make_a_failed_script_look_well(sandbox: Sandbox) -> None:
    result = run_once(sandbox, FIND_LINK + "say('{\"seq\": 0}')\nos._exit(1)")
    assert (result.status, result.exit_code) == (Status.ERROR, 1)


def test_an_answer_is_never_taken_for_that_of_another_run(kernel: SandboxSession) -> None:
    """The demo's next cell returned nothing, and the one after it the output of this one."""
    forge = FIND_LINK + 'say(\'{"seq": 1, "display": "forged"}\')\nimport time; time.sleep(0.3)'
    run(kernel, "0")
    run(kernel, forge)
    assert run(kernel, "'second'").displays[0].text() == "'second'"
    assert run(kernel, "'third'").displays[0].text() == "'third'"


def test_output_belongs_to_the_run_that_wrote_it(kernel: SandboxSession) -> None:
    spill = """
import threading, time
def later():
    time.sleep(0.15)
    print("late", flush=True)
thread = threading.Thread(target=later)
thread.start()
print("first")
"""
    assert run(kernel, spill).stdout.text == "first\n"
    time.sleep(0.4)
    assert run(kernel, "print('second')").stdout.text == "second\n"


def test_symlinks_planted_under_a_file_s_name_are_not_followed(
    kernel: SandboxSession, tmp_path: Path
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("a,b\n", encoding="utf-8")
    for target in ("/proc/self/oom_score_adj", "/proc/1/oom_score_adj", "/etc/passwd", "/tmp/x"):
        run(kernel, f"import os\nos.symlink({target!r}, 'data.csv')")
        kernel.put_file(data)
        seen = run(
            kernel,
            "import os; (os.path.islink('data.csv'), open('data.csv').read(), os.path.exists('/tmp/x'), os.unlink('data.csv'))",  # noqa: E501
        )
        assert seen.displays[0].text() == "(False, 'a,b\\n', False, None)", target
