"""Where work in chats is begun and ended: one piece at a time in each, its turn taken in line."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from codeloop.core.errors import UnavailableError
from codeloop.server.chats.journal import Flusher, Journal, Pace
from codeloop.server.chats.line import Line
from codeloop.server.chats.rooms import Room, Rooms
from codeloop.server.chats.work import Job, LoopOrder, Work
from codeloop.server.models import Models
from codeloop.server.refusals import RefusalError
from codeloop.server.store.store import Chat, Store

_ENDING_S = 2.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What chats are made with."""

    store: Store
    journal: Journal
    flusher: Flusher
    line: Line
    models: Models
    rooms: Rooms
    order: LoopOrder  # of a loop that says nothing else


class Desk:
    """What is in progress, by chat; may be used from many threads."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._changed = threading.Condition()
        self._works: dict[str, Work] = {}

    def work(self, chat: str) -> Work | None:
        """Return what is in progress in a chat."""
        return self._works.get(chat)

    def works(self) -> list[Work]:
        """Return all that is in progress."""
        return list(self._works.values())

    def pace(self, chat: str) -> Pace:
        """Return what writes a chat's events."""
        return Pace(self.parts.journal, self.parts.flusher, chat)

    def claim(self, chat: Chat, what: str) -> Work:
        """Begin work in a chat.

        Raises:
            RefusalError: something is in progress there.
        """
        room = Room(chat.id, chat.user)
        work = Work(room, self.pace(chat.id), self.parts.rooms, what)
        with self._changed:
            before = self._works.get(chat.id)
            if before is not None and before.ending:  # has told its end, and is not yet gone
                self._changed.wait_for(lambda: chat.id not in self._works, _ENDING_S)
            if chat.id in self._works:
                raise RefusalError(409, "something is in progress in this chat", "busy")
            self._works[chat.id] = work
        return work

    @contextmanager
    def undone(self, work: Work) -> Iterator[None]:
        """End work that could not be started, so that its chat is not busy for ever."""
        try:
            yield
        except BaseException:
            if work.ticket is None:
                with self._changed:
                    self._works.pop(work.room.chat, None)
                    self._changed.notify_all()
            raise

    def start(self, work: Work, job: Job) -> None:
        """Have work done when it is its turn.

        Raises:
            RefusalError: too much waits already.
        """
        work.pace.write("work.started", {"what": work.what})
        try:
            work.ticket = self.parts.line.put(
                work.room.user,
                lambda: self._do(work, job),
                lambda place: work.pace.write("work.waits", {"place": place}),
            )
        except UnavailableError as error:
            if work.what == "loop":
                data = {"reason": "failed", "well": False, "detail": str(error)}
                work.pace.write("loop.ended", data)
            self.end(work)
            raise RefusalError(429, str(error), "line_full") from error

    def _do(self, work: Work, job: Job) -> None:
        whole = False
        try:
            job(work)
            whole = True
        finally:
            if not whole:  # a bug, which its thread tells in full on the server's stderr
                told = {"where": "server", "message": "this failed by a fault of the server"}
                work.pace.write("error", told)
            self.end(work)

    def end(self, work: Work) -> None:
        """Let the chat go on to other work."""
        with self._changed:
            work.pace.write("work.ended", {})
            self._works.pop(work.room.chat, None)
            self._changed.notify_all()
