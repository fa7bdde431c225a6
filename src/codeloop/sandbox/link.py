"""The host's ends of a slot and of a guest: sockets, pipes and process descriptors."""

import contextlib
import fcntl
import os
import select
import signal
import socket
from dataclasses import dataclass, field

from codeloop.core.errors import IsolationError, SandboxError
from codeloop.core.execution import ExecutionLimits, Isolation
from codeloop.sandbox.isolation import machine
from codeloop.sandbox.isolation.cgroups import Group
from codeloop.sandbox.jail import sample, wire

_END_TIMEOUT_S = 5.0
_DAY_S = 86_400.0
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Slot:
    """A session's pid 1, seen from the host."""

    def __init__(
        self,
        control: socket.socket,
        process: int,
        isolation: Isolation = Isolation.NAMESPACES,
        group: Group | None = None,
    ) -> None:
        self.control = control
        self.group = group
        self.isolation = isolation
        self.process = process  # a pidfd
        self._owner = os.getpid()
        self._passed_over: set[str] = set()  # kinds of message that came amid a wait for another
        self.events = -1  # of the group: how often the kernel killed in it for memory
        self._killed_before = 0  # so often, before the last guest was started

    @property
    def alive(self) -> bool:
        return self.process >= 0 and not _is_readable(self.process, 0)

    def start(self, message: wire.Message, descriptors: tuple[int, ...]) -> None:
        """Have a guest started, and the kernel hold it to the limits in the message.

        Raises:
            SandboxError: the slot has gone.
        """
        if self.group is not None:
            self.group.limit(message["memory_bytes"], message["disk_bytes"], message["processes"])
            self._killed_before = sample.killed_for_memory(self.events)
        self.send({"op": "start", **message}, descriptors)

    def send(self, message: wire.Message, descriptors: tuple[int, ...] = ()) -> None:
        """Send a request.

        Raises:
            SandboxError: the slot has gone.
        """
        try:
            wire.send(self.control, message, descriptors)
        except OSError as error:
            raise _gone() from error

    def receive(self) -> wire.Message:
        """Return the slot's next message, waiting for it.

        Raises:
            SandboxError: the slot has gone, or broke as it was set up.
        """
        return self._receive()[0]

    def await_message(self, op: str, *, timeout_s: float = _END_TIMEOUT_S) -> wire.Message:
        """Return the next message of one kind, passing over others.

        Raises:
            SandboxError: the slot has gone, or does not answer.
        """
        return self._await(op, timeout_s)[0]

    def ask(
        self,
        message: wire.Message,
        op: str,
        descriptors: tuple[int, ...] = (),
        *,
        timeout_s: float = _END_TIMEOUT_S,
    ) -> tuple[wire.Message, list[int]]:
        """Send a request; return the answer of that kind, with the descriptors that came with it.

        Raises:
            SandboxError: the slot has gone, or does not answer.
        """
        self.send(message, descriptors)
        return self._await(op, timeout_s)

    def has_reported(self, op: str) -> bool:
        """Read what the slot has said by itself; return whether a message of one kind was there."""
        seen = op in self._passed_over
        self._passed_over.clear()
        while _is_readable(self.control.fileno(), 0):
            seen = self.receive()["op"] == op or seen
        return seen

    def died_with_guest(self) -> bool:
        """Return whether it has ended because the kernel killed for memory in its group.

        It stands in its guest's group: what the guest made the kernel hold can outlast the guest
        for a moment, and then the slot is all that is left there to kill.
        """
        if self.process < 0 or not _is_readable(self.process, _END_TIMEOUT_S):
            return False
        try:
            return sample.killed_for_memory(self.events) > self._killed_before
        except OSError:  # another thread closes it this moment
            return False

    def share_disk(self, other: "Slot") -> None:
        """Let another slot have this one's disk in place of its own.

        Raises:
            SandboxError: one of them has gone.
        """
        _, mounts = self.ask({"op": "lend"}, "lent")
        try:
            other.send({"op": "adopt"}, tuple(mounts))
        finally:
            for mount in mounts:
                os.close(mount)

    def kill(self) -> None:
        """Kill all that is in the slot, unless this is a fork of its owner, which has no say.

        Without a namespace its pid 1 has to do it, when it is told to.
        """
        alone = self.isolation is Isolation.NAMESPACES
        self._signal(signal.SIGKILL if alone else signal.SIGTERM)

    def close(self) -> None:
        """Kill all that is in the slot, and wait until it is gone."""
        if self.process < 0:
            return
        self.kill()
        if os.getpid() == self._owner and not _is_readable(self.process, _END_TIMEOUT_S):
            self._signal(signal.SIGKILL)
        os.close(self.process)
        self.process = -1
        self.control.close()
        if self.events >= 0:
            os.close(self.events)
            self.events = -1
        if self.group is not None and os.getpid() == self._owner:
            self.group.remove()

    def _signal(self, number: int) -> None:
        if self.process >= 0 and os.getpid() == self._owner:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.process, number)

    def _await(self, op: str, timeout_s: float) -> tuple[wire.Message, list[int]]:
        while _is_readable(self.control.fileno(), timeout_s):
            message, descriptors = self._receive()
            if message["op"] == op:
                return message, descriptors
            self._passed_over.add(message["op"])
        msg = f"the sandbox did not answer for {timeout_s:.0f} s"
        raise SandboxError(msg)

    def _receive(self) -> tuple[wire.Message, list[int]]:
        try:
            message, descriptors = wire.receive(self.control)
        except (EOFError, OSError) as error:
            raise _gone() from error
        if message["op"] == "broken":
            raise IsolationError(machine.explain("root", None, message["error"]))
        return message, descriptors


