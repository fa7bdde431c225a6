"""Starts the zygote, by exec and with nothing inherited, and asks it for slots."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import NamedTuple

from codeloop.core.errors import IsolationError, SandboxError
from codeloop.core.execution import ExecutionLimits, Isolation
from codeloop.sandbox.isolation import cgroups, machine
from codeloop.sandbox.jail import root, wire
from codeloop.sandbox.jail.walls import NOBODY, folders
from codeloop.sandbox.link import Slot

_START_TIMEOUT_S = 30.0
_ANSWER_TIMEOUT_S = 10.0
_END_TIMEOUT_S = 4.0
_REMOVE_TIMEOUT_S = 4.0
_REMOVE_AGAIN_S = 0.02
_BASE = "codeloop-jail-"
# As `-I`, but for the environment, which is all ours: it has the seed of hashes.
PYTHON_FLAGS = ("-P", "-s", "-S", "-X", "frozen_modules=on")

# Makes the package's jail side importable without running the package's own modules. What `serve`
# returns it returns in a guest; how that ends is noted for `the jail's `script``.
_BOOTSTRAP = """\
import sys
for name, path in {modules!r}:
    module = type(sys)(name)
    module.__path__ = [path]
    sys.modules[name] = module
from codeloop.sandbox.jail.zygote import serve
try:
    serve({link!r}, {host!r}, {level!r}, {base!r}, {lent!r}, {preload!r})()
    ending = None
except SystemExit as error:
    ending = error.code
    raise
except Exception:
    ending = 1
    raise
