"""A session whose runs are kept: code that ran before after the same code is not run again."""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from codeloop.core.errors import SandboxError
from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    OutputChunk,
    Status,
)
from codeloop.core.protocols import Session
from codeloop.core.records import from_json, to_json
from codeloop.dataset.keys import digest
from codeloop.dataset.store import Entry, Store, Table

FORMAT = 1  # a part of every key: a change of what a key is made of is a new format

Events = Generator[OutputChunk | InputRequested | ExecutionResult, None, None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where code runs, as a key has it: what names sandbox and interpreters, and its limits.

    `identity` changes when the same code may give something else: versions of the languages,
    the packages that they may import, the level of isolation.
    """

    identity: str
    languages: frozenset[str]
    limits: ExecutionLimits = ExecutionLimits()


@dataclass(frozen=True, slots=True)
class Ran:
    """A piece of code that a session has run, and the limits that were its."""

    language: str
    code: str
    limits: ExecutionLimits


class StoredSession:
    """Answers from the store, else runs the code in a real session and keeps the result.

    The real session is opened when it is first needed, and brought to the state that it should
    have by running what came before again. Its results hold no times and no memory: these differ
    from run to run, and stand in the store alone. Not kept are runs that were interrupted, that
    asked for input, or that ran out of a time shorter than the session's own.
    """

    def __init__(self, place: Place, open_session: Callable[[], Session], store: Store) -> None:
        self._place = place
        self._open_session = open_session
        self._store = store
        self._session: Session | None = None
        self._all: list[Ran] = []  # what the key speaks of
        self._alive: list[Ran] = []  # of these, what the state is made of
        self._keys: list[str] = []

    @property
    def languages(self) -> frozenset[str]:
        return self._place.languages

    @property
    def limits(self) -> ExecutionLimits:
        """The limits of a run, unless it is given others."""
        return self._place.limits

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all runs so far, in their order."""
        return tuple(self._keys)

    def run(
        self, code: str, *, language: str = "python", limits: ExecutionLimits | None = None
    ) -> Events:
        given = limits or self._place.limits
        own_wall_s = self._place.limits.wall_s
        ran = Ran(language, code, replace(given, wall_s=max(given.wall_s, own_wall_s)))
        key = run_key(self._place.identity, [*self._all, ran])
        kept = self._store.get(Table.RUNS, key)
        if kept is not None:
            result = from_json(ExecutionResult, kept)
            yield from _chunks(result)
        else:
            result = yield from self._run(ran, given, key)
        self._remember(ran, result, key)
        yield replace(result, cpu_s=0.0, wall_s=0.0, peak_memory_bytes=0)

    def interrupt(self) -> bool:
        return self._session is not None and self._session.interrupt()

    def send_input(self, line: str | None) -> None:
        if self._session is not None:
            self._session.send_input(line)

    def restart(self) -> None:
        self._all.clear()
        self._alive.clear()
        self.close()

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _remember(self, ran: Ran, result: ExecutionResult, key: str) -> None:
        self._all.append(ran)
        self._keys.append(key)
        if result.state_lost:
            self._alive.clear()
        else:
            self._alive.append(ran)

    def _run(
        self, ran: Ran, limits: ExecutionLimits, key: str
    ) -> Generator[OutputChunk | InputRequested, None, ExecutionResult]:
        try:
            result, asked = yield from self._run_once(ran, limits)
        except SandboxError:  # once more, on a new one
            self.close()
            result, asked = yield from self._run_once(ran, limits)
        cut_short = result.status is Status.WALL_LIMIT and limits.wall_s < ran.limits.wall_s
        if asked or cut_short or result.status is Status.INTERRUPTED:
            return result
        entry = Entry(Table.RUNS, key, self._place.identity, to_json(result))
        if self._store.put(entry).wait():
            return result
        return from_json(ExecutionResult, self._store.get(Table.RUNS, key))

    def _run_once(
        self, ran: Ran, limits: ExecutionLimits
    ) -> Generator[OutputChunk | InputRequested, None, tuple[ExecutionResult, bool]]:
        """Run the code; return its result, and whether it asked for input."""
        session = self._session or self._opened()
        asked = False
        with closing(session.run(ran.code, language=ran.language, limits=limits)) as events:
            for event in events:
                if isinstance(event, ExecutionResult):
                    return event, asked
                asked = asked or isinstance(event, InputRequested)
                yield event
        msg = "the sandbox ended a run without a result"
        raise SandboxError(msg)

    def _opened(self) -> Session:
        """Return a new session in the state that this one should have."""
        session = self._open_session()
        try:
            for ran in self._alive:
                for _ in session.run(ran.code, language=ran.language, limits=ran.limits):
                    pass
        except BaseException:
            session.close()
            raise
        self._session = session
        return session


class Lending:
    """Opens real sessions, so many at a time; so many of them run at once. Threads share it."""

    def __init__(self, open_session: Callable[[], Session], *, sessions: int, running: int) -> None:
        self._open_session = open_session
        self._free = threading.Semaphore(sessions)
        self._running = threading.Semaphore(running)

    def __call__(self) -> Session:
        self._free.acquire()
        try:
            return _Lent(self._open_session(), self._free, self._running)
        except BaseException:
            self._free.release()
            raise


class _Lent:
    """A session that waits for its turn to run, and makes room when it is closed."""

    def __init__(
        self, session: Session, free: threading.Semaphore, running: threading.Semaphore
    ) -> None:
        self._session = session
        self._free = free
        self._running = running
        self._closed = False
        self.languages = session.languages

    def run(
        self, code: str, *, language: str = "python", limits: ExecutionLimits | None = None
    ) -> Events:
        with self._running:
            yield from self._session.run(code, language=language, limits=limits)

    def interrupt(self) -> bool:
        return self._session.interrupt()

    def send_input(self, line: str | None) -> None:
        self._session.send_input(line)

    def restart(self) -> None:
        self._session.restart()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            try:
                self._session.close()
            finally:
                self._free.release()


def run_key(identity: str, ran: Sequence[Ran]) -> str:
    """Return what two runs share if the same code came before, under the same limits.

    `ran` is all code of the session, that of the run at its end.
    """
    cells: list[Any] = [[each.language, each.code, to_json(each.limits)] for each in ran]
    return digest([FORMAT, "run", identity, cells])


def verdict_key(problem_id: str, code: str) -> str:
    """Return the key of the trials in which a judge tried code on a problem's visible tests."""
    return digest([FORMAT, "verdict", problem_id, code])


def _chunks(result: ExecutionResult) -> Generator[OutputChunk, None, None]:
    if result.stdout.text:
        yield OutputChunk("stdout", result.stdout.text)
    if result.stderr.text:
        yield OutputChunk("stderr", result.stderr.text)
