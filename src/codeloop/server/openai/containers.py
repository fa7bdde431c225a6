"""Containers: sessions that outlive what runs them, each a story of files and cells to do again."""

import hashlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

from codeloop.core.errors import DataError
from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    OutputChunk,
    Status,
    WorkFile,
)
from codeloop.sandbox.jail.root import WORK
from codeloop.server.chats.files import MOST_UPLOADS, UPLOAD_BYTES, file_name
from codeloop.server.chats.rooms import Room, RoomSession, removal
from codeloop.server.chats.service import Chats
from codeloop.server.chats.telling import Teller
from codeloop.server.openai.shelf import CONTAINER, Shelf, name_of
from codeloop.server.refusals import RefusalError, no_such
from codeloop.server.store.blobs import USER_BYTES
from codeloop.server.store.store import Chat

KILL_AFTER_S = 0.7
_FILE = "container file"
EXPIRES_MINUTES = 20  # as it is told; in truth its session is built anew when it is needed


class Containers:
    """Makes containers, and uses them: one at a time each; may be used from many threads."""

    def __init__(self, chats: Chats, shelf: Shelf) -> None:
        self._chats = chats
        self._parts = chats.parts
        self._shelf = shelf
        self._changed = threading.Condition()
        self._used: set[str] = set()

    def create(self, user: int, *, name: str, memory_limit: str | None = None) -> Chat:
        """Make an empty container; its session starts when it is first used."""
        return self._shelf.add(user, CONTAINER, name, {"memory_limit": memory_limit})

    def find(self, user: int, name: str) -> Chat:
        """Return a user's container.

        Raises:
            RefusalError: there is none of that name.
        """
        return self._shelf.find(user, CONTAINER, name)

    def delete(self, container: Chat) -> None:
        """Close a container's session and remove what is kept of it."""
        with self.using(container):
            self._chats.close_chat(container)
            self._parts.store.delete_chat(container)

    @contextmanager
    def using(self, container: Chat, *, wait_s: float = 0.0) -> Iterator[None]:
        """Have a container for oneself within the block; wait so long for who has it.

        Raises:
            RefusalError: something uses it.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: container.id not in self._used, wait_s):
                msg = f"something runs in {name_of(container)}"
                raise RefusalError(409, msg, "container_busy")
            self._used.add(container.id)
        try:
            yield
        finally:
            with self._changed:
                self._used.discard(container.id)
                self._changed.notify_all()

    def session(self, container: Chat) -> RoomSession:
        """Return a container's session; one that is gone is built anew: its files, then its cells.

        Raises:
            SandboxError: there is none to be had.
        """
        pace = self._chats.pace(container.id)
        room = Room(container.id, container.user)
        return self._parts.rooms.get(room, on_event=pace.write)

    def put(self, container: Chat, name: str, data: bytes) -> WorkFile:
        """Put a file into a container's work directory.

        Raises:
            RefusalError: it is too large, or there are too many; something runs there.
        """
        name = file_name(name)
        blobs, story = self._parts.store.blobs, self._chats.story(container.id)
        if len(story.files) >= MOST_UPLOADS and name not in story.files:
            raise RefusalError(413, f"a container may have {MOST_UPLOADS} uploads")
        if blobs.used_bytes(container.user) + len(data) > USER_BYTES:
            raise RefusalError(413, "the user's quota of bytes is used up", "quota")
        with self.using(container):
            blob = blobs.put(container.id, data, "application/octet-stream")
            session = self._parts.rooms.live(container.id)
            if session is not None:
                session.put_file(blobs.path(blob.hash), name)
            told = {"name": name, "blob": blob.hash, "bytes": blob.bytes}
            self._parts.journal.write(container.id, "file.put", told)
        return WorkFile(name, blob.bytes, time.time())

    def files(self, container: Chat) -> list[WorkFile]:
        """Return what lies in a container's work directory.

        Raises:
            SandboxError: as for `session`.
        """
        return list(self.session(container).list_files())

    def file(self, container: Chat, name: str) -> WorkFile:
        """Return the file that a client knows by that name.

        Raises:
            RefusalError: there is none.
        """
        for each in self.files(container):
            if file_id(container, each.path) == name:
                return each
        raise no_such(_FILE)

    def read(self, container: Chat, path: str) -> bytes:
        """Return what is in a file of a container.

        Raises:
            RefusalError: there is no such file, or it is too large.
        """
        try:
            return self.session(container).get_file(path, most_bytes=UPLOAD_BYTES)
        except DataError as error:
            raise no_such(_FILE) from error

    def remove(self, container: Chat, path: str) -> None:
        """Remove a file of a container."""
        with self.using(container):
            for _ in self.session(container).run(removal(path)):
                pass
            self._parts.journal.write(container.id, "file.dropped", {"name": path})

    def told(self, container: Chat) -> dict[str, Any]:
        """Return a container as the form has it."""
        return {
            "id": name_of(container),
            "object": "container",
            "created_at": int(container.created_at),
            "last_active_at": int(container.changed_at),
            "name": container.title,
            "status": "running",
            "expires_after": {"anchor": "last_active_at", "minutes": EXPIRES_MINUTES},
            "memory_limit": container.settings.get("memory_limit"),
            "network_policy": {"type": "disabled"},
        }

    def recording(self, container: Chat, may_run: Callable[[], bool]) -> "RecordingSession":
        """Return a container's session, of which each run becomes part of its story."""
        return RecordingSession(self, container, lambda: self._teller(container), may_run)

    def restart(self, container: Chat) -> None:
        """Build a container's session anew."""
        self._parts.rooms.drop(container.id)
        self.session(container)

    def reset(self, container: Chat) -> None:
        """Throw away what a container's code has made; files that were put there stay.

        Raises:
            RefusalError: something runs there.
        """
        with self.using(container):
            self._parts.rooms.drop(container.id)
            self._parts.journal.write(container.id, "sandbox.restarted", {})

    def interrupt(self, container: Chat) -> None:
        """Interrupt the run in progress, if there is one; code that takes no notice is killed."""
        session = self._parts.rooms.live(container.id)
        if session is not None and session.interrupt():
            kill = threading.Timer(KILL_AFTER_S, self._kill, (container, session))
            kill.daemon = True
            kill.start()

    def _kill(self, container: Chat, session: RoomSession) -> None:
        """Close a session that still runs what was interrupted; the next use builds it anew."""
        if session.idle_since is None and self._parts.rooms.live(container.id) is session:
            self._parts.rooms.drop(container.id)

    def _teller(self, container: Chat) -> Teller:
        blobs, story = self._parts.store.blobs, self._chats.story(container.id)
        pace = self._chats.pace(container.id)
        return Teller(pace, lambda data, mime: blobs.put(container.id, data, mime), story)


