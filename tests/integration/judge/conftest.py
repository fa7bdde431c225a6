"""A rig for judging, one for each worker."""

from collections.abc import Iterator

import pytest

from codeloop.core.protocols import Rig
from codeloop.judge.programs import rig_programs
from codeloop.sandbox import Sandbox, open_sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox() as opened:
        yield opened


@pytest.fixture(scope="session")
def rig(sandbox: Sandbox) -> Iterator[Rig]:
    opened = sandbox.open_rig(rig_programs())
    yield opened
    opened.close()
