"""Submissions as SandboxFusion's data sets are given, judged on a pool of fakes."""

import json
from typing import Any

import pytest
from fakes import ok
from served import Serve

from codeloop.core.execution import ExecutionResult, Output, Status
from codeloop.server.node.fusion.extracting import find_code, function_body, without_entry

CASES = [
    {"input": {"stdin": "1\n"}, "output": {"stdout": "2\n"}},
    {"input": {"stdin": "2\n"}, "output": {"stdout": "2\n"}},
    {"input": {"stdin": "3\n"}, "output": {"stdout": "4\n"}},
]


def submission(*, cases: object = CASES, **config: Any) -> dict[str, Any]:
    """Return what SandboxFusion's SDK sends for a problem of standard input and output."""
    given = {
        "dataset_type": "CommonOJDataset",
        "language": "cpp",
        "locale": None,
        "is_fewshot": None,
        "compile_timeout": None,
        "run_timeout": 5.0,
        "custom_extract_logic": None,
        "provided_data": {"id": 7, "content": "...", "test": cases},
        "extra": {},
    }
    return {
        "dataset": "mine",
        "id": 7,
        "completion": "Thus:\n```cpp\nint main() {}\n```\nDone.",
        "config": given | config,
    }


def script(language: str, **labels: str) -> dict[str, Any]:
    """Return a problem whose test is code."""
    row = {
        "labels": json.dumps({"programming_language": language} | labels),
        "test": {"code": "#<INSERT>\nint main() { assert(f()); }", "asset": {"a.txt": "eA=="}},
    }
    return submission(dataset_type="AutoEvalDataset", provided_data=row)


def test_each_case_is_run_and_compared_until_one_fails(serve: Serve) -> None:
    served = serve()
    served.pool.results["int main() {}"] = ok("2\n")
    answer = served.post("/submit", submission())
    assert answer.status == 200, answer.data
    facts = answer.json()
    assert facts["id"] == 7
    assert [case["passed"] for case in facts["tests"]] == [True, True, False]
    assert facts["accepted"] is False
    assert facts["extracted_code"] == "int main() {}"
    assert facts["tests"][2]["test_info"] == CASES[2]
    assert facts["tests"][0]["exec_info"]["run_result"]["stdout"] == "2\n"
    assert facts["tests"][0]["exec_info"]["compile_result"]["return_code"] == 0
    assert [(each.language, each.stdin) for each in served.pool.ran] == [
        ("cpp", b"1\n"),
        ("cpp", b"2\n"),
        ("cpp", b"3\n"),
    ]
    assert set(facts) == {
        *("id", "accepted", "extracted_code", "full_code", "test_code", "tests"),
        *("extracted_type", "extra"),
    }


def test_all_are_run_where_that_is_asked_for(serve: Serve) -> None:
    served = serve()
    served.pool.results["int main() {}"] = ok("4\n")
    form = submission(extra={"run_all_cases": True}, provided_data={"test": json.dumps(CASES)})
    facts = served.post("/submit", form).json()
    assert [case["passed"] for case in facts["tests"]] == [False, False, True]


def test_letter_case_and_a_little_of_a_number_are_free(serve: Serve) -> None:
    served = serve()
    served.pool.results["int main() {}"] = ok("\n  yes \n0.3333333")
    cases = [{"input": {"stdin": ""}, "output": {"stdout": "YES\n0.33333\n"}}]
    assert served.post("/submit", submission(cases=cases)).json()["accepted"] is True


def test_what_crashed_is_told_as_it_ended(serve: Serve) -> None:
    served = serve()
    served.pool.results["int main() {}"] = ExecutionResult(Status.SIGNAL, signal=11)
    facts = served.post("/submit", submission()).json()
    assert facts["accepted"] is False
    assert facts["tests"][0]["exec_info"]["run_result"]["return_code"] == -11


def test_a_language_that_is_not_here_is_no_verdict(serve: Serve) -> None:
    served = serve()
    served.pool.results["int main() {}"] = ExecutionResult(
        Status.UNSUPPORTED, stderr=Output("install g++", 11)
    )
    answer = served.post("/submit", submission())
    assert (answer.status, answer.json()["detail"]) == (500, "install g++")


def test_test_code_of_another_language_decides_by_its_exit_code(serve: Serve) -> None:
    served = serve()
    facts = served.post("/submit", script("cpp")).json()
    assert facts["accepted"] is True
    (program,) = served.pool.ran
    assert program.files == (("a.txt", b"x"),)
    assert "assert(f())" in program.code


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 422),
        (submission(dataset_type="NoDataset"), 400),
        (submission(provided_data=None), 400),
        (submission(provided_data=[]), 400),
        (submission(custom_extract_logic="import os"), 400),
        (submission(language="lean"), 400),
        (script("java"), 400),
        (script("go"), 400),
        (script("python", execution_language="jest"), 400),
        (submission(cases=[{"input": {}}]), 422),
        (submission(cases=["x"]), 422),
        (submission(cases="not JSON"), 422),
        (submission() | {"id": None}, 422),
        (submission() | {"completion": 5}, 422),
    ],
)
def test_a_submission_with_a_fault_is_refused(
    serve: Serve, form: dict[str, Any], status: int
) -> None:
    served = serve()
    answer = served.post("/submit", form)
    assert answer.status == status
    assert answer.json()["detail"]
    assert not served.pool.ran


@pytest.mark.parametrize(
    ("completion", "code"),
    [
        ("```python\na\n```\n```python\nb\n```", "a"),
        ("```\na\n```\n```py\nb\n```", "b"),
        ("```java\na\n```", "a"),
        ("x = 1", "x = 1"),
        ("text\n```python\na", "a"),
    ],
)
def test_the_code_of_a_completion(completion: str, code: str) -> None:
    assert find_code(completion, "python").strip() == code


def test_parts_of_code() -> None:
    assert without_entry('a = 1\nif __name__ == "__main__":\n    a()', "python") == "a = 1"
    assert without_entry("int f();\nint main() {}", "cpp") == "int f();"
    assert function_body("    return 1\n\n    # x\nprint(2)\n") == "    return 1\n\n    # x"
