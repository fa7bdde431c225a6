"""Judges many solutions at once, one rig a thread, and gives the verdicts in order."""

import contextlib
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Self

from codeloop.core.execution import Status
from codeloop.core.ordered import in_order
from codeloop.core.problem import Problem, Tests, Verdict
from codeloop.core.protocols import Rig
from codeloop.judge.judging import Block, judge


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


class _Places:
    """Rights to keep a processor busy, given in the order in which they are asked for."""

    def __init__(self, places: int) -> None:
        self._changed = threading.Condition()
        self._free = places
        self._asking: deque[object] = deque()

    def acquire(self) -> None:
        me = object()
        with self._changed:
            self._asking.append(me)
            self._changed.wait_for(lambda: self._free and self._asking[0] is me)
            self._asking.popleft()
            self._free -= 1
            self._changed.notify_all()

    def release(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()


class _Place:
    """The right to keep a processor busy, which may be given up before the work is over."""

    def __init__(self, places: _Places) -> None:
        self._places = places
        self._held = True
        places.acquire()

    def give_up(self) -> None:
        if self._held:
            self._held = False
            self._places.release()

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Let another work from now on: what is done within this block only waits."""
        self.give_up()
        yield


class RigPool:
    """Rigs that threads share: each is lent to one of them at a time. Use in a `with` statement."""

    def __init__(
        self, open_rig: Callable[[], Rig], rigs: int, *, spare: int = 0, memory_bytes: int = 0
    ) -> None:
        """Open rigs, each of which keeps a processor busy.

        `spare` more are opened once candidates sleep, so that others can work meanwhile.
        `memory_bytes` is what a candidate may have; 0 if it is not known.
        """
        self._quiet = Quiet()
        self._open_rig = open_rig
        self._opening = threading.Lock()
        self._opened: list[Rig] = []
        self._free: LifoQueue[Rig] = LifoQueue()  # the one that was used last is the warmest
        self._places = _Places(rigs)
        self._most = rigs + spare
        self._own = _own(rigs, memory_bytes)
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
        """How many there can be at once: as many threads keep it busy."""
        return self._most

    @contextmanager
    def lend(self) -> Iterator[Rig]:
        """Lend a rig, once one is free."""
        with self._lent() as (rig, _):
            yield rig

    def judge(
        self, problem: Problem, solution: str, *, tests: Sequence[Tests] | None = None
    ) -> Verdict:
        """Return what `judge` says on a free rig; a second trial has nothing beside it.

        One that met a limit of what is its own has others beside it: of its processor's time, if
        there are processors enough; of memory, if the machine has that for all. One that slept
        until its limit lets another work while it does so again.

        Raises:
            SandboxError: the rig failed twice, or a test is itself at fault.
        """
        with self._lent() as (rig, place), self._quiet.shared():
            own: dict[Status, Block] = dict.fromkeys(self._own, nullcontext)
            if Status.WALL_LIMIT in own:
                own[Status.WALL_LIMIT] = place.asleep
            return judge(problem, solution, rig, tests=tests, alone=self._quiet.alone, own=own)

    @contextmanager
    def _lent(self) -> Iterator[tuple[Rig, _Place]]:
        place = _Place(self._places)
        try:
            rig = self._take()
            try:
                yield rig, place
            finally:
                self._free.put(rig)
        finally:
            place.give_up()

    def _take(self) -> Rig:
        """Return a free rig, or a new one if there can be more."""
        with contextlib.suppress(Empty):
            return self._free.get_nowait()
        with self._opening:
            if len(self._opened) < self._most:
                self._opened.append(self._open_rig())
                return self._opened[-1]
        return self._free.get()

    def close(self) -> None:
        for rig in self._opened:
            rig.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _own(rigs: int, memory_bytes: int) -> frozenset[Status]:
    """Return the limits that a candidate meets by itself, whatever runs in the other rigs."""
    own: set[Status] = set()
    if rigs <= len(os.sched_getaffinity(0)):
        own |= {Status.CPU_LIMIT, Status.WALL_LIMIT}
    if memory_bytes and rigs * memory_bytes <= _available_bytes():
        own.add(Status.MEMORY_LIMIT)
    return frozenset(own)


def _available_bytes() -> int:
    """Return the memory that new programs could have (Linux); 0 if nobody says."""
    try:
        said = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"^MemAvailable: +(\d+) kB$", said, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


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
