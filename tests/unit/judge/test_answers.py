"""An answer that is said is told from one that is computed, without running it."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.problem import AnswerTests, Problem, Reason, Verdict
from codeloop.judge.answers import MOST_CHARS, Said, said

PROBLEM = Problem("p", "", ())
VALUE = AnswerTests("[1]")
ARGUMENTS = AnswerTests("[1]", "def f(*given, **named):\n    return [1]")

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)  # fmt: skip


def body(answer: Said | Verdict) -> str:
    assert isinstance(answer, Said)
    return answer.code.rpartition("return ")[2].rstrip("\n")


@given(plain)
def test_every_literal_is_said_as_what_it_is(value: object) -> None:
    assert ast.literal_eval(body(said(PROBLEM, repr(value), VALUE))) == value


@given(st.lists(plain, min_size=1, max_size=3))
def test_arguments_are_said_alone_or_as_the_call(values: list[object]) -> None:
    text = ", ".join(map(repr, values))
    alone, call = (said(PROBLEM, given, ARGUMENTS) for given in (text, f"f({text})"))
    assert body(alone) == body(call)
    assert eval(body(alone), {"f": lambda *given: given}) == tuple(values)


@pytest.mark.parametrize(
    "answer",
    [
        "f([1])",
        "1 + 2",
        "x",
        "[x for x in [1]]",
        "sorted([1])",
        "[f(1)]",
        "f'{1}'",
        "'a'.upper()",
        "(lambda: 1)()",
        "lambda x: x",
        "-" * 5000 + "1",
        "[*[1]]",
        "__import__('os')",
    ],
)
def test_a_value_that_is_computed_fails(answer: str) -> None:
    assert said(PROBLEM, answer, VALUE) == Verdict(Reason.COMPUTED)


@pytest.mark.parametrize(
    "answer",
    [
        "f(1)\n, 2",
        "f(f(1))",
        "next(x for x in range(9) if f(x) == [1])",
        "*[1]",
        "**{'a': 1}",
        "a=f(1)",
        "x := 1",
        "lambda x: f(x)",
        "lambda x=[].append(1): x",
        "lambda *, x=len('a'): x",
        "lambda x: x.__class__.__init__.__globals__",
        "lambda x: [y for y in x]",
        "lambda x: (yield x)",
        "lambda x: f'{x}'",
        "(lambda: 1)()",
    ],
)
def test_arguments_that_are_computed_fail(answer: str) -> None:
    assert said(PROBLEM, answer, ARGUMENTS) == Verdict(Reason.COMPUTED)


@pytest.mark.parametrize(
    "answer", ["lambda x: x < 2", "a=1, b=[2]", "[2, 1], (lambda x: x.reverse())", ""]
)
def test_what_only_its_caller_can_use_is_said(answer: str) -> None:
    assert isinstance(said(PROBLEM, answer, ARGUMENTS), Said)


@pytest.mark.parametrize(
    "answer", ["1), g(2", "import os", "1\n2", "return 1", "(", "\0", "[" * 999]
)
@pytest.mark.parametrize("tests", [VALUE, ARGUMENTS], ids=["value", "arguments"])
def test_what_is_no_expression_fails(answer: str, tests: AnswerTests) -> None:
    verdict = said(PROBLEM, answer, tests)
    assert isinstance(verdict, Verdict)
    assert verdict.reason in {Reason.COMPILE_ERROR, Reason.COMPUTED}


def test_a_line_that_goes_on_cannot_leave_the_answer() -> None:
    for answer in ("1\n    import os", "1 # it\n", "'a'\n'b'"):
        found = said(PROBLEM, answer, ARGUMENTS)
        assert isinstance(found, Verdict) or "\n" not in body(found)


def test_an_answer_beyond_all_measure_is_not_judged() -> None:
    assert said(PROBLEM, " " * MOST_CHARS + "1", VALUE) == Verdict(Reason.UNJUDGED)
