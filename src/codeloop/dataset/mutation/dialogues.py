"""The dialogue about a fault: what is asked, the faulty reply, its failure, and the repair."""

from dataclasses import dataclass, replace

from codeloop.core.dialogue import Dialogue, Feedback, Finish, Message, Role, Source, Turn
from codeloop.core.execution import Status
from codeloop.core.problem import Reason, Verdict
from codeloop.dataset.mutation.faults import Fault
from codeloop.dataset.mutation.tasks import Check, Task
from codeloop.dataset.mutation.trying import (
    Running,
    Trying,
    failed_check,
    is_printed_as,
    with_asserts,
    with_prints,
)
from codeloop.dataset.mutation.words import Words
from codeloop.dataset.runs import verdict_key
from codeloop.loop.prompts import text
from codeloop.loop.selection import select_cells

_JUDGED = Feedback(Source.JUDGE)
_RAN = Feedback(Source.EXECUTION)
_SAYABLE = frozenset(
    {
        *(Reason.PASSED, Reason.WRONG_ANSWER, Reason.EXCEPTION, Reason.COMPILE_ERROR),
        *(Reason.LIMIT, Reason.DIED),
    }
)
_COVERING = frozenset({Reason.COMPILE_ERROR, Reason.EXCEPTION})  # of a fault that hides another


@dataclass(frozen=True, slots=True)
class Told:
    """A dialogue, and the keys of its runs in order."""

    dialogue: Dialogue
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a dialogue is made from: a task, its words, and where code is tried."""

    task: Task
    words: Words
    trying: Trying
    as_evaluation: bool  # whether it is asked in an evaluation's words
    verdicts: dict[str, Verdict]  # of codes that were tried already

    @property
    def right(self) -> str:
        return self.task.problem.reference

    def verdict(self, code: str) -> Verdict:
        """Return the verdict of the visible tests on code, which is tried once."""
        if code not in self.verdicts:
            self.verdicts[code] = self.trying.shown(self.task, code)
        return self.verdicts[code]

    def passes_hidden(self, code: str) -> bool:
        """Return whether code passes the hidden tests, if there are any."""
        hidden = bool(self.task.problem.hidden)
        return not hidden or self.trying.passes(self.task, code, hidden_alone=True)

    def judged(self, reply: str, code: str, *, fails: bool) -> tuple[Turn, Verdict, str]:
        """Return a turn that a judge looked at."""
        verdict = self.verdict(code)
        key = verdict_key(self.task.problem.id, code)
        turn = Turn(
            reply,
            select_cells(reply, frozenset(), Finish.STOP),
            (_JUDGED,) if fails else (),
            verdict=verdict,
        )
        return turn, verdict, key


def told_by_judge(scene: Scene, faults: tuple[Fault, ...], codes: list[str]) -> Told | None:
    """Return the dialogue in which a judge speaks; `codes` have ever fewer faults, the last none.

    None if it has two faults, and mending the first does not change what fails.
    """
    words = scene.words
    reply = words.first(codes[0], tried=False)
    turns, runs = [], []
    seen: list[Verdict] = []
    for at, code in enumerate(codes):
        last = at == len(codes) - 1
        if at:
            observed = words.observed(seen[-1])
            reply = words.repair(observed, faults[at - 1], code, last=last)
        turn, verdict, key = scene.judged(reply, code, fails=not last)
        if (
            verdict.passed is not last
            or verdict.reason not in _SAYABLE
            or any(_same(verdict, each) for each in seen)
        ):
            return None
        turns.append(turn)
        runs.append(key)
        seen.append(verdict)
    if len(faults) > 1 and seen[0].reason not in _COVERING:
        return None
    asked = words.ask_as_evaluation() if scene.as_evaluation else words.ask(tried=False)
    opening = (Message(Role.USER, asked),)
    return Told(Dialogue(opening, tuple(turns)), tuple(runs))


def told_by_run(scene: Scene, fault: Fault, faulty: str) -> Told | None:
    """Return the dialogue in which the code's own run fails; None if it does not."""
    words, checks = scene.words, scene.task.checks
    if not checks:
        return None
    with scene.trying.session() as running:
        code = with_asserts(faulty, checks)
        first = _run_turn(running, words.first(code, tried=True), _RAN)
        result = first.results[0]
        if result.status in {Status.OK, Status.UNSUPPORTED, Status.INTERRUPTED}:
            return None
        observed = words.observed_run(result, failed_check(code, result, checks))
        mended = words.repair(observed, fault, with_asserts(scene.right, checks))
        second = _run_turn(running, mended)
        if second.failed:
            return None
        return _asked(words.ask(tried=True), (first, second), running)


