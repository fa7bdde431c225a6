"""Events written and passed on: to the store, then to whoever listens to the chat."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from codeloop.server.store.store import Store, StoredEvent

TELL_EVERY_S = 1 / 30
_Wake = Callable[[], None]


class Journal:
    """Writes events of chats, and wakes up who listens; may be used from many threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._listeners: dict[str, set[_Wake]] = {}
        self.closed = False

    def write(self, chat: str, kind: str, data: Mapping[str, Any]) -> StoredEvent:
        """Write an event.

        Raises:
            KeyError: the chat is gone.
        """
        event = self._store.append(chat, kind, data)
        with self._lock:
            wakes = list(self._listeners.get(chat, ()))
        for wake in wakes:
            wake()
        return event

    def close(self) -> None:
        """Let all who listen go: nothing more is to come."""
        self.closed = True
        with self._lock:
            wakes = [wake for each in self._listeners.values() for wake in each]
        for wake in wakes:
            wake()

    def listen(self, chat: str) -> "Listener":
        """Return what wakes up the coroutine that asks for it whenever the chat goes on."""
        return Listener(self, chat)

    def _join(self, chat: str, wake: _Wake) -> None:
        with self._lock:
            self._listeners.setdefault(chat, set()).add(wake)

    def _leave(self, chat: str, wake: _Wake) -> None:
        with self._lock:
            wakes = self._listeners.get(chat, set())
            wakes.discard(wake)
            if not wakes:
                self._listeners.pop(chat, None)


class Listener:
    """One who listens to a chat, on an event loop: wait, then read what is new."""

    def __init__(self, journal: Journal, chat: str) -> None:
        self._journal = journal
        self._chat = chat
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    async def wait(self, timeout_s: float) -> bool:
        """Return whether something is new; no later than that."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)

    def __enter__(self) -> Self:
        self._journal._join(self._chat, self._wake)  # noqa: SLF001  its other half
        return self

    def __exit__(self, *_: object) -> None:
        self._journal._leave(self._chat, self._wake)  # noqa: SLF001


class Flusher:
    """A thread that sees to it that no text is held back for longer than told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[Pace] = set()
        self._some = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="flusher", daemon=True)
        self._thread.start()

    def add(self, pace: "Pace") -> None:
        with self._lock:
            self._held.add(pace)
        self._some.set()

    def close(self) -> None:
        self._ended = True
        self._some.set()
        self._thread.join()

    def _run(self) -> None:
        while self._some.wait() and not self._ended:
            time.sleep(TELL_EVERY_S)
            with self._lock:
                self._some.clear()
                held, self._held = self._held, set()
            for pace in held:
                pace.flush()


class Pace:
    """Writes the events of one chat: texts put together, thirty a second; all else at once."""

    def __init__(self, journal: Journal, flusher: Flusher, chat: str) -> None:
        self.chat = chat
        self._journal = journal
        self._flusher = flusher
        self._lock = threading.Lock()
        self._kind = ""
        self._data: dict[str, Any] = {}
        self._texts: list[str] = []
        self._last = 0.0

    def write(self, kind: str, data: Mapping[str, Any]) -> None:
        with self._lock:
            self._flush()
            self._write(kind, data)

    def add_text(self, kind: str, data: dict[str, Any], text: str) -> None:
        """Write a text, or put it to the one that is held back."""
        with self._lock:
            if self._texts and (kind, data) != (self._kind, self._data):
                self._flush()
            self._kind, self._data = kind, data
            self._texts.append(text)
            if time.monotonic() - self._last >= TELL_EVERY_S:
                self._flush()
            elif len(self._texts) == 1:
                self._flusher.add(self)

    def flush(self) -> None:
        """Write what is held back."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        if self._texts:
            text, self._texts = "".join(self._texts), []
            self._last = time.monotonic()
            self._write(self._kind, {**self._data, "text": text})

    def _write(self, kind: str, data: Mapping[str, Any]) -> None:
        try:
            self._journal.write(self.chat, kind, data)
        except KeyError:  # the chat was deleted meanwhile: nobody is left to be told
            self._texts = []
