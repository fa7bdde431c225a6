"""Pid 1 of a session's namespaces: starts the guest, watches it, ends it and all its kin."""

import gc
import os
import signal
import time
from _socket import sethostname, socket
from collections.abc import Callable
from resource import RUSAGE_CHILDREN, getrusage
from select import POLLIN, poll
from typing import Never

from codeloop.sandbox.jail import files, guest, root, sample, syscalls, wire
from codeloop.sandbox.jail.walls import Walls, folders, kin

GUEST_ID = 1000
_CONTROL = 3
_SAMPLE_S = 0.02
_IDLE_SAMPLE_S = 1.0
_WALL_SLACK_S = 1.0  # the host keeps the time; this is for a host that does not look
_BUSY_FACTOR = 20
_KIB = 1024
_ANY_NUMBER = 1 << 30

Program = Callable[[], object]


def start(
    control: int, ids: tuple[int, int] | None, request: wire.Message, walls: Walls
) -> Program:
    """Set up the namespaces that this process was born into, and serve its session.

    `ids` are who we are outside; None if another program has made the namespaces ready.
    """
    link = _arrange(control)
    try:
        if ids is not None:
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)  # or the next files belong to root
            map_ids(*ids)
            sethostname("codeloop")
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        syscalls.drop_bounding_set()
        proc = root.mount_proc()
        disk = root.Mounts(int(request["disk"]), int(request["files"]))
    except OSError as error:
        _say_broken(link, error)
    wire.send(link, {"op": "up"})
    return _Slot(link, disk, walls, proc).serve()


def start_beside(control: int, base: str, request: wire.Message, walls: Walls) -> Program:
    """Serve a session without namespaces: its guests are our descendants, its disk is in `base`."""
    link = _arrange(control)
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGTERM)
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        proc = sample.outside()
        disk = folders.Folders(base, int(request["disk"]), int(request["files"]))
    except OSError as error:
        _say_broken(link, error)
    slot = _Slot(link, disk, walls, proc)
    signal.signal(signal.SIGTERM, lambda *_: slot.leave())
    wire.send(link, {"op": "up"})
    return slot.serve()


