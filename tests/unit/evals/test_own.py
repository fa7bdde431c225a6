from typing import Any

import pytest

from codeloop.core.errors import DataError
from codeloop.core.problem import CheckTests, FunctionTests, StdioCase, StdioTests
from codeloop.evals.own import own_problem

REFERENCE = "def add(a, b): return a + b"
ROW = {
    "task_id": "add",
    "prompt": "Add.",
    "entry_point": "add",
    "asserts": ["assert add(1, 2) == 3"],
}


def test_asserts_inputs_and_cases_become_tests_in_that_order_of_trust() -> None:
    row = ROW | {
        "inputs": [[1, 2]],
        "reference": REFERENCE,
        "cases": [{"stdin": "1", "stdout": "2"}],
        "hidden_inputs": [[3, 4], [5, 6]],
        "visible_asserts": ["assert add(0, 0) == 0"],
    }
    problem = own_problem(row, "f:1")
    assert problem.tests == (
        FunctionTests(((1, 2),), reference=REFERENCE),
        CheckTests("assert add(1, 2) == 3"),
        StdioTests((StdioCase("1", "2"),)),
    )
    assert problem.hidden == (FunctionTests(((3, 4), (5, 6)), reference=REFERENCE),)
    assert problem.visible == (CheckTests("assert add(0, 0) == 0"),)


def test_a_program_needs_no_entry_point() -> None:
    problem = own_problem({"task_id": "p", "cases": [{"stdin": "", "stdout": "hi"}]}, "f:1")
    assert problem.entry_point == ""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"task_id": 1}, "'task_id' should be a text"),
        ({"prompt": None}, "'prompt' should be a text"),
        ({"asserts": "assert add"}, "'asserts' should be a list"),
        ({"asserts": ["assert add("]}, "'asserts': not Python"),
        ({"asserts": [3]}, "'asserts': not Python"),
        ({"asserts": []}, "no tests"),
        ({"entry_point": ""}, "'entry_point' is missing"),
        ({"inputs": [[1, 2]]}, "'inputs' needs 'reference'"),
        ({"inputs": [1], "reference": REFERENCE}, "'inputs' should be lists of arguments"),
        ({"inputs": [[1]], "reference": REFERENCE, "atol": "0"}, "'atol' should be a number"),
        ({"cases": [{"stdin": "1"}]}, "'cases' should be objects with"),
        ({"assert": []}, "no field is called 'assert'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DataError) as caught:
        own_problem(ROW | change, "problems.jsonl:7")
    assert str(caught.value).startswith("problems.jsonl:7: ")
    assert complaint in str(caught.value)
