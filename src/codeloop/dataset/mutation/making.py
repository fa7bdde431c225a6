"""Makes examples by mutation: plans, tries each fault, and keeps the dialogues that hold."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from codeloop.core.errors import SandboxError
from codeloop.core.ordered import in_order
from codeloop.core.problem import Reason, Verdict
from codeloop.dataset.keys import chooser, digest
from codeloop.dataset.mutation.dialogues import (
    Scene,
    Told,
    told_by_judge,
    told_by_person,
    told_by_run,
    told_with_output,
)
from codeloop.dataset.mutation.planning import Manner, Plan, Settings, Try, plan
from codeloop.dataset.mutation.source import edited
from codeloop.dataset.mutation.tasks import Task, Unfit
from codeloop.dataset.mutation.trying import Trying
from codeloop.dataset.mutation.words import Words
from codeloop.dataset.records import Example, Query, Way


class Outcome(StrEnum):
    """What became of a fault."""

    KEPT = "kept"
    EQUIVALENT = "equivalent"  # the tests pass all the same
    HIDDEN = "hidden"  # only tests fail that nobody is shown
    UNSAID = "unsaid"  # it fails, but not in a way that a dialogue can show


@dataclass(frozen=True, slots=True)
class Attempt:
    """A fault that was tried: its kinds, what became of it, and how the code failed."""

    kinds: tuple[str, ...]
    outcome: Outcome
    manner: Manner
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """What came of one problem; `why` says why nothing did."""

    problem_id: str
    examples: tuple[Example, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    why: str = ""


def make_examples(
    tasks: Iterable[Task | Unfit], settings: Settings, trying: Trying, *, threads: int
) -> Iterator[Made]:
    """Yield what comes of each problem, in order.

    The same settings make the same examples, whatever `threads` is.
    """
    plans = (task if isinstance(task, Unfit) else plan(task, settings) for task in tasks)
    yield from in_order(lambda each: _made(each, settings, trying), plans, threads=threads)


def _made(planned: Plan | Unfit, settings: Settings, trying: Trying) -> Made:
    if isinstance(planned, Unfit):
        return Made(planned.problem_id, why=planned.why)
    task = planned.task
    try:
        if not trying.passes(task, task.problem.reference):
            return Made(task.problem.id, why="its solution, alone, does not pass")
        return _tried(planned, settings, trying)
    except SandboxError as error:
        return Made(task.problem.id, why=f"could not be tried: {str(error).splitlines()[0]}")


def _tried(planned: Plan, settings: Settings, trying: Trying) -> Made:
    task = planned.task
    examples: list[Example] = []
    attempts = []
    verdicts: dict[str, Verdict] = {}
    for each in planned.tries:
        if len(examples) == settings.of_each:
            break
        told, attempt = _attempt(each, _scene(task, each, settings, trying, verdicts))
        attempts.append(attempt)
        if told is not None:
            examples.append(_example(task, each, told))
    return Made(task.problem.id, tuple(examples), tuple(attempts))


def _scene(
    task: Task, each: Try, settings: Settings, trying: Trying, verdicts: dict[str, Verdict]
) -> Scene:
    chance = chooser(f"{task.problem.id} {each.number}", f"words {settings.seed}")
    as_evaluation = chance.random() < 0.5  # noqa: PLR2004
    return Scene(task, Words(chance, task), trying, as_evaluation, verdicts)


def _attempt(each: Try, scene: Scene) -> tuple[Told | None, Attempt]:
    """Return the dialogue about a try, if there is one, and what became of the try."""
    kinds = tuple(fault.kind for fault in each.faults)
    faulty = _planted(scene.right, each)
    if not each.faults:
        if each.manner is Manner.JUDGE:
            told = told_by_judge(scene, (), [scene.right])
        else:
            told = told_with_output(scene, None, "")
        outcome = Outcome.UNSAID if told is None else Outcome.KEPT
        return told, Attempt(kinds, outcome, each.manner, Reason.PASSED.value)
    verdict = scene.verdict(faulty)
    failure = verdict.reason.value
    if verdict.passed:
        outcome = Outcome.EQUIVALENT if scene.passes_hidden(faulty) else Outcome.HIDDEN
        return None, Attempt(kinds, outcome, each.manner, failure)
    told, manner = _told(scene, each, faulty, verdict)
    outcome = Outcome.UNSAID if told is None else Outcome.KEPT
    return told, Attempt(kinds, outcome, manner, failure)


def _told(scene: Scene, each: Try, faulty: str, verdict: Verdict) -> tuple[Told | None, Manner]:
    """Return the dialogue in the manner that was drawn, or else in the judge's."""
    first = each.faults[0]
    match each.manner:
        case Manner.JUDGE:
            told = None
        case Manner.EXECUTION:
            told = told_by_run(scene, first, faulty)
        case Manner.EXPLAINED:
            told = told_with_output(scene, first, faulty)
        case Manner.PERSON:
            told = told_by_person(scene, first, faulty, verdict, examples=scene.as_evaluation)
    if told is not None:
        return told, each.manner
    codes = [faulty, *([] if len(each.faults) == 1 else [_planted(scene.right, each, start=1)])]
    return told_by_judge(scene, each.faults, [*codes, scene.right]), Manner.JUDGE


def _planted(right: str, each: Try, *, start: int = 0) -> str:
    edits = [edit for fault in each.faults[start:] for edit in fault.edits]
    return edited(right, edits)


def _example(task: Task, each: Try, told: Told) -> Example:
    kinds = "+".join(fault.kind for fault in each.faults) or "none"
    content = digest([message.content for message in told.dialogue.opening] + list(told.runs))
    name = f"mutation/{task.problem.id}/{kinds}/{content[:12]}"
    query = Query(task.statement, source=task.source, licence=task.licence)
    return Example(
        replace(told.dialogue, id=name),
        Way.MUTATION,
        (query.id,),
        task.source,
        task.licence,
        "python",
        (),
        runs=told.runs,
        problem_id=task.problem.id,
    )


@dataclass(frozen=True, slots=True)
class KindCounts:
    """What became of the faults of one kind, and how those failed that were kept."""

    outcomes: dict[Outcome, int]
    failures: dict[str, int]

    @property
    def tried(self) -> int:
        return sum(self.outcomes.values())


def count_kinds(attempts: Iterable[Attempt]) -> dict[str, KindCounts]:
    """Return for each kind what became of it; two faults in one dialogue count for both."""
    outcomes: dict[str, Counter[Outcome]] = {}
    failures: dict[str, Counter[str]] = {}
    for attempt in attempts:
        for kind in attempt.kinds or ("none",):
            outcomes.setdefault(kind, Counter())[attempt.outcome] += 1
            if attempt.outcome is Outcome.KEPT:
                failures.setdefault(kind, Counter())[attempt.failure] += 1
    return {
        kind: KindCounts(dict(counts), dict(failures.get(kind, {})))
        for kind, counts in outcomes.items()
    }
