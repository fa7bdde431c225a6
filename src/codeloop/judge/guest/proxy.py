"""The tester's end of the link: calls the candidate, and believes nothing but plain data."""

import builtins
import select
import socket
from collections.abc import Callable
from typing import Any

from codeloop.judge.guest.candidate import (
    CALL,
    CALL_KEEPING,
    CALLS,
    CALLS_TERSE,
    CHANGED,
    HEADER,
    LOADED,
    NOT_LOADED,
    RAISED,
)
from codeloop.judge.guest.marks import DIGEST, MARK, VALUE
from codeloop.judge.guest.wire import FRAME_BYTES, WireError, decode, encode

LATE, BACK = b"late", b"back"  # what the host is told: we wait, and we do no more

_LATE_MS = 100
_READ_BYTES = 1 << 20
_DESCRIPTION = 4
_SAID = frozenset({VALUE, MARK, DIGEST})


class FailedError(Exception):
    """A test failed; `report` says how."""

    def __init__(self, **report: Any) -> None:
        super().__init__(report)
        self.report = report


class GoneError(Exception):
    """The candidate has ended, or closed the link."""

    reason = "gone"


class ProtocolError(Exception):
    """The candidate said what the program that wraps it never says."""

    reason = "protocol"


class ArgumentError(Exception):
    """A test passes what cannot travel: it needs the solution in its own process."""


class RaisedError(Exception):
    """The solution raised: `name`, the built-in class it is one of, text, line of its code."""

    def __init__(self, name: str, built_in: str, text: str, line: int | None) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.built_in = built_in
        self.text = text
        self.line = line

    def described(self) -> tuple[str, str, int | None]:
        return self.name, self.text, self.line

    def rebuilt(self) -> BaseException:
        """Return an exception of the built-in class, for tests that expect one."""
        kind = getattr(builtins, self.built_in, None)
        if type(kind) is not type or not issubclass(kind, BaseException):
            return self
        try:
            return kind(self.text)
        except TypeError:  # a class that wants more than a text
            return self


class Link:
    """Frames to and from one candidate, each of which has to be the answer that is due."""

    def __init__(self, descriptor: int, tell: Callable[[bytes], None]) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._tell = tell
        self._poll = select.poll()
        self._incoming = bytearray()
        self._at = 0  # up to where it has been read
        self._outgoing = memoryview(b"")
        self._asked = 0
        self._answered = 0
        self._closing = False  # once all is sent

    def load(self) -> None:
        """Wait until the solution is loaded.

        Raises:
            RaisedError: it raised, or (name "") does not define its function.
        """
        kind, body = self._receive(0)
        if kind == NOT_LOADED:
            raise _raised(body)
        if kind != LOADED:
            raise ProtocolError

    @property
    def next(self) -> int:
        """The number of the call that is asked next."""
        return self._asked + 1

    def ask(self, bodies: list[bytes], *, keeping: bool = False, last: bool = False) -> None:
        """Send calls, whose answers come in their order; after the last, the candidate may go."""
        kind = CALL_KEEPING if keeping else CALL
        self._put([(1, kind, body) for body in bodies], last=last)

    def ask_many(self, packs: list[tuple[int, bytes]], *, terse: bool, last: bool) -> None:
        """Send packs of calls, with how many are in each."""
        kind = CALLS_TERSE if terse else CALLS
        self._put([(count, kind, body) for count, body in packs], last=last)

    def is_next(self, frame: bytes) -> bool:
        """Take the next answer if it has come and is this one, to the byte."""
        if not self._incoming.startswith(frame, self._at):
            return False
        self._at += len(frame)
        self._answered += 1
        self._check_end()
        return True

    def answer(self) -> tuple[bytes, bytes]:
        """Return kind and body of the next answer: VALUE, MARK, DIGEST, or CHANGED.

        Raises:
            RaisedError: the function raised.
        """
        self._answered += 1
        kind, body = self._receive(self._answered)
        if kind == RAISED:
            raise _raised(body)
        if kind not in _SAID and kind != CHANGED:
            raise ProtocolError
        self._check_end()
        return kind, body

    def close(self) -> None:
        self._socket.close()

    def _put(self, frames: list[tuple[int, bytes, bytes]], *, last: bool) -> None:
        parts = [bytes(self._outgoing)]
        for count, kind, body in frames:
            parts += (HEADER.pack(len(body), self._asked + 1, kind), body)
            self._asked += count
        self._outgoing = memoryview(b"".join(parts))
        self._closing = last
        self._send()

    def _check_end(self) -> None:
        """Refuse what comes after the last answer that was asked for."""
        if self._answered == self._asked and len(self._incoming) > self._at:
            raise ProtocolError

    def _receive(self, number: int) -> tuple[bytes, bytes]:
        late = False
        while (frame := self._frame(number)) is None:
            late = self._transfer(late=late) or late
        if late:
            self._tell(BACK)
        return frame

    def _frame(self, number: int) -> tuple[bytes, bytes] | None:
        start = self._at + HEADER.size
        if len(self._incoming) < start:
            return None
        size, said, kind = HEADER.unpack_from(self._incoming, self._at)
        if said != number or size > FRAME_BYTES:
            raise ProtocolError
        end = start + size
        if len(self._incoming) < end:
            return None
        body = bytes(memoryview(self._incoming)[start:end])
        self._at = end
        return kind, body

    def _transfer(self, *, late: bool) -> bool:
        """Send and receive what there is, waiting if need be; tell the host of a long wait."""
        self._send()
        events = select.POLLIN | select.POLLOUT if self._outgoing else select.POLLIN
        self._poll.register(self._socket, events)
        told = False
        if not self._poll.poll(None if late else _LATE_MS):
            self._tell(LATE)
            told = True
            self._poll.poll()
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return told
        except OSError:
            data = b""
        if not data:
            raise GoneError
        del self._incoming[: self._at]
        self._at = 0
        self._incoming += data
        return told

    def _send(self) -> None:
        """Send what the candidate takes now."""
        try:
            if self._outgoing:
                self._outgoing = self._outgoing[self._socket.send(self._outgoing) :]
            if self._closing and not self._outgoing:
                self._closing = False
                self._socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:  # it has gone; what it said before may still be there
            self._outgoing = memoryview(b"")


