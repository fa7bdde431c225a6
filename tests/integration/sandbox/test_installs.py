"""A cell installs wheels from a folder, into its session alone."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from adversarial.hostile import LIMITS, open_descriptors, run
from wheels import make_wheel

from codeloop.core.execution import ExecutionResult, InputRequested, Status
from codeloop.sandbox import InstallPolicy, Sandbox, SandboxSession

pytestmark = pytest.mark.jail


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    make_wheel(tmp_path, "alpha", {"alpha/__init__.py": "import beta\nx = beta.y + 1"}, "beta")
    make_wheel(tmp_path, "beta", {"beta-1.0.data/purelib/beta.py": "y = 41"})
    make_wheel(
        tmp_path,
        "evil",
        {"../../tmp/up.py": "", "/tmp/root.py": "", "evil.pth": "import os; os.planted = 1"},
    )
    make_wheel(tmp_path, "bomb", {"bomb.txt": "0" * (LIMITS.disk_bytes + 1)})
    return tmp_path


@pytest.fixture
def installing(sandbox: Sandbox, wheels: Path) -> Iterator[SandboxSession]:
    session = sandbox.open_session(
        stateful=True, limits=LIMITS, installs_from=InstallPolicy(str(wheels))
    )
    yield session
    session.close()


def test_a_package_comes_with_what_it_needs(installing: SandboxSession) -> None:
    run(installing, "try: import alpha\nexcept ImportError: kept = 1")
    result = run(installing, "%pip install -q alpha\nimport alpha\nalpha.x + kept")
    assert (result.status, result.displays[0].text()) == (Status.OK, "43"), result
    assert "alpha-1.0" in result.stdout.text
    assert run(installing, "!pip install alpha\nalpha.x").displays[0].text() == "42"
    assert installing.replay().complete
    assert run(installing, "alpha.x").displays[0].text() == "42"


def test_another_session_does_not_have_it(
    installing: SandboxSession, kernel: SandboxSession
) -> None:
    run(installing, "%pip install alpha")
    error = run(kernel, "import alpha").error
    assert error is not None
    assert error.name == "ModuleNotFoundError"


def test_by_default_nothing_is_installed(kernel: SandboxSession) -> None:
    result = run(kernel, "x = 1\n%pip install alpha\nx = 2")
    assert result.status is Status.ERROR
    assert "cannot be installed" in result.stderr.text
    assert result.error is not None
    assert result.error.name == "InstallError"
    assert run(kernel, "'x' in globals()").displays[0].text() == "False"


def test_a_string_with_such_a_line_is_a_string(kernel: SandboxSession) -> None:
    result = run(kernel, "text = '''\n%pip install alpha\n'''\nlen(text)")
    assert (result.status, result.displays[0].text()) == (Status.OK, "20")


def test_only_what_is_allowed_comes_dependencies_included(sandbox: Sandbox, wheels: Path) -> None:
    policy = InstallPolicy(str(wheels), names=frozenset({"alpha"}))
    session = sandbox.open_session(stateful=True, limits=LIMITS, installs_from=policy)
    assert "['beta']" in run(session, "%pip install alpha").stderr.text
    assert session.list_files() == ()
    session.close()


def test_what_is_not_there_is_told(installing: SandboxSession) -> None:
    result = run(installing, "%pip install nowhere-at-all")
    assert result.status is Status.ERROR
    assert "nowhere-at-all" in result.stderr.text


def test_a_hostile_wheel_stays_in_the_jail(installing: SandboxSession) -> None:
    assert run(installing, "%pip install evil\nimport os\nos.planted").status is Status.OK
    before = open_descriptors()
    assert run(installing, "os.path.exists('/tmp/root.py')").displays[0].text() == "False"
    result = run(installing, "%pip install bomb")
    assert "could not be unpacked: no room for bomb" in result.stderr.text
    assert "bomb" not in str(installing.list_files())
    assert run(installing, "os.planted").displays[0].text() == "1"
    assert open_descriptors() == before


def test_a_link_in_the_way_is_not_followed(installing: SandboxSession) -> None:
    run(installing, "import os; os.symlink('/tmp', '.packages')")
    assert "cannot be put" in run(installing, "%pip install alpha").stderr.text
    assert run(installing, "os.listdir('/tmp')").displays[0].text() == "[]"


def test_an_installation_can_be_interrupted(installing: SandboxSession) -> None:
    run(installing, "kept = 1")
    timer = threading.Timer(0.3, installing.interrupt)
    timer.start()
    result = run(installing, "%pip install alpha\nwhile True: pass")
    timer.join()
    assert result.status is Status.INTERRUPTED, result
    assert run(installing, "kept").displays[0].text() == "1"


@pytest.fixture
def asking(sandbox: Sandbox, wheels: Path) -> Iterator[SandboxSession]:
    policy = InstallPolicy(str(wheels), asks=True)
    session = sandbox.open_session(
        stateful=True, interactive=True, limits=LIMITS, installs_from=policy
    )
    yield session
    session.close()


def answered(session: SandboxSession, code: str, line: str | None) -> tuple[str, ExecutionResult]:
    """Run a cell and answer what it asks; return what that was, and the result."""
    asked = ""
    for event in session.run(code):
        match event:
            case InputRequested(prompt):
                asked += prompt
                session.send_input(line)
            case ExecutionResult():
                return asked, event
            case _:
                pass
    raise AssertionError


def test_a_policy_that_asks_installs_what_a_person_agrees_to(asking: SandboxSession) -> None:
    asked, result = answered(asking, "%pip install alpha\nimport alpha\nalpha.x", "y")
    assert asked == "Install alpha, and what they need, from the wheels kept here? [y/N] "
    assert (result.status, result.displays[0].text()) == (Status.OK, "42"), result
    assert answered(asking, "input('name ')", "ada")[1].displays[0].text() == "'ada'"
    assert asking.replay().complete
    assert run(asking, "alpha.x").displays[0].text() == "42"


@pytest.mark.parametrize("line", ["no", "", None])
def test_a_policy_that_asks_installs_nothing_else(asking: SandboxSession, line: str | None) -> None:
    asked, result = answered(asking, "%pip install alpha", line)
    assert asked
    assert result.status is Status.ERROR
    assert "nobody did" in result.stderr.text
    assert asking.list_files() == ()


def test_a_question_can_be_interrupted(asking: SandboxSession) -> None:
    run(asking, "kept = 1")
    events = asking.run("%pip install alpha")
    assert isinstance(next(events), InputRequested)
    asking.interrupt()
    *_, result = events
    assert isinstance(result, ExecutionResult)
    assert result.status is Status.INTERRUPTED, result
    assert run(asking, "kept").displays[0].text() == "1"


def test_where_nobody_can_answer_nothing_is_asked_or_installed(
    sandbox: Sandbox, wheels: Path
) -> None:
    policy = InstallPolicy(str(wheels), asks=True)
    session = sandbox.open_session(stateful=True, limits=LIMITS, installs_from=policy)
    assert "nobody did" in run(session, "%pip install alpha").stderr.text
    session.close()