def _is_readable(descriptor: int, timeout_s: float) -> bool:
    events = select.poll()  # `select` takes low descriptors alone, and sessions may be many
    events.register(descriptor, select.POLLIN)
    return bool(events.poll(1000 * timeout_s))


def _gone() -> SandboxError:
    return SandboxError("the sandbox's own process has ended")


@dataclass(slots=True)
class Guest:
    """The host's ends of a guest's streams."""

    link: socket.socket
    stdout: int
    stderr: int
    sequence: int = field(default=0)

    def close(self) -> None:
        self.link.close()
        for descriptor in (self.stdout, self.stderr):
            os.close(descriptor)

    def discard_output(self) -> None:
        """Throw away what was written while no run was in progress."""
        for descriptor in (self.stdout, self.stderr):
            with contextlib.suppress(BlockingIOError):
                os.read(descriptor, 1 << 20)


def start_guest(
    slot: Slot,
    limits: ExecutionLimits,
    *,
    script: bytes | None,
    stdin: bytes = b"",
    interactive: bool = False,
    program: wire.Message | None = None,
) -> Guest:
    """Start a guest: for one script, or for cells if `script` is None.

    `program` says how to start one that is not Python; `script` is then its code.

    Raises:
        SandboxError: the slot has gone.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    out_read, out_write = os.pipe2(os.O_CLOEXEC)
    err_read, err_write = os.pipe2(os.O_CLOEXEC)
    code = memory_file(script or b"")
    source = memory_file(stdin) if stdin else os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    for descriptor in (out_write, err_write):
        os.fchmod(descriptor, 0o622)  # so that the guest can open /dev/stdout
    for descriptor in (out_read, err_read):
        os.set_blocking(descriptor, False)
    ours.setblocking(False)
    guest = Guest(ours, out_read, err_read)
    theirs_all = (code, source, out_write, err_write, theirs.fileno())
    message = {
        "mode": "cells" if script is None else "script",
        "interactive": interactive,
        "disk_bytes": limits.disk_bytes,
        "open_files": limits.open_files,
        **watch_fields(limits, interactive=interactive),
        **(program or {}),
    }
    try:
        slot.start(message, theirs_all)
    except SandboxError:
        guest.close()
        raise
    finally:
        theirs.close()
        for descriptor in theirs_all[:-1]:
            os.close(descriptor)
    return guest


def watch_fields(limits: ExecutionLimits, *, interactive: bool) -> wire.Message:
    """Return what a slot has to know to watch a run."""
    return {
        "cpu_s": limits.cpu_s,
        "wall_s": _DAY_S if interactive else limits.wall_s,  # people take their time
        "memory_bytes": limits.memory_bytes,
        "processes": limits.processes,
    }


def memory_file(data: bytes) -> int:
    """Return a descriptor of a file in memory that no one can write to or enlarge."""
    descriptor = os.memfd_create("data", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return descriptor
