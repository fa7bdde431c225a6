"""Judges many solutions at once, one rig a thread, and gives the verdicts in order."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from queue import LifoQueue
from typing import Self

from codeloop.core.ordered import in_order
from codeloop.core.problem import Problem, Tests, Verdict
from codeloop.core.protocols import Rig
from codeloop.judge.judging import judge


class Quiet:
    """Lets many work at once, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._working = 0
        self._waiting = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Work beside others, once nobody is alone or waits to be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting)
            self._working += 1
        try:
            yield
        finally:
            self._leave()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Stop working beside others; work alone; work beside others again."""
        with self._changed:
            self._working -= 1
            self._waiting += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._working)
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._waiting -= 1
                self._changed.notify_all()

    def _leave(self) -> None:
        with self._changed:
            self._working -= 1
            self._changed.notify_all()


class RigPool:
    """Rigs that threads share: each is lent to one of them at a time. Use in a `with` statement."""

    def __init__(self, open_rig: Callable[[], Rig], rigs: int) -> None:
        self._quiet = Quiet()
        self._opened: list[Rig] = []
        self._free: LifoQueue[Rig] = LifoQueue()  # the one that was used last is the warmest
        try:
            for _ in range(rigs):
                self._opened.append(open_rig())
        except BaseException:
            self.close()
            raise
        for rig in self._opened:
            self._free.put(rig)

    @property
    def rigs(self) -> int:
        """How many there are."""
        return len(self._opened)

    @contextmanager
    def lend(self) -> Iterator[Rig]:
        """Lend a rig, once one is free."""
        rig = self._free.get()
        try:
            yield rig
        finally:
            self._free.put(rig)

    def judge(
        self, problem: Problem, solution: str, *, tests: Sequence[Tests] | None = None
    ) -> Verdict:
        """Return what `judge` says on a free rig; a second trial has nothing beside it.

        One that met a limit of its own time has a processor to itself, if there are enough.

        Raises:
            SandboxError: the rig failed twice, or a test is itself at fault.
        """
        with self.lend() as rig, self._quiet.shared():
            alone, enough = self._quiet.alone(), len(self._opened) <= _processors()
            return judge(problem, solution, rig, tests=tests, alone=alone, has_processor=enough)

    def close(self) -> None:
        for rig in self._opened:
            rig.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def judge_many(
    pairs: Iterable[tuple[Problem, str]], open_rig: Callable[[], Rig], *, rigs: int
) -> Iterator[Verdict]:
    """Yield the verdict on each solution, in order, as soon as those before it are known.

    `pairs` are taken as they are needed. A verdict that has to be reached twice is reached the
    second time with nothing beside it.

    Raises:
        SandboxError: a rig failed twice on one solution.
    """
    with RigPool(open_rig, rigs) as pool:
        yield from in_order(lambda pair: pool.judge(*pair), pairs, threads=rigs)
