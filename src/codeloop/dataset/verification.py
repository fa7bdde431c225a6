"""Decides of an example whether it may stand, by running all that it quotes again."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace

from codeloop.core.codeblocks import find_blocks
from codeloop.core.dialogue import Cell, Dialogue, Role, Skipped, Source, Turn
from codeloop.core.errors import SandboxError
from codeloop.core.execution import ExecutionLimits, ExecutionResult, Status
from codeloop.core.ordered import in_order
from codeloop.core.problem import Problem, Verdict
from codeloop.core.protocols import Session
from codeloop.dataset.normal import is_uncertain, normal_result, normal_text, normal_verdict
from codeloop.dataset.records import Example, Verified, VerifiedReason, VerifiedStatus, Way
from codeloop.judge.critic import find_solution

Open = Callable[[], AbstractContextManager[Session]]
Judge = Callable[[Problem, str, bool], Verdict]  # of the visible tests alone if True

Obtained = ExecutionResult | Verdict


@dataclass(frozen=True, slots=True)
class Quoted:
    """One thing that a dialogue quotes: the turn (from 0), the code, and what is said of it."""

    turn: int
    code: str
    language: str
    told: Obtained


TIMES = 2
DOUBTS = 4  # more runs, before what was not obtained is called made up
_UNRUN = frozenset({Way.PACKING, Way.SIMILAR, Way.FOLLOW_UP, Way.RATED_CHAT})
_LIMITS = frozenset(
    {Status.CPU_LIMIT, Status.WALL_LIMIT, Status.MEMORY_LIMIT, Status.PROCESS_LIMIT}
)
_WANTS_CODE = re.compile(
    r"\b(?:write|implement|code|function|program|script|class|method|query|regex|algorithm)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Means:
    """What verification is handed: new sessions, a judge, the problems by id, limits by the way.

    `openers` open sessions in different sandboxes, so that what one process decides by chance,
    such as the order of a set of texts, is decided anew.
    """

    openers: Sequence[Open]
    judge: Judge
    problem: Callable[[str], Problem | None]
    limits: Callable[[Way], ExecutionLimits] = lambda _: ExecutionLimits()
    languages: frozenset[str] = frozenset({"python"})


def verify_examples(
    examples: Iterable[Example], means: Means, *, times: int = TIMES, threads: int
) -> Iterator[Example]:
    """Yield each example with what came of running it again, in order.

    Raises:
        SandboxError: our side failed twice on one example.
    """

    def work(example: Example) -> Example:
        try:
            return verify(example, means, times=times)
        except SandboxError:
            return verify(example, means, times=times)

    yield from in_order(work, examples, threads=threads)


def verify(example: Example, means: Means, *, times: int = TIMES) -> Example:
    """Return an example with what came of running it `times` times again.

    Raises:
        SandboxError: our side failed.
    """
    reason, note, runs = _decided(example, means, times)
    kept = reason in {VerifiedReason.CONFIRMED, VerifiedReason.NOTHING_RAN}
    status = VerifiedStatus.KEPT if kept else VerifiedStatus.DROPPED
    return replace(example, verified=Verified(status, reason, runs, note))


_Decision = tuple[VerifiedReason, str, int]


def _decided(example: Example, means: Means, times: int) -> _Decision:
    dialogue = example.dialogue
    quotes = quoted(dialogue)
    problem = means.problem(example.problem_id) if example.problem_id else None
    early = (
        _lacks_code(dialogue)
        or _lacks_runs(example, quotes)
        or _cannot_run(quotes, problem, means)
        or _made_up_text(dialogue)
    )
    if early is not None:
        return *early, 0
    if not quotes and last_code(dialogue.turns) is None:
        return VerifiedReason.NOTHING_RAN, "", 0
    if quotes:
        differs, runs = _compared(example.way, quotes, problem, means, times)
        if differs is not None:
            return *differs, runs
    else:
        runs = 0
    failing = _final(dialogue, problem, means)
    if failing is not None:
        return *failing, runs
    return (VerifiedReason.CONFIRMED if quotes else VerifiedReason.NOTHING_RAN), "", runs


_Found = tuple[VerifiedReason, str]


def _lacks_code(dialogue: Dialogue) -> _Found | None:
    """Find that what was last asked for wants code, and what follows has none."""
    asked = "".join(each.content for each in dialogue.opening if each.role is Role.USER)
    start = 0
    for at, turn in enumerate(dialogue.turns[:-1]):
        said = [each.text for each in turn.feedback if each.source is Source.PERSON]
        if said:
            asked, start = said[-1], at + 1
    if not dialogue.turns:
        return VerifiedReason.NO_CODE, "there is no turn"
    if _WANTS_CODE.search(asked) and not any(map(_has_code, dialogue.turns[start:])):
        return VerifiedReason.NO_CODE, f"turn {len(dialogue.turns)}"
    return None


def _has_code(turn: Turn) -> bool:
    """Return whether a turn has code, whoever might run it: a published answer has no cells."""
    if last_code([turn]) is not None:
        return True
    blocks = find_blocks(turn.reply)
    return any(each.code.strip() and each.language not in _TEXTS for each in blocks)


def _lacks_runs(example: Example, quotes: Sequence[Quoted]) -> _Found | None:
    if len(example.runs) != len(quotes) or not all(example.runs):
        return VerifiedReason.NO_RUN, f"{len(quotes)} runs are quoted, {len(example.runs)} known"
    if not quotes and example.way not in _UNRUN:
        return VerifiedReason.NO_RUN, "its way of making has runs, and it quotes none"
    return None


def _cannot_run(quotes: Sequence[Quoted], problem: Problem | None, means: Means) -> _Found | None:
    for each in quotes:
        if each.language not in means.languages:
            return VerifiedReason.NOT_RUNNABLE, f"no runner for {each.language or 'its language'}"
        if not isinstance(each.told, ExecutionResult) and problem is None:
            return VerifiedReason.NOT_RUNNABLE, "its problem is not at hand"
    return None


def _made_up_text(dialogue: Dialogue) -> _Found | None:
    """Find an output that a reply shows, though no run so far has printed it."""
    printed = ""
    ran = False
    for at, turn in enumerate(dialogue.turns):
        outputs = [f"{each.stdout.text}\n{each.stderr.text}" for each in turn.results]
        shown = [display.text() for each in turn.results for display in each.displays]
        ran = ran or turn.ran
        code = "\n".join(cell.code for cell in turn.cells)
        printed += _squeezed(normal_text("\n".join([*outputs, *shown]), code))
        if ran and not all(
            _squeezed(normal_text(cell.code, code)) in printed
            for cell in turn.cells
            if cell.skipped is Skipped.OUTPUT
        ):
            return VerifiedReason.OUTPUT_DIFFERS, f"turn {at + 1} shows what no run printed"
    return None


def _compared(
    way: Way, quotes: Sequence[Quoted], problem: Problem | None, means: Means, times: int
) -> tuple[_Found | None, int]:
    """Compare what is quoted with what is obtained now; also return how often it was obtained."""

    def obtain(number: int) -> list[Obtained]:
        opener = means.openers[number % len(means.openers)]
        return again(quotes, problem, opener, means.judge, means.limits(way))

    told = [as_told(each) for each in quotes]
    got = [obtain(number) for number in range(times)]
    at = _first_difference(got[0], *got[1:])
    if at is not None:
        return (VerifiedReason.FLAKY, _place(quotes[at])), len(got)
    at = _first_difference(told, got[0])
    if at is None:
        return None, len(got)
    for number in range(times, times + DOUBTS):
        got.append(obtain(number))
        if _first_difference(got[0], got[-1]) is not None:
            return (VerifiedReason.FLAKY, _place(quotes[at])), len(got)
    flaky = _may_be_chance(quotes[: at + 1], told[at], got[0][at])
    reason = VerifiedReason.FLAKY if flaky else VerifiedReason.OUTPUT_DIFFERS
    return (reason, _place(quotes[at])), len(got)


def _first_difference(first: list[Obtained], *others: list[Obtained]) -> int | None:
    for at, one in enumerate(first):
        if any(other[at] != one for other in others):
            return at
    return None


def _may_be_chance(quotes: Sequence[Quoted], told: Obtained, got: Obtained) -> bool:
    """Return whether a difference may come from the machine, or from chance in the code."""
    if any(is_uncertain(each.code) for each in quotes):
        return True
    if sorted(repr(told)) == sorted(repr(got)):  # the same in another order, as sets are printed
        return True
    return (_limit_of(told) in _LIMITS) is not (_limit_of(got) in _LIMITS)


def _limit_of(obtained: Obtained) -> Status | None:
    return obtained.status if isinstance(obtained, ExecutionResult) else obtained.limit


def _final(dialogue: Dialogue, problem: Problem | None, means: Means) -> _Found | None:
    """Find that the last code does not end well, or fails the tests of its problem."""
    last = last_code(dialogue.turns)
    if last is None:
        return None
    turn, _ = last
    if turn.failed or (turn.verdict is not None and not turn.verdict.passed):
        return VerifiedReason.FINAL_FAILS, _turn_place(dialogue, turn)
    if problem is not None:
        code = find_solution(turn, problem.entry_point)
        verdict = means.judge(problem, code or "", False)
        if not verdict.passed:
            return VerifiedReason.TESTS_FAIL, verdict.reason.value
    return None


def _place(quote: Quoted) -> str:
    return f"turn {quote.turn + 1}"


def _turn_place(dialogue: Dialogue, turn: Turn) -> str:
    return f"turn {dialogue.turns.index(turn) + 1}"


def _squeezed(text: str) -> str:
    return "".join(text.split())


def quoted(dialogue: Dialogue) -> list[Quoted]:
    """Return all results and verdicts of a dialogue in their order.

    The verdict of a turn whose reply holds no code is not among them: nothing was run for it.
    """
    found = []
    for at, turn in enumerate(dialogue.turns):
        found += [
            Quoted(at, cell.code, cell.language, cell.result)
            for cell in turn.cells
            if cell.result is not None
        ]
        code = find_solution(turn, "")
        if turn.verdict is not None and code is not None:
            found.append(Quoted(at, code, "python", turn.verdict))
    return found


def again(
    quotes: Sequence[Quoted],
    problem: Problem | None,
    open_session: Open,
    judge: Judge,
    limits: ExecutionLimits,
) -> list[Obtained]:
    """Return what comes of it now, in one new session, as it counts for equality.

    Raises:
        SandboxError: our side failed.
    """
    if not any(isinstance(each.told, ExecutionResult) for each in quotes):
        return [_judged(each, problem, judge) for each in quotes]
    with open_session() as session:
        return [
            normal_result(_run(session, each, limits), each.code)
            if isinstance(each.told, ExecutionResult)
            else _judged(each, problem, judge)
            for each in quotes
        ]


def as_told(quote: Quoted) -> Obtained:
    """Return what a dialogue quotes, as it counts for equality."""
    if isinstance(quote.told, ExecutionResult):
        return normal_result(quote.told, quote.code)
    return normal_verdict(quote.told, quote.code)


def last_code(turns: Sequence[Turn]) -> tuple[Turn, Cell] | None:
    """Return the last turn with code that could run, and that code; None if there is none."""
    for turn in reversed(turns):
        cells = [cell for cell in turn.cells if cell.code.strip() and cell.language not in _TEXTS]
        if cells:
            return turn, cells[-1]
    return None


_TEXTS = frozenset({"text", "output", "txt", "console", "plaintext", "stdout"})


def _judged(quote: Quoted, problem: Problem | None, judge: Judge) -> Verdict:
    if problem is None:
        msg = "a verdict without its problem"
        raise SandboxError(msg)
    return normal_verdict(judge(problem, quote.code, True), quote.code)


def _run(session: Session, quote: Quoted, limits: ExecutionLimits) -> ExecutionResult:
    with closing(session.run(quote.code, language=quote.language, limits=limits)) as events:
        for event in events:
            if isinstance(event, ExecutionResult):
                return event
    msg = "the sandbox ended a run without a result"
    raise SandboxError(msg)
