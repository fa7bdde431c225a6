"""How a run ended, decided from what is known of it."""

import pytest

from codeloop.core.execution import MIB, ExecutionLimits, GuestError, Isolation, Output, Status
from codeloop.sandbox.answer import Answer
from codeloop.sandbox.jail.wire import Message
from codeloop.sandbox.status import Facts, decide

LIMITS = ExecutionLimits(memory_bytes=100 * MIB, processes=8)
DENIED = GuestError("E", "")


def ended(**fields: object) -> Message:
    usual: Message = {
        "code": None,
        "signal": None,
        "reason": None,
        "cpu_s": 0.0,
        "memory_bytes": MIB,
        "tasks": 1,
        "disk_full": False,
    }
    return usual | fields


CASES = [
    ("a script that ended well", Facts(LIMITS, ended=ended(code=0)), Status.OK),
    ("a script that failed", Facts(LIMITS, ended=ended(code=1)), Status.ERROR),
    ("a cell that ended well", Facts(LIMITS, answer=Answer()), Status.OK),
    ("a cell that raised", Facts(LIMITS, answer=Answer(DENIED, "exception")), Status.ERROR),
    ("a cell that exited well", Facts(LIMITS, answer=Answer(exit_code=0)), Status.OK),
    ("a cell that exited badly", Facts(LIMITS, answer=Answer(exit_code=1)), Status.ERROR),
    ("no Python", Facts(LIMITS, answer=Answer(DENIED, "compile")), Status.COMPILE_ERROR),
    ("no memory", Facts(LIMITS, answer=Answer(DENIED, "memory")), Status.MEMORY_LIMIT),
    ("no disk", Facts(LIMITS, answer=Answer(DENIED, "disk")), Status.DISK_LIMIT),
    ("no process", Facts(LIMITS, answer=Answer(DENIED, "process")), Status.PROCESS_LIMIT),
    ("an unknown kind", Facts(LIMITS, answer=Answer(DENIED, "bogus")), Status.ERROR),
    (
        "killed for memory",
        Facts(LIMITS, ended=ended(signal=9, reason="memory")),
        Status.MEMORY_LIMIT,
    ),
    ("killed for time", Facts(LIMITS, ended=ended(signal=9, reason="cpu")), Status.CPU_LIMIT),
    (
        "killed by the slot's clock",
        Facts(LIMITS, ended=ended(signal=9, reason="wall")),
        Status.WALL_LIMIT,
    ),
    (
        "killed by the host",
        Facts(LIMITS, ended=ended(signal=9, reason="host"), stopped_for=Status.WALL_LIMIT),
        Status.WALL_LIMIT,
    ),
    ("SIGXCPU", Facts(LIMITS, ended=ended(signal=24)), Status.CPU_LIMIT),
    ("a signal", Facts(LIMITS, ended=ended(signal=11)), Status.SIGNAL),
    (
        "a signal close to the memory limit",
        Facts(LIMITS, ended=ended(signal=9, memory_bytes=99 * MIB)),
        Status.MEMORY_LIMIT,
    ),
    (
        "without a word at the process limit",
        Facts(LIMITS, ended=ended(code=1, tasks=8)),
        Status.PROCESS_LIMIT,
    ),
    (
        "without a word on a full disk",
        Facts(LIMITS, ended=ended(code=1, disk_full=True)),
        Status.DISK_LIMIT,
    ),
    (
        "its own word before circumstances",
        Facts(
            LIMITS, answer=Answer(DENIED, "exception"), ended=ended(code=1, tasks=8, disk_full=True)
        ),
        Status.ERROR,
    ),
    (
        "well, whatever the circumstances",
        Facts(LIMITS, ended=ended(code=0, tasks=8, disk_full=True, memory_bytes=99 * MIB)),
        Status.OK,
    ),
    (
        "well by its own word, and not by the slot's",
        Facts(LIMITS, answer=Answer(), ended=ended(code=3)),
        Status.ERROR,
    ),
    (
        "interrupted by a person",
        Facts(LIMITS, answer=Answer(DENIED, "interrupt"), interrupted=True),
        Status.INTERRUPTED,
    ),
    ("interrupted by itself", Facts(LIMITS, answer=Answer(DENIED, "interrupt")), Status.ERROR),
    (
        "a script interrupted",
        Facts(LIMITS, ended=ended(signal=2), interrupted=True),
        Status.INTERRUPTED,
    ),
    ("a script that interrupts itself", Facts(LIMITS, ended=ended(signal=2)), Status.SIGNAL),
    (
        "a protocol broken",
        Facts(
            LIMITS, malformed=True, ended=ended(signal=9, reason="host"), stopped_for=Status.ERROR
        ),
        Status.ERROR,
    ),
]


@pytest.mark.parametrize(("name", "facts", "status"), CASES, ids=[case[0] for case in CASES])
def test_a_status_follows_from_the_facts(name: str, facts: Facts, status: Status) -> None:
    result = decide(facts, stdout=Output(), stderr=Output(), isolation=Isolation.NAMESPACES)
    assert result.status is status


def test_the_guest_s_own_measures_count_only_within_its_limits() -> None:
    boast = Answer(cpu_s=1e9, memory_bytes=1 << 49)
    result = decide(
        Facts(LIMITS, answer=boast),
        stdout=Output(),
        stderr=Output(),
        isolation=Isolation.NAMESPACES,
    )
    assert result.cpu_s == LIMITS.cpu_s
    assert result.peak_memory_bytes == LIMITS.memory_bytes
