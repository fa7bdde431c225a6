"""The canonical solutions of HumanEval, HumanEval+ and MBPP+ pass, where the data are at hand."""

import os
from pathlib import Path

import pytest

from codeloop.core.problem import Problem
from codeloop.evals.benchmarks import benchmark
from codeloop.evals.prepared import Prepared, prepare, prepared_path
from codeloop.evals.scoring import Sample, score
from codeloop.judge.many import RigPool

DATA = os.environ.get("CODELOOP_DATA")
pytestmark = [
    pytest.mark.jail,
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not DATA, reason="CODELOOP_DATA names no folder with the data"),
]


@pytest.mark.parametrize(
    ("name", "count"), [("humaneval", 164), ("humaneval+", 164), ("mbpp+", 378)]
)
def test_canonical_solutions_pass(name: str, count: int, tmp_path: Path, pool: RigPool) -> None:
    chosen = benchmark(name)
    list(prepare(chosen, Path(DATA or ""), tmp_path, pool, threads=2))
    prepared = Prepared(prepared_path(tmp_path, chosen), chosen)
    samples = map(canonical, prepared.problems())
    rows = list(score(samples, prepared, pool))
    passed = [row for row in rows if isinstance(row, dict) and row["reason"] == "passed"]
    assert len(passed) == len(rows) == count
    assert not any("forgeable" in row for row in passed)


def canonical(problem: Problem) -> Sample:
    return Sample(problem.id, 0, problem.reference, is_completion=False)
