"""Live sessions, bounded in number and memory: spares kept ready, idle ones closed."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from codeloop.core.errors import SandboxError
from codeloop.core.execution import MIB

_TEND_EVERY_S = 1.0
_CLOSED = "this pool is closed"


class Live(Protocol):
    """A session, as far as a pool has to know it."""

    @property
    def idle_since(self) -> float | None:
        """When its last run ended (`time.monotonic`); None while it runs something."""

    @property
    def alive(self) -> bool: ...

    def await_ready(self) -> None:
        """Wait until it could run something at once.

        Raises:
            SandboxError: it broke.
        """

    def memory_bytes(self) -> int:
        """Return the memory that it has taken.

        Raises:
            SandboxError: it broke, or runs something.
        """

    def close(self) -> None: ...


S = TypeVar("S", bound=Live)


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many sessions may live, in all and of one owner; when they are closed."""

    sessions: int = 64
    of_one_owner: int = 16
    spares: int = 2  # ready before they are asked for; they count as sessions
    idle_s: float = 1800.0
    memory_bytes: int = 8192 * MIB  # of all together; beyond, those longest idle are closed


@dataclass(slots=True)
class _Entry:
    owner: str
    taken_at: float
    memory_bytes: int = 0
    measured_at: float | None = None  # the end of the run after which memory was measured


class SessionPool(Generic[S]):
    """Hands sessions out and closes those that nobody uses; may be used from many threads.

    `on_reap` is told of each session that was closed unasked: its log can then be kept, and
    replayed should its owner come back. With `tends=False` nothing happens by itself: `tend` is
    then to be called now and then.
    """

    def __init__(
        self,
        open_session: Callable[[], S],
        *,
        limits: PoolLimits = PoolLimits(),
        on_reap: Callable[[S], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        tends: bool = True,
    ) -> None:
        self._open_session = open_session
        self._limits = limits
        self._on_reap = on_reap
        self._clock = clock
        self._lock = threading.Lock()
        self._live: dict[S, _Entry] = {}
        self._spares: list[S] = []
        self._opening = 0  # sessions that are being opened, outside the lock
        self._closed = False
        self._wake = threading.Event()
        self._tender = threading.Thread(target=self._tend_on, name="session-pool", daemon=True)
        if tends:
            self.tend()
            self._tender.start()

    def take(self, owner: str = "") -> S:
        """Return a session that is ready, for this owner alone.

        Raises:
            SandboxError: too many are live, or another cannot be had.
        """
        session = self._take_spare(owner)
        if session is None:
            session = self._open_reserved(owner)
        self._wake.set()
        return session

    def give_back(self, session: S) -> None:
        """Close a session that is not needed any more."""
        with self._lock:
            self._live.pop(session, None)
        session.close()
        self._wake.set()

    def tend(self) -> None:
        """Close what is idle, or over the bound on memory, and fill up the spares."""
        for session in self._overdue():
            self._on_reap(session)
            session.close()
        while self._wants_spare():
            self._open_reserved(owner=None)

    def close(self) -> None:
        """Close all sessions."""
        with self._lock:
            self._closed = True
        self._wake.set()
        if self._tender.is_alive():
            self._tender.join()
        with self._lock:
            sessions = [*self._live, *self._spares]
            self._live.clear()
            self._spares.clear()
        for session in sessions:
            session.close()

    def __len__(self) -> int:
        return len(self._live)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _tend_on(self) -> None:
        while not self._closed:
            self._wake.wait(_TEND_EVERY_S)
            self._wake.clear()
            try:
                self.tend()
            except SandboxError:  # no spare to be had now; who takes a session is told why
                continue

    def _take_spare(self, owner: str) -> S | None:
        """Return a spare, or None if one has to be opened, for which the place is then kept."""
        with self._lock:
            if self._closed:
                raise SandboxError(_CLOSED)
            owned = sum(entry.owner == owner for entry in self._live.values())
            if owned >= self._limits.of_one_owner:
                msg = f"{owned} sessions of one owner are live, the most that are allowed"
                raise SandboxError(msg)
            while self._spares:
                session = self._spares.pop()
                if session.alive:
                    self._live[session] = _Entry(owner, self._clock())
                    return session
            if self._count() >= self._limits.sessions:
                msg = f"{self._count()} sessions are live, the most that are allowed"
                raise SandboxError(msg)
            self._opening += 1
            return None

    def _open_reserved(self, owner: str | None) -> S:
        """Open the session for which a place is kept: for its owner, or as a spare."""
        with ExitStack() as undo:
            undo.callback(self._give_place_up)
            session = self._open_session()
            undo.callback(session.close)
            if owner is None:
                session.await_ready()
            with self._lock:
                if self._closed:
                    raise SandboxError(_CLOSED)
                if owner is None:
                    self._spares.append(session)
                else:
                    self._live[session] = _Entry(owner, self._clock())
                self._opening -= 1
                undo.pop_all()
        return session

    def _give_place_up(self) -> None:
        with self._lock:
            self._opening -= 1

    def _count(self) -> int:
        return len(self._live) + len(self._spares) + self._opening

    def _wants_spare(self) -> bool:
        """Return whether another spare is wanted, and keep its place."""
        with self._lock:
            missing = len(self._spares) < self._limits.spares and not self._closed
            if not missing or self._count() >= self._limits.sessions:
                return False
            self._opening += 1
            return True

    def _overdue(self) -> list[S]:
        """Take what is to be closed out of the pool, and return it: the longest idle first."""
        self._measure()
        now = self._clock()
        with self._lock:
            idle = sorted(
                (max(since, entry.taken_at), at, session)
                for at, (session, entry) in enumerate(self._live.items())
                if (since := session.idle_since) is not None
            )
            memory = sum(entry.memory_bytes for entry in self._live.values())
            overdue = []
            for since, _, session in idle:
                if now - since < self._limits.idle_s and memory <= self._limits.memory_bytes:
                    break
                memory -= self._live.pop(session).memory_bytes
                overdue.append(session)
            return overdue

    def _measure(self) -> None:
        """Measure sessions that have run something since they were last measured."""
        for session, entry in list(self._live.items()):
            since = session.idle_since
            if since is None or since == entry.measured_at:
                continue
            try:
                entry.memory_bytes, entry.measured_at = session.memory_bytes(), since
            except SandboxError:  # in use again, or broken, which its owner will learn
                continue
