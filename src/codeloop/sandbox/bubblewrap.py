"""The level of namespaces built a second time, by bubblewrap: so that two builders can be compared.

Each slot is a `bwrap` of its own, which makes its namespaces and its root. The slot in it, its disk
and its guests are the same as ever. It takes an interpreter's start for each slot, and as root the
guest stays root's own user outside: for tests, not for use.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from codeloop.core.errors import IsolationError, SandboxError
from codeloop.core.execution import ExecutionLimits
from codeloop.sandbox.isolation import cgroups, machine
from codeloop.sandbox.jail import root
from codeloop.sandbox.jail.walls import NOBODY
from codeloop.sandbox.launch import (
    PYTHON_FLAGS,
    enter_group,
    guest_environment,
    own_interpreter,
)
from codeloop.sandbox.link import Slot, memory_file

_START_TIMEOUT_S = 30.0
_SOURCE = "/opt/codeloop"  # where the jail's side is, until it has been loaded
_NAMESPACES = ("user", "pid", "net", "ipc", "uts", "cgroup")
_BOOTSTRAP = """\
import sys
for name, path in (("codeloop", {source!r}), ("codeloop.sandbox", {source!r} + "/sandbox")):
    module = type(sys)(name)
    module.__path__ = [path]
    sys.modules[name] = module
from codeloop.sandbox.jail.zygote import serve_alone
try:
    serve_alone({link!r}, {disk!r}, {source!r}, {packages!r}, {preload!r})()
    ending = None
except SystemExit as error:
    ending = error.code
    raise
except Exception:
    ending = 1
    raise
"""


class Bubblewrap:
    """Starts slots; takes the place of a zygote."""

    def __init__(
        self,
        program: Path,
        packages: Path | None,
        preload: tuple[str, ...],
        toolchain: Path | None,
    ) -> None:
        """Look at what there is to be shown.

        Raises:
            IsolationError: this machine is not fit.
        """
        machine.require_linux()
        self.groups = cgroups.find()
        self.alive = True
        self._program = program
        self._lent = {root.PACKAGES: packages, root.TOOLCHAIN: toolchain}
        self._preload = preload
        self._log = os.memfd_create("bubblewrap-log", os.MFD_CLOEXEC)
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[bytes]] = []

    def open_slot(self, limits: ExecutionLimits) -> Slot:
        """Start a slot.

        Raises:
            SandboxError: bubblewrap could not, or the slot did not start.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        info, tell = os.pipe()
        try:
            with theirs:
                process = self._start(theirs.fileno(), tell, limits)
        except BaseException:
            ours.close()
            os.close(info)
            raise
        finally:
            os.close(tell)
        with os.fdopen(info, encoding="ascii") as file:
            said = file.read()
        try:
            pid = int(json.loads(said)["child-pid"])
            slot = Slot(ours, os.pidfd_open(pid), group=self.groups.make())
        except (ValueError, OSError) as error:
            ours.close()
            process.wait()
            msg = f"bubblewrap did not start: {self._last_words()}"
            raise IsolationError(msg) from error
        with self._lock:
            self._processes = [each for each in self._processes if each.poll() is None]
            self._processes.append(process)
        try:
            enter_group(slot)
            slot.await_message("up", timeout_s=_START_TIMEOUT_S)
        except SandboxError as error:
            slot.close()
            msg = f"bubblewrap did not start: {self._last_words()}"
            raise IsolationError(msg) from error
        return slot

    def _last_words(self) -> str:
        lines = os.pread(self._log, 64 * 1024, 0).decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it gave no reason"

    def _start(self, link: int, tell: int, limits: ExecutionLimits) -> "subprocess.Popen[bytes]":
        packages = self._lent[root.PACKAGES]
        program = _BOOTSTRAP.format(
            source=_SOURCE,
            link=link,
            disk={"disk": limits.disk_bytes, "files": limits.files},
            packages=root.PACKAGES if packages else None,
            preload=self._preload,
        )
        written = {memory_file(text.encode()): name for name, text in root.WRITTEN.items()}
        source = memory_file(program.encode())
        executable = own_interpreter()
        words = [str(self._program), "--info-fd", str(tell), *self._walls()]
        for descriptor, name in written.items():
            words += ["--ro-bind-data", str(descriptor), f"/etc/{name}"]
        words += ["--remount-ro", "/", "--chdir", "/"]
        try:
            return subprocess.Popen(
                [*words, str(executable), *PYTHON_FLAGS, "-"],
                stdin=source,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                pass_fds=(link, tell, *written),
                env=guest_environment(executable, has_packages=packages is not None),
                start_new_session=True,
                group=NOBODY if os.geteuid() == 0 else None,  # root's sees all of a hidden /proc
                extra_groups=[] if os.geteuid() == 0 else None,
                cwd="/",
            )
        finally:
            for descriptor in (source, *written):
                os.close(descriptor)

    def _walls(self) -> list[str]:
        """Return what makes the same root and namespaces as our own builder does."""
        words = [f"--unshare-{name}" for name in _NAMESPACES]
        words += ["--uid", "1000", "--gid", "1000", "--hostname", "codeloop"]
        words += ["--as-pid-1", "--cap-add", "ALL", "--bind", "/proc", "/proc"]
        shown = {path: path for path in (sys.base_prefix, sys.base_exec_prefix, *root.shown())}
        shown |= {target: str(path.resolve()) for target, path in self._lent.items() if path}
        shown[_SOURCE] = str(Path(__file__).parents[1])
        for target, source in sorted(shown.items()):
            if target in root.SYSTEM and Path(source).is_symlink():
                words += ["--symlink", str(Path(source).readlink()), target]
            else:
                words += ["--ro-bind", source, target]
        for name in root.DEVICES:
            words += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
        for name, target in root.LINKS.items():
            words += ["--symlink", target, f"/dev/{name}"]
        for path in (root.WORK, "/tmp", "/dev/shm"):  # noqa: S108  the guest's own
            words += ["--dir", path]
        return words

    def close(self) -> None:
        """Wait for the ends of slots that were closed, and end the others."""
        self.alive = False
        with self._lock:
            for process in self._processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=2)
                process.kill()
                process.wait()
            self._processes.clear()
            if self._log >= 0:
                os.close(self._log)
                self._log = -1
