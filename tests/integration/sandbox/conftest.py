"""One sandbox for all tests of a worker, and a fresh session for each."""

from collections.abc import Iterator

import pytest
from adversarial.hostile import LIMITS
from builders import open_chosen

from codeloop.sandbox import Sandbox, SandboxSession


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with open_chosen() as opened:
        yield opened


@pytest.fixture
def kernel(sandbox: Sandbox) -> Iterator[SandboxSession]:
    """A stateful session."""
    session = sandbox.open_session(stateful=True, limits=LIMITS)
    yield session
    session.close()
