"""A dialogue about a problem: visible tests are what is said, all tests what it is worth."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from codeloop.core.dialogue import Dialogue, Feedback, Message, Turn, plain_messages
from codeloop.core.errors import ModelError
from codeloop.core.events import Event, TurnDone
from codeloop.core.problem import Problem, Verdict
from codeloop.core.protocols import Model, Sampling, Session
from codeloop.judge.critic import JudgeCritic, find_solution
from codeloop.judge.many import RigPool
from codeloop.loop.limits import Limits
from codeloop.loop.refine import refine, to_the_end

# Solved at once; solved after feedback; not solved. Gehring et al. 2024 (RLEF, arXiv 2410.02089)
# reward the last solution by the hidden tests; that the first turn is worth more is ours.
FIRST, AFTER, NOT = 1.0, 0.7, 0.0


@dataclass(frozen=True, slots=True)
class Task:
    """A problem, and the messages that ask for its solution."""

    problem: Problem
    opening: tuple[Message, ...]

    @property
    def prompt(self) -> list[dict[str, str]]:
        """The messages as a trainer's data set holds them."""
        return plain_messages(self.opening)


class TimedJudge:
    """Judges each turn by the visible tests, and notes how long that takes. Fills `Critic`."""

    def __init__(self, problem: Problem, pool: RigPool) -> None:
        self._problem = problem
        self._pool = pool
        self.seconds = 0.0

    def review(self, dialogue: Dialogue, turn: Turn) -> Feedback | Verdict | None:
        start = time.monotonic()
        with self._pool.lend() as rig:
            found = JudgeCritic(self._problem, rig).review(dialogue, turn)
        self.seconds += time.monotonic() - start
        return found

    def solves(self, turns: Sequence[Turn]) -> bool:
        """Return whether the last solution passes all tests, the hidden ones too."""
        code = next(
            (
                found
                for turn in reversed(turns)
                if (found := find_solution(turn, self._problem.entry_point)) is not None
            ),
            None,
        )
        if code is None:
            return False
        start = time.monotonic()
        passed = self._pool.judge(self._problem, code).passed
        self.seconds += time.monotonic() - start
        return passed


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a dialogue about a problem."""

    turns: int
    reward: float
    execution_s: float


def play(
    task: Task,
    model: Model,
    pool: RigPool,
    session: Session,
    *,
    turns: int,
    max_tokens: int,
) -> Played:
    """Have a model solve a problem in the loop, and say what its last solution is worth.

    A model that cannot go on (`ModelError` after its first turn) is worth what it had by then.

    Raises:
        ModelError: there was no first turn.
        SandboxError: our side failed.
    """
    judge = TimedJudge(task.problem, pool)
    done: list[Turn] = []

    def see(event: Event) -> None:
        if isinstance(event, TurnDone):
            done.append(event.turn)

    limits = Limits(turns, None, None, same_error=None, same_code=None, same_lines=None)
    dialogue, sampling = Dialogue(task.opening), Sampling(max_tokens=max_tokens)
    try:
        to_the_end(refine(dialogue, model, session, [judge], limits=limits, sampling=sampling), see)
    except ModelError:
        if not done:
            raise
    reward = NOT
    if judge.solves(done):
        reward = FIRST if len(done) == 1 else AFTER
    return Played(len(done), reward, judge.seconds)
