"""Open what the verbs run code with: rigs for a judge, new sessions of one sandbox or more."""

import argparse
import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeloop.cli import benchmarking, wiring

if TYPE_CHECKING:
    from codeloop.core.protocols import Session
    from codeloop.judge.many import RigPool
    from codeloop.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Ground:
    """Where code runs: rigs, ways to open a session (one for each sandbox), and their name."""

    rigs: "RigPool"
    openers: "tuple[Callable[[], AbstractContextManager[Session]], ...]"
    identity: str


@contextmanager
def open_ground(args: argparse.Namespace, *, sandboxes: int = 1) -> Iterator[Ground]:
    """Yield as many rigs as there are workers, and sessions of so many sandboxes."""
    from codeloop.sandbox import open_sandbox

    packages, toolchain = wiring.guest_packages(), wiring.toolchain()
    with ExitStack() as stack:
        rigs = stack.enter_context(benchmarking.open_rigs(args))
        boxes = [
            stack.enter_context(open_sandbox(guest_packages=packages, toolchain=toolchain))
            for _ in range(sandboxes)
        ]
        yield Ground(rigs, tuple(map(_opener, boxes)), identity())


def identity() -> str:
    """Return what a run's key says of the sandbox: its level, the interpreter, the packages."""
    packages = wiring.guest_packages()
    names = sorted(each.name for each in packages.glob("*.dist-info")) if packages else []
    return " ".join(["namespaces", "python", platform.python_version(), *names])


def _opener(sandbox: "Sandbox") -> "Callable[[], AbstractContextManager[Session]]":
    @contextmanager
    def opened() -> "Iterator[Session]":
        session = sandbox.open_session(stateful=True)
        try:
            yield session
        finally:
            session.close()

    return opened