def told_with_output(scene: Scene, fault: Fault | None, faulty: str) -> Told | None:
    """Return the dialogue in which outputs are shown, and the last turn is in words.

    None if the faulty code prints what the right one does, or what is printed is not the values
    that the examples name. Without a fault the first reply is right.
    """
    words, checks = scene.words, scene.task.checks
    if not checks:
        return None
    right = with_prints(scene.right, checks)
    with scene.trying.session() as running:
        turns: tuple[Turn, ...] = ()
        if fault is None:
            last = _run_turn(running, words.first(right, tried=True), _RAN)
        else:
            first = _run_turn(running, words.first(with_prints(faulty, checks), tried=True), _RAN)
            seen = _seen(words, first, checks)
            if seen is None:
                return None
            last = _run_turn(running, words.repair(seen, fault, right), _RAN)
            turns = (first,)
        printed = _printed(last)
        if last.failed or not _as_expected(printed, checks):
            return None
        results = [(check.call, line) for check, line in zip(checks, printed, strict=True)]
        closing = Turn(words.closing(results))
        return _asked(words.ask(tried=True), (*turns, last, closing), running)


def told_by_person(
    scene: Scene, fault: Fault, faulty: str, verdict: Verdict, *, examples: bool
) -> Told | None:
    """Return the dialogue in which a person says what came of a call.

    None if that cannot be said, or if the code fails by itself.
    """
    words = scene.words
    complaint = words.complaint(verdict)
    if complaint is None:
        return None
    with scene.trying.session() as running:
        said = Feedback(Source.PERSON, complaint)
        first = _run_turn(running, words.first(faulty, tried=False), said)
        if first.failed or not first.ran:
            return None
        first = replace(first, verdict=verdict)  # what the person's words rest on
        running.keys.append(verdict_key(scene.task.problem.id, faulty))
        mended = words.repair(words.agreed(verdict), fault, scene.right)
        second = _run_turn(running, mended)
        if second.failed:
            return None
        asked = words.ask(tried=False, examples=examples)
        return _asked(asked, (first, second), running)


def _run_turn(running: Running, reply: str, *feedback: Feedback) -> Turn:
    return Turn(reply, running.run(reply), feedback)


def _asked(request: str, turns: tuple[Turn, ...], running: Running) -> Told:
    asked = Dialogue.ask(request, system=text("system"))
    return Told(Dialogue(asked.opening, turns), tuple(running.keys))


def _seen(words: Words, turn: Turn, checks: tuple[Check, ...]) -> str | None:
    """Return what the output of faulty code shows; None if it shows nothing wrong."""
    result = turn.results[0]
    if result.status is not Status.OK:
        return words.observed_run(result, None)
    lines = _printed(turn)
    if len(lines) != len(checks):
        return None
    for check, line in zip(checks, lines, strict=True):
        if not is_printed_as(check.expected, line):
            return words.observed_print(check.call, line, check.expected)
    return None


def _printed(turn: Turn) -> list[str]:
    return turn.results[0].stdout.text.splitlines()


def _as_expected(lines: list[str], checks: tuple[Check, ...]) -> bool:
    return len(lines) == len(checks) and all(
        is_printed_as(check.expected, line) for check, line in zip(checks, lines, strict=True)
    )


def _same(one: Verdict, other: Verdict) -> bool:
    return (one.reason, one.error, one.input, one.actual) == (
        other.reason,
        other.error,
        other.input,
        other.actual,
    )
