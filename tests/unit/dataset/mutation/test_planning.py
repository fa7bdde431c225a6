"""Plans and tasks: what is tried follows from the seed; what a task shows may be seen."""

from typing import Any

from codeloop.core.problem import CheckTests
from codeloop.dataset.mutation.planning import Settings, plan
from codeloop.dataset.mutation.tasks import Task, Unfit, leetcode_task, mbpp_task, mbpp_tasks
from codeloop.dataset.records import Malformed

MBPP: dict[str, Any] = {
    "task_id": 700,
    "text": "Write a function to count the words that are longer than n.",
    "code": "def count(words, n):\r\n    total = 0\r\n    for word in words:\r\n"
    "        if len(word) > n:\r\n            total += 1\r\n    return total",
    "test_setup_code": "",
    "test_list": [
        "assert count(['a', 'bcd'], 2) == 1",
        "assert count([], 2) == 0",
    ],
    "challenge_test_list": ["assert count(['secret'], 0) == 1"],
}
LEETCODE: dict[str, Any] = {
    "task_id": "two-sum",
    "prompt": "from typing import *\nfrom math import *\ninf = float('inf')\n",
    "entry_point": "Solution().twoSum",
    "completion": "class Solution:\n    def twoSum(self, nums: List[int], target: int):\n"
    "        best = inf\n        return [best, target]\n",
    "test": "def check(candidate):\n    assert candidate(nums = [2,7], target = 9) == [0,1]\n"
    "    assert candidate(nums = [3,3], target = 6) == [0,1]\n",
    "meta": {
        "question_title": "Find two.\xa0\nInput: nums = [2,7], target = 9\nOutput: [0,1]\n\n"
        "Constraints:\n\n1 <= n <= 104\n",
        "lang_code": "class Solution:\n    def twoSum(self, nums: List[int], target: int):",
    },
}


def task(row: dict[str, Any]) -> Task:
    made = mbpp_task(row)
    assert isinstance(made, Task)
    return made


def test_the_same_seed_makes_the_same_plan_and_another_another() -> None:
    given = task(MBPP)
    assert plan(given, Settings(seed=3)) == plan(given, Settings(seed=3))
    assert plan(given, Settings(seed=3)) != plan(given, Settings(seed=4))


def test_a_kind_is_tried_once_in_a_plan() -> None:
    tries = plan(task(MBPP), Settings(tries=40, right=0, double=0)).tries
    kinds = [fault.kind for each in tries for fault in each.faults]
    assert len(kinds) == len(set(kinds)) > 10


def test_two_faults_of_one_dialogue_lie_apart() -> None:
    pairs = [
        each.faults
        for seed in range(20)
        for each in plan(task(MBPP), Settings(seed=seed, double=0.9)).tries
        if len(each.faults) == 2
    ]
    assert pairs
    assert all(abs(one.line - two.line) > 1 for one, two in pairs)


def test_challenges_of_mbpp_are_hidden() -> None:
    made = task(MBPP)
    assert [each.call for each in made.checks] == ["count(['a', 'bcd'], 2)", "count([], 2)"]
    assert "secret" not in f"{made.statement}{made.problem.prompt}{made.problem.visible}"
    assert made.problem.hidden == (CheckTests("assert count(['secret'], 0) == 1"),)


def test_only_the_training_part_of_mbpp_is_read() -> None:
    rows = [(f"f:{number}", MBPP | {"task_id": number}) for number in (10, 11, 510, 511, 600, 601)]
    made = list(mbpp_tasks([*rows, Malformed("f:9", "not JSON")]))
    assert [each.problem.id for each in made if isinstance(each, Task)] == ["Mbpp/601"]
    assert [each for each in made if isinstance(each, Unfit)] == [Unfit("f:9", "not JSON")]


def test_a_leetcode_solution_gets_the_imports_that_it_needs() -> None:
    made = leetcode_task(LEETCODE)
    assert isinstance(made, Task)
    head = "from math import inf\nfrom typing import List\n\nclass Solution:"
    assert made.problem.reference.startswith(head)
    assert made.problem.preamble == ""


def test_only_tests_of_the_statement_are_visible() -> None:
    made = leetcode_task(LEETCODE)
    assert isinstance(made, Task)
    assert "[2, 7]" in str(made.problem.visible)
    assert "[3, 3]" not in str(made.problem.visible)
    assert "[3, 3]" in str(made.problem.hidden)
    assert "Constraints" not in made.statement


def test_a_solution_that_needs_what_nobody_gives_is_unfit() -> None:
    row = LEETCODE | {"completion": "class Solution:\n    def twoSum(self):\n        ListNode()\n"}
    assert leetcode_task(row) == Unfit("leetcode/two-sum", "needs ListNode, which is not its own")
