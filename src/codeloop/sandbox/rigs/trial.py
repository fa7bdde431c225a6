"""One trial, from the host's side: a candidate and a tester, until the tester is done."""

import contextlib
import math
import select
import signal
import socket
import time

from codeloop.core.errors import SandboxError
from codeloop.core.execution import Status, TrialLimits, TrialResult
from codeloop.sandbox.jail import wire
from codeloop.sandbox.jail.resident import ANSWER, END, FAILED, NOTE, RUN
from codeloop.sandbox.link import watch_fields
from codeloop.sandbox.rigs.residents import Resident

LATE, BACK = b"late", b"back"  # a tester's notes: it waits for its candidate, or does no more

_WATCH_AFTER_S = 0.02  # a trial that is done sooner is not worth a look
_TESTER_SAMPLE_S = 0.1  # between looks at what the tester uses, which is no enemy
_LEAVE_S = 0.01  # for a candidate to notice that its tester has gone
_NURSERY_TIMEOUT_S = 2.0  # for a nursery to take its candidate down
_END_TIMEOUT_S = 10.0  # for the kernel to take both down
_REASONS = {
    "cpu": Status.CPU_LIMIT,
    "memory": Status.MEMORY_LIMIT,
    "wall": Status.WALL_LIMIT,
    "disk": Status.DISK_LIMIT,
    "processes": Status.PROCESS_LIMIT,
}
_LINK_BUFFER_BYTES = 1024 * 1024


