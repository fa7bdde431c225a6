"""Judges one solution: has a rig try it against a problem's tests, and says what came of it."""

import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from codeloop.core.errors import SandboxError
from codeloop.core.execution import GuestError, Status, TrialResult
from codeloop.core.problem import (
    AnswerTests,
    CheckTests,
    FunctionTests,
    PackedTests,
    Problem,
    ProgramTests,
    Reason,
    ScriptTests,
    StdioTests,
    Tests,
    Verdict,
)
from codeloop.core.protocols import Rig
from codeloop.judge.answers import Said, said
from codeloop.judge.guest.functions import UNSEEN
from codeloop.judge.guest.tester import CHECK, FUNCTION, TERSE, WHOLE
from codeloop.judge.guest.wire import decode, encode
from codeloop.judge.whole import judge_program, judge_script, judge_stdio

_LIMITS = frozenset({Status.CPU_LIMIT, Status.WALL_LIMIT, Status.MEMORY_LIMIT})
_UNSPLITTABLE = "unsplittable"

Linked = FunctionTests | PackedTests | CheckTests
Block = Callable[[], AbstractContextManager[object]]
"""Gives what a trial is repeated within."""

_NOTHING_OWN: Mapping[Status, Block] = MappingProxyType({})
_TWICE = frozenset({Reason.LIMIT, Reason.DIED, Reason.UNJUDGED})
_BY_MACHINE = frozenset(  # how a process ends that may have found no memory
    GuestError("Signal", f"signal {number}") for number in (signal.SIGKILL, signal.SIGBUS)
)
# Of the time for a step, where a second trial follows that has all of it. What a reference takes is
# a quarter of the processor time.
_FIRST_CPU, _FIRST_WALL = 1 / 3, 1 / 8


@dataclass(frozen=True, slots=True)
class _Apart:
    """What keeps others away while a verdict is reached again."""

    alone: Block
    own: Mapping[Status, Block]

    def block(self, verdict: Verdict) -> Block:
        if verdict.reason is Reason.LIMIT and verdict.limit is not None:
            return self.own.get(verdict.limit, self.alone)
        if verdict.reason is Reason.DIED and verdict.error not in _BY_MACHINE:
            return nullcontext  # it left, or crashed: nobody beside it has a part in that
        return self.alone


def judge(
    problem: Problem,
    solution: str,
    rig: Rig,
    *,
    tests: Sequence[Tests] | None = None,
    alone: Block = nullcontext,
    own: Mapping[Status, Block] = _NOTHING_OWN,
) -> Verdict:
    """Return the verdict on a solution by `tests` (default: its own, then the hidden ones).

    A verdict that rests on a limit, or on a process that died, is reached twice before it counts,
    the second time within `alone`, which may keep other trials off the machine. Where what ran out
    is the candidate's `own`, in which no neighbour has a part, it is the block for that limit; and
    who left by itself needs none.

    Raises:
        SandboxError: the rig failed twice, or a test is itself at fault; no verdict either way.
    """
    given = (*problem.tests, *problem.hidden) if tests is None else tests
    apart = _Apart(alone, own)
    strict = _Apart(
        alone, _NOTHING_OWN
    )  # a whole program's clock runs on while it waits for a processor
    linked = tuple(each for each in given if isinstance(each, Linked))
    verdict = Verdict(Reason.PASSED)
    if linked:
        verdict = _judge_linked(problem, solution, linked, rig, apart)
    for each in given:
        if not verdict.passed:
            break
        if isinstance(each, AnswerTests):
            verdict = _added(verdict, _judge_answer(problem, solution, each, rig, strict))
        elif not isinstance(each, Linked):
            verdict = _added(verdict, _twice(_asker(problem, solution, each, rig), strict))
    return verdict


def _judge_answer(
    problem: Problem,
    solution: str,
    tests: AnswerTests,
    rig: Rig,
    apart: _Apart,
) -> Verdict:
    answer = said(problem, solution, tests)
    if isinstance(answer, Said):
        verdict = _judge_linked(answer.problem, answer.code, [answer.tests], rig, apart)
        return replace(verdict, test="" if verdict.passed else answer.shown, input="")
    return answer


def _asker(
    problem: Problem,
    solution: str,
    tests: StdioTests | ScriptTests | ProgramTests,
    rig: Rig,
) -> Callable[[bool], Verdict]:
    match tests:
        case StdioTests():
            return lambda _: judge_stdio(problem, solution, tests, rig)
        case ScriptTests():
            return lambda _: judge_script(problem, solution, tests.source, rig)
        case ProgramTests():
            return lambda _: judge_program(problem, solution, tests, rig)


