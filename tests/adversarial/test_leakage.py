"""What a program must not learn: of the host, of other sessions, of the run before."""

import os
import socket
import subprocess
from pathlib import Path

import pytest
from adversarial.hostile import HELD, LIMITS, run, run_once
from builders import chosen

from codeloop.core.execution import Status
from codeloop.sandbox import Sandbox, open_sandbox

pytestmark = pytest.mark.jail


def test_the_host_s_environment_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "hunter2-in-the-environment")
    program = """
import os, subprocess
seen = str(os.environ) + open("/proc/self/environ").read()
seen += subprocess.run(["env"], capture_output=True, text=True).stdout
for name in os.listdir("/proc"):
    if name.isdigit():
        seen += open(f"/proc/{name}/cmdline").read()
print("hunter2" in seen, sorted(os.environ))
"""
    with open_sandbox() as sandbox:
        result = run_once(sandbox, program)
    names = (
        "HOME LANG LC_ALL MKL_NUM_THREADS MPLBACKEND OMP_NUM_THREADS OPENBLAS_NUM_THREADS PATH"
        " PYTHONHASHSEED TMPDIR"
    )
    assert result.stdout.text == f"False {names.split()}\n", result


def test_files_of_the_host_are_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2", encoding="utf-8")
    secret.chmod(0o644)
    homes = [str(Path.home() / name) for name in (".bashrc", ".profile", ".ssh", ".cache")]
    program = f"import os\nprint([p for p in {[str(secret), *homes]!r} if os.path.lexists(p)])"
    assert run_once(sandbox, program).stdout.text == "[]\n"


def test_processes_of_the_host_are_not_there(sandbox: Sandbox) -> None:
    program = f"""
import os
assert [p for p in os.listdir("/proc") if p.isdigit()] == [str(os.getpid())]
for pid in ({os.getpid()}, {os.getppid()}):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        continue
    raise AssertionError(pid)
{HELD}"""
    assert run_once(sandbox, program).stdout.text == "held\n"


def test_no_descriptor_is_inherited(sandbox: Sandbox, tmp_path: Path) -> None:
    """Those of the host, of other sessions, of the zygote: only the guest's own may be there."""
    (tmp_path / "open").touch()
    program = """
import os, stat
names = {}
for name in os.listdir("/proc/self/fd"):
    try:
        names[int(name)] = os.readlink(f"/proc/self/fd/{name}").split(":")[0]
    except FileNotFoundError:
        pass  # the listing itself
print(names)
"""
    with (tmp_path / "open").open(encoding="utf-8") as file:
        os.set_inheritable(file.fileno(), True)
        with open_sandbox() as own:
            kept = own.open_session(stateful=True)
            result = run_once(own, program, LIMITS)
            kept.close()
    assert result.stdout.text == ("{0: '/dev/null', 1: 'pipe', 2: 'pipe', 255: 'socket'}\n"), result


def test_a_child_inherits_no_link_to_the_host(sandbox: Sandbox) -> None:
    program = "import subprocess\nprint(subprocess.run(['ls', '/proc/self/fd'], text=True, capture_output=True).stdout.split())"  # noqa: E501
    assert run_once(sandbox, program).stdout.text == "['0', '1', '2', '3']\n"


def test_frames_and_modules_hold_nothing_of_ours(sandbox: Sandbox) -> None:
    program = """
import sys, gc
assert not [name for name in sys.modules if name.startswith("codeloop")]
frame = sys._getframe(1)
ours = set(frame.f_locals) | set(frame.f_globals)
assert not ours - {"__warningregistry__"}, ours
assert frame.f_back is None
assert sys.argv == ["/work/main.py"], sys.argv
assert __name__ == "__main__" and __file__ == "/work/main.py"
assert "codeloop" not in open("/proc/self/cmdline").read()
print("held")
"""
    result = run_once(sandbox, program)
    assert result.stdout.text == "held\n", result