class RecordingSession:
    """Runs code in a container; fulfils `codeloop.core.protocols.Session`.

    Where it `may_run` no more, a run is interrupted before it begins.
    """

    def __init__(
        self,
        containers: Containers,
        container: Chat,
        new_teller: Callable[[], Teller],
        may_run: Callable[[], bool],
    ) -> None:
        self._containers = containers
        self._container = container
        self._new_teller = new_teller
        self._may_run = may_run

    @property
    def languages(self) -> frozenset[str]:
        return self._containers.session(self._container).languages

    def run(
        self, code: str, *, language: str = "python", limits: ExecutionLimits | None = None
    ) -> Generator[OutputChunk | InputRequested | ExecutionResult, None, None]:
        if not self._may_run():
            yield ExecutionResult(Status.INTERRUPTED)
            return
        session = self._containers.session(self._container)
        teller = self._new_teller()
        teller.pace.write("work.started", {"what": "cell"})
        teller.add_own(language, code, None)
        teller.start_run(code)
        result = ExecutionResult(Status.INTERRUPTED, state_lost=True)
        try:
            with closing(session.run(code, language=language, limits=limits)) as events:
                for event in events:
                    match event:
                        case ExecutionResult():
                            result = event
                        case InputRequested():
                            session.send_input(None)  # nobody is there to answer
                        case OutputChunk():
                            teller.take_output(event)
                            yield event
        finally:
            teller.finish(result)
            teller.pace.write("work.ended", {})
        yield result

    def interrupt(self) -> bool:
        self._containers.interrupt(self._container)
        return True

    def send_input(self, line: str | None) -> None:
        """Do nothing: code that asks has been told that there is no input."""

    def restart(self) -> None:
        self._containers.restart(self._container)

    def close(self) -> None:
        """Do nothing: the session is the container's."""


def file_id(container: Chat, path: str) -> str:
    """Return the name by which a client knows a file of a container."""
    whole = f"{container.id}\0{path}".encode("utf-8", "surrogateescape")
    return f"cfile_{hashlib.sha256(whole).hexdigest()[:32]}"


def shown_path(path: str) -> str:
    """Return a path as JSON can hold it: bytes that are no UTF-8 are replaced."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def told_file(container: Chat, file: WorkFile, source: str = "assistant") -> dict[str, Any]:
    """Return a container's file as the form has it."""
    return {
        "id": file_id(container, file.path),
        "object": "container.file",
        "container_id": name_of(container),
        "created_at": int(file.changed_s),
        "bytes": file.size_bytes,
        "path": f"{WORK}/{shown_path(file.path)}",
        "source": source,
    }
