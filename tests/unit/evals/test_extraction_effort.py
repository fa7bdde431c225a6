"""Finding a solution takes effort in proportion to the reply, whatever is in it: by counting."""

import ast
import sys
from types import FrameType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from codeloop.core.problem import AnswerTests, Problem
from codeloop.evals.extraction import extract

PIECES = (
    *("```\n", "```python\n", "~~~\n", "> ```\n", "- ```py\n", "<think>", "</think>\n", "'''\n"),
    *("<solution>", "</solution>\n", "<execute>", "def f(x):\n", "    return x\n", "class A:\n"),
    *("def g(x):\n    return 1\n", "x = (\n", "import os\n", "words of it\n", "\n", "f(1) == 2\n"),
)  # fmt: skip
PROBLEMS = (
    Problem("p", 'def f(x):\n    """Do it."""\n', (), "f"),
    Problem("p", "Write a program.", ()),
    Problem("p", "", (AnswerTests("1"),)),
    Problem("p", "let f;", (), "f", language="javascript"),
)


def effort(reply: str, problem: Problem) -> int:
    """Return how many characters were parsed, and how many lines of Python ran besides."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += 1
        if event == "call" and frame.f_code is ast.parse.__code__:
            count += len(frame.f_locals["source"])
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        extract(reply, problem)
    finally:
        sys.settrace(before)
    return count


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5), st.sampled_from(PROBLEMS))
def test_a_reply_twice_as_long_takes_about_twice_the_effort(
    pieces: list[str], problem: Problem
) -> None:
    once = "".join(pieces) * 20
    few, many = (effort(once * times, problem) for times in (1, 4))
    assert many <= 4.5 * few + 2000
