"""Ends all that a guest has started, with a process namespace around it or without one."""

import contextlib
import os
import signal
import time
from resource import struct_rusage
from select import POLLIN, poll

from codeloop.sandbox.jail import sample

_AGAIN_S = 0.001


def end_all(proc: sample.Proc | None, spared: frozenset[str] = frozenset()) -> None:
    """Send SIGKILL to every guest; where no namespace holds them, to all our descendants.

    Without a namespace they are stopped first, until none is found that runs: who is stopped
    cannot fork. None for `proc` stands for a process that can signal nobody but its own guests.
    `spared` are children to leave alone, with their own.
    """
    if proc is None or proc.alone:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # there is nobody
            os.kill(-1, signal.SIGKILL)
        return
    found: set[str] = set()
    while new := set(sample.guests(proc, spared)) - found:
        for pid in new:
            _signal(proc, pid, signal.SIGSTOP)
        found |= new
    for pid in found:
        _signal(proc, pid, signal.SIGKILL)


def bury(proc: sample.Proc | None) -> tuple[int, int, struct_rusage] | None:
    """Return a child that has ended, as `wait4` does, or None once there is no child left.

    Needs `end_all` before. Without a namespace it is done again for what was missed.
    """
    patient = proc is None or proc.alone
    while True:
        try:
            pid, code, usage = os.wait4(-1, 0 if patient else os.WNOHANG)
        except ChildProcessError:
            return None
        if pid:
            return pid, code, usage
        end_all(proc)
        time.sleep(_AGAIN_S)


def _signal(proc: sample.Proc, pid: str, number: int) -> None:
    """Send a signal to a guest, and to no process that got its number since it was found."""
    with contextlib.suppress(OSError):  # it has gone
        process = os.pidfd_open(int(pid))
        try:
            ended = poll()
            ended.register(process, POLLIN)
            if sample.is_guest(proc, pid) and not ended.poll(0):
                signal.pidfd_send_signal(process, number)
        finally:
            os.close(process)
