"""Hostile programs that are run in the jail itself, to see that it holds on this machine."""

from collections.abc import Callable
from dataclasses import dataclass
from tempfile import NamedTemporaryFile

from codeloop.core.errors import SandboxError
from codeloop.core.execution import MIB, ExecutionLimits, ExecutionResult, Status
from codeloop.sandbox.sandbox import Sandbox
from codeloop.sandbox.session import SandboxSession

_LIMITS = ExecutionLimits(
    cpu_s=5.0,
    wall_s=10.0,
    memory_bytes=256 * MIB,
    processes=32,
    disk_bytes=16 * MIB,
    files=512,
)
_HELD = "held"

# A program that ends with this line reached nothing that it should not.
_SAY_HELD = f"\nprint({_HELD!r})\n"

_MUST_FAIL = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)

def refused(call, *args):
    assert call(*args) == -1, "was allowed"
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """One hostile program: what it tries, in plain words, and whether the jail held."""

    name: str
    held: bool
    detail: str = ""  # what happened, if it did not hold


@dataclass(frozen=True, slots=True)
class _Trial:
    name: str
    program: str
    holds: Callable[[ExecutionResult], bool]


def _said_so(result: ExecutionResult) -> bool:
    return result.status is Status.OK and result.stdout.text.endswith(f"{_HELD}\n")


def _ended_by(*statuses: Status) -> Callable[[ExecutionResult], bool]:
    return lambda result: result.status in statuses


def self_test(sandbox: Sandbox) -> tuple[Probe, ...]:
    """Run every probe, and tell how it went.

    Raises:
        SandboxError: the sandbox broke.
    """
    session = sandbox.open_session(stateful=False, limits=_LIMITS)
    try:
        with NamedTemporaryFile(prefix="codeloop-probe-") as secret:
            return tuple(_run(session, trial) for trial in _trials(secret.name))
    finally:
        session.close()


def _run(session: SandboxSession, trial: _Trial) -> Probe:
    for event in session.run(trial.program):
        if isinstance(event, ExecutionResult):
            held = trial.holds(event)
            last = (event.stderr.text or event.stdout.text).strip().splitlines()[-1:]
            return Probe(trial.name, held, "" if held else ": ".join([event.status, *last]))
    msg = "a run ended without a result"
    raise SandboxError(msg)


def _trials(secret: str) -> tuple[_Trial, ...]:
    said = (
        ("reading a file of the host", _read_host(secret)),
        ("reading the environment of the host", _ENVIRONMENT),
        ("opening a network connection", _NETWORK),
        ("reaching loopback", _LOOPBACK),
        ("tracing and killing the jail's own process", _PID_1),
        ("mounting and changing the root", _MOUNT),
        ("making new namespaces", _UNSHARE),
        ("becoming root", _SETUID),
        ("reaching the kernel's key rings, bpf and io_uring", _KERNEL),
        ("writing outside its own directories", _WRITE),
    )
    ended = (
        ("forking without end", _FORK, (Status.PROCESS_LIMIT, Status.CPU_LIMIT)),
        ("taking memory without end", _MEMORY, (Status.MEMORY_LIMIT,)),
        ("filling the disk", _DISK, (Status.DISK_LIMIT,)),
        ("writing without end", _OUTPUT, (Status.OUTPUT_LIMIT,)),
    )
    return (
        *(_Trial(name, program + _SAY_HELD, _said_so) for name, program in said),
        *(_Trial(name, program, _ended_by(*statuses)) for name, program, statuses in ended),
    )


def _read_host(secret: str) -> str:
    """Return a program that looks for a file which was just made outside, and for known ones."""
    paths = [secret, "/etc/shadow", "/etc/hostname", "/home", "/var", "/run", "/sys", "/boot"]
    return f"""
import os
found = [path for path in {paths!r} if os.path.lexists(path)]
assert not found, found
"""


_ENVIRONMENT = """
import os
known = {"HOME", "TMPDIR", "PATH", "LANG", "LC_ALL", "MPLBACKEND", "PYTHONPATH"}
extra = {name for name in os.environ if not name.endswith("_NUM_THREADS")} - known
assert not extra, extra
"""
_NETWORK = """
import socket
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET):
    try:
        socket.socket(family, socket.SOCK_DGRAM)
    except OSError:
        continue
    raise AssertionError(family)
"""
_LOOPBACK = """
import socket
try:
    socket.create_connection(("127.0.0.1", 80), timeout=1)
except OSError:
    pass
else:
    raise AssertionError("connected")
"""
_PID_1 = (
    _MUST_FAIL
    + """
refused(libc.ptrace, 16, 1, 0, 0)
refused(libc.prlimit, 1, 7, ctypes.create_string_buffer(16), None)
os.kill(1, 9)
os.kill(1, 19)
"""
)
_MOUNT = (
    _MUST_FAIL
    + """
refused(libc.mount, b"none", b"/tmp", b"tmpfs", 0, None)
refused(libc.umount2, b"/proc", 2)
refused(libc.chroot, b"/tmp")
"""
)
_UNSHARE = (
    _MUST_FAIL
    + """
for flag in (0x10000000, 0x00020000, 0x40000000, 0x20000000):
    refused(libc.unshare, flag)
    refused(libc.syscall, 56 if os.uname().machine == "x86_64" else 220, flag | 17, 0, 0, 0, 0)
"""
)
_SETUID = (
    _MUST_FAIL
    + """
refused(libc.setuid, 0)
assert os.geteuid() != 0
status = open("/proc/self/status").read() if os.path.exists("/proc/self/status") else ""
for line in status.splitlines():
    if line.startswith("Cap"):
        assert int(line.split()[1], 16) == 0, line
    if line.startswith("NoNewPrivs"):
        assert line.split()[1] == "1", line
"""
)
_KERNEL = (
    _MUST_FAIL
    + """
x86 = os.uname().machine == "x86_64"
for number in (250, 321, 425, 298) if x86 else (219, 280, 425, 241):
    refused(libc.syscall, number, 0, 0, 0, 0, 0)
"""
)
_WRITE = """
import os, sys
for path in ("/", "/usr", "/etc", "/dev", sys.prefix, "/proc"):
    try:
        open(os.path.join(path, "probe"), "w")
    except OSError:
        continue
    raise AssertionError(path)
"""
_FORK = "import os\nwhile True:\n    os.fork()\n"
_MEMORY = "taken = []\nwhile True:\n    taken.append(bytearray(10_000_000))\n"
_DISK = (
    "with open('/work/full', 'wb') as file:\n    while True:\n        file.write(bytes(1 << 20))\n"
)
_OUTPUT = "while True:\n    print('x' * 100_000)\n"
