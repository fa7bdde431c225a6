"""The zygote's loop where slots have no namespaces: ends what one of them leaves behind."""

import contextlib
import os
import signal
import time
from _socket import socket
from collections.abc import Callable
from select import POLLIN, poll
from typing import Never

from codeloop.sandbox.jail import sample, slot, wire
from codeloop.sandbox.jail.walls import Walls, folders, kin

_LEAVE_S = 2.0  # for slots to end by themselves


def serve_slots(link: socket, host: int, walls: Walls, base: str) -> Callable[[], object]:
    """Fork a slot for each request; return only in a guest's process, with its program."""
    proc = sample.outside()
    slots: dict[int, int] = {}  # pidfd -> pid
    while True:
        events = poll()
        for descriptor in (link.fileno(), host, *slots):
            events.register(descriptor, POLLIN)
        ready = {descriptor for descriptor, _ in events.poll()}
        for process in ready & set(slots):
            _mop_up(process, slots, proc, base)
        if host in ready:
            _leave(slots, proc, base)
        if link.fileno() in ready:
            try:
                request, descriptors = wire.receive(link)
            except (EOFError, OSError):
                _leave(slots, proc, base)
            control = descriptors[0]
            pid = os.fork()
            if pid == 0:
                return slot.start_beside(control, base, request, walls)
            os.close(control)
            process = os.pidfd_open(pid)
            slots[process] = pid
            wire.send(link, {"id": request["id"]}, [process])


def _mop_up(process: int, slots: dict[int, int], proc: sample.Proc, base: str) -> None:
    """End what a slot that was killed left behind: its guests are our children now."""
    pid = slots.pop(process)
    os.close(process)
    kin.end_all(proc, frozenset(map(str, slots.values())))
    folders.remove(f"{base}/{pid}")


def _leave(slots: dict[int, int], proc: sample.Proc, base: str) -> Never:
    """End all slots, what they leave behind, and ourselves."""
    for process in slots:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGTERM)
    ends = time.monotonic() + _LEAVE_S
    for process in slots:
        events = poll()
        events.register(process, POLLIN)
        events.poll(1000 * max(0.0, ends - time.monotonic()))
    while sample.guests(proc):
        kin.end_all(proc)
    with contextlib.suppress(OSError):  # the host removes what is left
        folders.remove(base)
    os._exit(0)
