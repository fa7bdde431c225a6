"""The session of each chat: opened when it is needed, built anew from the chat's story."""

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from codeloop.core.errors import DataError, SandboxError
from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    Isolation,
    OutputChunk,
    Status,
    Variable,
    WorkFile,
)
from codeloop.core.protocols import Session
from codeloop.sandbox.stateful.log import REPEATABLE, Asked, LoggedCell, Replay, logged
from codeloop.sandbox.stateful.pool import Live, SessionPool
from codeloop.server.chats.journal import Journal
from codeloop.server.chats.story import PASSED_OVER, Dropped, Story, ToldCell, Uploaded, read_story
from codeloop.server.store.store import Store


class RoomSession(Session, Live, Protocol):
    """What the server needs of a session, beside running code in it."""

    @property
    def cells(self) -> tuple[LoggedCell, ...]: ...

    def replay(self, cells: Sequence[LoggedCell] | None = None) -> Replay: ...

    def variables(self) -> tuple[Variable, ...]: ...

    def put_file(self, path: Path, name: str | None = None) -> None: ...

    def list_files(self) -> tuple[WorkFile, ...]: ...

    def get_file(self, name: str, *, most_bytes: int = ...) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Room:
    """A chat, and whose it is."""

    chat: str
    user: int


class Rooms:
    """Sessions by chat; may be used from many threads, each chat by one at a time."""

    def __init__(
        self,
        pool: SessionPool[RoomSession],
        store: Store,
        journal: Journal,
        *,
        isolation: Isolation,
        limits: ExecutionLimits,
    ) -> None:
        self._pool = pool
        self._store = store
        self._journal = journal
        self._isolation = isolation
        self._limits = limits
        self._lock = threading.Lock()
        self._live: dict[str, RoomSession] = {}
        self._users: dict[str, int] = {}
        self._gates: dict[str, threading.Lock] = {}

    @property
    def count(self) -> int:
        """How many chats have a session."""
        return len(self._live)

    def live(self, chat: str) -> RoomSession | None:
        """Return the session of a chat, if it has one."""
        return self._live.get(chat)

    def get(self, room: Room, *, on_event: Callable[[str, dict[str, object]], None]) -> RoomSession:
        """Return the session of a chat; if it has none, one in which its cells were replayed.

        `on_event` is told of its state, to write it.

        Raises:
            SandboxError: there is none to be had.
        """
        with self.gate(room.chat):  # of two at once, the second finds what the first opened
            return self._live.get(room.chat) or self._open(room, on_event)

    def gate(self, chat: str) -> threading.Lock:
        """Return what is held while a chat's session is opened, or is given what is uploaded."""
        with self._lock:
            return self._gates.setdefault(chat, threading.Lock())

    def _open(self, room: Room, on_event: Callable[[str, dict[str, object]], None]) -> RoomSession:
        on_event("sandbox.state", {"state": "starting"})
        session = None
        try:
            session = self._take(room.user)
            self._build(session, self._story(room.chat), on_event)
        except BaseException:
            if session is not None:
                self._pool.give_back(session)
            on_event("sandbox.state", {"state": "none"})
            raise
        with self._lock:
            self._live[room.chat] = session
            self._users[room.chat] = room.user
        on_event("sandbox.state", self.state(session))
        return session

    def replay(
        self, room: Room, *, on_event: Callable[[str, dict[str, object]], None]
    ) -> RoomSession:
        """Return a new session in which the chat's cells were run again."""
        self.drop(room.chat)
        return self.get(room, on_event=on_event)

    def drop(self, chat: str) -> bool:
        """Close a chat's session; return whether it had one."""
        with self._lock:
            session = self._live.pop(chat, None)
            self._users.pop(chat, None)
        if session is not None:
            self._pool.give_back(session)
        return session is not None

    def note_reaped(self, session: RoomSession) -> None:
        """Learn that the pool closes a session that nobody used."""
        with self._lock:
            chats = [chat for chat, each in self._live.items() if each is session]
            for chat in chats:
                del self._live[chat]
        for chat in chats:
            try:
                self._journal.write(chat, "sandbox.state", {"state": "none", "why": "idle"})
            except KeyError:
                continue

    def state(self, session: RoomSession) -> dict[str, object]:
        """Return the state of a session at rest, as an event tells it."""
        try:
            memory = session.memory_bytes()
        except SandboxError:
            memory = 0
        data = {"isolation": self._isolation.value, "memory_bytes": memory, "disk_bytes": 0}
        try:
            data["disk_bytes"] = sum(each.size_bytes for each in session.list_files())
        except SandboxError:
            return {"state": "dead", **data}
        return {"state": "idle", **data}

    def lend(self, user: int) -> RoomSession:
        """Return a session that is no chat's, until it is given back.

        Raises:
            SandboxError: there is none to be had.
        """
        return self._take(user)

    def give_back(self, session: RoomSession) -> None:
        """Close a session that was lent."""
        self._pool.give_back(session)

    def _take(self, user: int) -> RoomSession:
        """Take a session of the pool; if there is none, one long idle goes: the user's, or any."""
        try:
            return self._pool.take(str(user))
        except SandboxError:
            idle = self._longest_idle(user) or self._longest_idle(None)
            if idle is None:
                raise
            session = self._live[idle]
            self.note_reaped(session)
            self._pool.give_back(session)
            return self._pool.take(str(user))

    def _longest_idle(self, user: int | None) -> str | None:
        """Return the chat of a user, or of anybody, whose session nobody used for longest."""
        with self._lock:
            idle = [
                (since, chat)
                for chat, session in self._live.items()
                if user in {None, self._users.get(chat)}
                and (since := session.idle_since) is not None
            ]
        return min(idle)[1] if idle else None

    def _story(self, chat: str) -> Story:
        return read_story(chat, self._store.events(chat, without=PASSED_OVER))

    def _build(
        self,
        session: RoomSession,
        story: Story,
        on_event: Callable[[str, dict[str, object]], None],
    ) -> None:
        """Do in a fresh session what the chat's session had done."""
        blobs = self._store.blobs
        for name, blob in story.files.items():  # for a work directory that is made anew
            session.put_file(blobs.path(blob), name)
        cells, files = self._logged(story)
        if cells:
            done = session.replay(cells)
            on_event(
                "sandbox.replayed",
                {
                    "cells": done.cells,
                    "complete": done.complete,
                    "differences": [
                        {"cell": each.cell, "before": each.before, "now": each.now}
                        for each in done.differences
                    ],
                },
            )
            for name, _ in files:
                session.put_file(blobs.path(story.files[name]), name)

    def _logged(self, story: Story) -> tuple[list[LoggedCell], list[tuple[str, bytes]]]:
        """Return the cells to run again, each with the files that came before it, and the rest."""
        cells: list[LoggedCell] = []
        files: list[tuple[str, bytes]] = []
        for deed in story.deeds:
            match deed:
                case Uploaded(name, blob):
                    try:
                        files.append((name, self._store.blobs.read(blob)))
                    except DataError:
                        continue
                case Dropped(name):
                    asked = Asked(removal(name), "python", self._limits, b"", tuple(files))
                    cells.append(logged(asked, (), ExecutionResult(Status.OK)))
                    files = []
                case ToldCell(result=result) if result is not None and result.status in REPEATABLE:
                    asked = Asked(deed.code, deed.language, self._limits, b"", tuple(files))
                    cells.append(logged(asked, tuple(deed.lines), result))
                    files = []
                case _:
                    pass
        return cells, files


