"""What a reference tells, packed, decides as the reference itself does."""

import json
from pathlib import Path

import pytest

from codeloop.core.errors import SandboxError
from codeloop.core.problem import FunctionTests, Oracle, Problem, Reason, Verdict
from codeloop.evals.benchmarks import benchmark
from codeloop.evals.prepared import Prepared, prepare, prepared_path
from codeloop.judge.many import RigPool
from codeloop.judge.packing import inputs, pack

pytestmark = pytest.mark.jail

REFERENCE = "def f(n): return [float(n)] * n"


def judged(tests: FunctionTests, solution: str, pool: RigPool) -> Verdict:
    with pool.lend() as rig:
        packing = pack(tests, "f", rig)
    assert inputs(packing.tests) == list(tests.inputs)
    assert packing.cpu_s >= packing.slowest_cpu_s > 0
    return pool.judge(Problem("p", "", (packing.tests,), "f"), solution)


@pytest.mark.parametrize("n", [3, 3000])  # as it is, and as a digest
def test_what_is_close_passes_and_what_is_not_is_shown(n: int, pool: RigPool) -> None:
    tests = FunctionTests(((n,),), reference=REFERENCE)
    assert judged(tests, REFERENCE, pool).passed
    assert judged(tests, "def f(n): return [n + 1e-9] * n", pool).passed
    wrong = judged(tests, "def f(n): return [n + 1.0] * n", pool)
    assert wrong.reason is Reason.WRONG_ANSWER
    assert wrong.expected.startswith(f"[{float(n)}, ")
    assert wrong.actual.startswith(f"[{n + 1.0}, ")


def test_equal_values_of_other_types_pass_though_a_digest_differs(pool: RigPool) -> None:
    tests = FunctionTests(((2000,),), reference="def f(n): return list(range(n))")
    assert judged(tests, "def f(n): return [float(i) for i in range(n)]", pool).passed


def test_arguments_that_share_a_list_or_are_arrays_are_passed_as_they_are(pool: RigPool) -> None:
    row = [1]
    code = "def f(one, other):\n    one.append(2)\n    return len(other)"
    tests = FunctionTests(((row, row), ([1], [1])), reference=code)
    assert judged(tests, code, pool).passed
    copies = judged(tests, code.replace("one.append", "list(one).append"), pool)
    assert (copies.reason, copies.input) == (Reason.WRONG_ANSWER, "[1], [1]")


def test_what_cannot_travel_is_told_anew_each_time(pool: RigPool) -> None:
    tests = FunctionTests(
        ((2,),),
        reference="def f(n):\n    import collections\n    return collections.Counter(range(n))",
    )
    assert judged(tests, "def f(n): return {i: 1 for i in range(n)}", pool).passed


def test_a_nan_is_as_it_is_without_packing(pool: RigPool) -> None:
    tests = FunctionTests(((1,),), reference="def f(n): return float('nan')")
    assert not judged(tests, tests.reference, pool).passed


def test_an_oracle_goes_with_its_tests(pool: RigPool) -> None:
    tests = FunctionTests(((3,),), reference="def f(n): return (1, 2)", oracle=Oracle.SAME_SET)
    assert judged(tests, "def f(n): return [2, 1, 1]", pool).passed


def test_an_answer_too_large_to_travel_is_known_by_its_digest(pool: RigPool) -> None:
    code = "def f(n): return [(i, 'x' * 90) for i in range(n)]"
    tests = FunctionTests(((700_000,),), reference=code)
    assert judged(tests, code, pool).passed
    other = judged(tests, code.replace("'x'", "'y'"), pool)
    assert other.reason is Reason.WRONG_ANSWER
    assert "large" in other.actual


def test_a_reference_that_fails_is_our_fault(pool: RigPool) -> None:
    with pool.lend() as rig, pytest.raises(SandboxError, match="ZeroDivisionError"):
        pack(FunctionTests(((1,),), reference="def f(n): return 1 / 0"), "f", rig)


def test_examples_that_the_reference_fails_are_not_shown(tmp_path: Path, pool: RigPool) -> None:
    row = {
        "task_id": "half",
        "prompt": "Halve.",
        "entry_point": "half",
        "reference": "def half(n): return n / 2",
        "inputs": [[1], [2]],
        "visible_asserts": ["assert half(2) == 1", "assert half(3) == 2"],
    }
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(row), encoding="utf-8")
    own = benchmark(str(path))
    list(prepare(own, tmp_path, tmp_path, pool, threads=1))
    prepared = Prepared(prepared_path(tmp_path, own), own)
    assert prepared.reference_s("half") > 0.0
    problem = prepared.problem("half")
    assert [tests.source for tests in problem.visible] == ["assert half(2) == 1"]  # type: ignore[union-attr]
    assert pool.judge(problem, "def half(n): return n * 0.5").passed
