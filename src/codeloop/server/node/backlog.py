"""Work that waits for a slot: bounded, taken in order, each piece by a thread of its own slot."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from codeloop.server.node.metrics import Metrics

_T = TypeVar("_T")


class Backlog:
    """Runs pieces of work on `threads` threads; at most `room` pieces wait. Many threads use it."""

    def __init__(self, metrics: Metrics, *, threads: int, room: int) -> None:
        self.threads = threads
        self.room = room
        self._metrics = metrics
        self._executor = ThreadPoolExecutor(threads, "slot")
        self._lock = threading.Lock()
        self._waiting = 0
        self._running = 0

    @property
    def waiting(self) -> int:
        """How many pieces have not begun."""
        return self._waiting

    @property
    def running(self) -> int:
        """How many pieces are at work."""
        return self._running

    def put(self, pieces: Sequence[Callable[[], _T]]) -> list["Future[_T]"] | None:
        """Take all pieces or, if there is no room for all of them, none.

        A future that is cancelled before its piece has begun makes room at once.
        """
        with self._lock:
            idle = max(0, self.threads - self._running)
            if self._waiting + len(pieces) > self.room + idle:
                return None
            self._waiting += len(pieces)
        return [self._submit(piece) for piece in pieces]

    def drop(self) -> None:
        """Cancel what waits; nothing more may be put."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Drop what waits, and return when nothing runs any more."""
        self._executor.shutdown(cancel_futures=True)

    def _submit(self, piece: Callable[[], _T]) -> "Future[_T]":
        came = time.monotonic()
        future = self._executor.submit(self._run, piece, came)
        future.add_done_callback(self._note_cancelled)
        return future

    def _run(self, piece: Callable[[], _T], came: float) -> _T:
        with self._lock:
            self._waiting -= 1
            self._running += 1
        self._metrics.wait_s.observe(time.monotonic() - came)
        try:
            return piece()
        finally:
            with self._lock:
                self._running -= 1

    def _note_cancelled(self, future: "Future[_T]") -> None:
        if future.cancelled():
            with self._lock:
                self._waiting -= 1
