"""Runs in the forms of other programs; what these make of them: tests/peers."""

import json
from datetime import UTC, datetime

import pytest
from recorded import recorded, recorded_turn

from codeloop.core.errors import ConfigError
from codeloop.evals.exports import Form, exported
from codeloop.evals.settings import FeedbackKind, Settings, Stop

RIGHT = recorded_turn(passed=True, code="def f(x):\n    return 1\n")
WRONG = recorded_turn(passed=False)
SETTINGS = Settings("humaneval+@0.1.10", "m", feedback=FeedbackKind.EXECUTION, turns=2)
ROWS = [
    recorded("HumanEval/0", [WRONG, RIGHT], replies=["\ud800"]),
    recorded("HumanEval/1", [recorded_turn(passed=False, base=True)]),
    {"problem": "HumanEval/2", "sample": 0, "error": "ModelError: gone"},
]
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def test_samples_are_the_solutions_that_dialogues_ended_with() -> None:
    lines = exported(Form.SAMPLES, SETTINGS, ROWS, NOW, "1").decode().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"task_id": "HumanEval/0", "solution": RIGHT["code"]},
        {"task_id": "HumanEval/1", "solution": WRONG["code"]},
    ]


def test_evalplus_results_tell_base_and_plus_apart() -> None:
    found = json.loads(exported(Form.EVALPLUS, SETTINGS, ROWS, NOW, "1"))["eval"]
    statuses = [(each[0]["base_status"], each[0]["plus_status"]) for each in found.values()]
    assert statuses == [("pass", "pass"), ("pass", "fail")]


def test_evalplus_has_no_results_of_other_benchmarks() -> None:
    with pytest.raises(ConfigError, match="HumanEval and MBPP alone"):
        exported(Form.EVALPLUS, Settings("leetcode@1", "m"), ROWS, NOW, "1")


def test_a_log_holds_every_message_score_and_failed_call() -> None:
    log = json.loads(exported(Form.INSPECT, SETTINGS, ROWS, NOW, "1"))
    first, second, failed = log["samples"]
    assert [each["role"] for each in first["messages"]] == [
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    assert first["messages"][1]["content"] == "?"  # what UTF-8 cannot hold
    assert [first["scores"][name]["value"] for name in ("base", "plus")] == ["C", "C"]
    assert [second["scores"][name]["value"] for name in ("base", "plus")] == ["C", "I"]
    assert failed["error"]["message"] == "ModelError: gone"
    assert log["results"]["scores"][1]["metrics"]["accuracy"]["value"] == 0.5
    assert log["stats"]["model_usage"]["m"]["total_tokens"] == 330


@pytest.mark.parametrize("form", list(Form))
def test_a_dialogue_counts_where_it_stops(form: Form) -> None:
    lost = [recorded("HumanEval/0", [RIGHT, WRONG])]
    told = exported(form, SETTINGS, lost, NOW, "1").decode()
    assert "return 1" in told
    own = Settings("humaneval+@0.1.10", "m", stop=Stop.SELF)
    if form is Form.SAMPLES:
        assert "return 1" not in exported(form, own, lost, NOW, "1").decode()
