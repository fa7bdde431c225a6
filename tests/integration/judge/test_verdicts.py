"""Solutions of made-up problems, judged in real jails."""

import gc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codeloop.core.errors import SandboxError
from codeloop.core.execution import Status, TrialLimits
from codeloop.core.problem import (
    CheckTests,
    FunctionTests,
    Problem,
    Reason,
    ScriptTests,
    StdioCase,
    StdioTests,
    Tests,
    Verdict,
)
from codeloop.core.protocols import Rig
from codeloop.judge.judging import judge
from codeloop.judge.many import judge_many
from codeloop.judge.programs import rig_programs
from codeloop.sandbox import Sandbox

pytestmark = pytest.mark.jail

LIMITS = TrialLimits(cpu_s=3.0, wall_s=20.0, step_cpu_s=0.5, step_wall_s=2.0)
DATACLASS = "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int"
ADD = FunctionTests(((1, 2), (3, 4), (5, 6)), (3, 7, 11))


def verdict_of(rig: Rig, solution: str, *tests: Tests) -> Verdict:
    return judge(Problem("p", "", tests, "f", limits=LIMITS), solution, rig)


@pytest.mark.parametrize(
    ("solution", "reason"),
    [
        ("def f(a, b): return a + b", Reason.PASSED),
        ("f = lambda *args: sum(args)", Reason.PASSED),
        ("def f(a, b): return a * b", Reason.WRONG_ANSWER),
        ("def f(a, b): return a.b", Reason.EXCEPTION),
        ("def f(a): return a", Reason.EXCEPTION),
        ("1 / 0", Reason.EXCEPTION),
        ("def f(a, b:", Reason.COMPILE_ERROR),
        ("\0", Reason.COMPILE_ERROR),
        ("def g(a, b): return a + b", Reason.UNDEFINED),
        ("f = 3", Reason.UNDEFINED),
        ("", Reason.UNDEFINED),
        ("import os\ndef f(a, b): os._exit(0)", Reason.DIED),
        ("import os\ndef f(a, b): os.abort()", Reason.DIED),
        ("def f(a, b):\n    while True: pass", Reason.LIMIT),
        ("def f(a, b): return [bytearray(1 << 20) for _ in range(10_000)]", Reason.LIMIT),
        ("def f(a, b): return f(a, b)", Reason.EXCEPTION),
        ("def f(a, b): yield a + b", Reason.WRONG_ANSWER),
        ("def f(a, b):\n    print('x' * 10_000_000)\n    return a + b", Reason.PASSED),
        ("def f(a, b):\n    import os\n    return a + b if os.fork() else 1", Reason.PASSED),
        ("if __name__ == '__main__': 1 / 0\ndef f(a, b): return a + b", Reason.PASSED),
        ("def f(a, b): return input()", Reason.EXCEPTION),
        (f"{DATACLASS}\ndef f(a, b): return P(a + b).x", Reason.PASSED),
    ],
)
def test_a_verdict_says_why(rig: Rig, solution: str, reason: Reason) -> None:
    verdict = verdict_of(rig, solution, ADD)
    assert verdict.reason is reason, verdict
    assert not verdict.forgeable


def test_a_wrong_answer_is_shown_with_its_input(rig: Rig) -> None:
    verdict = verdict_of(rig, "def f(a, b): return a + b if a < 5 else [a] * 1000", ADD)
    assert (verdict.tests_passed, verdict.input, verdict.expected) == (2, "5, 6", "11")
    assert verdict.actual.startswith("[5, 5, 5")
    assert len(verdict.actual) < 1000


@pytest.mark.parametrize(
    ("body", "limit", "passed"),
    [
        ("if a == 5:\n        while True: pass", Status.CPU_LIMIT, 2),
        ("if a == 3:\n        import time; time.sleep(60)", Status.WALL_LIMIT, 1),
    ],
)
def test_a_limit_is_shown_with_the_input_that_met_it(
    rig: Rig, body: str, limit: Status, passed: int
) -> None:
    verdict = verdict_of(rig, f"def f(a, b):\n    {body}\n    return a + b", ADD)
    assert (verdict.reason, verdict.limit, verdict.tests_passed) == (Reason.LIMIT, limit, passed)
    assert verdict.input == ("5, 6" if passed == 2 else "3, 4")
    assert verdict.wall_s < 12


def test_each_step_has_its_own_processor_time(rig: Rig) -> None:
    spin = "import time\ndef f(a):\n    end = time.process_time() + 0.3\n"
    solution = f"{spin}    while time.process_time() < end: pass\n    return a"
    assert verdict_of(
        rig, solution, FunctionTests(tuple((n,) for n in range(5)), tuple(range(5)))
    ).passed


