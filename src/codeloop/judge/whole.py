"""Judges whole programs: what they print for an input, or asserts in one process with them."""

import secrets
from contextlib import closing
from dataclasses import replace

from codeloop.core.errors import SandboxError
from codeloop.core.execution import (
    MIB,
    ExecutionLimits,
    ExecutionResult,
    GuestError,
    OutputChunk,
    Status,
)
from codeloop.core.problem import (
    Problem,
    ProgramTests,
    Reason,
    StdioCase,
    StdioTests,
    Verdict,
)
from codeloop.core.protocols import Rig

_SHOWN_CHARS = 400
_NUMBER_TOLERANCE = 1e-5
_SLACK_BYTES = 64 * 1024  # white space that may be printed beyond what is expected


class Lines:
    """Compares a text with what is expected as it comes: line by line, but for white space at ends.

    Holds no more than one line of it, and that only as far as it is right.
    """

    def __init__(self, expected: str, *, tolerant: bool = False) -> None:
        text = expected.strip() if tolerant else expected.rstrip()
        self._expected = [line.rstrip() for line in text.split("\n")]
        self._tolerant = tolerant
        self._number = 0  # of the line that comes next, from 0
        self._line = ""
        self.difference: tuple[str, str] | None = None  # the first line that differs: ours, theirs

    def feed(self, text: str) -> bool:
        """Take in more of the text; return whether it can still be right."""
        *whole, rest = text.split("\n")
        for piece in whole:
            if not self._end(self._line + piece):
                return False
            self._line = ""
        self._line += rest
        if self._tolerant:  # what a line is like can be told at its end
            return True
        wanted = self._wanted()
        spaces = len(self._line) - len(wanted)
        if not wanted.startswith(self._line.rstrip()) or spaces > _SLACK_BYTES:
            self._differ(self._line)
        return self.difference is None

    def finish(self) -> bool:
        """Take in the end; return whether all was right."""
        if self.difference is None and self._end(self._line):
            missing = any(self._expected[self._number :])
            if missing:
                self._differ("")
        return self.difference is None

    def _wanted(self) -> str:
        return self._expected[self._number] if self._number < len(self._expected) else ""

    def _end(self, line: str) -> bool:
        if self._tolerant and self._number == 0 and not line.strip():
            return True
        same = _alike if self._tolerant else str.__eq__
        if not same(line.rstrip(), self._wanted()):
            self._differ(line)
            return False
        self._number += 1
        return True

    def _differ(self, line: str) -> None:
        place = f"line {self._number + 1}: "
        self.difference = place + self._wanted(), place + line


def _alike(ours: str, wanted: str) -> bool:
    """Return whether two lines are the same to SandboxFusion (`check_stdio_test_case`)."""
    ours, wanted = ours.strip().lower(), wanted.strip().lower()
    if ours == wanted:
        return True
    try:
        number, right = float(ours), float(wanted)
    except ValueError:
        return False
    return abs(number - right) < _NUMBER_TOLERANCE * max(abs(right), 1e-10)


def judge_stdio(problem: Problem, solution: str, tests: StdioTests, rig: Rig) -> Verdict:
    """Return the verdict on a program by what it prints, up to the first case that fails."""
    passed, cpu_s, wall_s = 0, 0.0, 0.0
    verdict = Verdict(Reason.PASSED)
    for case in tests.cases:
        lines = Lines(case.stdout, tolerant=tests.tolerant)
        limits = _limits(problem, len(case.stdout.encode("utf-8", "surrogatepass")))
        result = _run(f"{problem.preamble}{solution}", case.stdin, lines, limits, rig)
        cpu_s += result.cpu_s if result else 0.0
        wall_s += result.wall_s if result else 0.0
        verdict = _verdict(result, case, lines)
        if not verdict.passed:
            break
        passed += 1
    sets = int(verdict.passed)
    return replace(verdict, tests_passed=passed, sets_passed=sets, cpu_s=cpu_s, wall_s=wall_s)