class Trial:
    """A trial in progress."""

    def __init__(self, nursery: Resident, tester: Resident, limits: TrialLimits) -> None:
        self._nursery = nursery
        self._tester = tester
        self._limits = limits
        self._started = time.monotonic()
        self._report: bytes | None = None
        self._candidate: wire.Message | None = None  # the nursery's report of the candidate's end
        self._killed: wire.Message | None = None  # the slot's report of the nursery's end
        self._tester_ended: wire.Message | None = None
        self._failure: str | None = None  # the tester's own exception
        self._watching = False
        self._late = False
        self._used_cpu_s = 0.0  # measured before the watch in force
        self._settling = 0  # measures that were asked for and have not come
        self._acts_at = self._started + _WATCH_AFTER_S  # when it is time to do the next thing
        self._leaving = False  # the tester is done, so the candidate should be
        self._ending = False
        self._killing = False

    def run(self, solution: bytes, request: bytes) -> TrialResult:
        """Return when both are done with each other.

        Raises:
            SandboxError: the tester failed, or the sandbox broke.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with ours, theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LINK_BUFFER_BYTES)
            self._nursery.send(RUN, solution, (theirs.fileno(),))
            self._tester.send(RUN, request, (ours.fileno(),))
        self._wait()
        self._settle()
        if self._failure is not None:
            self._tester.forget_program()
            msg = f"a tester failed: {self._failure}"
            raise SandboxError(msg)
        return self._result()

    def _wait(self) -> None:
        events = select.poll()
        channels = {
            self._nursery.link.fileno(): self._read_nursery,
            self._tester.link.fileno(): self._read_tester,
            self._nursery.slot.control.fileno(): self._read_nursery_slot,
            self._tester.slot.control.fileno(): self._read_tester_slot,
        }
        for descriptor in channels:
            events.register(descriptor, select.POLLIN)
        while not self._done():
            left_s = max(0.0, self._acts_at - time.monotonic())
            ready = events.poll(None if left_s == math.inf else math.ceil(1000 * left_s))
            for descriptor, _ in ready:
                if channels[descriptor]():
                    events.unregister(descriptor)
            self._hasten()
            if time.monotonic() >= self._acts_at:
                self._act()

    def _done(self) -> bool:
        tester_done = self._report is not None or self._tester_ended is not None
        return tester_done and (self._candidate is not None or self._killed is not None)

    def _hasten(self) -> None:
        """Once the tester is done, the candidate has little time left."""
        tester_done = self._report is not None or self._tester_ended is not None
        if tester_done and not self._leaving:
            self._leaving = True
            self._acts_at = time.monotonic() + _LEAVE_S

    def _act(self) -> None:
        """Do what is due: look at a trial that takes its time, or end a candidate that stays."""
        if not self._leaving:
            self._acts_at = math.inf
            self._watch()
        elif not self._ending:
            self._ending = True
            self._acts_at = time.monotonic() + _NURSERY_TIMEOUT_S
            with contextlib.suppress(SandboxError):  # killed just now; its slot will tell
                self._nursery.send(END)
        elif not self._killing:
            self._killing = True  # the candidate has stopped its nursery, perhaps
            self._acts_at = time.monotonic() + _END_TIMEOUT_S
            self._nursery.slot.send({"op": "kill"})
        else:
            msg = "a trial did not come to an end"
            raise SandboxError(msg)

    def _watch(self) -> None:
        """Have both slots look at what their guests use."""
        self._watching = True
        watch = watch_fields(self._tester.limits, interactive=False)
        self._tester.slot.send({"op": "watch", "every_s": _TESTER_SAMPLE_S, **watch})
        self._watch_candidate()

    def _watch_candidate(self) -> None:
        cpu_s = self._limits.cpu_s - self._used_cpu_s
        wall_s = self._limits.wall_s - (time.monotonic() - self._started)
        if self._late:
            cpu_s = min(cpu_s, self._limits.step_cpu_s)
            wall_s = min(wall_s, self._limits.step_wall_s)
        memory = self._nursery.limits.memory_bytes
        watch = {
            "op": "watch",
            "cpu_s": cpu_s,
            "wall_s": wall_s,
            "memory_bytes": memory,
            "idle_only": True,
        }
        self._nursery.slot.send(watch)

    def _note(self, note: bytes) -> None:
        """Measure anew when the tester begins or ceases to wait."""
        if not self._watching or self._leaving:
            return
        self._late = note == LATE
        self._settling += 1
        self._nursery.slot.send({"op": "settle"})

    def _read_tester(self) -> bool:
        messages = self._tester.receive()
        for what, data in messages or ():
            if what == NOTE:
                self._note(data)
            elif what == ANSWER:
                self._report = data
            elif what == FAILED:
                self._failure = data.decode("utf-8", "replace").strip()
        return messages is None

    def _read_nursery(self) -> bool:
        messages = self._nursery.receive()
        for _, data in messages or ():
            self._candidate = wire.decode(data)
        return messages is None

    def _read_nursery_slot(self) -> bool:
        message = self._nursery.slot.receive()
        if message["op"] == "ended":
            self._killed = message
            self._used_cpu_s += float(message["cpu_s"])
        elif message["op"] == "settled":
            self._settling -= 1
            self._used_cpu_s += float(message["cpu_s"])
            self._watch_candidate()
        return False

    def _read_tester_slot(self) -> bool:
        message = self._tester.slot.receive()
        if message["op"] == "ended":
            self._tester_ended = message
        return False

    def _settle(self) -> None:
        """Leave both slots ready for the next trial."""
        if self._tester_ended is not None:
            self._tester.forget_program()
        elif self._watching:
            self._tester.slot.send({"op": "settle"})
            self._tester.slot.await_message("settled")
        if self._killed is not None:
            self._nursery.forget_program()
            self._nursery.clean()
        elif self._candidate is not None and self._candidate["dirty"]:
            self._nursery.clean()
        elif self._watching:
            self._settling += 1
            self._nursery.slot.send({"op": "settle"})
            while self._settling:
                self._nursery.slot.await_message("settled")
                self._settling -= 1

    def _result(self) -> TrialResult:
        died = self._candidate or {}
        killed = self._killed or {}
        ended = self._tester_ended or {}
        tester = _REASONS.get(ended.get("reason") or "", Status.SIGNAL) if ended else Status.OK
        # The host ends by SIGKILL: who ended in another way was quicker than its order.
        by_host = bool(died) and died["by_host"] and died["signal"] == signal.SIGKILL
        if killed:
            candidate = _REASONS.get(killed["reason"] or "", Status.SIGNAL)
        elif by_host or died["code"] == 0:
            candidate = Status.OK
        else:
            candidate = Status.ERROR if died["signal"] is None else Status.SIGNAL
        ended_by = died.get("signal") if died else killed["signal"]
        left = bool(died) and not by_host
        return TrialResult(
            self._report,
            candidate,
            tester,
            exit_code=died["code"] if left else None,
            signal=ended_by if left or killed else None,
            cpu_s=float(died.get("cpu_s", self._used_cpu_s)),
            wall_s=time.monotonic() - self._started,
            peak_memory_bytes=int((died or killed)["memory_bytes"]),
        )
