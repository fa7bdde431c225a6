"""How many trials a turn takes: one for what passes, where nothing hangs on the first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from codeloop.core.dialogue import Dialogue, Turn
from codeloop.core.problem import CheckTests, Problem, ProgramTests, Reason, Tests, Verdict
from codeloop.evals.critics import Examiner
from codeloop.evals.settings import FeedbackKind, Settings, Visible

EXAMPLES, BASE, HIDDEN = (CheckTests(f"assert f({at}) == {at}") for at in range(3))
PROBLEM = Problem("p", "Write f.", (BASE,), "f", visible=(EXAMPLES,), hidden=(HIDDEN,))
ONCE = Settings("mock", "mock")
TWICE = Settings("mock", "mock", feedback=FeedbackKind.EXECUTION, turns=2)


@dataclass
class Pool:
    """Judges by a list of tests that fail."""

    failing: tuple[Tests, ...] = ()
    forgeable: bool = False
    asked: list[tuple[Tests, ...]] = field(default_factory=list)

    def judge(self, _: Problem, __: str, *, tests: Sequence[Tests]) -> Verdict:
        self.asked.append(tuple(tests))
        for at, each in enumerate(tests):
            if each in self.failing:
                return Verdict(Reason.WRONG_ANSWER, test=repr(each), sets_passed=at)
        return Verdict(Reason.PASSED, sets_passed=len(tests), forgeable=self.forgeable)


def examined(
    pool: Pool, settings: Settings = ONCE, problem: Problem = PROBLEM
) -> tuple[Verdict, Verdict]:
    """Return the verdicts on one turn: of the visible tests, and the one that decides."""
    mute: Any = pool
    examiner = Examiner(problem, mute, settings)
    turn = Turn("```python\ndef f(x): return x\n```")
    examiner.review(Dialogue.ask("Write f."), turn)
    (seen,) = examiner.seen
    return seen.verdict, examiner.decide(seen.extraction)


def test_one_trial_is_enough_for_what_passes_where_nobody_is_told() -> None:
    pool = Pool()
    visible, decides = examined(pool)
    assert (visible.passed, visible.sets_passed) == (True, 1)
    assert (decides.passed, decides.sets_passed) == (True, 2)
    assert pool.asked == [(BASE, HIDDEN, EXAMPLES)]


@pytest.mark.parametrize("failing", [(BASE,), (HIDDEN,), (EXAMPLES,), (EXAMPLES, HIDDEN)])
def test_what_fails_is_judged_as_it_would_be_apart(failing: tuple[Tests, ...]) -> None:
    visible, decides = examined(Pool(failing))
    assert visible == Pool(failing).judge(PROBLEM, "", tests=(EXAMPLES,))
    apart = Pool(failing).judge(PROBLEM, "", tests=(BASE, HIDDEN))
    assert (decides.reason, decides.test, decides.sets_passed) == (
        apart.reason, apart.test, apart.sets_passed,
    )  # fmt: skip


def test_what_a_model_is_told_comes_of_visible_tests_in_a_trial_of_their_own() -> None:
    pool = Pool((HIDDEN,))
    visible, _ = examined(pool, TWICE)
    assert visible.passed
    assert pool.asked[0] == (EXAMPLES,)


@pytest.mark.parametrize("shown", [Visible.BASE, Visible.ALL])
@pytest.mark.parametrize("failing", [(), (BASE,), (HIDDEN,)])
def test_tests_that_decide_first_of_all_are_tried_once(
    shown: Visible, failing: tuple[Tests, ...]
) -> None:
    pool = Pool(failing)
    settings = Settings("mock", "mock", feedback=FeedbackKind.EXECUTION, turns=2, visible=shown)
    visible, decides = examined(pool, settings)
    alone = (BASE,) if shown is Visible.BASE else (BASE, HIDDEN)
    assert visible == Pool(failing).judge(PROBLEM, "", tests=alone)
    assert decides.passed is not bool(failing)
    assert pool.asked == [(BASE, HIDDEN)]


def test_a_verdict_that_can_be_forged_says_so_of_those_tests_alone() -> None:
    pool = Pool(forgeable=True)
    examined(pool)
    assert pool.asked == [(BASE, HIDDEN, EXAMPLES), (EXAMPLES,), (BASE, HIDDEN)]


def test_tests_in_a_program_are_run_apart() -> None:
    program = ProgramTests("python")
    problem = Problem("p", "Write f.", (program,), "f", visible=(EXAMPLES,))
    pool = Pool()
    examined(pool, problem=problem)
    assert pool.asked == [(EXAMPLES,), (program,)]
