"""The level that runs: a function that solves a problem is a leak, whatever it is called."""

from collections.abc import Iterator

import pytest

from codeloop.core.problem import CheckTests, FunctionTests, Problem
from codeloop.dataset.decontamination.leaks import Decontamination, Leak, Level
from codeloop.dataset.records import Query
from codeloop.judge.many import RigPool
from codeloop.judge.programs import rig_programs
from codeloop.sandbox import open_pool

pytestmark = pytest.mark.jail

SQUARES = Problem(
    "Own/squares",
    '"""Return the sum of the squares of a list."""',
    (CheckTests("assert total([1, 2]) == 5\nassert total([]) == 0\nassert total([3]) == 9"),),
    "total",
)
HALVES = Problem(
    "Own/halves",
    '"""Return half of a number."""',
    (FunctionTests(((1,), (4,), (9,)), (0.5, 2.0, 4.5)),),
    "half",
)
UNKNOWN = Problem(
    "Own/unknown",
    '"""Shout a word backwards with exclamation."""',
    (
        CheckTests(
            "def check(candidate):\n    for w in 'ab':\n        assert candidate(w) == w+'!'"
        ),
    ),
    "shout_backwards",
)


@pytest.fixture(scope="module")
def found() -> Iterator[Decontamination]:
    with open_pool(slots=1) as pool, RigPool(lambda: pool.open_rig(rig_programs()), 1) as rigs:
        yield Decontamination([SQUARES, HALVES, UNKNOWN], pool=rigs)


def leak(found: Decontamination, code: str, query: str = "Explain this.") -> Leak | None:
    leaks = found.leaks(Query(query, f"```python\n{code}\n```"))
    return leaks[0] if leaks else None


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("def f(xs):\n    return sum(map(lambda x: x ** 2, xs))", "Own/squares"),
        (
            "def g(x):\n    while 1: pass\ndef f(x: List[int]):\n    return sum(a*a for a in x)",
            "Own/squares",
        ),
        ("class Solution:\n    def run(self, n):\n        return n / 2", "Own/halves"),
        ("def shout_backwards(w):\n    return w[::-1] + '!'", "Own/unknown"),
    ],
    ids=["renamed", "beside-an-endless-one", "method", "by-name"],
)
def test_what_passes_is_a_leak(found: Decontamination, code: str, problem: str) -> None:
    seen = leak(found, code)
    assert seen is not None
    assert (seen.level, seen.problem) == (Level.BEHAVIOUR, problem)


@pytest.mark.parametrize(
    "code",
    [
        "def f(xs):\n    return sum(xs)",
        "def f():\n    return 5",
        "def f(xs):\n    raise ValueError",
        "raise SystemExit\ndef f(n):\n    return n / 2",
        "print('0 0')\nprint('1 1')\nprint('999 999')\ndef f(xs):\n    return None",
        "def f(xs):\n    return eval('exit()')",
    ],
    ids=["other", "no-arguments", "raises", "exits-first", "prints-verdicts", "exits"],
)
def test_what_does_not_is_none(found: Decontamination, code: str) -> None:
    assert leak(found, code) is None
