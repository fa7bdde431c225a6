"""A stage that answers each query by the loop: a model writes, its code runs, it mends the code."""

from collections.abc import Iterator
from dataclasses import dataclass

from codeloop.core.dialogue import Dialogue, Finish
from codeloop.core.events import DialogueDone, EndReason
from codeloop.dataset.keys import digest
from codeloop.dataset.means import Means, Surroundings
from codeloop.dataset.records import Example, Query, Way
from codeloop.dataset.stages import FailureClass, Left, RowError, Stage, StageKind
from codeloop.loop.critics import ExecutionCritic
from codeloop.loop.limits import Limits
from codeloop.loop.prompts import text
from codeloop.loop.refine import refine, to_the_end

ROLE = "writer"


@dataclass(frozen=True, slots=True)
class Refining:
    """Replies of a dialogue at most, and whether the model is shown what ran well."""

    turns: int = 4
    explain: bool = False


def build(settings: Refining, surroundings: Surroundings) -> Stage:
    """Return the stage."""

    def work(query: Query, means: Means) -> Iterator[Example | Left]:
        yield _refined(query, means, settings)

    return Stage(
        "refine", "1", work, Example, settings=settings, roles=(ROLE,), calls=settings.turns
    )


def _refined(query: Query, means: Means, settings: Refining) -> Example | Left:
    model, session = means.model(ROLE), means.session()
    opening = Dialogue.ask(query.query, system=text("system")).opening
    events = refine(
        Dialogue(opening, id=digest([means.key, "dialogue"])),
        model,
        session,
        [ExecutionCritic(on_success=settings.explain)],
        limits=Limits(turns=settings.turns, seconds=None, run=session.limits),
        sampling=means.sampling(ROLE),
    )
    done = to_the_end(events)
    _check(done)
    if not done.ended_well:
        return Left("unmended", done.reason.value)
    return Example(
        done.dialogue,
        Way.SIMULATION,
        (query.id,),
        query.source,
        query.licence,
        query.language,
        (model.name,),
        runs=session.keys,
    )


def _check(done: DialogueDone) -> None:
    """Raise RowError for a dialogue whose last reply is none."""
    last = done.dialogue.turns[-1]
    if last.finish is Finish.FILTER:
        raise RowError(FailureClass.REFUSED, "the endpoint filtered the reply")
    if done.reason is EndReason.EMPTY_REPLY:
        raise RowError(FailureClass.EMPTY, "the reply is empty")
    if last.finish in {Finish.LENGTH, Finish.REPEATING}:
        raise RowError(FailureClass.LENGTH, f"the last reply was cut off ({last.finish.value})")


KIND = StageKind("refine", Query, Refining, build)
