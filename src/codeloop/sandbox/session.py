"""A session: a place in the sandbox where code runs, with or without memory of the runs before."""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from codeloop.core.errors import DataError, SandboxError
from codeloop.core.execution import (
    MIB,
    ExecutionLimits,
    ExecutionResult,
    GuestError,
    InputRequested,
    Output,
    OutputChunk,
    Status,
    Variable,
    WorkFile,
)
from codeloop.sandbox.languages import BUILT_IN, Language, install_hint
from codeloop.sandbox.link import Slot
from codeloop.sandbox.runner import CLOSED, Events, Kind, Runner
from codeloop.sandbox.stateful import installs, workspace
from codeloop.sandbox.stateful.installs import InstallPolicy, Wanted
from codeloop.sandbox.stateful.log import (
    REPEATABLE,
    Asked,
    Difference,
    LoggedCell,
    Replay,
    compare,
    logged,
)
from codeloop.sandbox.stateful.turn import Turn

_STOP_TIMEOUT_S = 1.0
_LISTING_LIMIT_S = 5.0  # for a kernel to say what names it has, before it is taken for hung


class SandboxSession:
    """Runs code in a slot of its own; fulfils `codeloop.core.protocols.Session`."""

    def __init__(
        self,
        open_slot: Callable[[ExecutionLimits], Slot],
        find_languages: Callable[[], Mapping[str, Language]],
        kind: Kind,
        installs_from: InstallPolicy,
    ) -> None:
        self._installs = installs_from
        self._find_languages = find_languages
        self._stateful = kind.stateful
        self._limits = kind.limits
        self._turn = Turn()
        self._idle_since = time.monotonic()
        self._cells: list[LoggedCell] = []
        self._typed: list[str | None] = []  # lines, during a run
        self._programs: Runner | None = None  # where a stateful session runs what it execs
        self._language = kind.kernel.language if kind.kernel else "python"  # of its cells
        self._asks_kernel = kind.stateful and kind.kernel is None  # ours, which knows more
        self._runner = Runner(open_slot, find_languages, kind)

    @property
    def languages(self) -> frozenset[str]:
        return frozenset({*BUILT_IN, *self._find_languages(), self._language})

    def run(
        self,
        code: str,
        *,
        language: str = "python",
        limits: ExecutionLimits | None = None,
        stdin: bytes = b"",
        files: Sequence[tuple[str, bytes]] = (),
    ) -> Generator[OutputChunk | InputRequested | ExecutionResult, None, None]:
        """Run the code; yield its output as it comes, then one `ExecutionResult`.

        `limits` replaces the session's own limits for this run; what a stateful session's process
        was started with (memory, processes, files, disk) can only be made tighter. `stdin` is for
        one-shot runs, and for languages other than Python, whose programs are processes of their
        own: in a stateful session they share its files and nothing else. `files` (path in the
        work directory, content) are put there before, and go when the directory is made anew.
        Closing the iterator early kills the run.

        Raises:
            DataError: a file has no proper name, or does not fit.
            SandboxError: the sandbox broke, and the session is unusable until `restart`; or
                another run of this session is in progress.
        """
        if language not in self.languages:
            hint = install_hint(language)
            yield ExecutionResult(Status.UNSUPPORTED, stderr=Output(hint, len(hint)))
            return
        limits = limits or self._limits
        self._forget_wakes()
        with self._turn.take():
            self._typed = []
            runner = self._runner
            runner.put_bytes(files)
            if language == self._language:
                wanted = installs.find(code) if self._asks_kernel else None
                if wanted is not None and self._is_no_python(code):
                    result = yield from self._install_and_run(wanted, limits)
                else:
                    result = yield from runner.run(code, limits, stdin)
                repeatable = self._stateful and runner.outlived
            else:
                if self._stateful:
                    runner = self._beside()
                if language == "python":
                    result = yield from runner.run(code, limits, stdin)
                else:
                    result = yield from runner.run_steps(code, language, limits, stdin)
                repeatable = self._stateful
            if repeatable and result.status in REPEATABLE:
                asked = Asked(code, language, limits, stdin, tuple(files))
                self._cells.append(logged(asked, tuple(self._typed), result))
            if runner.forget_wakes() and result.status in REPEATABLE:  # came at its very end
                result = replace(result, status=Status.INTERRUPTED)
            self._idle_since = time.monotonic()
        yield result

    def interrupt(self) -> bool:
        """Interrupt the run in progress; return whether there is one.

        It may be called from any thread or signal handler.
        """
        if not self._turn.runs:
            return False
        for runner in (self._runner, self._programs):
            if runner is not None:
                runner.interrupt()
        return True

    def send_input(self, line: str | None) -> None:
        """Answer an `InputRequested`; None means end of input."""
        self._typed.append(line)
        self._runner.send_line(line)

    @property
    def cells(self) -> tuple[LoggedCell, ...]:
        """What a stateful session has run since it was started, as far as it can be run again.

        A kernel that was killed has lost what they made: `replay` makes it again.
        """
        return tuple(self._cells)

    def replay(self, cells: Sequence[LoggedCell] | None = None) -> Replay:
        """Start anew and run the session's cells again, or those of another; say what differs.

        It ends early, and is not complete, if a cell is interrupted or kills its session.

        Raises:
            SandboxError: as for `run`.
        """
        wanted = self.cells if cells is None else tuple(cells)
        self.restart()
        differences: list[Difference] = []
        try:
            for number, before in enumerate(wanted, 1):
                self._run_again(before)
                if len(self._cells) != number:
                    return Replay(number - 1, complete=False, differences=tuple(differences))
                difference = compare(number, before, self._cells[-1])
                if difference is not None:
                    differences.append(difference)
        finally:
            if len(self._cells) < len(wanted):
                self._cells = list(wanted)  # for another try
        return Replay(len(wanted), complete=True, differences=tuple(differences))

    def variables(self) -> tuple[Variable, ...]:
        """Return the names that the code has given values, without modules: the first 200.

        They are described by a fork of the session's process, so that what a `__repr__` does has
        no effect. A one-shot session has none, and that of a Jupyter kernel cannot be asked.

        Raises:
            SandboxError: as for `run`.
        """
        if not self._asks_kernel:
            return ()
        limits = replace(self._limits, cpu_s=_LISTING_LIMIT_S, wall_s=_LISTING_LIMIT_S)
        self._forget_wakes()
        with self._turn.take(short=True):
            facts = self._runner.ask_kernel({"names": True}, limits)
        return facts.answer.variables if facts.answer else ()

    def put_file(self, path: Path, name: str | None = None) -> None:
        """Copy a file of the host into the work directory, under its own name or another.

        The name may be a path there: folders are made. The file is put again, as it is now,
        whenever the work directory is made anew.

        Raises:
            DataError: the file cannot be read, the name leads elsewhere, or it does not fit.
            SandboxError: the sandbox broke.
        """
        name = workspace.checked(path.name if name is None else name)
        files = self._runner.held.files
        with self._use_slot() as slot:
            descriptor = workspace.open_regular(path)
            previous = files.pop(name, None)
            if previous is not None:
                os.close(previous)
            try:
                workspace.put(slot, name, descriptor)
            except DataError:
                os.close(descriptor)
                raise
            files[name] = descriptor

    def list_files(self) -> tuple[WorkFile, ...]:
        """Return the regular files of the work directory, by their paths: the first 2000.

        Raises:
            SandboxError: as for `run`.
        """
        with self._use_slot() as slot:
            return workspace.listing(slot)

    def get_file(self, name: str, *, most_bytes: int = 64 * MIB) -> bytes:
        """Return what is in a file of the work directory; no link is followed.

        Raises:
            DataError: there is no such regular file, or it is longer than `most_bytes`.
            SandboxError: as for `run`.
        """
        with self._use_slot() as slot:
            return workspace.read(slot, name, most_bytes)

    def restart(self) -> None:
        """Throw all state away and start anew; files put in by the host are put in again.

        A run in progress ends with a `SandboxError` where it is consumed.

        Raises:
            SandboxError: the session is closed, or a new slot cannot be had.
        """
        if self._runner.is_closed:
            raise SandboxError(CLOSED)
        self._stop_use()
        self._runner.held.drop()
        self._cells = []
        self._runner.open()

    def close(self) -> None:
        """End everything that runs in the session, and wait until it is gone."""
        self._stop_use()
        self._runner.close()

    @property
    def idle_since(self) -> float | None:
        """When the last run ended (`time.monotonic`); None while something runs."""
        return None if self._turn.runs else self._idle_since

    @property
    def alive(self) -> bool:
        """Whether it has a slot that lives, so that something can be run."""
        slot = self._runner.held.slot
        return slot is not None and slot.alive

    def await_ready(self) -> None:
        """Wait until a stateful session's process is up, so that a cell starts at once.

        Raises:
            SandboxError: as for `run`.
        """
        if self._stateful:
            self._forget_wakes()
            with self._turn.take(short=True):
                self._runner.ask_kernel({"number": 0, "code": ""}, self._limits)

    def memory_bytes(self) -> int:
        """Return the memory that the session has taken: processes, and files in memory.

        Raises:
            SandboxError: as for `run`.
        """
        with self._use_slot() as slot:
            return sum(workspace.usage(slot))

    def _forget_wakes(self) -> None:
        """Drop what came too late for the run before."""
        if not self._turn.runs:
            for runner in (self._runner, self._programs):
                if runner is not None:
                    runner.forget_wakes()

    def _beside(self) -> Runner:
        self._programs = self._programs or self._runner.open_beside()
        return self._programs

    def _is_no_python(self, code: str) -> bool:
        """Return whether a cell does not compile, by the guest's own word."""
        request = {"number": 0, "code": f"compile({code!r}, '', 'exec')"}
        facts = self._runner.ask_kernel(request, self._limits)
        return facts.answer is not None and facts.answer.error is not None

    def _install_and_run(self, wanted: Wanted, limits: ExecutionLimits) -> Events:
        """Unpack the wheels that a cell wants into its disk, then run the rest of it."""
        stopped, why_not = self._runner.forget_wakes, None
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if asked := installs.question(self._installs, wanted.words):
                agreed = yield from self._runner.ask(asked)
                why_not = None if installs.agrees(agreed) else installs.DECLINED
            why_not = why_not or installs.bring(self._installs, wanted.words, folder, stopped)
            wheels = sorted(folder.iterdir())
            if why_not is None and wheels:
                why_not = yield from self._unpack(wheels, limits)
        if why_not is not None:
            yield OutputChunk("stderr", f"{why_not}\n")
            stderr = Output(f"{why_not}\n", len(why_not.encode()) + 1)
            status = Status.INTERRUPTED if why_not == installs.STOPPED else Status.ERROR
            return ExecutionResult(status, stderr=stderr, error=GuestError("InstallError", why_not))
        said = f"installed: {' '.join(path.stem for path in wheels) or 'nothing new'}"
        return (yield from self._runner.run(wanted.code_with(said), limits))

    def _unpack(
        self, wheels: Sequence[Path], limits: ExecutionLimits
    ) -> Generator[OutputChunk | InputRequested, None, str | None]:
        for path in wheels:
            descriptor = workspace.open_regular(path)
            try:
                name = f"{installs.FOLDER}/{path.name}"
                workspace.put(self._runner.slot, workspace.checked(name), descriptor)
            except DataError as error:
                return str(error)
            finally:
                os.close(descriptor)
        result = yield from self._beside().run(installs.UNPACK, limits)
        if result.status is Status.OK:
            return None
        return f"the packages could not be unpacked: {result.stderr.text.strip() or result.status}"

    def _run_again(self, cell: LoggedCell) -> None:
        lines = iter(cell.lines)
        asked = cell.asked
        events = self.run(
            asked.code,
            language=asked.language,
            limits=asked.limits,
            stdin=asked.stdin,
            files=asked.files,
        )
        for event in events:
            if isinstance(event, InputRequested):
                self.send_input(next(lines, None))

    @contextlib.contextmanager
    def _use_slot(self) -> Iterator[Slot]:
        """Have the session's slot for a request, and let go of it should it break."""
        with self._turn.take(short=True):
            slot = self._runner.slot
            try:
                yield slot
            except SandboxError:
                self._runner.give_up(slot)
                raise

    def _stop_use(self) -> None:
        """End a run that another thread consumes, or that nobody consumes any more."""
        programs, self._programs = self._programs, None
        for runner in (programs, self._runner):
            if runner is not None:
                runner.kill()
        self._turn.await_end(_STOP_TIMEOUT_S)  # a thread that waits for it notices at once
        self._turn = Turn()
        if programs is not None:
            programs.close()
