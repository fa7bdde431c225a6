"""A canonical solution of each benchmark in another language passes, given the data."""

import os
from itertools import islice
from pathlib import Path

import pytest
from polyglot import need, need_lodash

from codeloop.evals.benchmarks import Benchmark, benchmarks
from codeloop.judge.many import RigPool

DATA = os.environ.get("CODELOOP_DATA")
KINDS = {"fix", "humaneval_x", "mbxp", "leetcode"}
pytestmark = [
    pytest.mark.jail,
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not DATA, reason="CODELOOP_DATA names no folder with the data"),
]


@pytest.mark.parametrize("chosen", [b for b in benchmarks() if b.kind in KINDS], ids=str)
def test_a_canonical_solution_passes(chosen: Benchmark, pool: RigPool) -> None:
    need(chosen.language)
    if chosen.name == "mbxp-javascript":
        need_lodash()
    known = (each for each in chosen.problems(Path(DATA or "")) if each.reference)
    for problem in islice(known, 3, 4):
        verdict = pool.judge(problem, problem.reference)
        assert verdict.passed, verdict
        assert verdict.forgeable == (chosen.language != "python")
        if chosen.kind == "fix":
            assert not pool.judge(problem, problem.prompt).passed
