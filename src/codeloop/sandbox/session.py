"""A session: a place in the sandbox where code runs, with or without memory of the runs before."""

import contextlib
import os
import socket
import stat
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

from codeloop.core.errors import DataError, SandboxError
from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    Isolation,
    OutputChunk,
    Status,
)
from codeloop.sandbox.link import Guest, Slot, start_guest
from codeloop.sandbox.running import INTERRUPT, LINE, Progress, Run
from codeloop.sandbox.verdict import decide

LANGUAGES = frozenset({"python"})

_PUT_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 1.0
_CLOSED = "this session is closed"


class _Held:
    """What a session holds of the system, to be given back though the session was forgotten."""

    def __init__(self) -> None:
        self.wake, self.waker = socket.socketpair()
        self.wake.setblocking(False)
        self.waker.setblocking(False)
        self.files: dict[str, int] = {}  # put files: name -> open file of the host
        self.slot: Slot | None = None
        self.guest: Guest | None = None

    def drop(self) -> None:
        """End everything that runs in the session, and wait until it is gone."""
        guest, self.guest = self.guest, None
        if guest is not None:
            guest.close()
        slot, self.slot = self.slot, None
        if slot is not None:
            slot.close()

    def close(self) -> None:
        self.drop()
        for descriptor in self.files.values():
            os.close(descriptor)
        self.files.clear()
        self.wake.close()
        self.waker.close()


