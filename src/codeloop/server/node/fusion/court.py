"""Judges submissions by `codeloop.judge`, and tells what their programs did meanwhile."""

import threading
from collections.abc import Generator
from typing import Any

from codeloop.core.errors import SandboxError
from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    Output,
    OutputChunk,
    Status,
    TrialLimits,
    TrialResult,
)
from codeloop.core.problem import Problem, ScriptTests, Tests, Verdict
from codeloop.core.protocols import Rig
from codeloop.judge.judging import judge
from codeloop.sandbox import Program
from codeloop.server.node.fusion.running import COMPILED, LANGUAGES, describe, limits_for
from codeloop.server.node.fusion.submitting import Submission
from codeloop.server.node.node import Node


class Court:
    """Judges for many threads, with rigs that are opened as they are needed."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._idle: list[Rig] = []

    def judge(self, submission: Submission) -> dict[str, Any]:
        """Return SandboxFusion's `EvalResult`.

        Raises:
            DataError: a file has no proper name.
            SandboxError: our sandbox failed, or the language is not there.
        """
        cases: list[dict[str, Any]] = []
        for test, shown in zip(submission.tests, submission.shown, strict=True):
            passed, facts = self._judge_one(submission, test)
            cases.append({"passed": passed, "exec_info": facts, "test_info": shown})
            if not passed and not submission.try_all:
                break
        return {
            "id": submission.id,
            "accepted": all(case["passed"] for case in cases),
            "extracted_code": submission.code,
            "full_code": submission.solution,
            "test_code": None,
            "tests": cases,
            "extracted_type": None,
            "extra": {},
        }

    def trial(self, solution: bytes, request: bytes, limits: TrialLimits) -> TrialResult:
        """Do a rig's trial on one that is idle, or on a new one.

        Raises:
            SandboxError: the rig failed; it is used again, since it mends itself.
        """
        with self._lock:
            rig = self._idle.pop() if self._idle else None
        rig = rig or self._node.open_rig()
        try:
            return rig.trial(solution, request, limits)
        finally:
            with self._lock:
                self._idle.append(rig)

    def run(self, program: Program) -> ExecutionResult:
        """Run a program on the node.

        Raises:
            SandboxError: our sandbox failed, or the language is not there.
        """
        result = self._node.run(program, form="submit")
        if result.status is Status.UNSUPPORTED:
            raise SandboxError(result.stderr.text)
        return result

    def _judge_one(self, submission: Submission, test: Tests) -> tuple[bool, dict[str, Any]]:
        compiled = submission.language in COMPILED
        if isinstance(test, ScriptTests) and submission.language != "python":
            # only of Python can a judge tell whether a program came to its end
            language, limits = LANGUAGES[submission.language], limits_for(submission.seconds)
            files = submission.files
            result = self.run(Program(submission.solution, language, b"", files, limits))
            return result.status is Status.OK, describe(result, compiled=compiled)
        seconds = submission.seconds
        limits_of_trial = TrialLimits(seconds, 10 * seconds, seconds, seconds)
        problem = Problem(
            str(submission.id), "", (test,), submission.entry_point, limits=limits_of_trial
        )
        rig = _Recorder(self, submission)
        verdict = judge(problem, submission.solution, rig)
        return verdict.passed, describe(rig.last or _told(verdict), compiled=compiled)


class _Recorder:
    """A rig for one judgement, in the submission's language; keeps the last result."""

    def __init__(self, court: Court, submission: Submission) -> None:
        self._court = court
        self._submission = submission
        self.last: ExecutionResult | None = None

    def trial(self, solution: bytes, request: bytes, limits: TrialLimits) -> TrialResult:
        return self._court.trial(solution, request, limits)

    def run(
        self,
        code: str,
        *,
        language: str = "",
        limits: ExecutionLimits | None = None,
        stdin: bytes = b"",
    ) -> Generator[OutputChunk | ExecutionResult, None, None]:
        language = language or LANGUAGES[self._submission.language]
        limits = limits or ExecutionLimits()
        self.last = self._court.run(Program(code, language, stdin, self._submission.files, limits))
        yield OutputChunk("stdout", self.last.stdout.text)
        yield self.last

    def close(self) -> None:
        """Do nothing: the court keeps its rigs."""


def _told(verdict: Verdict) -> ExecutionResult:
    """Return a result that says what a verdict says, where the run itself is not to be seen."""
    if verdict.passed:
        return ExecutionResult(Status.OK, exit_code=0, wall_s=verdict.wall_s)
    error = f"{verdict.error.name}: {verdict.error.message}" if verdict.error else ""
    lines = [str(verdict.reason), verdict.test, error]
    text = "\n".join(line for line in lines if line)
    status = verdict.limit or Status.ERROR
    return ExecutionResult(
        status, stderr=Output(text, len(text)), exit_code=1, wall_s=verdict.wall_s
    )