def test_all_steps_together_have_a_limit(rig: Rig) -> None:
    spin = "import time\ndef f(a):\n    end = time.process_time() + 0.3\n"
    solution = f"{spin}    while time.process_time() < end: pass\n    return a"
    tests = FunctionTests(tuple((n,) for n in range(30)), tuple(range(30)))
    verdict = verdict_of(rig, solution, tests)
    assert (verdict.reason, verdict.limit) == (Reason.LIMIT, Status.CPU_LIMIT)


def test_what_a_reference_returns_is_expected(rig: Rig) -> None:
    tests = FunctionTests((("ab",), ("",)), reference="def f(s): return {c: 1 for c in s}")
    counter = "from collections import Counter\ndef f(s): return Counter(s)"
    assert verdict_of(rig, counter, tests).passed
    assert verdict_of(rig, "def f(s): return {}", tests).tests_passed == 0


def test_tests_that_are_code_see_what_becomes_of_their_arguments(rig: Rig) -> None:
    tests = CheckTests(
        "def check(candidate):\n"
        "    items = [3, 1, [2]]\n"
        "    inner = items[2]\n"
        "    names = {'a': 1}\n"
        "    assert candidate(items, names=names) is None\n"
        "    assert items == [1, 3, [2, 9]]\n"
        "    assert items[2] is inner\n"
        "    assert names == {'b': 2}\n"
    )
    solution = (
        "def f(items, names):\n    items[:2] = sorted(items[:2])\n    items[2].append(9)\n"
        "    names.clear()\n    names['b'] = 2\n"
    )
    assert verdict_of(rig, solution, tests).passed
    verdict = verdict_of(rig, "def f(items, names): items[0] = 1", tests)
    assert verdict.test == "assert items == [1, 3, [2, 9]]"
    assert (verdict.expected, verdict.actual) == ("[1, 3, [2, 9]]", "[1, 1, [2]]")
    assert verdict.tests_passed == 0


@pytest.mark.parametrize(
    ("raised", "passes"),
    [
        ("ValueError('no')", True),
        ("UnicodeDecodeError('utf-8', b'', 0, 1, 'x')", True),
        ("type('Own', (ValueError,), {})()", True),
        ("KeyError('no')", False),
    ],
)
def test_tests_may_expect_an_exception(rig: Rig, raised: str, *, passes: bool) -> None:
    source = "try:\n    f(1)\nexcept ValueError:\n    pass\nelse:\n    assert False\n"
    verdict = verdict_of(rig, f"def f(x): raise {raised}", CheckTests(source))
    assert verdict.passed is passes or raised.startswith("Unicode")
    assert not verdict_of(rig, "def f(x): return 1", CheckTests(source)).passed


def test_no_test_can_pass_over_a_candidate_that_has_gone(rig: Rig) -> None:
    source = "try:\n    f(1)\nexcept BaseException:\n    pass\n"
    assert verdict_of(rig, "def f(x): 1 / 0", CheckTests(source)).passed
    assert (
        verdict_of(rig, "import os\ndef f(x): os._exit(0)", CheckTests(source)).reason
        is Reason.DIED
    )


def test_a_method_can_be_what_tests_call(rig: Rig) -> None:
    solution = "class S:\n    def add(self, a, b): return a + b\n"
    tests = (ADD, CheckTests("def check(candidate): assert candidate(a=1, b=2) == 3"))
    for code, passes in ((solution, True), ("class S: pass", False), ("", False)):
        problem = Problem("p", "", tests, "S().add", limits=LIMITS)
        verdict = judge(problem, code, rig)
        assert (verdict.passed, verdict.forgeable) == (passes, False)


def test_helpers_of_a_problem_are_there_for_its_tests(rig: Rig) -> None:
    tests = CheckTests("def check(g): assert g(twice(2)) == 5", "def twice(x): return 2 * x\n")
    assert verdict_of(rig, "def f(x): return x + 1", tests).passed


def test_tests_that_cannot_be_split_are_run_in_one_process_and_say_so(rig: Rig) -> None:
    tests = CheckTests("def check(g): assert g(lambda x: x + 1) == 2")
    right = verdict_of(rig, "def f(g): return g(1)", tests)
    wrong = verdict_of(rig, "def f(g): return 3", tests)
    assert (right.reason, right.forgeable) == (Reason.PASSED, True)
    assert (wrong.reason, wrong.forgeable) == (Reason.EXCEPTION, True)
    script = ScriptTests("class C(f): pass\nassert C().x == 1")
    verdict = verdict_of(rig, "class f: x = 1", script)
    assert (verdict.reason, verdict.forgeable) == (Reason.PASSED, True)
    early = verdict_of(rig, "import sys\nclass f: x = 2\nsys.exit(0)", script)
    assert not early.passed


