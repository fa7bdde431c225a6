"""Work that waits its turn: some at once, fewer of one user, the rest in line, each in a place."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from codeloop.core.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class LineLimits:
    """How much works at once, in all and of one user; how much may wait."""

    running: int = 32
    of_one_user: int = 20
    room: int = 256


@dataclass(slots=True, eq=False)
class Ticket:
    """A piece of work in line: `place` is 0 once it runs, 1 if it is next."""

    user: int
    work: Callable[[], None]
    on_place: Callable[[int], None]
    place: int = -1
    done: threading.Event = field(default_factory=threading.Event)


class Line:
    """Runs work, each piece on a thread of its own; may be used from many threads."""

    def __init__(self, limits: LineLimits = LineLimits()) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._waiting: list[Ticket] = []
        self._running: Counter[int] = Counter()
        self._closed = False
        self._idle = threading.Condition(self._lock)

    @property
    def running(self) -> int:
        return self._running.total()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def put(
        self, user: int, work: Callable[[], None], on_place: Callable[[int], None] = lambda _: None
    ) -> Ticket:
        """Have work done when it is its turn; `on_place` is told its place when that changes.

        Raises:
            UnavailableError: too much waits already.
        """
        ticket = Ticket(user, work, on_place)
        with self._lock:
            if self._closed or len(self._waiting) >= self._limits.room:
                msg = f"{len(self._waiting)} are in line already"
                raise UnavailableError(msg, too_many=True)
            self._waiting.append(ticket)
        self._advance()
        return ticket

    def cancel(self, ticket: Ticket) -> bool:
        """Take work out of the line; return whether it had not begun."""
        with self._lock:
            if ticket not in self._waiting:
                return False
            self._waiting.remove(ticket)
        ticket.done.set()
        self._advance()
        return True

    def close(self, timeout_s: float) -> None:
        """Begin nothing more, and wait for what runs."""
        with self._idle:
            self._closed = True
            self._waiting.clear()
            self._idle.wait_for(lambda: not self._running.total(), timeout_s)

    def _advance(self) -> None:
        """Begin what may begin, and tell the others where they are."""
        begun, moved = [], []
        with self._lock:
            for ticket in list(self._waiting):
                if self._running.total() >= self._limits.running:
                    break
                if self._running[ticket.user] < self._limits.of_one_user:
                    self._waiting.remove(ticket)
                    self._running[ticket.user] += 1
                    ticket.place = 0
                    begun.append(ticket)
            for place, ticket in enumerate(self._waiting, 1):
                if ticket.place != place:
                    ticket.place = place
                    moved.append((ticket, place))
        for ticket in begun:
            threading.Thread(target=self._run, args=(ticket,), name="work", daemon=True).start()
        for ticket, place in moved:
            ticket.on_place(place)

    def _run(self, ticket: Ticket) -> None:
        try:
            ticket.work()
        finally:
            with self._idle:
                self._running[ticket.user] -= 1
                self._idle.notify_all()
            ticket.done.set()
            self._advance()
