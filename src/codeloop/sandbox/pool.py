"""A pool: many programs run one after the other, in as many slots at a time as it was given."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from codeloop.core.errors import ConfigError, DataError, SandboxError
from codeloop.core.execution import ExecutionLimits, ExecutionResult, Isolation, RigPrograms
from codeloop.core.ordered import in_order
from codeloop.sandbox.rigs.residents import Resident
from codeloop.sandbox.rigs.rig import SandboxRig
from codeloop.sandbox.sandbox import TESTER_LIMITS, Sandbox, open_sandbox
from codeloop.sandbox.session import SandboxSession
from codeloop.sandbox.tiers import BARE, ByTier, Tier, tier_of, tiers_for


@dataclass(frozen=True, slots=True)
class Program:
    """A program to be run once, in a work directory that holds `files` (path, content) only."""

    code: str
    language: str = "python"
    stdin: bytes = b""
    files: tuple[tuple[str, bytes], ...] = ()
    limits: ExecutionLimits = ExecutionLimits()


class _Kind(NamedTuple):
    """What a session was opened for and stays."""

    tier: Tier
    disk_bytes: int
    files: int


class Pool:
    """Runs programs in `slots` jails at once; may be used from many threads.

    A zygote for each tier of imports stands ready once a program has wanted it. Nothing of a run
    is there in the next: its processes are killed and buried and its disk is thrown away, or else
    the slot is.
    """

    def __init__(
        self,
        slots: int,
        guest_packages: Path | None,
        toolchain: Path | None,
        isolation: Isolation,
    ) -> None:
        def open_one(tier: Tier) -> Sandbox:
            return open_sandbox(
                guest_packages=guest_packages,
                preload=tier.preload,
                toolchain=toolchain,
                isolation=isolation,
            )

        self._slots = slots
        self._tiers = tiers_for(guest_packages)
        self._sandboxes = ByTier(self._tiers, open_one)
        self._sandboxes.of(BARE)  # so that a machine that cannot isolate says so now
        self._changed = threading.Condition()
        self._busy = 0
        self._idle: list[tuple[_Kind, SandboxSession]] = []  # the latest used comes last
        self._closed = False

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def busy(self) -> int:
        """How many programs run now."""
        return self._busy

    def run(self, program: Program) -> ExecutionResult:
        """Run a program once there is a slot for it.

        Raises:
            DataError: a file has no proper name, or does not fit.
            SandboxError: the sandbox broke, and broke again in a new slot; or the pool is closed.
        """
        kind = self._kind(program)
        with self._turn():
            try:
                return self._run(program, kind)
            except SandboxError:
                if self._closed:
                    raise
                return self._run(program, kind)

    def run_many(self, programs: Iterable[Program]) -> Iterator[ExecutionResult]:
        """Yield the result of each program, in order, as soon as those before it are known.

        Programs are taken as they are needed. Closing the iterator lets those that run end.

        Raises:
            DataError: as for `run`.
            SandboxError: as for `run`.
        """
        return in_order(self.run, programs, threads=self._slots)

    def open_rig(
        self,
        programs: RigPrograms,
        *,
        limits: ExecutionLimits = ExecutionLimits(),
        tester_limits: ExecutionLimits = TESTER_LIMITS,
    ) -> SandboxRig:
        """Return a rig whose candidates find warm what they import; it takes none of the slots."""
        boxes = self._sandboxes

        def open_nursery(tier: Tier) -> Resident:
            return boxes.of(tier).open_resident("nursery", programs.candidate, limits)

        def open_session(tier: Tier) -> SandboxSession:
            return boxes.of(tier).open_session(stateful=False, limits=limits)

        return SandboxRig(
            ByTier(self._tiers, open_nursery),
            boxes.of(BARE).open_resident("tester", programs.tester, tester_limits),
            ByTier(self._tiers, open_session),
        )

    def close(self) -> None:
        """End all that runs in the pool's slots and rigs; what waits for a slot fails."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._sandboxes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _kind(self, program: Program) -> _Kind:
        is_python = program.language == "python"
        source = program.code.encode("utf-8", "surrogatepass") if is_python else b""
        limits = program.limits
        return _Kind(tier_of(source, self._tiers), limits.disk_bytes, limits.files)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Have one of the slots, once one is free."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._busy < self._slots)
            self._check_open()
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify()

    def _run(self, program: Program, kind: _Kind) -> ExecutionResult:
        session = self._take(kind, program.limits)
        try:
            result = _result(session, program)
        except DataError:
            self._give_back(kind, session)
            raise
        except BaseException:
            session.close()
            raise
        self._give_back(kind, session)
        return result

    def _take(self, kind: _Kind, limits: ExecutionLimits) -> SandboxSession:
        """Return an idle session of a kind, else a new one in place of the longest idle."""
        surplus = None
        with self._changed:
            for at in reversed(range(len(self._idle))):
                if self._idle[at][0] == kind:
                    return self._idle.pop(at)[1]
            if self._busy + len(self._idle) > self._slots:
                surplus = self._idle.pop(0)[1]
        if surplus is not None:
            surplus.close()
        return self._sandboxes.of(kind.tier).open_session(stateful=False, limits=limits)

    def _give_back(self, kind: _Kind, session: SandboxSession) -> None:
        with self._changed:
            self._idle.append((kind, session))

    def _check_open(self) -> None:
        if self._closed:
            msg = "this pool is closed"
            raise SandboxError(msg)


def open_pool(
    *,
    slots: int,
    guest_packages: Path | None = None,
    toolchain: Path | None = None,
    isolation: Isolation = Isolation.NAMESPACES,
) -> Pool:
    """Return a pool, to be closed or used in a `with` statement; all else as for `open_sandbox`.

    Raises:
        ConfigError: there are no slots.
        IsolationError: this machine cannot isolate; the text says why and how to mend it.
        SandboxError: the sandbox did not start for another reason.
    """
    if slots < 1:
        msg = f"a pool has 1 slot or more, not {slots}"
        raise ConfigError(msg)
    return Pool(slots, guest_packages, toolchain, isolation)


def _result(session: SandboxSession, program: Program) -> ExecutionResult:
    events = session.run(
        program.code,
        language=program.language,
        limits=program.limits,
        stdin=program.stdin,
        files=program.files,
    )
    *_, result = events
    if not isinstance(result, ExecutionResult):
        msg = "a run ended without a result"
        raise SandboxError(msg)
    return result
