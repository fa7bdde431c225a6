"""Control groups of a real kernel, where this machine lets us make some."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from adversarial.hostile import LIMITS, run, run_once

from codeloop.core.errors import SandboxError
from codeloop.core.execution import MIB, ExecutionResult, Isolation, OutputChunk, Status
from codeloop.sandbox import Sandbox, open_sandbox
from codeloop.sandbox.isolation import cgroups
from codeloop.sandbox.isolation.cgroups import Group, Groups, Tier
from codeloop.sandbox.jail import sample
from codeloop.sandbox.jail.walls import landlock

pytestmark = pytest.mark.jail


@pytest.fixture
def groups() -> Groups:
    found = cgroups.find()
    if found.tier is Tier.SAMPLING:
        pytest.skip(found.why)
    return found


@pytest.fixture
def group(groups: Groups) -> Iterator[Group]:
    made = groups.make()
    assert made is not None
    yield made
    made.remove()
    assert not made.memory.exists()
    assert not made.pids.exists()


def member(group: Group, program: str) -> "subprocess.Popen[bytes]":
    """Start a program, and let it begin once it is in the group."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"input()\n{program}"], stdin=subprocess.PIPE, stderr=-3
    )
    group.add(process.pid)
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.close()
    return process


def test_memory_beyond_the_limit_kills_and_is_told(group: Group) -> None:
    group.limit(32 * MIB, 0, 8)
    events = group.open_events()
    with member(group, "x = bytearray(200_000_000)\ninput()") as process:
        assert sample.killed_for_memory(events) == 0
        assert process.wait() == -9
        assert sample.killed_for_memory(events) == 1
    os.close(events)


def test_tasks_beyond_the_limit_are_refused(group: Group) -> None:
    group.limit(64 * MIB, 0, 2)
    program = (
        "import os, time\n"
        "for _ in range(9):\n  if os.fork() == 0: time.sleep(60)\n"  # raises, and exits with 1
    )
    with member(group, program) as process:
        assert process.wait() == 1


def test_a_group_s_end_kills_its_members(groups: Groups) -> None:
    group = groups.make()
    assert group is not None
    with member(group, "import time; time.sleep(60)") as process:
        group.remove()
        assert process.wait() == -9
    assert not group.memory.exists()


def test_a_slot_has_its_group_and_it_goes_with_it(groups: Groups) -> None:
    before = own(groups)
    with open_sandbox() as sandbox:
        session = sandbox.open_session(stateful=True, limits=LIMITS)
        assert run(session, "1").status is Status.OK
        (made,) = own(groups) - before
        limit = (made / cgroups._FILES[groups.tier][0]).read_text(encoding="ascii")
        assert int(limit) >= LIMITS.memory_bytes
        session.close()
        assert own(groups) == before
        kept = sandbox.open_session(stateful=False, limits=LIMITS)
        assert run(kept, "1").status is Status.OK
    assert own(groups) == before


def own(groups: Groups) -> set[Path]:
    return set(groups.memory.glob(f"codeloop-{os.getpid()}-*"))


def test_memory_that_no_process_owns_is_counted(groups: Groups, sandbox: Sandbox) -> None:
    """The buffers of sockets are the kernel's: no sample of processes sees them."""
    program = """
import socket
kept = []
while True:
    pair = socket.socketpair()
    pair[0].setblocking(False)
    kept.append(pair)
    try:
        while True: pair[0].send(bytes(65536))
    except BlockingIOError:
        pass
"""
    limits = replace(LIMITS, memory_bytes=64 * MIB, disk_bytes=1 * MIB, open_files=4096)
    result = run_once(sandbox, program, limits)
    assert result.status is Status.MEMORY_LIMIT, result


@pytest.mark.parametrize("stateful", [False, True])
def test_a_slot_that_the_kernel_takes_with_its_guest_is_no_fault_of_ours(
    groups: Groups, *, stateful: bool
) -> None:
    """What a guest made the kernel hold may outlast it, until the slot is all there is to kill."""
    program = """
import os, time
print('ready', flush=True)
time.sleep(0.5)
for _ in range(4):
    if os.fork() == 0:
        kept = bytearray(b'x') * 40_000_000
        time.sleep(60)
time.sleep(60)
"""
    limits = replace(LIMITS, memory_bytes=64 * MIB, disk_bytes=1 * MIB)
    with open_sandbox() as sandbox:
        session = sandbox.open_session(stateful=stateful, limits=limits)
        slot = session._runner.slot
        assert slot.group is not None
        events = slot.group.open_events()
        running = session.run(program)
        assert isinstance(next(running), OutputChunk)
        signal.pidfd_send_signal(slot.process, signal.SIGSTOP)
        while sample.killed_for_memory(events) == 0:
            time.sleep(0.01)
        signal.pidfd_send_signal(slot.process, signal.SIGKILL)
        *_, result = running
        os.close(events)
        assert isinstance(result, ExecutionResult)
        assert result.status is Status.MEMORY_LIMIT
        assert result.state_lost is stateful
        assert run(session, "print(1)").stdout.text == "1\n"


def test_a_slot_that_just_dies_is_a_fault_of_ours(groups: Groups) -> None:
    with open_sandbox() as sandbox:
        session = sandbox.open_session(stateful=False, limits=LIMITS)
        running = session.run("print('ready', flush=True)\nimport time\ntime.sleep(9)")
        assert isinstance(next(running), OutputChunk)
        signal.pidfd_send_signal(session._runner.slot.process, signal.SIGKILL)
        with pytest.raises(SandboxError, match="own process has ended"):
            list(running)


def test_a_fork_bomb_below_namespaces_is_held_by_its_group(groups: Groups) -> None:
    if landlock.version() < landlock.SCOPED_FROM:
        pytest.skip("needs Landlock 6")
    with open_sandbox(isolation=Isolation.LANDLOCK) as sandbox:
        session = sandbox.open_session(stateful=False, limits=LIMITS)
        bomb = "import os\nwhile True: os.fork()"
        assert run(session, bomb).status in {Status.PROCESS_LIMIT, Status.CPU_LIMIT}
        assert run(session, "print(1)").stdout.text == "1\n"
