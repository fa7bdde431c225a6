"""What a solution saw in the test that it fails: in few words, whatever it does."""

from dataclasses import replace

import pytest

from codeloop.core.problem import CheckTests, FunctionTests, Problem, Trace
from codeloop.core.protocols import Rig
from codeloop.judge.explaining import explain
from codeloop.judge.judging import judge
from codeloop.loop.prompts import verdict_text

pytestmark = pytest.mark.jail

WRITES = """
import os
def f(n):
    for descriptor in range(3, 60):
        try:
            os.write(descriptor, b"{" * 90000)
        except OSError:
            pass
    os._exit(0)
"""
FAILS = "assert f(3) == 'right'"


def explained(solution: str, rig: Rig, test: str = FAILS) -> Trace:
    problem = Problem("p", "", (CheckTests(test),), "f")
    verdict = judge(problem, solution, rig)
    assert not verdict.passed
    trace = explain(problem, solution, problem.tests, verdict, rig)
    assert trace is not None
    return trace


def told(trace: Trace) -> list[tuple[list[int], dict[str, str], str, str]]:
    return [
        ([number for number, _ in each.lines], dict(each.values), each.returned, each.raised)
        for each in trace.blocks
    ]


def test_a_loop_is_told_pass_by_pass(rig: Rig) -> None:
    code = (
        "def f(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n"
    )
    trace = explained(code, rig)
    assert told(trace) == [
        ([2, 3, 4], {"n": "3", "total": "0", "i": "0"}, "", ""),
        ([3, 4], {"i": "1", "total": "1"}, "", ""),
        ([3, 4], {"i": "2", "total": "3"}, "", ""),
        ([3, 5], {}, "3", ""),
    ]
    assert trace.blocks[1].lines[1] == (4, "        total += i")
    assert (trace.count, trace.whole) == (4, True)


def test_of_a_long_run_the_first_and_the_last_blocks_are_told(rig: Rig) -> None:
    code = "def f(n):\n    for i in range(100):\n        j = i * n\n"
    trace = explained(code, rig)
    assert [block.values[-1][1] for block in trace.blocks[:5]] == ["0", "3", "6", "9", "12"]
    assert dict(trace.blocks[-2].values)["j"] == "297"
    assert (len(trace.blocks), trace.count) == (10, 101)


def test_a_recursion_is_told_call_by_call(rig: Rig) -> None:
    code = "def f(n):\n    if n == 0:\n        return 0\n    return n + f(n - 1)\n"
    trace = explained(code, rig)
    assert [block.returned for block in trace.blocks] == ["", "", "", "0", "1", "3", "6"]
    assert dict(trace.blocks[2].values) == {"n": "1"}


def test_a_recursion_without_end_is_told_too(rig: Rig) -> None:
    trace = explained("def f(n):\n    return f(n + 1)\n", rig)
    assert trace.count > 100
    assert dict(trace.blocks[0].values) == {"n": "3"}


def test_an_exception_stands_where_it_was_raised(rig: Rig) -> None:
    code = "def f(n):\n    held = {}\n    return held[n]\n"
    assert told(explained(code, rig)) == [([2, 3], {"n": "3", "held": "{}"}, "", "KeyError: 3")]


def test_an_exception_that_is_caught_does_not_end_it(rig: Rig) -> None:
    body = "    try:\n        n.x\n    except AttributeError:\n        n = 4\n    return n\n"
    assert told(explained(f"def f(n):\n{body}", rig))[-1] == ([2, 3, 4, 5, 6], {"n": "4"}, "4", "")


@pytest.mark.parametrize(
    ("body", "least"),
    [
        ("while True: pass", 1),  # no new line, each time
        ("while True:\n        try: n += 1\n        except BaseException: pass", 1000),
    ],
)
def test_an_endless_loop_is_cut_off(body: str, least: int, rig: Rig) -> None:
    trace = explained(f"def f(n):\n    {body}\n", rig)
    assert not trace.whole
    assert trace.count >= least