def test_tests_that_are_broken_are_no_verdict(rig: Rig) -> None:
    with pytest.raises(SandboxError, match="NameError"):
        verdict_of(rig, "def f(x): return 1", CheckTests("assert missing(1) == 2"))
    assert verdict_of(rig, "def f(a, b): return a + b", ADD).passed


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("a, b = map(int, input().split())\nprint(a + b)", Reason.PASSED),
        (
            "import sys\na, b = map(int, sys.stdin.read().split())\nprint(a + b, '\\n')",
            Reason.PASSED,
        ),
        (
            "import os\na, b = map(int, os.read(0, 99).split())\nos.write(1, b'%d' % (a + b))",
            Reason.PASSED,
        ),
        ("print(3)", Reason.WRONG_ANSWER),
        ("while True: print('x' * 10_000)", Reason.WRONG_ANSWER),
        ("print(1 / 0)", Reason.EXCEPTION),
        ("print(", Reason.COMPILE_ERROR),
        ("import sys; print(3); sys.exit(3)", Reason.DIED),
        ("while True: pass", Reason.LIMIT),
    ],
)
def test_a_program_is_judged_by_what_it_prints(rig: Rig, program: str, reason: Reason) -> None:
    cases = (StdioCase("1 2\n", "3\n"), StdioCase("3 4\n", "7\n"))
    verdict = verdict_of(rig, program, StdioTests(cases))
    assert verdict.reason is reason, verdict
    if program == "print(3)":
        assert (verdict.tests_passed, verdict.input) == (1, "3 4\n")
        assert (verdict.expected, verdict.actual) == ("line 1: 7", "line 1: 3")


def test_who_works_may_work_long_where_sleep_is_short(rig: Rig) -> None:
    busy = "import time\ndef f(a, b):\n    while time.process_time() < 1.3: pass\n    return a + b"
    limits = replace(LIMITS, step_cpu_s=30.0, cpu_s=30.0, step_wall_s=0.05)
    problem = Problem("p", "", (ADD,), "f", limits=limits)
    assert judge(problem, busy, rig).passed


def test_many_are_judged_side_by_side_and_in_order(sandbox: Sandbox) -> None:
    def open_rig() -> Rig:
        return sandbox.open_rig(rig_programs())

    problem = Problem("p", "", (ADD,), "f", limits=LIMITS)
    solutions = [f"def f(a, b): return a + b + {n % 3}" for n in range(20)]
    solutions[7] = "def f(a, b):\n    while True: pass"
    verdicts = list(judge_many([(problem, each) for each in solutions], open_rig, rigs=2))
    assert [verdict.passed for verdict in verdicts] == [n % 3 == 0 for n in range(20)]
    assert verdicts[7].limit is Status.CPU_LIMIT


def test_a_rig_outlives_the_death_of_its_processes(sandbox: Sandbox) -> None:
    rig = sandbox.open_rig(rig_programs())
    problem = Problem("p", "", (ADD,), "f", limits=LIMITS)
    for _ in range(3):
        assert judge(problem, "def f(a, b): return a + b", rig).passed
        assert not judge(problem, "import os\nos.kill(-1, 9)", rig).passed
    rig.close()
    with pytest.raises(SandboxError, match="closed"):
        judge(problem, "", rig)


def test_a_forgotten_rig_gives_back_what_it_holds(sandbox: Sandbox) -> None:
    rig = sandbox.open_rig(rig_programs())
    problem = Problem("p", "", (ADD,), "f", limits=LIMITS)
    assert judge(problem, "def f(a, b): return a + b", rig).passed
    before = len(list(Path("/proc/self/fd").iterdir()))
    del rig
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before - 6


def test_hundreds_of_trials_leave_nothing_behind(rig: Rig) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    kinds: list[tuple[str, Any]] = [
        ("def f(a, b): return a + b", True),
        ("def f(a, b): return a", False),
        ("import os\nopen('/work/x', 'w').write('x' * 9999)\nos._exit(3)", False),
    ]
    verdict_of(rig, kinds[0][0], ADD)
    before = descriptors()
    for number in range(300):
        solution, passes = kinds[number % 3]
        assert verdict_of(rig, solution, ADD).passed is passes
    assert descriptors() == before
