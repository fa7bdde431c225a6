"""The sessions of chat completions: an exchange finds its own again by what was said in it."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

from codeloop.core.dialogue import Dialogue
from codeloop.core.errors import SandboxError
from codeloop.core.execution import ExecutionLimits
from codeloop.sandbox.stateful.log import REPEATABLE, Asked, logged
from codeloop.server.chats.rooms import Rooms, RoomSession
from codeloop.server.openai.history import runs_of

_MOST = 8  # of one user, beside those in use
_Key = tuple[int, str]


class Visits:
    """Sessions that wait for the next request of their exchange; may be used from many threads.

    Clients of chat completions send the whole exchange each time and name no session. If the one
    that they had is gone, the code that the exchange holds is run again in a new one.
    """

    def __init__(self, rooms: Rooms, limits: ExecutionLimits) -> None:
        self._rooms = rooms
        self._limits = limits
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, RoomSession] = OrderedDict()

    def open(self, user: int, key: str, dialogue: Dialogue) -> RoomSession:
        """Return the session of an exchange, with the variables that its code has made.

        Raises:
            SandboxError: there is none to be had.
        """
        with self._lock:
            session = self._kept.pop((user, key), None)
        if session is not None and session.alive:
            return session
        if session is not None:
            self._rooms.give_back(session)
        session = self._take(user)
        cells = [
            logged(Asked(code, language, self._limits, b"", ()), (), result)
            for language, code, result in runs_of(dialogue)
            if result.status in REPEATABLE
        ]
        if cells:
            session.replay(cells)
        return session

    def keep(self, user: int, key: str, session: RoomSession) -> None:
        """Keep a session for the exchange that goes on from here; one that died is given back."""
        if not session.alive:
            self._rooms.give_back(session)
            return
        with self._lock:
            replaced = self._kept.pop((user, key), None)
            self._kept[user, key] = session
            own = [each for each in self._kept if each[0] == user]
            gone = [self._kept.pop(each) for each in own[: max(0, len(own) - _MOST)]]
        for each in [*gone, *([replaced] if replaced is not None else [])]:
            self._rooms.give_back(each)

    def _take(self, user: int) -> RoomSession:
        """Take a session; if there is no room for one, those that only wait make it."""
        try:
            return self._rooms.lend(user)
        except SandboxError:
            with self._lock:
                own = [each for each in self._kept if each[0] == user]
                gone = [self._kept.pop(each) for each in own]
            if not gone:
                raise
            for each in gone:
                self._rooms.give_back(each)
            return self._rooms.lend(user)


def key_of(said: Sequence[tuple[str, str]]) -> str:
    """Return what an exchange is found by: who said what, but for what the system was told."""
    whole = "\0".join(f"{role}\0{text.strip()}" for role, text in said if role in _SPOKEN)
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


_SPOKEN = frozenset({"user", "assistant"})