def _twice(ask: Callable[[bool], Verdict], apart: _Apart) -> Verdict:
    """Return a verdict; one that the machine may have had a part in only if it is reached again."""
    try:
        verdict = ask(False)
    except SandboxError:
        return ask(True)
    if verdict.reason not in _TWICE:
        return verdict
    with apart.block(verdict)():
        return ask(True)


def _added(first: Verdict, second: Verdict) -> Verdict:
    """Return the verdict on tests that follow others, which passed."""
    return replace(
        second,
        forgeable=first.forgeable or second.forgeable,
        tests_passed=first.tests_passed + second.tests_passed,
        sets_passed=first.sets_passed + second.sets_passed,
        cpu_s=first.cpu_s + second.cpu_s,
        wall_s=first.wall_s + second.wall_s,
    )


def _judge_linked(
    problem: Problem,
    solution: str,
    tests: Sequence[Linked],
    rig: Rig,
    apart: _Apart,
) -> Verdict:
    groups = [group_data(each) for each in tests]
    limits = problem.limits
    first = replace(
        limits,
        step_cpu_s=limits.step_cpu_s * _FIRST_CPU,
        step_wall_s=limits.step_wall_s * _FIRST_WALL,
    )

    def ask(again: bool) -> Verdict:
        candidate = encode(problem.preamble, solution, problem.entry_point, again)
        for what in (TERSE, WHOLE):
            request = encode(problem.entry_point, groups, what)
            result = rig.trial(candidate, request, limits if again else first)
            report = read_report(result)
            if report.get("reason") != UNSEEN:
                break
        if report.get("reason") != _UNSPLITTABLE:
            return _verdict(result, report)
        return _judge_joined(problem, solution, tests, rig)

    return _twice(ask, apart)


def _judge_joined(problem: Problem, solution: str, tests: Sequence[Linked], rig: Rig) -> Verdict:
    """Judge tests that need the solution in their own process, and those that do not apart."""
    verdict = Verdict(Reason.PASSED)
    for each in tests:
        if isinstance(each, CheckTests):
            call = f"\nif 'check' in globals():\n    check({problem.entry_point})\n"
            more = judge_script(problem, solution, each.source + call, rig, setup=each.setup)
        else:
            more = _judge_linked(problem, solution, [each], rig, _Apart(nullcontext, _NOTHING_OWN))
        verdict = _added(verdict, more)
        if not verdict.passed:
            break
    return verdict


def group_data(tests: Linked) -> bytes:
    """Return tests as a tester takes them."""
    if isinstance(tests, PackedTests):
        return tests.data
    if isinstance(tests, CheckTests):
        return encode((CHECK, tests.source, tests.setup))
    expected = None if tests.expected is None else list(tests.expected)
    facts = (list(tests.inputs), expected, tests.reference, str(tests.oracle), tests.atol)
    return encode((FUNCTION, *facts), strict=True)


def read_report(result: TrialResult) -> dict[str, Any]:
    """Return what a tester has to say.

    Raises:
        SandboxError: it ended without a word, and no limit explains it.
    """
    if result.report is None:
        if result.tester in _LIMITS:
            return {"reason": "unjudged"}
        msg = f"a tester ended by itself ({result.tester})"
        raise SandboxError(msg)
    report: dict[str, Any] = decode(result.report)[0]
    return report


def _verdict(result: TrialResult, report: dict[str, Any]) -> Verdict:
    """Return the verdict that a tester's report and the candidate's end amount to."""
    name = report["reason"]
    error = GuestError(*report["error"]) if "error" in report else None
    limit = None
    if name == "gone":
        limit = result.candidate if result.candidate in _LIMITS else None
        reason = Reason.DIED if limit is None else Reason.LIMIT
    elif name == "unjudged":
        reason, limit = Reason.UNJUDGED, result.tester
    elif error is not None and error.name == "MemoryError":
        reason, limit = Reason.LIMIT, Status.MEMORY_LIMIT
    else:
        reason = Reason(name)
    if reason is Reason.DIED:
        error = _ending(result)
    return Verdict(
        reason,
        test=report.get("test", ""),
        input=report.get("input", ""),
        expected=report.get("expected", ""),
        actual=report.get("actual", ""),
        error=error,
        limit=limit,
        tests_passed=report.get("tests_passed", 0),
        sets_passed=report.get("sets_passed", 0),
        cpu_s=result.cpu_s,
        wall_s=result.wall_s,
    )


def _ending(result: TrialResult) -> GuestError:
    if result.signal is not None:
        return GuestError("Signal", f"signal {result.signal}")
    return GuestError("SystemExit", f"exit code {result.exit_code}")