class LazySession:
    """A chat's session as the loop is handed it: opened when code is to run.

    `may_run` is asked before each cell; a loop that `runs_code` not at all knows no language.
    """

    def __init__(
        self,
        open_session: Callable[[], RoomSession],
        reopen: Callable[[], RoomSession],
        *,
        may_run: Callable[[str], bool] = lambda _: True,
        runs_code: bool = True,
    ) -> None:
        self._open = open_session
        self._reopen = reopen
        self._may_run = may_run
        self._runs_code = runs_code

    @property
    def languages(self) -> frozenset[str]:
        return self._open().languages if self._runs_code else frozenset()

    def run(
        self, code: str, *, language: str = "python", limits: ExecutionLimits | None = None
    ) -> Generator[OutputChunk | InputRequested | ExecutionResult, None, None]:
        if not self._may_run(code):
            yield ExecutionResult(Status.INTERRUPTED)
            return
        yield from self._open().run(code, language=language, limits=limits)

    def interrupt(self) -> bool:
        return self._open().interrupt()

    def send_input(self, line: str | None) -> None:
        self._open().send_input(line)

    def restart(self) -> None:
        self._reopen()

    def close(self) -> None:
        """Do nothing: the session is the chat's."""


def removal(name: str) -> str:
    """Return the code that removes a file of the work directory, and leaves no name behind."""
    return f"__import__('os').unlink({name!r})"
