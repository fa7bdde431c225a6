"""Interaction simulation: a weaker writer, real runs, a stronger fixer, and a simulated user.

OpenCodeInterpreter (arXiv 2402.14658), section 2.2: the first answer comes from a weaker model, so
that there is something to mend; then a user reacts, and what they ask for is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from codeloop.core.dialogue import Dialogue, Feedback, Finish, Source, Turn
from codeloop.core.events import DialogueDone, EndReason
from codeloop.core.execution import ExecutionLimits
from codeloop.core.protocols import Model, Sampling, Session
from codeloop.dataset.failure import Failure, FailureKind, of_reply
from codeloop.dataset.keys import digest
from codeloop.dataset.records import Example, Query, Way
from codeloop.dataset.ways.person import QUOTAS, SimulatedUser, Wish, draw_wish
from codeloop.dataset.ways.relay import Relay, run_keys
from codeloop.loop.critics import ExecutionCritic
from codeloop.loop.limits import Limits
from codeloop.loop.prompts import text
from codeloop.loop.refine import refine, to_the_end


@dataclass(frozen=True, slots=True)
class Roles:
    """Who plays whom; one model may play all."""

    writer: Model
    fixer: Model
    user: Model


@dataclass(frozen=True, slots=True)
class SimulationSettings:
    """How a dialogue may go.

    The fixer has up to `fixes` turns for a request; the user asks up to `asks` times. `explain`
    shows the fixer the output of what ran well, too, and lets it answer in words.
    """

    fixes: int = 3
    asks: int = 1
    explain: bool = False
    quotas: Mapping[Wish, float] = field(default_factory=lambda: QUOTAS)
    sampling: Sampling = Sampling(temperature=0.0, max_tokens=1024)
    run: ExecutionLimits = ExecutionLimits()


@dataclass(frozen=True, slots=True)
class PatientCritic:
    """An `ExecutionCritic` that says no more once it was heard so many times in a row."""

    critic: ExecutionCritic
    times: int

    def review(self, dialogue: Dialogue, turn: Turn) -> Feedback | None:
        before = dialogue.turns[-self.times :] if self.times else ()
        heard = [any(each.source is Source.EXECUTION for each in one.feedback) for one in before]
        if len(heard) >= self.times and all(heard):
            return None
        return self.critic.review(dialogue, turn)


def simulate(
    query: Query,
    roles: Roles,
    session: Session,
    settings: SimulationSettings = SimulationSettings(),
) -> Example | Failure:
    """Make a dialogue of a query, in a new session that keeps its variables.

    It is one only if something ran, what ran last ended well, and the user had their say.

    Raises:
        ModelError: a model call failed for good.
        SandboxError: the sandbox broke twice.
    """
    opening = Dialogue.ask(query.query, system=text("system")).opening
    wish = draw_wish(query.id, settings.quotas)
    user = SimulatedUser(roles.user, wish, asks=settings.asks)
    critic = PatientCritic(ExecutionCritic(on_success=settings.explain), settings.fixes)
    relay = Relay(roles.writer, roles.fixer)
    limits = Limits(
        turns=(1 + settings.fixes) * (1 + settings.asks), seconds=None, run=settings.run
    )
    done = to_the_end(
        refine(
            Dialogue(opening, id=digest([Way.SIMULATION, query.id, wish])),
            relay,
            session,
            [critic, _AfterExecution(user, critic)],
            limits=limits,
            sampling=settings.sampling,
        )
    )
    failure = user.failure or _failure(done)
    if failure is not None:
        return failure
    models = [*(turn.model for turn in done.dialogue.turns), roles.user.name]
    return Example(
        done.dialogue,
        Way.SIMULATION,
        (query.id,),
        query.source,
        query.licence,
        query.language or "python",
        tuple(dict.fromkeys(models)),
        runs=run_keys(session),
    )


@dataclass(frozen=True, slots=True)
class _AfterExecution:
    """The user, who speaks where the run of a turn leaves nothing to be said."""

    user: SimulatedUser
    critic: PatientCritic

    def review(self, dialogue: Dialogue, turn: Turn) -> Feedback | None:
        if self.critic.review(dialogue, turn) is not None:
            return None
        return self.user.review(dialogue, turn)


def _failure(done: DialogueDone) -> Failure | None:
    """Return why a dialogue that ended is none to learn from."""
    last = done.dialogue.turns[-1]
    if not any(turn.ran for turn in done.dialogue.turns):
        unrun = of_reply(last.reply, last.finish)
        cut = last.finish is not Finish.STOP or not last.reply.strip()
        return unrun if cut else replace(unrun, kind=FailureKind.NO_CODE)
    if last.finish is not Finish.STOP:
        return of_reply(last.reply, last.finish)
    if done.reason is not EndReason.ANSWERED or not done.ended_well:
        return Failure(FailureKind.UNMENDED, done.reason.value)
    return None
