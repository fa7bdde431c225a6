"""Decides how a run ended: from what was measured where it can, else from the guest's own word."""

import signal
from dataclasses import dataclass, field

from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    GuestError,
    Isolation,
    Output,
    Status,
)
from codeloop.sandbox.answer import Answer
from codeloop.sandbox.jail import wire

_NEAR = 0.9  # a process that dies this close to its memory limit died of it

_BY_REASON = {
    "cpu": Status.CPU_LIMIT,
    "memory": Status.MEMORY_LIMIT,
    "wall": Status.WALL_LIMIT,
    "disk": Status.DISK_LIMIT,
    "processes": Status.PROCESS_LIMIT,
}
_BY_KIND = {
    "memory": Status.MEMORY_LIMIT,
    "disk": Status.DISK_LIMIT,
    "process": Status.PROCESS_LIMIT,
    "compile": Status.COMPILE_ERROR,
}


@dataclass(slots=True)
class Facts:
    """All that is known of a run that has ended."""

    limits: ExecutionLimits
    wall_s: float = 0.0
    answer: Answer | None = None  # the guest's own account
    ended: wire.Message | None = None  # the slot's report of the guest's end
    measured: wire.Message = field(default_factory=dict)  # by the slot, of a guest that lives on
    stopped_for: Status | None = None  # why the host killed it
    interrupted: bool = False  # the host sent it an interrupt
    malformed: bool = False  # the guest broke the protocol

    @property
    def cpu_s(self) -> float:
        said = self.answer.cpu_s if self.answer else 0.0
        return max(float(self._measure("cpu_s")), min(said, self.limits.cpu_s))

    @property
    def memory_bytes(self) -> int:
        said = self.answer.memory_bytes if self.answer else 0
        return max(int(self._measure("memory_bytes")), min(said, self.limits.memory_bytes))

    def _measure(self, name: str) -> float:
        value: float = (self.ended or self.measured).get(name, 0)
        return value


def taken_with_guest(limits: ExecutionLimits) -> wire.Message:
    """Return the report of a slot that could make none, since the kernel took it, too."""
    return {
        "code": None,
        "signal": int(signal.SIGKILL),
        "reason": "memory",
        "cpu_s": 0.0,
        "memory_bytes": limits.memory_bytes,
        "tasks": 0,
        "disk_full": False,
    }


def decide(
    facts: Facts, *, stdout: Output, stderr: Output, isolation: Isolation
) -> ExecutionResult:
    """Return the result of a run."""
    answer = facts.answer or Answer()
    ended = facts.ended
    return ExecutionResult(
        status=_status(facts),
        stdout=stdout,
        stderr=stderr,
        exit_code=ended["code"] if ended else answer.exit_code,
        signal=ended["signal"] if ended else None,
        error=_error(facts),
        displays=answer.displays,
        cpu_s=facts.cpu_s,
        wall_s=facts.wall_s,
        peak_memory_bytes=facts.memory_bytes,
        isolation=isolation,
    )


def _error(facts: Facts) -> GuestError | None:
    if facts.malformed:
        return GuestError("ProtocolError", "the program wrote to the sandbox's own channel")
    return facts.answer.error if facts.answer else None


def _status(facts: Facts) -> Status:
    if facts.stopped_for is not None:
        return facts.stopped_for
    if facts.malformed:
        return Status.ERROR
    ended = facts.ended
    if ended and ended["reason"] in _BY_REASON:
        return _BY_REASON[ended["reason"]]
    if not _failed(facts):
        return Status.OK
    return _status_of_failure(facts)


def _failed(facts: Facts) -> bool:
    if facts.ended:
        return bool(facts.ended["code"] != 0)
    answer = facts.answer
    return answer is None or answer.error is not None or bool(answer.exit_code)


def _status_of_failure(facts: Facts) -> Status:
    """Name the limit that made a run fail, or else how it failed."""
    killed_by = facts.ended["signal"] if facts.ended else None
    if facts.answer is not None and facts.answer.error is not None:
        kind = facts.answer.kind
        if kind == "interrupt" and facts.interrupted:
            return Status.INTERRUPTED
        return _BY_KIND.get(kind, Status.ERROR)
    if killed_by == signal.SIGINT and facts.interrupted:
        return Status.INTERRUPTED
    if facts.ended:
        limit = _limit_met(facts, facts.ended)
        if limit is not None:
            return limit
    return Status.SIGNAL if killed_by is not None else Status.ERROR


def _limit_met(facts: Facts, ended: wire.Message) -> Status | None:
    """Return the limit that the slot saw a run meet that died without a word."""
    if ended["signal"] == signal.SIGXCPU:
        return Status.CPU_LIMIT
    if facts.memory_bytes > _NEAR * facts.limits.memory_bytes:
        return Status.MEMORY_LIMIT
    if ended["tasks"] >= facts.limits.processes:
        return Status.PROCESS_LIMIT
    if ended["disk_full"] and ended["signal"] is None:
        return Status.DISK_LIMIT
    return None
