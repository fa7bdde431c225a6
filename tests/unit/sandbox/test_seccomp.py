"""The filter, run by an interpreter of its instructions: so that both architectures are tested."""

import errno
import functools
import struct

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from codeloop.sandbox.jail.walls import seccomp

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, DENY, ABSENT, KILL = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 0x80000000


@functools.cache
def instructions(machine: str, alone: bool) -> list[tuple[int, int, int, int]]:
    return list(struct.iter_unpack("=HBBI", seccomp.build_filter(machine, alone=alone)))


def decide(
    machine: str,
    number: int,
    *arguments: int,
    architecture: int | None = None,
    alone: bool = True,
) -> int:
    """Return what the filter of a machine decides on a call."""
    words = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    spoken = architecture or ARCHITECTURES[machine]
    data = struct.pack("=IIQ6Q", number & 0xFFFFFFFF, spoken, 0, *words)
    program = instructions(machine, alone)
    at, value = 0, 0
    while True:
        code, when_true, when_false, k = program[at]
        at += 1
        match code:
            case 0x20:
                (value,) = struct.unpack_from("=I", data, k)
            case 0x54:
                value &= k
            case 0x15:
                at += when_true if value == k else when_false
            case 0x35:
                at += when_true if value >= k else when_false
            case 0x06:
                return int(k)
            case _:
                raise AssertionError(code)


# call, its number on x86_64 and on aarch64, its arguments, the decision
CALLS = [
    ("read", 0, 63, (), ALLOW),
    ("write", 1, 64, (), ALLOW),
    ("mmap", 9, 222, (), ALLOW),
    ("execve", 59, 221, (), ALLOW),
    ("futex", 202, 98, (), ALLOW),
    ("kill", 62, 129, (1, 9), ALLOW),
    ("openat", 257, 56, (), ALLOW),
    ("getrandom", 318, 278, (), ALLOW),
    ("ptrace", 101, 117, (), DENY),
    ("mount", 165, 40, (), DENY),
    ("unshare", 272, 97, (), DENY),
    ("setns", 308, 268, (), DENY),
    ("bpf", 321, 280, (), DENY),
    ("keyctl", 250, 219, (), DENY),
    ("io_uring_setup", 425, 425, (), DENY),
    ("memfd_create", 319, 279, (), DENY),
    ("perf_event_open", 298, 241, (), DENY),
    ("process_vm_readv", 310, 270, (), DENY),
    ("clone3", 435, 435, (), ABSENT),
    ("fork by clone", 56, 220, (17,), ALLOW),
    ("a thread by clone", 56, 220, (0x3D0F00,), ALLOW),
    ("a user namespace by clone", 56, 220, (0x10000000 | 17,), DENY),
    ("a network namespace by clone", 56, 220, (0x40000000 | 17,), DENY),
    ("a time namespace by clone", 56, 220, (0x80,), DENY),
    ("the usual scheduler for a thread", 144, 119, (7, 0), ALLOW),
    ("a scheduler for itself", 144, 119, (0, 5), ALLOW),
    ("a scheduler for pid 1", 144, 119, (1, 5), DENY),
    ("a Unix socket", 41, 198, (1, 1), ALLOW),
    ("an internet socket", 41, 198, (2, 1), DENY),
    ("a netlink socket", 41, 198, (16, 3), 0x50000 | errno.EOPNOTSUPP),
    ("a vsock socket", 41, 198, (40, 1), DENY),
    ("a Unix socket by a high word", 41, 198, (0x1_0000_0002,), DENY),
    ("a pair of Unix sockets", 53, 199, (1, 1), ALLOW),
    ("its own limits", 302, 261, (0, 7), ALLOW),
    ("another's limits", 302, 261, (1, 7), DENY),
    ("its own priority", 141, 140, (0, 0, 5), ALLOW),
    ("another's priority", 141, 140, (0, 1, 5), DENY),
    ("its user's priority", 141, 140, (2, 0, 5), DENY),
    ("its own processors", 203, 122, (0,), ALLOW),
    ("another's processors", 203, 122, (1,), DENY),
    ("the size of a terminal", 16, 29, (0, 0x5413), ALLOW),
    ("typing into a terminal", 16, 29, (0, 0x5412), DENY),
]


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_a_call_is_decided(call: tuple[str, int, int, tuple[int, ...], int], machine: str) -> None:
    _, on_x86, on_arm, arguments, decision = call
    number = on_x86 if machine == "x86_64" else on_arm
    assert decide(machine, number, *arguments) == decision


