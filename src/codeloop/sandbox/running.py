"""One run, from the host's side: waits for everything at once, until the run has ended."""

import contextlib
import fcntl
import math
import os
import select
import socket
import struct
import termios
import time
from collections import deque
from collections.abc import Iterator

from codeloop.core.errors import SandboxError
from codeloop.core.execution import (
    ExecutionLimits,
    InputRequested,
    OutputChunk,
    Status,
    StreamName,
)
from codeloop.sandbox.answer import Frames, MalformedError, Question, parse
from codeloop.sandbox.capture import Capture
from codeloop.sandbox.jail import wire
from codeloop.sandbox.link import Guest, Slot, watch_fields
from codeloop.sandbox.status import Facts

INTERRUPT = b"i"  # what is written to a run's wake socket
LINE = b"l"

_WATCH_AFTER_S = 0.02  # a cell that is done sooner is not worth a look
_GRACE_S = 3.0  # for an interrupted guest to come to an end, on a busy machine too
_END_TIMEOUT_S = 5.0  # for the kernel to take a killed tree down
_READ_BYTES = 64 * 1024

Progress = Iterator[OutputChunk | InputRequested]


class Run:
    """A run in progress."""

    def __init__(
        self,
        slot: Slot,
        guest: Guest,
        limits: ExecutionLimits,
        wake: socket.socket,
        lines: deque[str | None],
    ) -> None:
        self.facts = Facts(limits)
        self.captures: dict[StreamName, Capture] = {
            "stdout": Capture(limits.output_bytes),
            "stderr": Capture(limits.output_bytes),
        }
        self.isolation = slot.isolation
        self._slot = slot
        self._guest = guest
        self._wake = wake
        self._lines = lines
        self._frames = Frames()
        self._outgoing = b""
        self._unanswered: set[str] = set()  # what the slot has still to say
        self._started = time.monotonic()
        self._deadline = self._started + limits.wall_s
        self._asked_at: float | None = None  # when the guest asked for input
        self._grace_ends = math.inf
        self._gives_up_at = math.inf  # when a killed guest should long be gone
        self._streams: dict[int, StreamName] = {guest.stdout: "stdout", guest.stderr: "stderr"}
        self._poll = select.poll()
        sockets = (guest.link.fileno(), slot.control.fileno(), wake.fileno())
        for descriptor in (*self._streams, *sockets):
            self._poll.register(descriptor, select.POLLIN)

    def cell(self, message: wire.Message, *, interactive: bool) -> Progress:
        """Have a kernel run a cell; return when it has answered, or has ended."""
        self._write(wire.frame(message))
        watching = False
        while not self._done():
            if not watching and self._elapsed() >= _WATCH_AFTER_S:
                watching = True
                watch = watch_fields(self.facts.limits, interactive=interactive)
                self._slot.send({"op": "watch", **watch})
            yield from self._step(math.inf if watching else _WATCH_AFTER_S)
        self.facts.wall_s = self._elapsed()
        if watching and not self.facts.ended:
            self._slot.send({"op": "settle"})
            self._unanswered.add("settled")
        yield from self._finish()

    def script(self) -> Progress:
        """Return when the one-shot guest has ended."""
        while not self.facts.ended:
            yield from self._step()
        self.facts.wall_s = self._elapsed()
        yield from self._finish()

    def kill(self, why: Status) -> None:
        """Have the guest and all its kin killed; `facts.ended` tells when they are gone."""
        if self.facts.stopped_for is None and not self.facts.ended:
            self.facts.stopped_for = why
            self._gives_up_at = time.monotonic() + _END_TIMEOUT_S
            self._slot.send({"op": "kill"})

    def abandon(self) -> None:
        """Kill the run, whose output nobody wants any more, and wait for its end.

        Raises:
            SandboxError: the slot has gone.
        """
        self.kill(Status.INTERRUPTED)
        if not self.facts.ended:
            self.facts.ended = self._slot.await_message("ended")

    def _done(self) -> bool:
        if self.facts.stopped_for is not None:
            return self.facts.ended is not None
        return self.facts.ended is not None or self.facts.answer is not None

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _finish(self) -> Progress:
        """Wait for what the slot has still to say, then take in the rest of the output."""
        self._deadline = self._grace_ends = math.inf
        while self._unanswered:
            yield from self._step()
        for descriptor, name in self._streams.items():
            waiting = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
            (size,) = struct.unpack("i", waiting)
            if size:
                yield from self._take(name, os.read(descriptor, size))
            rest = self.captures[name].finish()
            if rest:
                yield OutputChunk(name, rest)

    def _step(self, at_most_s: float = math.inf) -> Progress:
        """Wait for the next thing to happen, and deal with it."""
        now = time.monotonic()
        deadline = math.inf if self._asked_at is not None else self._deadline
        if now >= self._gives_up_at:
            msg = "a killed run did not end"
            raise SandboxError(msg)
        if now >= self._grace_ends:
            self.kill(Status.INTERRUPTED)
        elif now >= deadline:
            self.kill(Status.WALL_LIMIT)
        if self.facts.stopped_for is None:
            until = min(deadline, self._grace_ends, now + at_most_s)
        else:
            until = self._gives_up_at
        patience = None if until == math.inf else math.ceil(1000 * max(0.0, until - now))
        for descriptor, event in self._poll.poll(patience):
            yield from self._react(descriptor, event)

    def _react(self, descriptor: int, event: int) -> Progress:
        if descriptor in self._streams:
            yield from self._read_stream(descriptor)
        elif descriptor == self._guest.link.fileno():
            if event & select.POLLOUT:
                self._write(b"")
            if event & ~select.POLLOUT:
                yield from self._read_guest()
        elif descriptor == self._slot.control.fileno():
            self._read_slot()
        else:
            self._read_wake()

    def _read_stream(self, descriptor: int) -> Progress:
        try:
            data = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._poll.unregister(descriptor)
        yield from self._take(self._streams[descriptor], data)

    def _take(self, name: StreamName, data: bytes) -> Progress:
        if self.facts.stopped_for is Status.OUTPUT_LIMIT:
            return  # it goes on writing until it is dead
        text = self.captures[name].feed(data)
        total = sum(capture.total_bytes for capture in self.captures.values())
        if total > self.facts.limits.output_stop_bytes:
            self.kill(Status.OUTPUT_LIMIT)
        if text:
            yield OutputChunk(name, text)

    def _read_guest(self) -> Progress:
        try:
            data = self._guest.link.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:  # it ended, or closed what is not its to close; the slot will tell
            self._poll.unregister(self._guest.link)
            return
        try:
            for message in self._frames.feed(data):
                said = parse(message, self._guest.sequence)
                if isinstance(said, Question):
                    yield self._ask(said)
                elif said is not None:
                    self.facts.answer = said
        except MalformedError:
            self.facts.malformed = True
            self.kill(Status.ERROR)

    def _ask(self, question: Question) -> InputRequested:
        if self._asked_at is not None:
            raise MalformedError
        self._asked_at = time.monotonic()
        return InputRequested(question.prompt)

    def _read_slot(self) -> None:
        message = self._slot.receive()
        self._unanswered.discard(message["op"])
        match message["op"]:
            case "ended":
                self.facts.ended = message
            case "settled":
                self.facts.measured = message
            case _:
                pass

    def _read_wake(self) -> None:
        wanted = self._wake.recv(64)
        if INTERRUPT in wanted and not self.facts.interrupted:
            self.facts.interrupted = True
            self._grace_ends = time.monotonic() + _GRACE_S
            self._unanswered.add("interrupted")
            self._slot.send({"op": "interrupt"})
        if self._asked_at is not None and self._lines:
            self._deadline += time.monotonic() - self._asked_at
            self._asked_at = None
            self._write(wire.frame({"line": self._lines.popleft()}))

    def _write(self, data: bytes) -> None:
        """Write to the guest as much as it takes now, and the rest when it takes more."""
        self._outgoing += data
        with contextlib.suppress(OSError):  # busy, or ended: then the slot will tell
            sent = self._guest.link.send(self._outgoing)
            self._outgoing = self._outgoing[sent:]
        wanted = select.POLLIN | select.POLLOUT if self._outgoing else select.POLLIN
        self._poll.register(self._guest.link, wanted)
