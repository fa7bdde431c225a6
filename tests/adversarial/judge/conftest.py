"""A rig for judging, one for each worker."""

from collections.abc import Iterator

import pytest

from codeloop.core.execution import MIB, ExecutionLimits
from codeloop.core.protocols import Rig
from codeloop.judge.programs import rig_programs
from codeloop.sandbox import Sandbox

LIMITS = ExecutionLimits(memory_bytes=256 * MIB, processes=32, disk_bytes=16 * MIB)
TESTER_LIMITS = ExecutionLimits(cpu_s=20.0, wall_s=60.0, memory_bytes=1024 * MIB)


@pytest.fixture(scope="session")
def rig(sandbox: Sandbox) -> Iterator[Rig]:
    opened = sandbox.open_rig(
        rig_programs(),
        limits=LIMITS,
        tester_limits=TESTER_LIMITS,
    )
    yield opened
    opened.close()
