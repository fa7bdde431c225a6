from dataclasses import replace

import pytest
from fakes import ScriptedSession, ok
from unit.judge.test_judging import PASSED, ScriptedRig, report

from codeloop.core import records
from codeloop.core.dialogue import Cell, Dialogue, Feedback, Source, Turn
from codeloop.core.events import DialogueDone, EndReason
from codeloop.core.execution import GuestError, Status
from codeloop.core.problem import CheckTests, FunctionTests, Problem, Reason, Verdict
from codeloop.judge.critic import JudgeCritic, find_solution
from codeloop.loop.prompts import feedback_text, sections
from codeloop.loop.refine import refine
from codeloop.models.scripted import ScriptedModel

HIDDEN = FunctionTests(((987654,),), (123456,))
PROBLEM = Problem("p", "", (HIDDEN,), "f", visible=(CheckTests("assert f(1) == 2"),))


def turn(*blocks: str) -> Turn:
    return Turn("reply", tuple(Cell("python", block) for block in blocks))


def test_the_first_block_that_defines_the_function_is_the_solution() -> None:
    assert find_solution(turn("import f", "def f(): 1", "def f(): 2"), "f") == "def f(): 1"
    assert find_solution(turn("x = 1", "y ="), "f") == "x = 1"
    assert find_solution(turn(), "f") is None


def test_only_visible_tests_are_looked_at() -> None:
    critic = JudgeCritic(PROBLEM, ScriptedRig([PASSED]))
    verdict = critic.review(Dialogue.ask("q"), turn("def f(x): return 2"))
    assert verdict is not None
    assert verdict.passed
    blind = JudgeCritic(replace(PROBLEM, visible=()), ScriptedRig([]))
    assert blind.review(Dialogue.ask("q"), turn("def f(x): return 2")) is None


def test_a_reply_without_code_defines_nothing() -> None:
    verdict = JudgeCritic(PROBLEM, ScriptedRig([])).review(Dialogue.ask("q"), turn())
    assert verdict == Verdict(Reason.UNDEFINED)


@pytest.mark.parametrize("reason", [each for each in Reason if each is not Reason.PASSED])
def test_every_reason_has_words(reason: Reason) -> None:
    assert reason.value in sections("judge")


@pytest.mark.parametrize("limit", [None, *Status])
def test_every_limit_has_words(limit: Status | None) -> None:
    assert "$" not in words(Verdict(Reason.LIMIT, limit=limit))


def test_a_failing_test_is_shown_with_what_came_of_it() -> None:
    said = words(
        Verdict(Reason.WRONG_ANSWER, test="assert f(1) == 2", input="1", expected="2", actual="3")
    )
    assert "assert f(1) == 2" in said
    assert "Expected:\n```text\n2\n```\nGot:\n```text\n3\n```" in said


def test_an_exception_is_shown_with_its_line() -> None:
    said = words(Verdict(Reason.EXCEPTION, input="1", error=GuestError("KeyError", "'a'", 4)))
    assert "KeyError: 'a' (line 4)" in said
    assert "Input:" in said


def test_the_loop_goes_on_until_the_judge_is_content() -> None:
    wrong = report("wrong_answer", test="assert f(1) == 2", actual="1", expected="2")
    critic = JudgeCritic(PROBLEM, ScriptedRig([wrong, PASSED]))
    model = ScriptedModel([f"```python\ndef f(x): return x + {n}\n```" for n in range(2)])
    events = list(refine(Dialogue.ask("q"), model, ScriptedSession([ok(), ok()]), [critic]))
    done = events[-1]
    assert isinstance(done, DialogueDone)
    assert done.reason is EndReason.ANSWERED
    first, second = done.dialogue.turns
    assert first.verdict is not None
    assert first.feedback == (Feedback(Source.JUDGE),)
    assert second.verdict is not None
    assert second.verdict.passed
    assert second.feedback == ()
    assert records.decode(records.encode(done.dialogue)) == done.dialogue


def words(verdict: Verdict) -> str:
    return feedback_text(Turn("r", (), (Feedback(Source.JUDGE),), verdict=verdict))
