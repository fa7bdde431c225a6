"""Files go into the work directory and come out of it, by paths."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from adversarial.hostile import LIMITS, last, run

from codeloop.core.errors import DataError, SandboxError
from codeloop.sandbox import Sandbox, SandboxSession

pytestmark = pytest.mark.jail


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_bytes(b"a,b\n1,2\n")
    return path


def test_what_code_writes_is_listed_and_can_be_had(kernel: SandboxSession) -> None:
    run(kernel, "import os; os.makedirs('a/b'); open('a/b/c.txt', 'w').write('x' * 10)")
    run(kernel, "open('ä €.bin', 'wb').write(bytes(range(256)))")
    listed = {file.path: file.size_bytes for file in kernel.list_files()}
    assert listed == {"a/b/c.txt": 10, "ä €.bin": 256}
    assert kernel.get_file("ä €.bin") == bytes(range(256))
    assert kernel.get_file("a/b/c.txt") == b"x" * 10


def test_a_file_may_be_put_into_a_folder(kernel: SandboxSession, data: Path) -> None:
    kernel.put_file(data, "in/deep/data.csv")
    kernel.put_file(data, "in/data.csv")
    assert run(kernel, "open('in/deep/data.csv').read()").displays[0].text() == "'a,b\\n1,2\\n'"
    kernel.restart()
    assert [file.path for file in kernel.list_files()] == ["in/data.csv", "in/deep/data.csv"]


def test_what_was_put_comes_back_as_it_was(kernel: SandboxSession, data: Path) -> None:
    kernel.put_file(data)
    assert kernel.get_file("data.csv") == data.read_bytes()
    assert kernel.get_file("data.csv", most_bytes=8) == data.read_bytes()
    with pytest.raises(DataError, match="longer than 7 bytes"):
        kernel.get_file("data.csv", most_bytes=7)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing", "No such file"),
        ("folder", "not a regular file"),
        ("../etc/passwd", "not a path in the work directory"),
        ("/etc/passwd", "not a path in the work directory"),
        ("folder/../x", "not a path in the work directory"),
    ],
)
def test_what_cannot_be_had_says_why(name: str, why: str, kernel: SandboxSession) -> None:
    run(kernel, "import os; os.mkdir('folder'); open('x', 'w').close()")
    with pytest.raises(DataError, match=why):
        kernel.get_file(name)
    assert run(kernel, "1").displays[0].text() == "1"


def test_programs_of_other_languages_share_the_files(kernel: SandboxSession) -> None:
    last(kernel.run("echo hello > said.txt", language="bash"))
    assert kernel.get_file("said.txt") == b"hello\n"


def test_a_session_in_use_or_closed_says_so(kernel: SandboxSession) -> None:
    events = kernel.run("print('x', flush=True)\nimport time; time.sleep(30)")
    next(events)
    with pytest.raises(SandboxError, match="something else"):
        kernel.list_files()
    events.close()
    assert kernel.list_files() == ()
    kernel.close()
    with pytest.raises(SandboxError, match="closed"):
        kernel.list_files()


@pytest.fixture
def many_open() -> Iterator[None]:
    """Have so many files open that new descriptors have numbers above 1024."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < 2048:
        pytest.skip("no more than 1024 descriptors may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, before[1]))
    with contextlib.ExitStack() as files:
        for _ in range(1100):
            files.enter_context(Path("/dev/null").open())
        yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("many_open")
def test_a_host_may_have_more_than_1024_descriptors(sandbox: Sandbox, data: Path) -> None:
    session = sandbox.open_session(stateful=True, limits=LIMITS)
    session.put_file(data)
    assert run(session, "open('data.csv').read()").displays[0].text() == "'a,b\\n1,2\\n'"
    session.close()
