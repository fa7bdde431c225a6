"""Problems in other languages: what a solution is put between, and what is taken out of it."""

from typing import Any

import pytest

from codeloop.core.problem import CheckTests, ProgramTests
from codeloop.evals.humaneval import leetcode
from codeloop.evals.multilingual import humaneval_fix, humaneval_x, mbxp

GO = {
    "task_id": "Go/0",
    "import": 'import (\n    "math"\n)\n',
    "declaration": "func F(x int) int {\n",
    "prompt": 'import (\n    "math"\n)\n// F\nfunc F(x int) int {\n',
    "canonical_solution": "return x }\n",
    "buggy_solution": "return 0 }\n",
    "test_setup": 'package main\nimport (\n"testing"\n"math"\n"fmt"\n"github.com/x/y"\n)\n',
    "test": "func TestF(t *testing.T) { assert := assert.New(t); fmt.Println(F(1)) }\n",
    "example_test": "None",
    "entry_point": "F",
}
RUST = {
    "task_id": "Rust/0",
    "declaration": "use rand::Rng;\nfn f() -> i32 {\n",
    "prompt": "fn main(){}\nfn f() -> i32 {\n",
    "canonical_solution": "1 }\n",
    "test": "#[cfg(test)]\nmod tests { #[test] fn test_f() { assert!(true); } }\n",
}


def only(problem: Any) -> ProgramTests:
    (tests,) = problem.tests
    assert isinstance(tests, ProgramTests)
    return tests


def test_go_gets_a_main_and_the_imports_that_only_its_tests_need() -> None:
    problem = humaneval_x(GO, "f:1")
    tests = only(problem)
    assert problem.language == tests.language == "go"
    assert 'import "fmt"' in tests.before
    assert 'import "testing"' in tests.before
    assert '"math"' not in tests.before
    assert "github.com" not in tests.before
    assert '{"TestF", TestF}' in tests.after
    assert tests.drop == ("package main",)
    assert problem.visible == ()


def test_rust_gets_a_main_that_calls_its_tests() -> None:
    tests = only(humaneval_x(RUST, "f:1"))
    assert "tests::test_f();" in tests.after
    assert "#[cfg(test)]" not in tests.after
    assert "fn main(){}" in tests.drop


def test_a_fault_is_shown_and_the_right_code_is_not() -> None:
    problem = humaneval_fix(GO, "f:1")
    assert "return 0" in problem.prompt
    assert "return x" not in problem.prompt
    assert problem.reference.endswith("return x }\n")


@pytest.mark.parametrize(("language", "kind"), [("python", CheckTests), ("ruby", ProgramTests)])
def test_mbxp_may_have_no_reference(language: str, kind: type[Any]) -> None:
    row = {"task_id": "M/1", "language": language, "prompt": "p", "test": "t", "entry_point": "f"}
    problem = mbxp(row | {"canonical_solution": None}, "f:1")
    assert isinstance(problem.tests[0], kind)
    assert problem.reference == ""


def test_leetcode_gives_its_imports_to_every_solution() -> None:
    row = {
        "task_id": "two",
        "prompt": "import math\n",
        "problem_description": "Double it.",
        "starter_code": "class Solution:\n    def f(self, x): ",
        "test": "def check(candidate):\n    assert candidate(1) == 2\n",
        "entry_point": "Solution().f",
        "completion": "class Solution: ...",
    }
    problem = leetcode(row, "f:1")
    assert problem.preamble == "import math\n"
    assert "class Solution:\n    def f" in problem.prompt