def test_huge_values_are_told_in_few_words(rig: Rig) -> None:
    code = """
class Node:
    def __init__(self, next):
        self.next = next
    def __repr__(self):
        while True: pass

def f(n):
    many = [0] * 1_000_000
    deep = []
    for _ in range(1000): deep = [deep]
    deep.append(deep)
    loop = Node(None)
    loop.next = loop
    long, big, table = 'x' * 1_000_000, 1 << 1_000_000, {'k' * 1000: many}
    return many
"""
    trace = explained(code, rig)
    values = {name: text for block in trace.blocks for name, text in block.values}
    assert values["many"].endswith("... (1000000 in all)]")
    assert values["loop"].startswith("<Node next=<Node")
    assert values["big"] == "<an integer of 1000001 bits>"
    assert all(len(text) < 200 for text in values.values())


def test_a_generator_is_told_as_it_is_asked(rig: Rig) -> None:
    code = "def f(n):\n    for i in range(n):\n        yield i * i\n"
    trace = explained(code, rig, "assert list(f(3)) == 'right'")
    assert [block.returned for block in trace.blocks] == ["0", "1", "4", "None"]


def test_of_several_calls_that_which_failed_is_told(rig: Rig) -> None:
    code = "def f(n):\n    return n + 1\n"
    test = "def check(g):\n    for n in range(9):\n        assert g(n) == (n + 1 if n < 5 else 0)"
    assert told(explained(code, rig, test)) == [([2], {"n": "5"}, "6", "")]


def test_of_inputs_that_which_failed_is_told(rig: Rig) -> None:
    calls = FunctionTests(((1,), (2,), (float("nan"),)), (1, 2, "right"))
    problem = Problem("p", "", (calls,), "f")
    code = "def f(n):\n    return n\n"
    trace = explain(problem, code, problem.tests, judge(problem, code, rig), rig)
    assert trace is not None
    assert told(trace) == [([2], {"n": "nan"}, "nan", "")]


@pytest.mark.parametrize(
    "code",
    [
        "def f(n:",
        "raise SystemExit",
        "g = 1",
        "import os\ndef f(n): os._exit(0)",
        WRITES,
        "import sys\ndef f(n):\n    sys.settrace(None)\n    sum(iter(int, 1))",
    ],
)  # fmt: skip
def test_where_there_is_nothing_to_tell_nothing_is(code: str, rig: Rig) -> None:
    problem = Problem("p", "", (CheckTests(FAILS),), "f")
    verdict = judge(problem, code, rig)
    assert explain(problem, code, problem.tests, verdict, rig) is None


def test_what_passes_and_what_is_no_function_is_not_explained(rig: Rig) -> None:
    problem = Problem("p", "", (CheckTests("assert f(1) == 1"),), "f")
    code = "def f(n): return n"
    assert explain(problem, code, problem.tests, judge(problem, code, rig), rig) is None


def test_a_model_is_told_in_lines_and_values(rig: Rig) -> None:
    code = "def f(n):\n    m = n\n    return m\n"
    problem = Problem("p", "", (CheckTests(FAILS),), "f")
    verdict = judge(problem, code, rig)
    trace = explain(problem, code, problem.tests, verdict, rig)
    text = verdict_text(replace(verdict, trace=trace))
    assert "2:     m = n\n3:     return m\n-> n = 3, m = 3\n-> f returned 3\n" in text
    assert text.startswith(verdict_text(verdict).rpartition("\n")[0])


def test_a_call_that_cannot_be_written_as_code_is_not_run_again(rig: Rig) -> None:
    tests = (FunctionTests(((10**5000,),), (1,)),)
    problem = Problem("p", "", tests, "f")
    code = "def f(n):\n    return 2\n"
    assert explain(problem, code, tests, judge(problem, code, rig), rig) is None