"""


class Zygote:
    """The process that a sandbox's sessions are forked from."""

    def __init__(
        self,
        packages: Path | None,
        preload: tuple[str, ...],
        toolchain: Path | None = None,
        isolation: Isolation = Isolation.NAMESPACES,
    ) -> None:
        """Start it.

        Raises:
            IsolationError: this machine does not give what the jail needs.
            SandboxError: it did not start for another reason.
        """
        machine.require_linux()
        if isolation is Isolation.CONTAINER:
            machine.require_container()
        self._isolation = isolation
        self.groups = cgroups.find()
        self._lock = threading.Lock()
        self._requests = 0
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log = os.memfd_create("zygote-log", os.MFD_CLOEXEC)
        base = None if isolation is Isolation.NAMESPACES else _make_base()
        lent = _Lent(packages, toolchain, preload)
        with theirs:
            self._process = _start(theirs.fileno(), self._log, lent, isolation, base)
        self._finalizer = weakref.finalize(
            self, _end, os.getpid(), self._link, self._log, self._process, base
        )
        try:
            self._await_ready()
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        return self._finalizer.alive and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def open_slot(self, limits: ExecutionLimits) -> Slot:
        """Have a new slot forked.

        Raises:
            SandboxError: the zygote has gone, or the kernel refuses.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs, self._lock:
                answer, descriptors = self._ask(limits, theirs.fileno())
        except (OSError, EOFError) as error:
            ours.close()
            msg = f"the sandbox's zygote has ended{self._last_words()}"
            raise SandboxError(msg) from error
        except BaseException:
            ours.close()
            raise
        if "error" in answer:
            ours.close()
            raise IsolationError(machine.explain("slot", answer["errno"], answer["error"]))
        slot = Slot(ours, descriptors[0], self._isolation, self.groups.make())
        try:
            enter_group(slot)
        except BaseException:
            slot.close()
            raise
        return slot

    def close(self) -> None:
        """End it, and with it all that it has forked."""
        self._finalizer()

    def _ask(self, limits: ExecutionLimits, control: int) -> tuple[wire.Message, list[int]]:
        """Ask for a slot and return the answer, passing over one that an interrupt left behind."""
        self._requests += 1
        request = {"id": self._requests, "disk": limits.disk_bytes, "files": limits.files}
        wire.send(self._link, request, [control])
        while True:
            answer, descriptors = wire.receive(self._link)
            if answer["id"] == request["id"]:
                return answer, descriptors
            for descriptor in descriptors:
                os.close(descriptor)

    def _await_ready(self) -> None:
        self._link.settimeout(_START_TIMEOUT_S)
        try:
            answer, _ = wire.receive(self._link)
        except (OSError, EOFError) as error:
            msg = f"the sandbox's zygote did not start{self._last_words()}"
            raise SandboxError(msg) from error
        self._link.settimeout(_ANSWER_TIMEOUT_S)
        if "error" not in answer:
            return
        if answer["stage"] == "preload":
            msg = f"the jail could not import what it was asked to: {answer['error']}"
            raise SandboxError(msg)
        raise IsolationError(machine.explain(answer["stage"], answer["errno"], answer["error"]))

    def _last_words(self) -> str:
        """Return the last line of its log; nothing once it is closed, by another thread perhaps."""
        if not self._finalizer.alive:
            return ""
        try:
            said = os.pread(self._log, 64 * 1024, 0)
        except OSError:  # closed this moment
            return ""
        lines = said.decode("utf-8", "replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def enter_group(slot: Slot) -> None:
    """Put a slot that has no guest yet into its group, and let it see what the kernel counts."""
    if slot.group is None:
        return
    info = Path(f"/proc/self/fdinfo/{slot.process}").read_text(encoding="ascii")
    pid = int(info.partition("Pid:")[2].split()[0])
    try:
        slot.group.add(pid)
        slot.events = slot.group.open_events()
    except OSError:  # it has ended, or the group is not to be had after all
        slot.group.remove()
        slot.group = None
        return
    slot.send({"op": "group"}, (slot.events,))


class _Lent(NamedTuple):
    """What a sandbox lends its guests."""

    packages: Path | None
    toolchain: Path | None
    preload: tuple[str, ...]

    def directories(self) -> tuple[str | None, str | None]:
        packages, toolchain = (
            str(path.resolve()) if path else None for path in (self.packages, self.toolchain)
        )
        return packages, toolchain


def _start(
    link: int, log: int, lent: _Lent, isolation: Isolation, base: Path | None
) -> subprocess.Popen[bytes]:
    package = Path(__file__).parents[1]
    program = _BOOTSTRAP.format(
        modules=[
            ("codeloop", str(package)),
            ("codeloop.sandbox", str(package / "sandbox")),
        ],
        link=link,
        host=os.getpid(),
        level=isolation.value,
        base=str(base) if base else None,
        lent=lent.directories(),
        preload=lent.preload,
    )
    executable = own_interpreter()
    environment = guest_environment(executable, has_packages=lent.packages is not None)
    if base is not None:
        environment |= _environment_beside(base, lent)
    source = os.memfd_create("zygote", os.MFD_CLOEXEC)
    try:
        os.write(source, program.encode())
        os.lseek(source, 0, os.SEEK_SET)
        return subprocess.Popen(
            [str(executable), *PYTHON_FLAGS, "-"],
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=(link,),
            env=environment,
            start_new_session=True,  # a ^C in the terminal is for the host alone
            cwd="/",
        )
    finally:
        os.close(source)


def _environment_beside(base: Path, lent: _Lent) -> dict[str, str]:
    """Return what is other in the environment of guests that have no root of their own."""
    _, toolchain = lent.directories()
    environment = {"HOME": str(base), "TMPDIR": str(base)}
    if toolchain:
        environment["CODELOOP_TOOLCHAIN"] = toolchain
    return environment


def _make_base() -> Path:
    """Return a new directory for the folders of slots; remove those of hosts that were killed."""
    where = Path(tempfile.gettempdir())
    for stale in where.glob(f"{_BASE}*"):
        owner = stale.name.removeprefix(_BASE).partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            with contextlib.suppress(OSError):  # another user's
                folders.remove(str(stale))
    base = Path(tempfile.mkdtemp(prefix=f"{_BASE}{os.getpid()}-", dir=where))
    if os.geteuid() == 0:
        os.chown(base, NOBODY, NOBODY)
    return base


def _remove_base(base: Path) -> None:
    """Remove the folders of slots, which may still be about it themselves."""
    ends = time.monotonic() + _REMOVE_TIMEOUT_S
    while base.exists() and time.monotonic() < ends:
        with contextlib.suppress(OSError):
            folders.remove(str(base))
            return
        time.sleep(_REMOVE_AGAIN_S)


def own_interpreter() -> Path:
    """Return the Python that we run on, and the jail's side with us; never that of a venv."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def guest_environment(executable: Path, *, has_packages: bool) -> dict[str, str]:
    """Return all the environment that a guest gets."""
    environment = {
        "HOME": root.WORK,
        "TMPDIR": "/tmp",  # noqa: S108  the guest's own
        "PATH": f"{executable.parent}:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",  # so that a set is printed in one order, whichever process it is
    }
    if has_packages:
        environment["MPLCONFIGDIR"] = root.PLOT_SETTINGS
    return environment


def _end(
    owner: int,
    link: socket.socket,
    log: int,
    process: subprocess.Popen[bytes],
    base: Path | None,
) -> None:
    """End a zygote that this process started, not one that a fork of this process inherited."""
    link.close()
    os.close(log)
    if os.getpid() != owner:
        return
    try:
        process.wait(timeout=_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
    if base is not None:
        _remove_base(base)
