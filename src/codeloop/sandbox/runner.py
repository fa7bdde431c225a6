"""Runs code in a slot, and keeps the slot and its guest fit for the next run."""

import contextlib
import os
import select
import socket
import weakref
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from codeloop.core.errors import DataError, SandboxError
from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    OutputChunk,
    Status,
)
from codeloop.sandbox.jail import wire
from codeloop.sandbox.languages import Language
from codeloop.sandbox.link import Guest, Slot, memory_file, start_guest
from codeloop.sandbox.program import Step, collect, judge_step, sql_step, steps
from codeloop.sandbox.running import INTERRUPT, LINE, Progress, Run
from codeloop.sandbox.stateful import workspace
from codeloop.sandbox.stateful.kernels import THREADS, JupyterKernel
from codeloop.sandbox.status import Facts, decide, taken_with_guest

CLOSED = "this session is closed"
_SPEND_LIMIT_S = 5.0
_LOOK_S = 0.1
_OWN_ENDS = frozenset({Status.ERROR, Status.SIGNAL})  # not for a limit

Events = Generator[OutputChunk | InputRequested, None, ExecutionResult]


class Held:
    """What a session holds of the system, to be given back though the session was forgotten."""

    def __init__(self) -> None:
        self.wake, self.waker = socket.socketpair()
        self.wake.setblocking(False)
        self.waker.setblocking(False)
        self.files: dict[str, int] = {}  # put files: path -> open file of the host
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


@dataclass(frozen=True, slots=True)
class Kind:
    """What sort of session a runner runs code for."""

    stateful: bool
    interactive: bool
    limits: ExecutionLimits
    keeps_disk: bool = False  # between one-shot runs: it is another's
    kernel: JupyterKernel | None = None  # runs a stateful one's cells in place of our own


