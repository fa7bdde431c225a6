"""What the tests of the jail share: small limits, and ways to run a program and to look at it."""

import os
from collections.abc import Iterable
from pathlib import Path

from codeloop.core.execution import (
    MIB,
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    OutputChunk,
)
from codeloop.sandbox import Sandbox, SandboxSession
from codeloop.sandbox.launch import Zygote

LIMITS = ExecutionLimits(
    cpu_s=4.0,
    wall_s=20.0,
    memory_bytes=256 * MIB,
    processes=16,
    disk_bytes=16 * MIB,
    files=256,
    output_stop_bytes=16 * MIB,
)
HELD = "print('held')\n"  # the last line of a program that must get there


def last(events: Iterable[OutputChunk | InputRequested | ExecutionResult]) -> ExecutionResult:
    """Return the result at the end of a run's events."""
    *_, result = events
    assert isinstance(result, ExecutionResult)
    return result


def run(session: SandboxSession, code: str, limits: ExecutionLimits = LIMITS) -> ExecutionResult:
    return last(session.run(code, limits=limits))


def run_once(
    sandbox: Sandbox, code: str, limits: ExecutionLimits = LIMITS, stdin: bytes = b""
) -> ExecutionResult:
    """Run a program in a session of its own."""
    session = sandbox.open_session(stateful=False, limits=limits)
    try:
        return last(session.run(code, stdin=stdin))
    finally:
        session.close()


def zygote_of(sandbox: Sandbox) -> Zygote:
    """Return the process that a sandbox's slots are forked from."""
    assert isinstance(sandbox._zygote, Zygote)
    return sandbox._zygote


def family(pid: int) -> dict[int, str]:
    """Return the living descendants of a process of ours, with the times of their start."""
    parents: dict[int, int] = {}
    starts: dict[int, str] = {}
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        try:
            fields = (path / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(path.name)] = int(fields[1])
            starts[int(path.name)] = fields[19]
    found = {pid}
    while more := {each for each, parent in parents.items() if parent in found} - found:
        found |= more
    return {each: starts[each] for each in found - {pid} if each in starts}


def alive(processes: dict[int, str]) -> set[int]:
    """Return which of some processes still run: same pid, same time of start."""
    living = set()
    for pid, start in processes.items():
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        if fields[0] != "Z" and fields[19] == start:
            living.add(pid)
    return living


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  only their number matters
