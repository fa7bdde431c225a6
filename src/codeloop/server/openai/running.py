"""A loop under way: it works in line on a thread of its own, and many may read what it says."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from codeloop.core.errors import UnavailableError
from codeloop.server.chats.line import Line, Ticket
from codeloop.server.pressing import press
from codeloop.server.refusals import RefusalError

Said = dict[str, Any]


class Running:
    """What a loop says, kept from its first word; may be read by many, from threads and coroutines.

    `stop` ends it through what it has left in `stops`.
    """

    def __init__(self) -> None:
        self._said: list[Said] = []
        self._changed = threading.Condition()
        self._wakes: set[Callable[[], None]] = set()
        self.ended = False
        self.stopped = False
        self.stops: list[Callable[[], object]] = []
        self._ticket: Ticket | None = None
        self._line: Line | None = None

    @classmethod
    def over(cls, said: list[Said]) -> "Running":
        """Return one that has ended, and has said this."""
        running = cls()
        running._said, running.ended = said, True
        return running

    @property
    def said(self) -> list[Said]:
        """What it has said so far."""
        return list(self._said)

    def start(self, line: Line, user: int, work: Callable[["Running"], None]) -> None:
        """Have it done when it is its turn.

        Raises:
            RefusalError: too much waits already.
        """

        def whole() -> None:
            try:
                work(self)
            finally:
                self._end()

        self._line = line
        try:
            self._ticket = line.put(user, whole)
        except UnavailableError as error:
            raise RefusalError(429, str(error), "line_full") from error

    def say(self, said: Said) -> None:
        """Tell those who read."""
        with self._changed:
            self._said.append(said)
            self._tell()

    def stop(self) -> None:
        """End it: what waits never begins, what runs is cut."""
        self.stopped = True
        if self._line is not None and self._ticket is not None and self._line.cancel(self._ticket):
            self._end()
        press(lambda: [stop() for stop in list(self.stops)], lambda: self.ended)

    def all(self) -> list[Said]:
        """Return what it says in all, once it has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended)
        return list(self._said)

    async def follow(self) -> AsyncIterator[Said]:
        """Yield what it says, from the first word, until it has ended."""
        loop, news, at = asyncio.get_running_loop(), asyncio.Event(), 0

        def wake() -> None:
            with suppress(RuntimeError):  # the event loop is closed: nobody reads any more
                loop.call_soon_threadsafe(news.set)

        with self._changed:
            self._wakes.add(wake)
        try:
            while True:
                ended = self.ended
                while at < len(self._said):
                    yield self._said[at]
                    at += 1
                if ended:
                    return
                await news.wait()
                news.clear()
        finally:
            with self._changed:
                self._wakes.discard(wake)

    def _end(self) -> None:
        with self._changed:
            self.ended = True
            self._tell()

    def _tell(self) -> None:
        self._changed.notify_all()
        for wake in self._wakes:
            wake()


async def as_stream(running: Running, *, named: bool, stops: bool) -> AsyncIterator[str]:
    """Yield what is said as server-sent events; `named` are those of Responses, with their type.

    With `stops` the loop ends when nobody reads any more.
    """
    try:
        async for said in running.follow():
            name = f"event: {said['type']}\n" if named else ""
            yield f"{name}data: {as_data(said)}\n\n"
        if not named:
            yield "data: [DONE]\n\n"
    finally:
        if stops and not running.ended:
            running.stop()


def as_data(said: Said) -> str:
    """Return JSON on one line, without line ends of any kind."""
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return text.encode("utf-8", "replace").decode()
