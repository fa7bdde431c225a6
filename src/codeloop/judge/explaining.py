"""Finds out which values a solution saw in the test that it fails: to inform, not to judge."""

import json
import secrets
from collections.abc import Sequence
from contextlib import closing
from importlib.resources import files
from typing import Any

from codeloop.core.execution import ExecutionLimits, ExecutionResult
from codeloop.core.problem import (
    CheckTests,
    FunctionTests,
    PackedTests,
    Problem,
    Tests,
    Trace,
    TraceBlock,
    Verdict,
)
from codeloop.core.protocols import Rig
from codeloop.judge.guest.compare import shown_call
from codeloop.judge.packing import inputs

_LIMITS = ExecutionLimits(cpu_s=6.0, wall_s=30.0)
_MOST_CHARS = 100_000  # of arguments as code
_TEXT_CHARS = 200
_LINE_CHARS = 100
_MOST_BLOCKS = 10


def explain(
    problem: Problem, solution: str, tests: Sequence[Tests], verdict: Verdict, rig: Rig
) -> Trace | None:
    """Return the values that the lines of a solution saw in the test that a verdict names.

    None where there is nothing to tell: the code did not load, or the test cannot be run alone.

    Raises:
        SandboxError: the sandbox broke.
    """
    test = _failing(problem, tests, verdict)
    if test is None or problem.language != "python":
        return None
    mark = secrets.token_hex(16)
    request = {
        "mark": mark,
        "preamble": problem.preamble,
        "solution": solution,
        "entry_point": problem.entry_point,
        "setup": test.setup,
        "test": test.source,
    }
    source = files("codeloop.judge.guest").joinpath("tracing.py").read_text(encoding="utf-8")
    with closing(rig.run(f"{source}\n\nrun({json.dumps(request)!r})\n", limits=_LIMITS)) as run:
        *_, result = run
    if not isinstance(result, ExecutionResult):
        return None
    return _read(result.stdout.text.rpartition(mark)[2], solution)


def _failing(problem: Problem, tests: Sequence[Tests], verdict: Verdict) -> CheckTests | None:
    """Return code that makes the call that failed."""
    at = verdict.sets_passed
    group = tests[at] if not verdict.passed and at < len(tests) else None
    match group:
        case CheckTests():
            return group
        case FunctionTests(calls):
            arguments = calls
        case PackedTests():
            arguments = tuple(inputs(group))
        case _:
            return None
    same = (each for each in arguments if shown_call(each, {}) == verdict.input)
    try:
        code = repr(next(same, None))
    except ValueError:  # an integer of more digits than `sys.get_int_max_str_digits()`
        return None
    if code == "None" or len(code) > _MOST_CHARS:
        return None
    return CheckTests(f"def check(candidate):\n    candidate(*{code})\n")


def _read(text: str, solution: str) -> Trace | None:
    """Return what was printed as a record: an enemy may have written it, so that all is bounded."""
    try:
        report = json.loads(text)
        blocks = tuple(_block(each, solution) for each in report["blocks"][:_MOST_BLOCKS])
        trace = Trace(blocks, int(report["count"]), whole=bool(report["whole"]))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return None
    return trace if blocks else None


def _block(parts: Any, solution: str) -> TraceBlock:
    function, lines, values, returned, raised = parts
    source = solution.split("\n")
    shown = ((int(line), source[int(line) - 1][:_LINE_CHARS].rstrip()) for line in lines[:20])
    pairs = ((str(name), str(value)[:_TEXT_CHARS]) for name, value in list(values.items())[:20])
    return TraceBlock(
        str(function)[:_LINE_CHARS],
        tuple(shown),
        tuple(pairs),
        str(returned)[:_TEXT_CHARS],
        str(raised)[:_TEXT_CHARS],
    )
