"""Faulty code tried for its true failure: judged against tests, and run in a session."""

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace

from codeloop.core.dialogue import Cell, Finish
from codeloop.core.errors import SandboxError
from codeloop.core.execution import ExecutionLimits, ExecutionResult
from codeloop.core.problem import Problem, Tests, Verdict
from codeloop.core.protocols import Session
from codeloop.dataset.mutation.tasks import Check, Task
from codeloop.dataset.runs import Ran, run_key
from codeloop.judge.judging import judge
from codeloop.judge.many import RigPool
from codeloop.loop.selection import select_cells

RUN_LIMITS = ExecutionLimits(cpu_s=1.0, wall_s=20.0, memory_bytes=512 << 20)


def stripped(result: ExecutionResult) -> ExecutionResult:
    """Return a result without what differs from run to run: its times and its memory."""
    return replace(result, cpu_s=0.0, wall_s=0.0, peak_memory_bytes=0)


class Trying:
    """Judges and runs code for the dialogues of all tasks; threads share it.

    `identity` names sandbox and interpreters in the keys of runs.
    """

    def __init__(
        self,
        rigs: RigPool,
        open_session: Callable[[], AbstractContextManager[Session]],
        *,
        identity: str,
    ) -> None:
        self._rigs = rigs
        self._open_session = open_session
        self._identity = identity

    def shown(self, task: Task, code: str) -> Verdict:
        """Return the verdict of the visible tests.

        Raises:
            SandboxError: our side failed.
        """
        verdict = self._judged(task.problem, code, task.problem.visible)
        return replace(verdict, cpu_s=0.0, wall_s=0.0)

    def passes(self, task: Task, code: str, *, hidden_alone: bool = False) -> bool:
        """Return whether code passes the tests of its problem, in a way that nobody could forge.

        Raises:
            SandboxError: our side failed.
        """
        tests = task.problem.hidden if hidden_alone else None
        verdict = self._judged(task.problem, code, tests)
        return verdict.passed and not verdict.forgeable

    def _judged(self, problem: Problem, code: str, tests: Sequence[Tests] | None) -> Verdict:
        """Return a verdict; a second trial has others beside it, since processor time decides."""
        with self._rigs.lend() as rig:
            return judge(problem, code, rig, tests=tests)

    @contextmanager
    def session(self) -> Iterator["Running"]:
        """Open a new session for the runs of one dialogue."""
        with self._open_session() as session:
            yield Running(session, self._identity)


class Running:
    """The runs of one dialogue, in one session."""

    def __init__(self, session: Session, identity: str) -> None:
        self._session = session
        self._identity = identity
        self._ran: list[Ran] = []
        self.keys: list[str] = []

    def run(self, reply: str) -> tuple[Cell, ...]:
        """Run the code of a reply; return its cells as the loop would.

        Raises:
            SandboxError: our side failed.
        """
        cells = select_cells(reply, {"python"}, Finish.STOP)
        return tuple(
            cell if cell.skipped else replace(cell, result=self._result(cell)) for cell in cells
        )

    def _result(self, cell: Cell) -> ExecutionResult:
        self._ran.append(Ran(cell.language, cell.code, RUN_LIMITS))
        self.keys.append(run_key(self._identity, self._ran))
        with closing(self._session.run(cell.code, limits=RUN_LIMITS)) as events:
            for event in events:
                if isinstance(event, ExecutionResult):
                    return stripped(event)
        msg = "the sandbox ended a run without a result"
        raise SandboxError(msg)


def with_prints(code: str, checks: tuple[Check, ...]) -> str:
    """Return code that prints what its examples give, a line for each."""
    return _with(code, [f"print({check.call})" for check in checks])


def with_asserts(code: str, checks: tuple[Check, ...]) -> str:
    """Return code that asserts its examples."""
    return _with(code, [f"assert {check.call} == {check.expected}" for check in checks])


def _with(code: str, lines: list[str]) -> str:
    return f"{code.rstrip()}\n\n\n" + "".join(f"{line}\n" for line in lines)


def failed_check(code: str, result: ExecutionResult, checks: tuple[Check, ...]) -> Check | None:
    """Return the assert that a run stopped at, if it did at one of those at its end."""
    error = result.error
    if error is None or error.name != "AssertionError" or error.line is None:
        return None
    lines = code.split("\n")
    text = lines[error.line - 1] if error.line <= len(lines) else ""
    return next((each for each in checks if text == f"assert {each.call} == {each.expected}"), None)


def is_printed_as(expected: str, line: str) -> bool:
    """Return whether a line is what a value looks like when it is printed."""
    try:
        return str(ast.literal_eval(expected)) == line
    except (ValueError, SyntaxError, TypeError):
        return False
