"""What is said about a fault follows from it and from what a run has shown."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.dataset.mutation.test_planning import MBPP, task

from codeloop.core.execution import GuestError, Status
from codeloop.core.problem import Reason, Verdict
from codeloop.dataset.mutation.planning import Settings, plan
from codeloop.dataset.mutation.words import Words, approaches
from codeloop.loop.prompts import variants


def words(seed: int = 0) -> Words:
    return Words(random.Random(seed), task(MBPP))


def test_every_way_of_saying_is_a_sentence_with_names_that_exist() -> None:
    known = {"right", "wrong", "name", "call", "actual", "expected", "error", "line"}
    known |= {"statement", "begin", "starter", "checks", "approach", "results"}
    for section, ways in variants("mutation").items():
        assert len({way.template for way in ways}) == len(ways) >= 2, section
        for way in ways:
            assert set(way.get_identifiers()) <= known if hasattr(way, "get_identifiers") else True


@given(st.integers(0, 999), st.text(string.ascii_letters, min_size=1, max_size=9))
def test_a_wrong_answer_is_told_by_its_own_values(seed: int, value: str) -> None:
    verdict = Verdict(Reason.WRONG_ANSWER, input="[1]", expected=f"'{value}'", actual="'other'")
    said = words(seed).observed(verdict)
    assert "count([1])" in said
    complaint = words(seed).complaint(verdict)
    assert complaint is not None
    assert "count([1])" in complaint
    assert "'other'" in complaint or f"'{value}'" in complaint


@pytest.mark.parametrize("value", ["[1, ... (9 in all)]", "x" * 300, "`", "a\nb", ""])
def test_values_that_cannot_be_quoted_are_not(value: str) -> None:
    verdict = Verdict(Reason.WRONG_ANSWER, input="[1]", expected="1", actual=value)
    assert words().complaint(verdict) is None
    assert not value or value not in words().observed(verdict)


def test_a_limit_of_memory_is_not_called_one_of_time() -> None:
    for seed in range(9):
        said = words(seed).observed(Verdict(Reason.LIMIT, limit=Status.MEMORY_LIMIT))
        assert "long" not in said
        assert "time" not in said
    assert words().complaint(Verdict(Reason.LIMIT, limit=Status.MEMORY_LIMIT)) is None


def test_the_place_that_a_syntax_error_names_is_not_said_twice() -> None:
    error = GuestError("SyntaxError", "expected ':' (<solution>, line 3)", 3)
    assert "<solution>" not in words().observed(Verdict(Reason.COMPILE_ERROR, error=error))


def test_a_first_reply_says_of_its_code_what_is_true() -> None:
    assert approaches("def f(a):\n    return sorted(a)\n") == ("approach_sort",)
    assert approaches("def f(n):\n    return n and f(n - 1)\n") == ("approach_recursion",)
    assert approaches("def f(a):\n    return a + 1\n") == ("approach_plain",)
    nested = "def f(a):\n    for x in a:\n        for y in a:\n            print(x, y)\n"
    assert approaches(nested) == ("approach_nested",)


@given(st.integers(0, 10_000))
def test_a_repair_ends_with_the_code_and_says_what_was_wrong(seed: int) -> None:
    for each in plan(task(MBPP), Settings(seed=seed, tries=3, right=0, double=0)).tries:
        (fault,) = each.faults
        said = words(seed).repair("Seen.", fault, "print(1)\n")
        assert said.endswith("\n\n```python\nprint(1)\n```")
        assert fault.right in said or fault.wrong in said or fault.name in said
