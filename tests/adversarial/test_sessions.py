"""Sessions that would have the host read, write or wait where it should not."""

import time
from pathlib import Path

import pytest
from adversarial.hostile import LIMITS, open_descriptors, run

from codeloop.core.errors import DataError
from codeloop.core.execution import Status
from codeloop.sandbox import SandboxSession

pytestmark = pytest.mark.jail

PLANTED = {
    "link to a file": "os.symlink('/etc/passwd', 'x')",
    "link to a folder": "os.symlink('/etc', 'd')",
    "link out of a folder": "os.mkdir('d'); os.symlink('../..', 'd/x')",
    "magic link": "os.symlink('/proc/self/root/etc/passwd', 'x')",
    "link to itself": "os.symlink('x', 'x')",
    "pipe": "os.mkfifo('x')",
    "socket": "import socket; s = socket.socket(socket.AF_UNIX); s.bind('x')",
    "folder": "os.mkdir('x')",
    "file that may not be read": "open('x', 'w').close(); os.chmod('x', 0)",
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_was_planted_is_not_followed(name: str, kernel: SandboxSession) -> None:
    assert run(kernel, f"import os\n{PLANTED[name]}").status is Status.OK
    before = open_descriptors()
    for path in ("x", "d/passwd", "d/x"):
        try:
            assert kernel.get_file(path) == b""
        except DataError:
            continue
    assert not [file for file in kernel.list_files() if file.size_bytes]
    assert open_descriptors() == before


def test_a_lease_does_not_hold_the_host_up(kernel: SandboxSession) -> None:
    run(
        kernel,
        "import fcntl, os\nf = open('x', 'w+'); f.write('x'); f.flush()\n"
        "fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_WRLCK)",
    )
    started = time.monotonic()
    with pytest.raises(DataError, match="x: cannot be taken"):
        kernel.get_file("x")
    assert time.monotonic() - started < 10


def test_a_sparse_file_is_not_read_beyond_the_bound(kernel: SandboxSession) -> None:
    run(kernel, f"open('x', 'wb').truncate({LIMITS.disk_bytes})")
    (file,) = kernel.list_files()
    assert file.size_bytes == LIMITS.disk_bytes
    with pytest.raises(DataError, match="longer than"):
        kernel.get_file("x", most_bytes=1000)


def test_a_file_that_grows_is_read_to_the_bound(kernel: SandboxSession) -> None:
    run(
        kernel,
        "import threading\nopen('x', 'xb').close()\ndef grow():\n"
        "    with open('x', 'ab', 0) as f:\n"
        "        for _ in range(10_000): f.write(b'x' * 1000)\n"
        "threading.Thread(target=grow).start()",
    )
    for _ in range(20):
        try:
            assert len(kernel.get_file("x", most_bytes=100_000)) <= 100_000
        except DataError as error:
            assert "longer than" in str(error)  # noqa: PT017  either end is right


def test_a_link_in_the_way_of_a_put_file_is_not_followed(
    kernel: SandboxSession, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("ours", encoding="utf-8")
    run(kernel, "import os; os.symlink('/tmp', 'd'); os.symlink('/tmp/x', 'x'); os.mkfifo('p')")
    with pytest.raises(DataError, match="d/file: cannot be put"):
        kernel.put_file(file, "d/file")
    for name in ("x", "p"):
        kernel.put_file(file, name)
        assert kernel.get_file(name) == b"ours"
    assert run(kernel, "os.listdir('/tmp')").displays[0].text() == "[]"


def test_a_list_has_an_end(kernel: SandboxSession) -> None:
    deep = "import os\nfor n in range(60): os.mkdir('d' * 200); os.chdir('d' * 200)"
    assert run(kernel, deep).status is Status.OK
    run(kernel, "os.chdir('/work')")
    run(kernel, "for n in range(150): open('x' * 200 + str(n) + '\\udcff', 'w').close()")
    assert len(kernel.list_files()) == 150


HANGS = {
    "swallows": """
class Endless:
    def __repr__(self):
        while True:
            try:
                while True: pass
            except BaseException: pass""",
    "in C": "class Endless:\n    def __repr__(self): return str(10 ** 10 ** 9)",
    "before the fork": """
import os
os.register_at_fork(before=lambda: [0 for _ in iter(int, 1)])
class Endless: pass""",
    "of the type": """
class Meta(type):
    @property
    def __name__(cls):
        while True: pass
class Endless(metaclass=Meta): pass""",
    "forks": "import os\nclass Endless:\n    def __repr__(self):\n        while True: os.fork()",
    "dies": "import os\nclass Endless:\n    def __repr__(self): os._exit(1)",
    "kills its parent": "import os\nclass Endless:\n"
    "    def __repr__(self): os.kill(os.getppid(), 9)",
    "is loud": "import os\nclass Endless:\n    def __repr__(self):\n"
    "        while True: os.write(1, b'x' * 1000)",
    "forges": "import os\nclass Endless:\n    def __repr__(self):\n"
    "        for n in range(3, 260):\n"
    "            try: os.write(n, b'\\x05\\0\\0\\0{\"a\"')\n"
    "            except OSError: pass",
}


@pytest.mark.parametrize("name", HANGS)
def test_a_list_of_variables_comes_to_an_end(name: str, kernel: SandboxSession) -> None:
    run(kernel, f"{HANGS[name]}\nx = Endless()")
    started = time.monotonic()
    for _ in range(2):
        assert len(kernel.variables()) <= 3
    assert time.monotonic() - started < 30
    assert run(kernel, "6 * 7").displays[0].text() == "42"


def test_a_session_that_died_over_its_variables_says_so(kernel: SandboxSession) -> None:
    run(kernel, HANGS["kills its parent"] + "\nx = Endless()")
    kernel.variables()
    result = run(kernel, "'x' in globals()")
    assert (result.displays[0].text(), result.state_lost) == ("False", True)
