"""Judges many solutions at once, one rig a thread, and gives the verdicts in order."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from codeloop.core.problem import Problem, Verdict
from codeloop.core.protocols import Rig
from codeloop.judge.judging import judge

_AHEAD = 4  # solutions taken for each rig before the first verdict is asked for


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


def judge_many(
    pairs: Iterable[tuple[Problem, str]], open_rig: Callable[[], Rig], *, rigs: int
) -> Iterator[Verdict]:
    """Yield the verdict on each solution, in order, as soon as those before it are known.

    `pairs` are taken as they are needed. A verdict that has to be reached twice is reached the
    second time with nothing beside it.

    Raises:
        SandboxError: a rig failed twice on one solution.
    """
    free: deque[Rig] = deque()
    opened: list[Rig] = []
    quiet = Quiet()

    def work(problem: Problem, solution: str) -> Verdict:
        rig = free.popleft()
        try:
            with quiet.shared():
                return judge(problem, solution, rig, alone=quiet.alone())
        finally:
            free.append(rig)

    waiting: deque[Future[Verdict]] = deque()
    try:
        while len(opened) < rigs:
            opened.append(open_rig())
        free.extend(opened)
        with ThreadPoolExecutor(rigs, "judge") as pool:
            try:
                for problem, solution in pairs:
                    waiting.append(pool.submit(work, problem, solution))
                    if len(waiting) >= _AHEAD * rigs:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for each in waiting:
                    each.cancel()
    finally:
        for rig in opened:
            rig.close()