def test_an_abstract_socket_of_the_host_is_out_of_reach(sandbox: Sandbox) -> None:
    name = f"\0codeloop-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(name)
        server.listen()
        program = f"""
import socket
try:
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect({name!r})
except ConnectionRefusedError:
    print("held")
"""
        assert run_once(sandbox, program).stdout.text == "held\n"


def test_two_sessions_share_nothing(sandbox: Sandbox) -> None:
    one = sandbox.open_session(stateful=True, limits=LIMITS)
    other = sandbox.open_session(stateful=True, limits=LIMITS)
    try:
        left = """
import os, socket
open("/tmp/left", "w").write("x"); open("/dev/shm/left", "w").write("x")
open("/work/left", "w").write("x")
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind("\\0left")
server.listen()
secret = "hunter2"
"""
        assert run(one, left).status is Status.OK
        seek = """
import os, socket
print([p for p in ("/tmp/left", "/dev/shm/left", "/work/left") if os.path.exists(p)])
try:
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect("\\0left")
except ConnectionRefusedError:
    print("refused")
print("secret" in globals(), len([p for p in os.listdir("/proc") if p.isdigit()]))
"""
        assert run(other, seek).stdout.text == "[]\nrefused\nFalse 1\n"
        namespaces = "import os; [os.readlink(f'/proc/self/ns/{n}') for n in sorted(os.listdir('/proc/self/ns')) if 'time' not in n]"  # noqa: E501
        mine, theirs = (
            set(run(each, namespaces).displays[0].text().strip("[]").split(", "))
            for each in (one, other)
        )
        assert len(mine) == 7
        assert not mine & theirs
    finally:
        one.close()
        other.close()


def test_nothing_is_left_of_the_run_before(sandbox: Sandbox) -> None:
    session = sandbox.open_session(stateful=False, limits=LIMITS)
    try:
        leave = """
import os, pathlib
for place in ("/work", "/tmp", "/dev/shm"):
    pathlib.Path(place, "left").write_text("x")
    pathlib.Path(place, "d").mkdir()
    os.chmod(place, 0o700)
    try: os.setxattr(place, "user.left", b"x")
    except OSError: pass
"""
        assert run(session, leave).status is Status.OK
        seek = """
import os
for place in ("/work", "/tmp", "/dev/shm"):
    try: extra = os.listxattr(place)
    except OSError: extra = []
    print(os.listdir(place), oct(os.stat(place).st_mode), extra)
"""
        result = run(session, seek)
        assert result.stdout.text == ("['main.py'] 0o40755 []\n[] 0o41777 []\n[] 0o41777 []\n"), (
            result
        )
    finally:
        session.close()


def test_each_run_has_its_own_chance(sandbox: Sandbox) -> None:
    """Forks of one zygote must not share the state of its random generator."""
    program = "import random, uuid; print(random.random(), uuid.uuid4())"
    seen = {run_once(sandbox, program).stdout.text for _ in range(4)}
    assert len(seen) == 4


def test_the_host_s_program_is_not_named(sandbox: Sandbox) -> None:
    program = """
import os, socket
print(socket.gethostname(), os.uname().nodename)
"""
    text = run_once(sandbox, program).stdout.text
    assert text.split() == ["codeloop", "codeloop"]
    assert socket.gethostname() == "codeloop" or socket.gethostname() not in text


@pytest.mark.skipif(chosen() is not None, reason="under bubblewrap root's guest stays root's user")
def test_the_guest_is_nobody_on_the_host(sandbox: Sandbox) -> None:
    """As root the host must hand its runs to an unprivileged id, for which the kernel counts."""
    session = sandbox.open_session(stateful=True, limits=LIMITS)
    try:
        run(session, "import subprocess; p = subprocess.Popen(['sleep', '4242'])")
        listing = subprocess.run(
            ["ps", "-eo", "uid,args"], capture_output=True, text=True, check=True
        )
        uids = [
            int(line.split()[0]) for line in listing.stdout.splitlines() if "sleep 4242" in line
        ]
        assert uids
        assert set(uids) == {65534 if os.geteuid() == 0 else os.geteuid()}
    finally:
        session.close()
