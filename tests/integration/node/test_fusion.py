"""A node as trainers meet it: real programs, in SandboxFusion's words."""

import json
import os
from typing import Any

import pytest
from node_process import NodeProcess, StartNode

pytestmark = pytest.mark.jail
HUMAN_EVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def double(x):\n    """Return twice x."""\n',
    "entry_point": "double",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(-1) == -2\n",
}


def run(node: NodeProcess, code: str, stdin: str = "", timeout: int = 5) -> dict[str, Any]:
    """Send what verl sends; return what it reads."""
    form = {
        "compile_timeout": timeout,
        "run_timeout": timeout,
        "code": code,
        "stdin": stdin,
        "language": "python",
        "files": {},
        "fetch_files": [],
    }
    answer = node.post("/run_code", json.dumps(form).encode())
    assert answer.status == 200, answer.data
    facts: dict[str, Any] = answer.json()
    return facts


def submit(node: NodeProcess, kind: str, completion: str, row: dict[str, Any]) -> dict[str, Any]:
    config = {"dataset_type": kind, "language": "python", "provided_data": row, "run_timeout": 5}
    form = {"dataset": "mine", "id": 1, "completion": completion, "config": config}
    answer = node.post("/submit", json.dumps(form).encode())
    assert answer.status == 200, answer.data
    facts: dict[str, Any] = answer.json()
    return facts


@pytest.mark.timeout(300)
def test_programs_end_in_the_words_that_verl_knows(start_node: StartNode) -> None:
    node = start_node("--slots", "2")
    facts = run(node, "print(sum(map(int, input().split())))", "1 2\n")
    assert facts["status"] == "Success"
    assert facts["run_result"]["status"] == "Finished"
    assert facts["run_result"]["stdout"] == "3\n"
    facts = run(node, "print('before')\nraise ValueError('so')")
    assert (facts["status"], facts["run_result"]["return_code"]) == ("Failed", 1)
    assert facts["run_result"]["stdout"] == "before\n"
    assert "ValueError: so" in facts["run_result"]["stderr"]
    facts = run(node, "def f(:")
    assert (facts["status"], facts["compile_result"]) == ("Failed", None)
    assert facts["run_result"]["return_code"] == 1
    assert "SyntaxError" in facts["run_result"]["stderr"]
    facts = run(node, "while True: pass", timeout=1)
    assert facts["status"] == "Failed"
    assert facts["run_result"]["status"] == "TimeLimitExceeded"
    facts = run(
        node, "print('x' * 500_000)"
    )  # of which SandboxFusion's `none` mode makes a timeout
    assert facts["status"] == "Success"
    assert facts["run_result"]["stdout"] == "x" * 500_000 + "\n"
    facts = run(node, "import sys; sys.exit(3)")
    assert facts["run_result"]["return_code"] == 3
    facts = run(node, "import os; os.kill(os.getpid(), 9)")
    assert (facts["status"], facts["run_result"]["return_code"]) == ("Failed", -9)
    facts = run(node, f"import os; os.kill({os.getpid()}, 9)")
    assert facts["status"] == "Failed"


@pytest.mark.timeout(300)
def test_submissions_are_judged(start_node: StartNode) -> None:
    node = start_node("--slots", "2")
    cases = [
        {"input": {"stdin": f"{number}\n"}, "output": {"stdout": f"{2 * number}\n"}}
        for number in range(3)
    ]
    stdio = {"id": 1, "test": cases}
    right = "```python\nprint(2 * int(input()))\n```"
    assert submit(node, "CommonOJDataset", right, stdio)["accepted"] is True
    facts = submit(node, "CommonOJDataset", right.replace("2 *", "3 *"), stdio)
    assert facts["accepted"] is False
    assert [case["passed"] for case in facts["tests"]] == [True, False]
    assert facts["tests"][1]["exec_info"]["run_result"]["stdout"] == "3\n"

    body = "    return x + x\n"
    facts = submit(node, "HumanEvalDataset", body, HUMAN_EVAL)
    assert facts["accepted"] is True, facts
    assert submit(node, "HumanEvalDataset", "    return 4\n", HUMAN_EVAL)["accepted"] is False

    script = {
        "labels": {"programming_language": "python"},
        "test": {"code": "#<INSERT>\nassert double(2) == 4\n"},
    }
    good = "```python\ndef double(x):\n    return 2 * x\n```"
    assert submit(node, "AutoEvalDataset", good, script)["accepted"] is True
    facts = submit(node, "AutoEvalDataset", good.replace("2 * x", "x"), script)
    assert facts["accepted"] is False
    assert "AssertionError" in facts["tests"][0]["exec_info"]["run_result"]["stderr"]


FORGERIES = (
    "import os\nos._exit(0)",
    "import sys\nsys.exit(0)",
    "class Same(int):\n    def __eq__(self, other): return True\ndef double(x): return Same(0)",
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("code", FORGERIES)
def test_an_early_end_or_a_false_equality_is_no_pass(start_node: StartNode, code: str) -> None:
    node = start_node("--slots", "1")
    submitted = f"```python\n{code}\n```"
    row = HUMAN_EVAL
    config = {"provided_data": row, "extra": {"is_freeform": True}}
    form = {"dataset": "humaneval_python", "id": "a", "completion": submitted, "config": config}
    facts = node.post("/submit", json.dumps(form).encode()).json()
    assert facts["accepted"] is False