def judge_script(
    problem: Problem, solution: str, source: str, rig: Rig, *, setup: str = ""
) -> Verdict:
    """Return the verdict on a solution by code that runs in one process with it: forgeable.

    A solution that knows of the mark that the last line prints can fake a pass.
    """
    mark = secrets.token_hex(16)
    code = f"{setup}\n{problem.preamble}\n{solution}\n{source}\nprint({mark!r})\n"
    lines = Lines("")
    result = _run(code, "", lines, _limits(problem, 0), rig, all_of_it=True)
    if result is None:
        msg = "a run ended without a result"
        raise SandboxError(msg)
    verdict = _failure(result) if result.status is not Status.OK else Verdict(Reason.PASSED)
    if verdict.passed and not result.stdout.text.rstrip().endswith(mark):
        error = GuestError("SystemExit", "it left before its tests did")
        verdict = Verdict(Reason.DIED, error=error)
    return _forgeable(verdict, result)


def judge_program(problem: Problem, solution: str, tests: ProgramTests, rig: Rig) -> Verdict:
    """Return the verdict on a solution by how the program ends that its tests make of it.

    Raises:
        SandboxError: this machine does not run the language.
    """
    for text in tests.drop:
        solution = solution.replace(text, "", 1)
    code = f"{tests.before}{solution}{tests.after}"
    limits = ExecutionLimits(cpu_s=problem.limits.cpu_s, wall_s=problem.limits.wall_s)
    with closing(rig.run(code, language=tests.language, limits=limits)) as run:
        *_, result = run
    if not isinstance(result, ExecutionResult) or result.status is Status.UNSUPPORTED:
        msg = f"{tests.language} does not run here"
        raise SandboxError(msg)
    if result.status is Status.OK:
        return _forgeable(Verdict(Reason.PASSED), result)
    said = GuestError("", (result.stderr.text or result.stdout.text).strip()[-_SHOWN_CHARS:])
    failure = _failure(result)
    exited = failure.reason is Reason.DIED and result.signal is None
    reason = Reason.EXCEPTION if exited else failure.reason
    return _forgeable(replace(failure, reason=reason, error=result.error or said), result)


def _forgeable(verdict: Verdict, result: ExecutionResult) -> Verdict:
    sets = int(verdict.passed)
    return replace(
        verdict,
        forgeable=True,
        tests_passed=sets,
        sets_passed=sets,
        cpu_s=result.cpu_s,
        wall_s=result.wall_s,
    )


def _limits(problem: Problem, output_bytes: int) -> ExecutionLimits:
    limits = problem.limits
    room = 2 * output_bytes + _SLACK_BYTES
    return ExecutionLimits(
        cpu_s=limits.step_cpu_s,
        wall_s=limits.step_wall_s,
        output_bytes=room,
        output_stop_bytes=room + 64 * MIB,
    )


def _run(
    solution: str,
    stdin: str,
    lines: Lines,
    limits: ExecutionLimits,
    rig: Rig,
    *,
    all_of_it: bool = False,
) -> ExecutionResult | None:
    """Run a program to its end, or until what it prints is wrong: then None."""
    data = stdin.encode("utf-8", "surrogatepass")
    with closing(rig.run(solution, limits=limits, stdin=data)) as run:
        for event in run:
            match event:
                case OutputChunk("stdout", text) if not all_of_it and not lines.feed(text):
                    return None
                case ExecutionResult():
                    return event
                case _:
                    pass
    msg = "the sandbox ended a run without a result"
    raise SandboxError(msg)


def _verdict(result: ExecutionResult | None, case: StdioCase, lines: Lines) -> Verdict:
    if result is not None and result.status is not Status.OK:
        failure = _failure(result)
        return replace(failure, input=case.stdin[:_SHOWN_CHARS])
    if result is not None and lines.finish():
        return Verdict(Reason.PASSED)
    expected, actual = lines.difference or ("", "")
    return Verdict(
        Reason.WRONG_ANSWER,
        input=case.stdin[:_SHOWN_CHARS],
        expected=expected[:_SHOWN_CHARS],
        actual=actual[:_SHOWN_CHARS],
    )


def _failure(result: ExecutionResult) -> Verdict:
    match result.status:
        case Status.COMPILE_ERROR:
            return Verdict(Reason.COMPILE_ERROR, error=result.error)
        case Status.SIGNAL:
            return Verdict(Reason.DIED, error=GuestError("Signal", f"signal {result.signal}"))
        case Status.ERROR if result.error is None:
            return Verdict(
                Reason.DIED, error=GuestError("SystemExit", f"exit code {result.exit_code}")
            )
        case Status.ERROR:
            return Verdict(Reason.EXCEPTION, error=result.error)
        case _:
            return Verdict(Reason.LIMIT, limit=result.status, error=result.error)