def _arrange(control: int) -> socket:
    """Put the link to the host in its place, and close all other descriptors."""
    gc.disable()
    os.dup2(control, _CONTROL, inheritable=False)
    syscalls.close_from(_CONTROL + 1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # A guest is born with it, so that no interrupt is lost, or ends it, before it listens.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    return socket(fileno=_CONTROL)


def _say_broken(link: socket, error: OSError) -> Never:
    wire.send(link, {"op": "broken", "error": str(error), "errno": error.errno})
    os._exit(1)


def map_ids(uid: int, gid: int) -> None:
    """Map one user and one group into the user namespace that this process is in."""
    for name, text in (
        ("setgroups", "deny"),
        ("gid_map", f"{GUEST_ID} {gid} 1"),
        ("uid_map", f"{GUEST_ID} {uid} 1"),
    ):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


class _Slot:
    """One session's pid 1: a server of the host's requests, and the guest's parent."""

    def __init__(
        self, link: socket, disk: root.Mounts | folders.Folders, walls: Walls, proc: sample.Proc
    ) -> None:
        self.link = link
        self.disk = disk
        self.walls = walls
        self.proc = proc
        self.guest = 0  # its pid, 0 if there is none
        self.process = -1  # its pidfd
        self.watch: _Watch | None = None
        self.reason: str | None = None  # why we killed it
        self.peak = sample.Sample(0.0, 0, 0)
        self.events = -1  # of the control group, if there is one
        self.killed_before = 0  # by the kernel, for memory, before the run in progress
        self._serves: dict[str, Callable[[wire.Message, list[int]], None]] = {
            "group": self._enter,
            "watch": self._watch,
            "settle": self._settle,
            "interrupt": self._interrupt,
            "kill": self._end,
            "usage": self._usage,
            "put": self._put,
            "take": self._take,
            "list": self._list,
            "clean": self._clean,
            "lend": self._lend,
            "adopt": self._adopt,
        }

    def serve(self) -> Program:
        """Serve until the host goes; return only in a guest's process, with its program."""
        while True:
            events = poll()
            events.register(self.link, POLLIN)
            if self.guest:
                events.register(self.process, POLLIN)
            ready = {descriptor for descriptor, _ in events.poll(self._patience_ms())}
            if self.process in ready:
                self._bury()
            elif self.guest:
                self._check()
            if _CONTROL in ready:
                program = self._answer()
                if program is not None:
                    return program

    def leave(self) -> Never:
        """End all that is left, and ourselves; where there is a namespace, the kernel does it."""
        if not self.proc.alone:
            kin.end_all(self.proc)
            while kin.bury(self.proc):
                pass
            self.disk.remove()
        os._exit(0)

    def _patience_ms(self) -> int | None:
        if not self.guest:
            return None
        return int(1000 * (self.watch.every_s if self.watch else _IDLE_SAMPLE_S))

    def _answer(self) -> Program | None:
        try:
            request, descriptors = wire.receive(self.link)
        except (EOFError, OSError):
            self.leave()
        if request["op"] == "start":
            return self._start(request, descriptors)
        self._serves[request["op"]](request, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        return None

    def _enter(self, _: wire.Message, descriptors: list[int]) -> None:
        self.events = os.dup(descriptors[0])

    def _was_short_of_memory(self) -> bool:
        """Return whether the kernel has killed for memory since the guest was started."""
        return self.events >= 0 and sample.killed_for_memory(self.events) > self.killed_before

    def _watch(self, request: wire.Message, _: list[int]) -> None:
        self.watch = _Watch(request, self._cpu_s())
        self.peak = sample.Sample(0.0, 0, 0)

    def _settle(self, _: wire.Message, __: list[int]) -> None:
        self._check()
        wire.send(self.link, {"op": "settled", **self._measured()})
        self.watch = None

    def _interrupt(self, _: wire.Message, __: list[int]) -> None:
        if self.guest:
            os.kill(self.guest, signal.SIGINT)
        wire.send(self.link, {"op": "interrupted"})

    def _end(self, _: wire.Message, __: list[int]) -> None:
        if self.guest:
            self._kill("host")

    def _put(self, request: wire.Message, descriptors: list[int]) -> None:
        error = files.put(str(request["name"]), descriptors[0])
        wire.send(self.link, {"op": "put", "error": error})

    def _take(self, request: wire.Message, _: list[int]) -> None:
        descriptor, error = files.take(str(request["name"]))
        answer = {"op": "taken", "error": error}
        if descriptor is None:
            wire.send(self.link, answer)
            return
        wire.send(self.link, answer, [descriptor])
        os.close(descriptor)

    def _list(self, _: wire.Message, __: list[int]) -> None:
        """Answer with a file in memory: there may be more than fits into a packet."""
        listed = os.memfd_create("list", os.MFD_CLOEXEC)
        with open(listed, "wb") as file:  # noqa: PTH123  pathlib is slow to import
            file.write(wire.encode(files.listing()))
            file.flush()
            wire.send(self.link, {"op": "listed"}, [listed])

    def _usage(self, _: wire.Message, __: list[int]) -> None:
        memory = sample.proportional_bytes(self.proc) if self.guest else 0
        usage = {"memory_bytes": memory, "disk_bytes": self.disk.used_bytes()}
        wire.send(self.link, {"op": "usage", **usage})

    def _clean(self, _: wire.Message, __: list[int]) -> None:
        self.disk.clear()

    def _lend(self, _: wire.Message, __: list[int]) -> None:
        mounts = self.disk.lend()
        wire.send(self.link, {"op": "lent"}, mounts)
        for mount in mounts:
            os.close(mount)

    def _adopt(self, _: wire.Message, mounts: list[int]) -> None:
        self.disk.adopt(mounts)

    def _start(self, request: wire.Message, descriptors: list[int]) -> Program | None:
        self.reason = None
        self.killed_before = sample.killed_for_memory(self.events)
        self.peak = sample.Sample(0.0, 0, 0)
        watch = _Watch(request, self._cpu_s()) if request["mode"] in guest.ONE_SHOT else None
        pid = os.fork()
        if pid == 0:
            if not self.proc.alone:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            self.link.detach()
            return guest.prepare(request, descriptors, self.walls)
        self.guest = pid
        self.process = os.pidfd_open(pid)
        self.watch = watch
        for descriptor in descriptors:
            os.close(descriptor)
        return None

    def _check(self) -> None:
        """Measure the guest and its kin, and kill them if they are past a limit."""
        if not self.guest:
            return
        now = sample.take(self.proc)
        memory = now.memory_bytes
        limit = self.watch.memory_bytes if self.watch else 0
        if limit and memory > limit and now.tasks > 1:
            memory = min(memory, sample.proportional_bytes(self.proc) or memory)
        self.peak = sample.Sample(0.0, max(self.peak[1], memory), max(self.peak[2], now.tasks))
        if self.watch is None or self.reason is not None:
            return
        used_s = self._cpu_s(now) - self.watch.cpu_before_s
        if memory > limit or self._was_short_of_memory():
            self._kill("memory")
        elif self.disk.is_over():
            self._kill("disk")
        elif now.tasks > self.watch.processes:
            self._kill("processes")
        elif used_s > self.watch.cpu_s:
            self._kill("cpu")
        elif self.watch.is_late(used_s, running=now.running):
            self._kill("wall")

    def _cpu_s(self, now: sample.Sample | None = None) -> float:
        """Return the processor time of all guests so far, dead and alive."""
        dead = getrusage(RUSAGE_CHILDREN)
        if now is None and self.guest:
            now = sample.take(self.proc)
        return dead.ru_utime + dead.ru_stime + (now.cpu_s if now else 0.0)

    def _kill(self, reason: str) -> None:
        self.reason = self.reason or reason
        kin.end_all(self.proc)

    def _bury(self) -> None:
        """End all that the guest left behind, wait until it is gone, and report."""
        kin.end_all(self.proc)
        status = 0
        memory = self.peak.memory_bytes
        while ended := kin.bury(self.proc):
            pid, code, usage = ended
            memory = max(memory, usage.ru_maxrss * _KIB)
            if pid == self.guest:
                status = code
        self.peak = self.peak._replace(memory_bytes=memory)
        if self._was_short_of_memory():
            self.reason = self.reason or "memory"
        self.guest = 0
        os.close(self.process)
        self.process = -1
        code = os.waitstatus_to_exitcode(status)
        wire.send(
            self.link,
            {
                "op": "ended",
                "code": code if code >= 0 else None,
                "signal": -code if code < 0 else None,
                "reason": self.reason,
                **self._measured(),
            },
        )
        self.watch = None

    def _measured(self) -> wire.Message:
        before = self.watch.cpu_before_s if self.watch else self._cpu_s()
        return {
            "cpu_s": self._cpu_s() - before,
            "memory_bytes": self.peak.memory_bytes,
            "tasks": self.peak.tasks,
            "disk_full": self.disk.is_full(),
        }


class _Watch:
    """The limits of the run in progress, and where its measures began."""

    def __init__(self, request: wire.Message, cpu_before_s: float) -> None:
        self.cpu_s = float(request["cpu_s"])
        self.memory_bytes = int(request["memory_bytes"])
        self.processes = int(request.get("processes", _ANY_NUMBER))
        self.every_s = float(request.get("every_s", _SAMPLE_S))  # it is looked at
        self.cpu_before_s = cpu_before_s
        self._counts_idle_only = bool(request.get("idle_only"))  # and the host leaves it to us
        slack_s = 0.0 if self._counts_idle_only else _WALL_SLACK_S
        self.deadline = time.monotonic() + float(request["wall_s"]) + slack_s
        busy_s = _BUSY_FACTOR * max(float(request["wall_s"]), self.cpu_s)
        self._last_deadline = self.deadline + busy_s
        self._seen = time.monotonic(), 0.0  # when it was last looked at, with what used by then

    def is_late(self, used_s: float, *, running: bool) -> bool:
        """Return whether the time is up; waiting for a processor may not count."""
        now = time.monotonic()
        then, used_then_s = self._seen
        self._seen = now, used_s
        if self._counts_idle_only and (running or used_s > used_then_s):
            self.deadline = min(self.deadline + now - then, self._last_deadline)
        return now > self.deadline
