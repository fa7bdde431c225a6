"""Rigs for benchmarks."""

from collections.abc import Iterator

import pytest

from codeloop.core.execution import MIB, ExecutionLimits
from codeloop.judge.many import RigPool
from codeloop.judge.programs import rig_programs
from codeloop.sandbox import open_sandbox

LIMITS = ExecutionLimits(memory_bytes=4096 * MIB)  # as evalplus gives


@pytest.fixture(scope="session")
def pool() -> Iterator[RigPool]:
    with (
        open_sandbox() as sandbox,
        RigPool(lambda: sandbox.open_rig(rig_programs(), limits=LIMITS), 2) as opened,
    ):
        yield opened