class Runner:
    """One slot, and the guest in it: a kernel that lives on, or one process after another."""

    def __init__(
        self,
        open_slot: Callable[[ExecutionLimits], Slot],
        find_languages: Callable[[], Mapping[str, Language]],
        kind: Kind,
    ) -> None:
        self.held = Held()
        self.lines: deque[str | None] = deque()
        self._open_slot = open_slot
        self._find_languages = find_languages
        self._kind = kind
        self._cells = 0
        self._lost = False  # the variables, since the last result
        self.outlived = False  # by the kernel: the last run
        self._close = weakref.finalize(self, self.held.close)
        try:
            self.open()
        except BaseException:
            self.close()
            raise

    @property
    def slot(self) -> Slot:
        """The slot in use.

        Raises:
            SandboxError: there is none: it broke, or was closed.
        """
        if self.held.slot is None:
            raise SandboxError("this session needs a restart" if self._close.alive else CLOSED)
        return self.held.slot

    @property
    def is_closed(self) -> bool:
        return not self._close.alive

    def open(self) -> None:
        """Get a slot, with the files that were put; whatever was held before is to be dropped."""
        slot = self.held.slot = self._open_slot(self._kind.limits)
        self._lost = False
        self._put_files(slot)
        if self._kind.stateful:
            self.held.guest = self._new_kernel(slot)

    def close(self) -> None:
        self._close()

    def kill(self) -> None:
        """End a run that another thread consumes, or that nobody consumes any more."""
        if self.held.slot is not None:
            self.held.slot.kill()

    def wake_up(self, why: bytes) -> None:
        with contextlib.suppress(OSError):  # closed, or so many that one more is no news
            self.held.waker.send(why)

    def interrupt(self) -> None:
        self.wake_up(INTERRUPT)

    def send_line(self, line: str | None) -> None:
        self.lines.append(line)
        self.wake_up(LINE)

    def ask(self, prompt: str) -> Generator[InputRequested, None, str | None]:
        """Ask for a line before anything runs; None if nobody is there, or it is interrupted."""
        if not self._kind.interactive:
            return None
        yield InputRequested(prompt)
        while not self.lines and self.held.slot is not None and self.held.slot.alive:
            woken = select.select([self.held.wake], [], [], _LOOK_S)[0]
            if woken and INTERRUPT in self.held.wake.recv(64):
                self.interrupt()  # the run is told of it, too
                return None
        return self.lines.popleft() if self.lines else None

    def forget_wakes(self) -> bool:
        """Drop interrupts and lines that no run has taken; return whether one was an interrupt."""
        self.lines.clear()
        waiting = b""
        with contextlib.suppress(OSError):  # there is no more, or it is closed
            while data := self.held.wake.recv(4096):
                waiting += data
        return INTERRUPT in waiting

    def open_beside(self) -> "Runner":
        """Return a one-shot runner on this one's disk: its programs cannot reach our kernel."""
        ours = self.slot

        def open_slot(limits: ExecutionLimits) -> Slot:
            slot = self._open_slot(limits)
            try:
                ours.share_disk(slot)
            except SandboxError:
                slot.close()
                raise
            return slot

        kind = replace(self._kind, stateful=False, interactive=False, keeps_disk=True)
        return Runner(open_slot, self._find_languages, kind)

    def put_bytes(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Write files into the work directory, for as long as it is not made anew.

        Raises:
            DataError: a name leads elsewhere, or a file does not fit; none of them is there.
        """
        slot = self.slot
        try:
            for name, data in files:
                descriptor = memory_file(data)
                try:
                    workspace.put(slot, workspace.checked(name), descriptor)
                finally:
                    os.close(descriptor)
        except DataError:
            if not self._kind.stateful:
                self._clean(slot)
            raise
        except SandboxError:
            self.give_up(slot)
            raise

    def run_steps(self, code: str, language: str, limits: ExecutionLimits, stdin: bytes) -> Events:
        """Compile the code, if its language wants that, and run it if that went well."""
        row = self._find_languages().get(language)
        if row is None or row.module:
            plan = iter([sql_step(language, limits)])
        else:
            plan = steps(row, code, limits)
        late: list[OutputChunk | InputRequested] = []
        for step in plan:
            events = self.run(code, limits, stdin, step)
            if step.compiles:
                late, result = collect(events)
            else:
                late, result = [], (yield from events)
            result = judge_step(step, row, result)
            if result.status is not Status.OK:
                break
        self._clean(self.slot)
        yield from late
        return result

    def run(
        self, code: str, limits: ExecutionLimits, stdin: bytes = b"", step: Step | None = None
    ) -> Events:
        """Run the code: on the kernel, or in a process of its own."""
        run = yield from self._watch(
            lambda slot: self._begin(slot, code, limits, stdin, step), clean=step is None
        )
        result = decide(
            run.facts,
            stdout=run.captures["stdout"].output(),
            stderr=run.captures["stderr"].output(),
            isolation=run.isolation,
        )
        if run.facts.interrupted and result.status in _OWN_ENDS:
            result = replace(result, status=Status.INTERRUPTED)  # it may end as it likes
        lost, self._lost = self._lost, False
        return replace(result, state_lost=lost)

    def ask_kernel(self, request: wire.Message, limits: ExecutionLimits) -> Facts:
        """Have the kernel answer something that is no cell."""
        asking = self._watch(lambda slot: self._begin_cell(slot, request, limits))
        while True:
            try:
                next(asking)
            except StopIteration as end:
                return end.value.facts  # type: ignore[no-any-return]

    def _watch(
        self, begin: Callable[[Slot], tuple[Run, Progress]], *, clean: bool = True
    ) -> Generator[OutputChunk | InputRequested, None, Run]:
        """Begin a run and return it when it has ended, with all made ready for the next."""
        slot = self.slot
        run: Run | None = None
        try:
            self._bury_dead_guest(slot)
            run, progress = begin(slot)
            yield from progress
            ended = run.facts.ended is not None
            if run.facts.interrupted and not ended:
                ended = self._spend_interrupt(slot)
            self.outlived = not ended
            if ended:
                self._replace_guest(slot, clean=clean)
        except SandboxError:
            if run is None or not slot.died_with_guest():
                self.give_up(slot)
                raise
            run.facts.ended = run.facts.ended or taken_with_guest(run.facts.limits)
            self._replace_slot()
        except BaseException:  # closed by the consumer, or ^C on our side
            self._abandon(slot, run)
            raise
        return run

    def _begin(
        self, slot: Slot, code: str, limits: ExecutionLimits, stdin: bytes, step: Step | None
    ) -> tuple[Run, Progress]:
        self._cells += 1
        if self._kind.stateful:
            return self._begin_cell(slot, {"number": self._cells, "code": code}, limits)
        self.held.guest = guest = start_guest(
            slot,
            limits,
            script=code.encode("utf-8", "surrogatepass"),
            stdin=stdin,
            interactive=self._kind.interactive,
            program=step.start if step else None,
        )
        run = Run(slot, guest, limits, self.held.wake, self.lines)
        return run, run.script()

    def _begin_cell(
        self, slot: Slot, request: wire.Message, limits: ExecutionLimits
    ) -> tuple[Run, Progress]:
        limits = self._with_kernels_own(limits)
        guest = self.held.guest = self.held.guest or self._new_kernel(slot)
        guest.discard_output()
        guest.sequence += 1
        run = Run(slot, guest, limits, self.held.wake, self.lines)
        message = {"seq": guest.sequence, **request}
        return run, run.cell(message, interactive=self._kind.interactive)

    def _spend_interrupt(self, slot: Slot) -> bool:
        """Run nothing, so that an interrupt which a cell was too quick for hits no other cell.

        Return whether the kernel has ended over it.
        """
        limits = replace(self._kind.limits, cpu_s=_SPEND_LIMIT_S, wall_s=_SPEND_LIMIT_S)
        run, progress = self._begin_cell(slot, {"number": 0, "code": ""}, limits)
        run.facts.interrupted = True  # and cannot be again
        for _ in progress:
            pass
        return run.facts.ended is not None

    def _new_kernel(self, slot: Slot) -> Guest:
        return start_guest(
            slot,
            self._with_kernels_own(self._kind.limits),
            script=None,
            interactive=self._kind.interactive,
            program=self._kind.kernel.start() if self._kind.kernel else None,
        )

    def _with_kernels_own(self, limits: ExecutionLimits) -> ExecutionLimits:
        """Return the limits of a cell with the threads that its kernel starts for itself."""
        threads = THREADS if self._kind.kernel else 0
        return replace(limits, processes=limits.processes + threads)

    def _bury_dead_guest(self, slot: Slot) -> None:
        """Notice a kernel that ended while nothing ran."""
        if self.held.guest is not None and slot.has_reported("ended"):
            self._replace_guest(slot)

    def _replace_guest(self, slot: Slot, *, clean: bool = True) -> None:
        """Forget a guest that has ended, and make ready for the next."""
        guest, self.held.guest = self.held.guest, None
        if guest is not None:
            guest.close()
        if self._kind.stateful:
            self._lost = True
            self.held.guest = self._new_kernel(slot)
        elif clean:
            self._clean(slot)

    def _replace_slot(self) -> None:
        """Go on in a new slot, after one that the kernel took with its guest."""
        self.outlived = False
        self.held.drop()
        self.open()
        self._lost = self._kind.stateful

    def _clean(self, slot: Slot) -> None:
        """Make the disk of a one-shot session anew, unless it is another's."""
        if not self._kind.keeps_disk:
            slot.send({"op": "clean"})
            self._put_files(slot)

    def _put_files(self, slot: Slot) -> None:
        for name, descriptor in self.held.files.items():
            workspace.put(slot, name, descriptor)

    def _abandon(self, slot: Slot, run: Run | None) -> None:
        """End a run that nobody waits for, so that the session can be used again."""
        if slot is not self.held.slot:  # closed, or restarted, while the run was held up
            return
        try:
            if run is None:
                self.held.drop()
                self.open()
                return
            run.abandon()
            self._replace_guest(slot)
        except SandboxError:
            self.give_up(slot)

    def give_up(self, slot: Slot) -> None:
        """Let go of a slot that broke, unless that was done already."""
        if slot is self.held.slot:
            self.held.drop()
