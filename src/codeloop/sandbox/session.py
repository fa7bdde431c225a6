"""A session: a place in the sandbox where code runs, with or without memory of the runs before."""

import contextlib
import os
import socket
import stat
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from codeloop.core.errors import DataError, SandboxError
from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    Isolation,
    Output,
    OutputChunk,
    Status,
)
from codeloop.sandbox.languages import BUILT_IN, Language, install_hint
from codeloop.sandbox.link import Guest, Slot, start_guest
from codeloop.sandbox.program import Step, collect, judge_step, sql_step, steps
from codeloop.sandbox.running import INTERRUPT, LINE, Progress, Run
from codeloop.sandbox.status import decide

_PUT_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 1.0
_CLOSED = "this session is closed"
_OWN_ENDS = frozenset({Status.ERROR, Status.SIGNAL})  # not for a limit


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
        find_languages: Callable[[], Mapping[str, Language]],
        *,
        stateful: bool,
        interactive: bool,
        limits: ExecutionLimits,
    ) -> None:
        self._open_slot = open_slot
        self._find_languages = find_languages
        self._stateful = stateful
        self._interactive = interactive
        self._limits = limits
        self._lines: deque[str | None] = deque()
        self._turn = threading.Lock()
        self._cells = 0
        self._keeps_disk = False  # between one-shot runs
        self._programs: SandboxSession | None = None  # where a stateful session runs what it execs
        self._held = _Held()
        self._close = weakref.finalize(self, self._held.close)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    @property
    def languages(self) -> frozenset[str]:
        return frozenset({*BUILT_IN, *self._find_languages()})

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
        one-shot runs, and for languages other than Python, whose programs are processes of their
        own: in a stateful session they share its files and nothing else. Closing the iterator
        early kills the run.

        Raises:
            SandboxError: the sandbox broke, and the session is unusable until `restart`; or
                another run of this session is in progress.
        """
        if language not in BUILT_IN and language not in self._find_languages():
            hint = install_hint(language)
            yield ExecutionResult(Status.UNSUPPORTED, stderr=Output(hint, len(hint)))
            return
        limits = limits or self._limits
        with self._use():
            if language == "python":
                result = yield from self._run(code, limits, stdin)
            elif self._stateful:
                programs = self._programs = self._programs or self._open_programs()
                yield from programs.run(code, language=language, limits=limits, stdin=stdin)
                return
            else:
                result = yield from self._run_steps(code, language, limits, stdin)
        yield result

    def interrupt(self) -> None:
        """Interrupt the run in progress, if any; from any thread or signal handler."""
        self._wake_up(INTERRUPT)
        if self._programs is not None:
            self._programs.interrupt()

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
        self._close_programs()
        self._held.drop()
        self._open()

    def close(self) -> None:
        """End everything that runs in the session, and wait until it is gone."""
        self._stop_use()
        self._close_programs()
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
        if self._programs is not None:
            self._programs._stop_use()  # noqa: SLF001  a session too
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

    def _open_programs(self) -> "SandboxSession":
        """Return a one-shot session on this one's disk: its programs cannot reach our kernel."""
        ours = self._usable_slot()

        def open_beside(limits: ExecutionLimits) -> Slot:
            slot = self._open_slot(limits)
            try:
                ours.share_disk(slot)
            except SandboxError:
                slot.close()
                raise
            return slot

        programs = SandboxSession(
            open_beside,
            self._find_languages,
            stateful=False,
            interactive=False,
            limits=self._limits,
        )
        programs._keeps_disk = True
        return programs

    def _close_programs(self) -> None:
        programs, self._programs = self._programs, None
        if programs is not None:
            programs.close()

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

    def _run_steps(
        self, code: str, language: str, limits: ExecutionLimits, stdin: bytes
    ) -> Generator[OutputChunk | InputRequested, None, ExecutionResult]:
        """Compile the code, if its language wants that, and run it if that went well."""
        row = self._find_languages().get(language)
        plan = [sql_step(limits)] if row is None else steps(row, code, limits)
        late: list[OutputChunk | InputRequested] = []
        for step in plan:
            events = self._run(code, step.limits, stdin, step)
            if step.compiles:
                late, result = collect(events)
            else:
                late, result = [], (yield from events)
            result = judge_step(step, row, result)
            if result.status is not Status.OK:
                break
        self._clean(self._usable_slot())
        yield from late
        return result

    def _run(
        self, code: str, limits: ExecutionLimits, stdin: bytes, step: Step | None = None
    ) -> Generator[OutputChunk | InputRequested, None, ExecutionResult]:
        slot = self._usable_slot()
        run: Run | None = None
        try:
            lost = self._bury_dead_guest(slot)
            self._forget_wakes()
            run, progress = self._begin(slot, code, limits, stdin, step)
            yield from progress
            if run.facts.ended:
                lost = self._stateful
                self._replace_guest(slot, clean=step is None)
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
        if step is not None and run.facts.interrupted and result.status in _OWN_ENDS:
            result = replace(result, status=Status.INTERRUPTED)  # it may end as it likes
        return replace(result, state_lost=lost)

    def _begin(
        self, slot: Slot, code: str, limits: ExecutionLimits, stdin: bytes, step: Step | None
    ) -> tuple[Run, Progress]:
        """Start a run: on this session's kernel, or in a process of its own."""
        self._cells += 1
        if not self._stateful:
            self._held.guest = guest = start_guest(
                slot,
                limits,
                script=code.encode("utf-8", "surrogatepass"),
                stdin=stdin,
                interactive=self._interactive,
                program=step.start if step else None,
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

    def _replace_guest(self, slot: Slot, *, clean: bool = True) -> None:
        """Forget a guest that has ended, and make ready for the next."""
        guest, self._held.guest = self._held.guest, None
        if guest is not None:
            guest.close()
        if self._stateful:
            self._held.guest = self._new_kernel(slot)
        elif clean:
            self._clean(slot)

    def _clean(self, slot: Slot) -> None:
        """Make the disk of a one-shot session anew, unless it is another's."""
        if self._keeps_disk:
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