class SandboxSession:
    """Runs code in a slot of its own; fulfils `codeloop.core.protocols.Session`."""

    def __init__(
        self,
        open_slot: Callable[[ExecutionLimits], Slot],
        *,
        stateful: bool,
        interactive: bool,
        limits: ExecutionLimits,
    ) -> None:
        self._open_slot = open_slot
        self._stateful = stateful
        self._interactive = interactive
        self._limits = limits
        self._lines: deque[str | None] = deque()
        self._turn = threading.Lock()
        self._cells = 0
        self._held = _Held()
        self._close = weakref.finalize(self, self._held.close)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    @property
    def languages(self) -> frozenset[str]:
        return LANGUAGES

    def run(
        self,
        code: str,
        *,
        language: str = "python",
        limits: ExecutionLimits | None = None,
        stdin: bytes = b"",
    ) -> Generator[OutputChunk | InputRequested | ExecutionResult, None, None]:
        """Run the code; yield its output as it comes, then one `ExecutionResult`.

        `limits` replaces the session's own limits for this run; what a stateful session's process
        was started with (memory, processes, files, disk) can only be made tighter. `stdin` is for
        one-shot runs. Closing the iterator early kills the run.

        Raises:
            SandboxError: the sandbox broke, and the session is unusable until `restart`; or
                another run of this session is in progress.
        """
        if language not in LANGUAGES:
            yield ExecutionResult(Status.UNSUPPORTED)
            return
        with self._use():
            result = yield from self._run(code, limits or self._limits, stdin)
        yield result

    def interrupt(self) -> None:
        """Interrupt the run in progress, if any; from any thread or signal handler."""
        self._wake_up(INTERRUPT)

    def send_input(self, line: str | None) -> None:
        """Answer an `InputRequested`; None means end of input."""
        self._lines.append(line)
        self._wake_up(LINE)

    def put_file(self, path: Path, name: str | None = None) -> None:
        """Copy a file of the host into the work directory, under its own name or another.

        It is put again, as it is now, whenever the work directory is made anew.

        Raises:
            DataError: the file cannot be read, has no plain name, or does not fit.
            SandboxError: the sandbox broke.
        """
        name = name if name is not None else path.name
        if not name or name in {".", ".."} or "/" in name or "\0" in name:
            msg = f"{name!r}: not a plain file name"
            raise DataError(msg)
        with self._use():
            self._put_new(self._usable_slot(), path, name)

    def restart(self) -> None:
        """Throw all state away and start anew; files put in by the host are put in again.

        A run in progress ends with a `SandboxError` where it is consumed.

        Raises:
            SandboxError: the session is closed, or a new slot cannot be had.
        """
        if not self._close.alive:
            raise SandboxError(_CLOSED)
        self._stop_use()
        self._held.drop()
        self._open()

    def close(self) -> None:
        """End everything that runs in the session, and wait until it is gone."""
        self._stop_use()
        self._close()

    @contextlib.contextmanager
    def _use(self) -> Iterator[None]:
        """Have the session for one run."""
        turn = self._turn
        if not turn.acquire(blocking=False):
            msg = "this session is running something else; use one session for each run at a time"
            raise SandboxError(msg)
        try:
            yield
        finally:
            turn.release()

    def _stop_use(self) -> None:
        """End a run that another thread consumes, or that nobody consumes any more."""
        slot = self._held.slot
        if slot is not None:
            slot.kill()
        self._turn.acquire(timeout=_STOP_TIMEOUT_S)  # a thread that waits for it notices at once
        self._turn = threading.Lock()

    def _open(self) -> None:
        slot = self._held.slot = self._open_slot(self._limits)
        for name in list(self._held.files):
            self._put(slot, name)
        if self._stateful:
            self._held.guest = self._new_kernel(slot)

    def _usable_slot(self) -> Slot:
        if self._held.slot is None:
            raise SandboxError("this session needs a restart" if self._close.alive else _CLOSED)
        return self._held.slot

    def _new_kernel(self, slot: Slot) -> Guest:
        return start_guest(slot, self._limits, script=None, interactive=self._interactive)

    def _put_new(self, slot: Slot, path: Path, name: str) -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            msg = f"{path}: {error.strerror}"
            raise DataError(msg) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            msg = f"{path}: not a regular file"
            raise DataError(msg)
        previous = self._held.files.pop(name, None)
        if previous is not None:
            os.close(previous)
        self._held.files[name] = descriptor
        self._put(slot, name)

    def _put(self, slot: Slot, name: str) -> None:
        slot.send({"op": "put", "name": name}, (self._held.files[name],))
        error = slot.await_message("put", timeout_s=_PUT_TIMEOUT_S)["error"]
        if error is not None:
            os.close(self._held.files.pop(name))
            msg = f"{name}: cannot be put into the work directory: {error}"
            raise DataError(msg)

    def _wake_up(self, why: bytes) -> None:
        with contextlib.suppress(OSError):  # closed, or so many that one more is no news
            self._held.waker.send(why)

    def _run(
        self, code: str, limits: ExecutionLimits, stdin: bytes
    ) -> Generator[OutputChunk | InputRequested, None, ExecutionResult]:
        slot = self._usable_slot()
        run: Run | None = None
        try:
            lost = self._bury_dead_guest(slot)
            self._forget_wakes()
            run, progress = self._begin(slot, code, limits, stdin)
            yield from progress
            if run.facts.ended:
                lost = self._stateful
                self._replace_guest(slot)
        except SandboxError:
            self._give_up(slot)
            raise
        except BaseException:  # closed by the consumer, or ^C on our side
            self._abandon(slot, run)
            raise
        captures = run.captures
        result = decide(
            run.facts,
            stdout=captures["stdout"].output(),
            stderr=captures["stderr"].output(),
            isolation=Isolation.NAMESPACES,
        )
        return replace(result, state_lost=lost)

    def _begin(
        self, slot: Slot, code: str, limits: ExecutionLimits, stdin: bytes
    ) -> tuple[Run, Progress]:
        """Start a run: on this session's kernel, or in a process of its own."""
        self._cells += 1
        if not self._stateful:
            script = code.encode("utf-8", "surrogatepass")
            self._held.guest = guest = start_guest(
                slot, limits, script=script, stdin=stdin, interactive=self._interactive
            )
            run = Run(slot, guest, limits, self._held.wake, self._lines)
            return run, run.script()
        guest = self._held.guest = self._held.guest or self._new_kernel(slot)
        guest.discard_output()
        guest.sequence += 1
        run = Run(slot, guest, limits, self._held.wake, self._lines)
        message = {"seq": guest.sequence, "number": self._cells, "code": code}
        return run, run.cell(message, interactive=self._interactive)

    def _bury_dead_guest(self, slot: Slot) -> bool:
        """Notice a kernel that ended while nothing ran; return whether one did."""
        if self._held.guest is None or not slot.has_reported("ended"):
            return False
        self._replace_guest(slot)
        return self._stateful

    def _replace_guest(self, slot: Slot) -> None:
        """Forget a guest that has ended, and make ready for the next."""
        guest, self._held.guest = self._held.guest, None
        if guest is not None:
            guest.close()
        if self._stateful:
            self._held.guest = self._new_kernel(slot)
            return
        slot.send({"op": "clean"})
        for name in list(self._held.files):
            self._put(slot, name)

    def _abandon(self, slot: Slot, run: Run | None) -> None:
        """End a run that nobody waits for, so that the session can be used again."""
        if slot is not self._held.slot:  # closed, or restarted, while the run was held up
            return
        try:
            if run is None:
                self._held.drop()
                self._open()
                return
            run.abandon()
            self._replace_guest(slot)
        except SandboxError:
            self._give_up(slot)

    def _give_up(self, slot: Slot) -> None:
        """Let go of a slot that broke, unless that was done already."""
        if slot is self._held.slot:
            self._held.drop()

    def _forget_wakes(self) -> None:
        """Drop interrupts and lines that came while nothing ran."""
        self._lines.clear()
        with contextlib.suppress(BlockingIOError):
            while self._held.wake.recv(4096):
                pass
