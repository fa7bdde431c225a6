"""A node's inside: the pool, the work that waits for it, and what is known of earlier orders."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Protocol, TypeVar

from starlette.exceptions import HTTPException

from codeloop.core.errors import SandboxError
from codeloop.core.execution import ExecutionResult, RigPrograms, Status
from codeloop.core.protocols import Rig
from codeloop.judge.programs import rig_programs
from codeloop.sandbox.pool import Program
from codeloop.sandbox.remote.wire import Order
from codeloop.server.node.backlog import Backlog
from codeloop.server.node.kept import Kept, Run
from codeloop.server.node.metrics import Metrics

RETRY = {"Retry-After": "1"}
_MOST_BROKEN = 8  # runs in a row that our sandbox fails, before the node is not well

_T = TypeVar("_T")


class Runner(Protocol):
    """What a node needs of a pool."""

    def run(self, program: Program) -> ExecutionResult: ...

    def open_rig(self, programs: RigPrograms) -> Rig: ...


class Node:
    """What the requests to a node share. All but `run` and `open_rig` is for the event loop."""

    def __init__(self, pool: Runner, *, slots: int, room: int) -> None:
        self.metrics = Metrics([str(status) for status in Status])
        self.backlog = Backlog(self.metrics, threads=slots, room=room)
        self.kept = Kept()
        self.draining = False
        self.idle = asyncio.Event()  # no request waits for work of its own
        self.idle.set()
        self._requests = 0
        self._broken_in_a_row = 0
        self._pool = pool

    @property
    def state(self) -> str:
        """`ok`; or `draining`; or `broken`, if its sandbox fails run after run."""
        if self.draining:
            return "draining"
        return "broken" if self._broken_in_a_row >= _MOST_BROKEN else "ok"

    def run(self, program: Program, *, form: str) -> ExecutionResult:
        """Run a program on the pool, and count it.

        Raises:
            SandboxError: the pool failed.
        """
        try:
            result = self._pool.run(program)
        except SandboxError:
            self.metrics.broken.add(form)
            self._broken_in_a_row += 1
            raise
        self._broken_in_a_row = 0
        self.metrics.runs.add(str(result.status))
        self.metrics.run_s.observe(result.wall_s)
        return result

    def open_rig(self) -> Rig:
        """Return a rig for the judge, beside the slots.

        Raises:
            SandboxError: the pool is closed.
        """
        return self._pool.open_rig(rig_programs())

    def put(
        self, pieces: Sequence[Callable[[], _T]], *, full: int = 429, draining: int = 503
    ) -> list["Future[_T]"]:
        """Put work into the backlog: all of it or none.

        Raises:
            HTTPException: with status `full` there is no room; with `draining`, no more is taken.
        """
        if self.draining:
            self.metrics.refused.add("draining")
            raise HTTPException(draining, "this node is draining", RETRY)
        if len(pieces) > self.backlog.room + self.backlog.threads:
            self.metrics.refused.add("size")
            raise HTTPException(413, f"at most {self.backlog.room + self.backlog.threads} at once")
        futures = self.backlog.put(pieces)
        if futures is None:
            self.metrics.refused.add("full")
            raise HTTPException(full, "too much is waiting already", RETRY)
        return futures

    def begin(self, orders: Sequence[Order]) -> list[Run]:
        """Return the run of each order, begun now or known from before: of all, or of none.

        Raises:
            HTTPException: an id belongs to another program, or the backlog does not take them.
        """
        found: dict[str, Run] = {}
        try:
            for order in orders:
                run = self.kept.find(order)
                if run is not None:
                    found[order.id] = run
            new = [order for order in orders if order.id not in found]
            begun = self.put([partial(self.run, each.program, form="own") for each in new])
        except (ValueError, HTTPException) as error:
            for order in orders:
                if order.id in found:
                    self.kept.let_go(order, found[order.id])
            if isinstance(error, ValueError):
                raise HTTPException(409, str(error)) from error
            raise
        self.metrics.repeated.add("own", len(found))
        for order, run in zip(new, begun, strict=True):
            self.kept.keep(order, run)
            found[order.id] = run
        return [found[order.id] for order in orders]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count a request as one that has to be answered before the node may end."""
        self._requests += 1
        self.idle.clear()
        try:
            yield
        finally:
            self._requests -= 1
            if not self._requests:
                self.idle.set()

    def drain(self) -> None:
        """Refuse what is new from now on, and hand back what has not begun."""
        self.draining = True
        self.backlog.drop()