PRETEND = 0x50000
# the same, of a guest that shares the host's file system
CALLS_BESIDE = [
    ("a Unix socket", 41, 198, (1, 1), DENY),
    ("an internet socket", 41, 198, (2, 1), DENY),
    ("a connected pair", 53, 199, (1, 1), ALLOW),
    ("a connected pair, closed on exec", 53, 199, (1, 1 | 0x80000), ALLOW),
    ("a pair of packets", 53, 199, (1, 5), ALLOW),
    ("a pair that can send anywhere", 53, 199, (1, 2), DENY),
    ("a pair of another family", 53, 199, (2, 1), DENY),
    ("semaphores", 64, 190, (), DENY),
    ("fchmod", 91, 52, (), PRETEND),
    ("fchmodat", 268, 53, (), PRETEND),
    ("fchownat", 260, 54, (), PRETEND),
    ("utimensat", 280, 88, (), PRETEND),
    ("setxattr", 188, 5, (), PRETEND),
    ("ptrace", 101, 117, (), DENY),
    ("read", 0, 63, (), ALLOW),
]


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("call", CALLS_BESIDE, ids=lambda call: call[0])
def test_a_call_beside_others_is_decided(
    call: tuple[str, int, int, tuple[int, ...], int], machine: str
) -> None:
    _, on_x86, on_arm, arguments, decision = call
    number = on_x86 if machine == "x86_64" else on_arm
    assert decide(machine, number, *arguments, alone=False) == decision


WORDS = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("machine", ARCHITECTURES)
@given(arguments=st.lists(WORDS, min_size=6, max_size=6))
def test_what_is_denied_is_denied_with_any_arguments(
    machine: str, alone: bool, arguments: list[int]
) -> None:
    column = list(ARCHITECTURES).index(machine)
    tables = [seccomp._DENIED] if alone else [seccomp._DENIED, seccomp._DENIED_BESIDE]
    for table in tables:
        for name, numbers in table.items():
            number = numbers[column]
            if number is not None:
                assert decide(machine, number, *arguments, alone=alone) == DENY, name


@pytest.mark.parametrize("machine", ARCHITECTURES)
@given(
    number=st.integers(-(2**31), 2**31 - 1),
    arguments=st.lists(WORDS, min_size=6, max_size=6),
    architecture=st.integers(1, 2**32 - 1),
)
def test_no_call_of_another_architecture_is_allowed(
    machine: str, number: int, arguments: list[int], architecture: int
) -> None:
    assume(architecture != ARCHITECTURES[machine])
    for alone in (True, False):
        assert decide(machine, number, *arguments, architecture=architecture, alone=alone) == KILL


@given(number=st.integers(0x40000000, 0x7FFFFFFF), arguments=st.lists(WORDS, max_size=6))
def test_no_x32_call_is_allowed(number: int, arguments: list[int]) -> None:
    assert decide("x86_64", number, *arguments) == KILL


@pytest.mark.parametrize("machine", ARCHITECTURES)
@given(flags=WORDS)
def test_no_new_namespace_is_allowed_however_the_flags_are_mixed(machine: str, flags: int) -> None:
    namespaces = 0x7E020080
    decision = decide(machine, {"x86_64": 56, "aarch64": 220}[machine], flags)
    assert decision == (DENY if flags & namespaces else ALLOW)


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_another_architecture_is_killed(machine: str) -> None:
    assert decide(machine, 20, architecture=0x40000003) == KILL  # i386


def test_x32_calls_are_killed() -> None:
    assert decide("x86_64", 0x40000000 | 39) == KILL


def test_no_jump_leaves_the_program() -> None:
    for machine in ARCHITECTURES:
        program = list(struct.iter_unpack("=HBBI", seccomp.build_filter(machine, alone=False)))
        assert len(program) < 4096
        for at, (code, when_true, when_false, _) in enumerate(program):
            if code in {0x15, 0x35}:
                assert at + 1 + max(when_true, when_false) < len(program)
        assert program[-1][0] == 0x06
