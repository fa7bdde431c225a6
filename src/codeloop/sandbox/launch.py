"""Starts the zygote, by exec and with nothing inherited, and asks it for slots."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import weakref
from pathlib import Path

from codeloop.core.errors import IsolationError, SandboxError
from codeloop.core.execution import ExecutionLimits
from codeloop.sandbox import isolation
from codeloop.sandbox.jail import root, wire
from codeloop.sandbox.link import Slot

_START_TIMEOUT_S = 30.0
_ANSWER_TIMEOUT_S = 10.0

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
    serve({link!r}, {host!r}, {packages!r}, {toolchain!r}, {preload!r})()
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
        self, packages: Path | None, preload: tuple[str, ...], toolchain: Path | None = None
    ) -> None:
        """Start it.

        Raises:
            IsolationError: this machine does not give what the jail needs.
            SandboxError: it did not start for another reason.
        """
        isolation.require_linux()
        self._lock = threading.Lock()
        self._requests = 0
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log = os.memfd_create("zygote-log", os.MFD_CLOEXEC)
        with theirs:
            lent = (packages, toolchain)
            self._process = _start(theirs.fileno(), self._log, lent, preload)
        self._finalizer = weakref.finalize(
            self, _end, os.getpid(), self._link, self._log, self._process
        )
        try:
            self._await_ready(packages)
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
            raise IsolationError(isolation.explain("slot", answer["errno"], answer["error"]))
        return Slot(ours, descriptors[0])

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

    def _await_ready(self, packages: Path | None) -> None:
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
        raise IsolationError(isolation.explain(answer["stage"], answer["errno"], answer["error"]))

    def _last_words(self) -> str:
        lines = os.pread(self._log, 64 * 1024, 0).decode("utf-8", "replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def _start(
    link: int, log: int, lent: tuple[Path | None, Path | None], preload: tuple[str, ...]
) -> subprocess.Popen[bytes]:
    packages, toolchain = lent
    package = Path(__file__).parents[1]
    program = _BOOTSTRAP.format(
        modules=[
            ("codeloop", str(package)),
            ("codeloop.sandbox", str(package / "sandbox")),
        ],
        link=link,
        host=os.getpid(),
        packages=str(packages.resolve()) if packages else None,
        toolchain=str(toolchain.resolve()) if toolchain else None,
        preload=preload,
    )
    executable = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    source = os.memfd_create("zygote", os.MFD_CLOEXEC)
    try:
        os.write(source, program.encode())
        os.lseek(source, 0, os.SEEK_SET)
        return subprocess.Popen(
            [executable, "-I", "-S", "-X", "frozen_modules=on", "-"],
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=(link,),
            env=guest_environment(Path(executable), has_packages=packages is not None),
            start_new_session=True,  # a ^C in the terminal is for the host alone
            cwd="/",
        )
    finally:
        os.close(source)


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
    }
    if has_packages:
        environment["PYTHONPATH"] = root.PACKAGES
        environment["MPLCONFIGDIR"] = root.PLOT_SETTINGS
    return environment


def _end(owner: int, link: socket.socket, log: int, process: subprocess.Popen[bytes]) -> None:
    """End a zygote that this process started, not one that a fork of this process inherited."""
    link.close()
    os.close(log)
    if os.getpid() != owner:
        return
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
