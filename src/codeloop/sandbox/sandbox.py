"""A sandbox: one zygote, and the sessions forked from it."""

import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from codeloop.core.errors import ConfigError, IsolationError, SandboxError
from codeloop.core.execution import MIB, ExecutionLimits, GuestProgram, Isolation, RigPrograms
from codeloop.sandbox.bubblewrap import Bubblewrap
from codeloop.sandbox.isolation.cgroups import Groups
from codeloop.sandbox.languages import Language, find_languages
from codeloop.sandbox.launch import Zygote, own_interpreter
from codeloop.sandbox.link import Slot
from codeloop.sandbox.probes import require_held, self_test
from codeloop.sandbox.rigs.residents import Resident, ResidentMode, compiled
from codeloop.sandbox.rigs.rig import SandboxRig
from codeloop.sandbox.runner import Kind
from codeloop.sandbox.session import SandboxSession
from codeloop.sandbox.stateful.installs import InstallPolicy, present_in
from codeloop.sandbox.stateful.kernels import JupyterKernel, find_kernel
from codeloop.sandbox.tiers import BARE, ByTier

TESTER_LIMITS = ExecutionLimits(cpu_s=300.0, wall_s=600.0, memory_bytes=4096 * MIB)


class Sandbox:
    """Opens sessions; may be used from many threads at once."""

    def __init__(
        self,
        guest_packages: Path | None = None,
        preload: tuple[str, ...] = (),
        toolchain: Path | None = None,
        isolation: Isolation = Isolation.NAMESPACES,
        bubblewrap: Path | None = None,
    ) -> None:
        self.isolation = isolation
        self._packages = guest_packages
        lent = guest_packages, preload, toolchain
        self._start: Callable[[], Zygote | Bubblewrap] = partial(Zygote, *lent, isolation)
        if bubblewrap is not None:
            self._start = partial(Bubblewrap, bubblewrap, *lent)
        self._lock = threading.Lock()
        self._languages: dict[str, Language] | None = None  # looked for when first asked about
        self._sessions: weakref.WeakSet[SandboxSession | SandboxRig] = weakref.WeakSet()
        self._programs: dict[GuestProgram, bytes] = {}  # of judges, compiled
        self._present = present_in(guest_packages)
        self._zygote = self._start()
        self._closed = False

    @property
    def groups(self) -> Groups:
        """Where the control groups of the slots are made."""
        return self._zygote.groups

    def open_session(
        self,
        *,
        stateful: bool,
        interactive: bool = False,
        limits: ExecutionLimits = ExecutionLimits(),
        installs_from: InstallPolicy = InstallPolicy(),
        kernel: str | None = None,
    ) -> SandboxSession:
        """Return a new session; `interactive` lets its code call `input()`.

        `installs_from` says what a stateful one's cells may have by `%pip install`. `kernel` is
        the Jupyter kernel that runs a stateful one's cells, by the name it is installed under.

        Raises:
            ConfigError: there is no such kernel, or it cannot be run at this level of isolation.
            SandboxError: the kernel refuses another one.
        """
        kind = Kind(
            stateful=stateful,
            interactive=interactive,
            limits=limits,
            kernel=self._find_kernel(kernel) if kernel else None,
        )
        policy = replace(installs_from, present=self._present)
        session = SandboxSession(self._open_slot, self._find_languages, kind, policy)
        self._sessions.add(session)
        return session

    def open_rig(
        self,
        programs: RigPrograms,
        *,
        limits: ExecutionLimits = ExecutionLimits(),
        tester_limits: ExecutionLimits = TESTER_LIMITS,
    ) -> SandboxRig:
        """Return a new rig for the programs of a judge; its jails start when first needed."""
        rig = SandboxRig(
            ByTier((BARE,), lambda _: self.open_resident("nursery", programs.candidate, limits)),
            self.open_resident("tester", programs.tester, tester_limits),
            ByTier((BARE,), lambda _: self.open_session(stateful=False, limits=limits)),
        )
        self._sessions.add(rig)
        return rig

    def open_resident(
        self, mode: ResidentMode, program: GuestProgram, limits: ExecutionLimits
    ) -> Resident:
        """Return a part of a rig: a program of a judge in a jail that starts when first needed."""
        if program not in self._programs:
            self._programs[program] = compiled(program)
        return Resident(mode, self._programs[program], self._open_slot, limits)

    def close(self) -> None:
        """End all sessions and the zygote."""
        with self._lock:
            self._closed = True
        for session in list(self._sessions):
            session.close()
        self._zygote.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _find_kernel(self, name: str) -> JupyterKernel:
        if self.isolation in {Isolation.LANDLOCK, Isolation.CONTAINER}:
            msg = f"a Jupyter kernel needs Unix sockets, which isolation {self.isolation} refuses"
            raise ConfigError(msg)
        return find_kernel(name, self._packages, own_interpreter())

    def _find_languages(self) -> dict[str, Language]:
        if self._languages is None:  # two threads may both look: they find the same
            self._languages = find_languages(self._packages)
        return self._languages

    def _open_slot(self, limits: ExecutionLimits) -> Slot:
        with self._lock:
            if self._closed:
                msg = "this sandbox is closed"
                raise SandboxError(msg)
            if not self._zygote.alive:  # it was killed; its sessions are gone, new ones need not be
                self._zygote.close()
                self._zygote = self._start()
            zygote = self._zygote
        return zygote.open_slot(limits)


def open_sandbox(
    *,
    guest_packages: Path | None = None,
    preload: tuple[str, ...] = (),
    toolchain: Path | None = None,
    isolation: Isolation = Isolation.NAMESPACES,
) -> Sandbox:
    """Return a sandbox, to be closed or used in a `with` statement.

    `guest_packages` is a directory of installed packages that guests may import; the modules of
    `preload` are imported once, before any session starts. `toolchain` is a directory that
    `prepare_toolchain` has filled: compilers are quicker with it. A level of isolation below
    namespaces is tried with hostile programs before it is used.

    Raises:
        IsolationError: this machine cannot isolate; the text says why and how to mend it.
        SandboxError: the sandbox did not start for another reason.
    """
    sandbox = Sandbox(guest_packages, preload, toolchain, isolation)
    if isolation is not Isolation.NAMESPACES:
        try:
            require_held(self_test(sandbox, exhausting=False), isolation)
        except BaseException:
            sandbox.close()
            raise
    return sandbox


def check_isolation() -> str | None:
    """Return why code cannot be isolated on this machine and how to mend it, or None if it can.

    Raises:
        SandboxError: the sandbox did not start for another reason.
    """
    try:
        with open_sandbox() as sandbox:
            for _ in sandbox.open_session(stateful=False).run("pass"):
                pass
    except IsolationError as error:
        return str(error)
    return None
