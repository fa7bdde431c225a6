"""Hostile programs that are run in the jail itself, to see that it holds on this machine."""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from codeloop.core.errors import IsolationError, SandboxError
from codeloop.core.execution import MIB, ExecutionLimits, ExecutionResult, Isolation, Status
from codeloop.sandbox.session import SandboxSession

_LIMITS = ExecutionLimits(
    cpu_s=5.0,
    wall_s=10.0,
    memory_bytes=128 * MIB,
    processes=16,
    disk_bytes=16 * MIB,
    files=512,
    output_stop_bytes=4 * MIB,
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


class Opens(Protocol):
    """A sandbox, as far as a self-test needs it."""

    @property
    def isolation(self) -> Isolation: ...

    def open_session(self, *, stateful: bool, limits: ExecutionLimits) -> SandboxSession: ...


def self_test(sandbox: Opens, *, exhausting: bool = True) -> tuple[Probe, ...]:
    """Run every probe that the sandbox's level has to withstand, and tell how it went.

    Those that take all they can of the machine are left out unless `exhausting`.

    Raises:
        SandboxError: the sandbox broke.
    """
    session = sandbox.open_session(stateful=False, limits=_LIMITS)
    try:
        with _bait() as folder:
            trials = _reaching(sandbox.isolation, folder) + (_exhausting() if exhausting else ())
            return tuple(_run(session, trial) for trial in trials)
    finally:
        session.close()


def require_held(probes: Sequence[Probe], isolation: Isolation) -> None:
    """Refuse a level of isolation that a hostile program got out of.

    Raises:
        IsolationError: one did.
    """
    failed = [f"{probe.name} ({probe.detail})" for probe in probes if not probe.held]
    if failed:
        msg = (
            f"isolation `{isolation}` does not hold here: {', '.join(failed)}; "
            "see `codeloop doctor`"
        )
        raise IsolationError(msg)


@contextmanager
def _bait() -> Iterator[Path]:
    """Yield a folder of the host's with what a guest must not reach: a secret, and a socket."""
    with (
        tempfile.TemporaryDirectory(prefix="codeloop-probe-") as name,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "secret").write_text("secret", encoding="ascii")
        server.bind(str(folder / "socket"))
        (folder / "socket").chmod(0o777)
        yield folder


def _run(session: SandboxSession, trial: _Trial) -> Probe:
    for event in session.run(trial.program):
        if isinstance(event, ExecutionResult):
            held = trial.holds(event)
            last = (event.stderr.text or event.stdout.text).strip().splitlines()[-1:]
            return Probe(trial.name, held, "" if held else ": ".join([event.status, *last]))
    msg = "a run ended without a result"
    raise SandboxError(msg)


def _reaching(isolation: Isolation, bait: Path) -> tuple[_Trial, ...]:
    reaching: tuple[tuple[str, str], ...] = (
        ("reading a file of the host", _read_host(bait)),
        ("reading the environment of the host", _ENVIRONMENT),
        ("changing a file of the host", _change(bait)),
        ("reaching a socket of the host", _reach_socket(bait)),
        ("opening a network connection", _NETWORK),
        ("reaching loopback", _LOOPBACK),
        ("tracing and killing a process of the host", _process_of_host(os.getpid())),
        ("mounting and changing the root", _MOUNT),
        ("making new namespaces", _UNSHARE),
        ("becoming root", _SETUID),
        ("reaching the kernel's key rings, bpf and io_uring", _KERNEL),
        ("writing outside its own directories", _WRITE),
    )
    alone = (
        ("seeing a file or a process of the host", _see_host(bait)),
        ("tracing and killing the jail's own process", _PID_1),
        ("having a capability", _CAPABILITIES),
    )
    match isolation:
        case Isolation.NAMESPACES:
            said = reaching + alone
        case Isolation.LANDLOCK:
            said = (*reaching, ("signalling any process but its own", _SIGNAL))
        case Isolation.CONTAINER:
            said = reaching
        case Isolation.NONE:
            said = ()
    return tuple(_Trial(name, program + _SAY_HELD, _said_so) for name, program in said)


def _exhausting() -> tuple[_Trial, ...]:
    ended = (
        ("forking without end", _FORK, (Status.PROCESS_LIMIT, Status.CPU_LIMIT)),
        ("taking memory without end", _MEMORY, (Status.MEMORY_LIMIT,)),
        ("filling the disk", _DISK, (Status.DISK_LIMIT,)),
        ("writing without end", _OUTPUT, (Status.OUTPUT_LIMIT,)),
    )
    return tuple(_Trial(name, program, _ended_by(*statuses)) for name, program, statuses in ended)


def _read_host(bait: Path) -> str:
    """Return a program that opens a file which was just made outside, and known ones."""
    paths = [f"{bait}/secret", "/etc/shadow", "/etc/hostname", "/proc/1/environ"]
    folders = ["/home", "/var", "/run", "/sys", "/boot"]
    return f"""
import os
for call, paths in ((open, {paths!r}), (os.listdir, {folders!r})):
    for path in paths:
        try:
            call(path)
        except OSError:
            continue
        raise AssertionError(path)
"""


def _see_host(bait: Path) -> str:
    paths = [str(bait), "/etc/shadow", "/home", "/var", "/run", "/sys", "/boot"]
    return f"""
import os
found = [path for path in {paths!r} if os.path.lexists(path)]
assert not found, found
assert {{name for name in os.listdir("/proc") if name.isdigit()}} <= {{str(os.getpid())}}
"""


def _change(bait: Path) -> str:
    """Return a program that changes what it can of a file; whether it did is seen by `stat`."""
    return f"""
import os
path = {f"{bait}/secret"!r}
def seen():
    try:
        return os.stat(path)
    except OSError:
        return None
before = seen()
for call in (
    lambda: os.chmod(path, 0o777),
    lambda: os.utime(path, (1, 1)),
    lambda: os.truncate(path, 0),
    lambda: os.rename(path, path + "-2"),
    lambda: os.unlink(path),
    lambda: os.setxattr(path, "user.planted", b"x"),
):
    try:
        call()
    except OSError:
        pass
assert seen() == before, "changed"
"""


def _reach_socket(bait: Path) -> str:
    return f"""
import socket
def tries():
    yield lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    yield lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0]
for make in tries():
    try:
        make().sendto(b"x", {f"{bait}/socket"!r})
    except OSError:
        continue
    raise AssertionError("sent")
"""


def _process_of_host(pid: int) -> str:
    return (
        _MUST_FAIL
        + f"""
for number in (0, 19, 9):
    try:
        os.kill({pid}, number)
    except OSError:
        continue
    raise AssertionError("signalled")
refused(libc.ptrace, 16, {pid}, 0, 0)
for name in ("environ", "mem", "maps"):
    try:
        open(f"/proc/{pid}/{{name}}", "rb").read(1)
    except OSError:
        continue
    raise AssertionError(name)
"""
    )


_ENVIRONMENT = """
import os
known = {"HOME", "TMPDIR", "PATH", "LANG", "LC_ALL", "MPLBACKEND", "PYTHONPATH"}
known |= {"CODELOOP_TOOLCHAIN", "MPLCONFIGDIR", "PYTHONHASHSEED"}
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
assert libc.prctl(39, 0, 0, 0, 0) == 1, "may gain privileges"
"""
)
_CAPABILITIES = (
    _MUST_FAIL
    + """
header = ctypes.create_string_buffer((0x20080522).to_bytes(4, "little") + bytes(4), 8)
held = ctypes.create_string_buffer(24)
assert libc.capget(header, held) == 0
assert held.raw == bytes(24), held.raw
"""
)
_SIGNAL = """
import os
try:
    os.kill(os.getppid(), 0)
except PermissionError:
    pass
else:
    raise AssertionError("may signal its parent")
"""
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
for path in ("/", "/usr", "/etc", "/dev", sys.prefix, "/proc", "/var/tmp", "/dev/shm/.."):
    try:
        open(os.path.join(path, "probe"), "w")
    except OSError:
        continue
    raise AssertionError(path)
"""
_FORK = "import os\nwhile True:\n    os.fork()\n"
_MEMORY = "taken = []\nwhile True:\n    taken.append(bytearray(10_000_000))\n"
_DISK = "with open('full', 'wb') as file:\n    while True:\n        file.write(bytes(1 << 20))\n"
_OUTPUT = "while True:\n    print('x' * 100_000)\n"
