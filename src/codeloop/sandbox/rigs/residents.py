"""The host's ends of the programs that live in the jail: a tester, a nursery of candidates."""

import contextlib
import marshal
import os
import socket
import struct
from collections.abc import Callable
from typing import Literal

from codeloop.core.errors import SandboxError
from codeloop.core.execution import ExecutionLimits, GuestProgram
from codeloop.sandbox.jail.resident import HEADER
from codeloop.sandbox.link import Slot, memory_file

ResidentMode = Literal["nursery", "tester"]

_SEND_TIMEOUT_S = 60.0
_READ_BYTES = 1024 * 1024
_REPORT_BYTES = 64 * 1024 * 1024


def compiled(program: GuestProgram) -> bytes:
    """Return a program as the jail's side loads it, which runs on the same Python as we do."""
    modules = [
        (name, compile(source, f"<{name}>", "exec", dont_inherit=True, optimize=0))
        for name, source in program.modules
    ]
    return marshal.dumps(modules)


class Resident:
    """One such program in a slot of its own; started when it is first needed."""

    def __init__(
        self,
        mode: ResidentMode,
        program: bytes,
        open_slot: Callable[[ExecutionLimits], Slot],
        limits: ExecutionLimits,
    ) -> None:
        self.limits = limits
        self._mode = mode
        self._program = program
        self._open_slot = open_slot
        self._slot: Slot | None = None
        self._link: socket.socket | None = None
        self._incoming = bytearray()

    @property
    def slot(self) -> Slot:
        if self._slot is None:
            self._slot = self._open_slot(self.limits)
        return self._slot

    @property
    def link(self) -> socket.socket:
        if self._link is None:
            self._link = self._start()
            self._incoming.clear()
        return self._link

    def send(self, what: bytes, data: bytes = b"", descriptors: tuple[int, ...] = ()) -> None:
        """Send a request; if there are descriptors, copies go with it.

        Raises:
            SandboxError: the program does not take it.
        """
        link = self.link
        rights = struct.pack(f"{len(descriptors)}i", *descriptors)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if descriptors else []
        try:
            head = HEADER.pack(what, len(data))
            link.settimeout(_SEND_TIMEOUT_S)
            sent = link.sendmsg([head, data], ancillary)
            rest = memoryview(head + data)[sent:] if sent < len(head) + len(data) else b""
            if rest:
                link.sendall(rest)
        except OSError as error:
            msg = f"a {self._mode} does not take what it is sent: {error}"
            raise SandboxError(msg) from error

    def receive(self) -> list[tuple[bytes, bytes]] | None:
        """Return the messages that are complete, once there is something to read; None at the end.

        Raises:
            SandboxError: a message is too long.
        """
        try:
            data = self.link.recv(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            return None
        self._incoming += data
        messages = []
        while len(self._incoming) >= HEADER.size:
            what, size = HEADER.unpack_from(self._incoming)
            if size > _REPORT_BYTES:
                msg = f"a {self._mode} says more than it may"
                raise SandboxError(msg)
            end = HEADER.size + size
            if len(self._incoming) < end:
                break
            messages.append((what, bytes(self._incoming[HEADER.size : end])))
            del self._incoming[:end]
        return messages

    def forget_program(self) -> None:
        """Note that the program has ended; a new one starts when it is next needed."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def clean(self) -> None:
        """Empty the slot's disk, and wait until that is done.

        Raises:
            SandboxError: the slot has gone, or does not answer.
        """
        self.slot.send({"op": "clean"})
        self.slot.send({"op": "settle"})
        self.slot.await_message("settled")

    def close(self) -> None:
        self.forget_program()
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.close()

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        code = memory_file(self._program)
        message = {
            "mode": self._mode,
            "processes": self.limits.processes,
            "disk_bytes": self.limits.disk_bytes,
            "open_files": self.limits.open_files,
            "memory_bytes": self.limits.memory_bytes,
        }
        try:
            with theirs, contextlib.ExitStack() as stack:
                stack.callback(os.close, null)
                stack.callback(os.close, code)
                self.slot.start(message, (code, null, null, null, theirs.fileno()))
        except BaseException:
            ours.close()
            raise
        return ours