class Proxy:
    """Stands for the candidate's function in tests that are code."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.asked = b""  # the arguments of the last call, as they were
        self.result: Any = None
        self.broken: Exception | None = None  # what no test may pass over

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if self.broken is not None:
            raise self.broken
        try:
            return self._call(arguments, keywords)
        except RaisedError as error:
            self.result = error
            raise error.rebuilt() from error
        except (ArgumentError, GoneError, ProtocolError) as error:
            self.broken = error
            raise

    def _call(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        try:
            self.asked = encode(arguments, keywords, strict=True)
        except WireError as error:
            raise ArgumentError from error
        self._link.ask([self.asked], keeping=True)
        kind, answer = self._link.answer()
        try:
            if kind == VALUE:
                (self.result,) = decode(answer)
                return self.result
            self.result, changed, named = decode(answer, 3)
            for ours, theirs in zip(arguments, changed, strict=True):
                _take_over(ours, theirs)
            for name, ours in keywords.items():
                _take_over(ours, named[name])
        except (WireError, TypeError, ValueError, LookupError) as error:
            raise ProtocolError from error
        return self.result


def _take_over(ours: Any, theirs: Any) -> Any:
    """Make an argument what the function made of it, in place where it can be changed."""
    kind = type(ours)
    if kind is not type(theirs):
        return theirs
    if kind is list:
        both = zip(ours, theirs, strict=False)
        ours[:] = [*(_take_over(one, other) for one, other in both), *theirs[len(ours) :]]
    elif kind is dict:
        merged = {key: _take_over(ours.get(key), item) for key, item in theirs.items()}
        ours.clear()
        ours.update(merged)
    elif kind is set:
        ours.clear()
        ours.update(theirs)
    elif kind is tuple:
        for one, other in zip(ours, theirs, strict=False):
            _take_over(one, other)
        return ours if ours == theirs else theirs
    elif kind.__name__ == "ndarray" and ours.shape == theirs.shape and ours.flags.writeable:
        ours[...] = theirs
    else:
        return theirs
    return ours


def _raised(body: bytes) -> Exception:
    """Return the error that an answer describes."""
    try:
        name, built_in, text, line = decode(body, _DESCRIPTION)
    except WireError:
        return ProtocolError()
    if not (type(name) is type(built_in) is type(text) is str and type(line) in {int, type(None)}):
        return ProtocolError()
    return RaisedError(name, built_in, text, line)
