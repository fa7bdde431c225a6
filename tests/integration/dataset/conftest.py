"""What dataset building runs code with: rigs, and sessions of two sandboxes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest

from codeloop.core.protocols import Session
from codeloop.judge.many import RigPool
from codeloop.judge.programs import rig_programs
from codeloop.sandbox import Sandbox, open_pool, open_sandbox

Opener = Callable[[], AbstractContextManager[Session]]


def opener(sandbox: Sandbox) -> Opener:
    @contextmanager
    def opened() -> Iterator[Session]:
        session = sandbox.open_session(stateful=True)
        try:
            yield session
        finally:
            session.close()

    return opened


@pytest.fixture(scope="session")
def openers() -> Iterator[tuple[Opener, ...]]:
    with ExitStack() as stack:
        yield tuple(opener(stack.enter_context(open_sandbox())) for _ in range(2))


@pytest.fixture(scope="session")
def rigs() -> Iterator[RigPool]:
    programs = rig_programs()
    with open_pool(slots=1) as pool, RigPool(lambda: pool.open_rig(programs), 2) as opened:
        yield opened
