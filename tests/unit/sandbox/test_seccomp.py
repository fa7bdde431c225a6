"""The filter, run by an interpreter of its instructions: so that both architectures are tested."""

import errno
import struct

import pytest

from codeloop.sandbox.jail import seccomp

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, DENY, ABSENT, KILL = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 0x80000000


def decide(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """Return what the filter of a machine decides on a call."""
    words = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("=iIQ6Q", number, architecture or ARCHITECTURES[machine], 0, *words)
    program = list(struct.iter_unpack("=HBBI", seccomp.build_filter(machine)))
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
    ("a Unix socket", 41, 198, (1, 1), ALLOW),
    ("an internet socket", 41, 198, (2, 1), DENY),
    ("a netlink socket", 41, 198, (16, 3), DENY),
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


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_another_architecture_is_killed(machine: str) -> None:
    assert decide(machine, 20, architecture=0x40000003) == KILL  # i386


def test_x32_calls_are_killed() -> None:
    assert decide("x86_64", 0x40000000 | 39) == KILL


def test_no_jump_leaves_the_program() -> None:
    for machine in ARCHITECTURES:
        program = list(struct.iter_unpack("=HBBI", seccomp.build_filter(machine)))
        assert len(program) < 4096
        for at, (code, when_true, when_false, _) in enumerate(program):
            if code in {0x15, 0x35}:
                assert at + 1 + max(when_true, when_false) < len(program)
        assert program[-1][0] == 0x06
