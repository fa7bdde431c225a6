"""What a session holds of the system, to be given back though the session was forgotten."""

import os
import socket

from codeloop.sandbox.link import Guest, Slot


class Held:
    """A slot, its guest, the files that were put there, and the socket that wakes a run up."""

    def __init__(self) -> None:
        self.wake, self.waker = socket.socketpair()
        self.wake.setblocking(False)
        self.waker.setblocking(False)
        self.files: dict[str, int] = {}  # put files: path -> open file of the host
        self.slot: Slot | None = None
        self.guest: Guest | None = None

    def drop(self) -> None:
        """End everything that runs in the session, and wait until it is gone."""
        guest, self.guest = self.guest, None
        if guest is not None:
            guest.close()
        slot, self.slot = self.slot, None
        if slot is not None:
            slot.close()

    def close(self) -> None:
        self.drop()
        for descriptor in self.files.values():
            os.close(descriptor)
        self.files.clear()
        self.wake.close()
        self.waker.close()
