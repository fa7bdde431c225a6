"""The canonical solutions of HumanEval, HumanEval+ and MBPP+ pass, where the data are at hand."""

from collections.abc import Callable
from pathlib import Path

import pytest
from integration.judge import plus

from codeloop.core.execution import MIB, ExecutionLimits
from codeloop.core.problem import CheckTests, Problem
from codeloop.core.protocols import Rig
from codeloop.judge.judging import judge
from codeloop.judge.many import judge_many
from codeloop.judge.programs import rig_programs
from codeloop.sandbox import Sandbox

DATA = plus.folder()
pytestmark = [
    pytest.mark.jail,
    pytest.mark.data,
    pytest.mark.skipif(DATA is None, reason="CODELOOP_DATA names no folder with the data"),
]

# An answer of 1.7 million tuples, which takes more memory and bytes than either judge allows.
TOO_LARGE = {"Mbpp/255"}


def test_humaneval_s_own_checks_hold(rig: Rig) -> None:
    assert DATA is not None
    failed = {}
    for row in plus.rows(DATA / "humaneval" / "HumanEval.jsonl.gz"):
        tests = CheckTests(row["test"], row["prompt"])
        problem = Problem(row["task_id"], row["prompt"], (tests,), row["entry_point"])
        verdict = judge(problem, row["prompt"] + row["canonical_solution"], rig)
        if not verdict.passed or verdict.forgeable:
            failed[problem.id] = verdict
    assert not failed


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("load", [plus.humaneval_plus, plus.mbpp_plus])
def test_canonical_solutions_pass(
    sandbox: Sandbox, load: Callable[[Path], dict[str, tuple[Problem, str]]]
) -> None:
    assert DATA is not None
    pairs = [each for name, each in load(DATA).items() if name not in TOO_LARGE]
    limits = ExecutionLimits(memory_bytes=4096 * MIB)

    def open_rig() -> Rig:
        return sandbox.open_rig(rig_programs(), limits=limits)

    verdicts = judge_many(pairs, open_rig, rigs=2)
    failed = {
        problem.id: verdict
        for (problem, _), verdict in zip(pairs, verdicts, strict=True)
        if not verdict.passed
    }
    assert not failed
