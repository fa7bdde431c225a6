"""The loop: a model writes, the code of its reply runs, critics speak, the model writes again."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from codeloop.core.dialogue import (
    Cell,
    Dialogue,
    Feedback,
    Finish,
    Message,
    Role,
    Skipped,
    Source,
    Turn,
    Usage,
)
from codeloop.core.errors import ContextOverflowError, ModelError, SandboxError
from codeloop.core.events import (
    CodeStarted,
    DialogueDone,
    Event,
    ExecutionDone,
    FeedbackGiven,
    TextDelta,
    TurnDone,
)
from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    OutputChunk,
    Status,
)
from codeloop.core.problem import Verdict
from codeloop.core.protocols import Critic, Model, Reply, Sampling, Session
from codeloop.loop.limits import Limits, end_reason, repeats, repeats_itself
from codeloop.loop.prompts import shrinking
from codeloop.loop.selection import select_cells

_REPLY_RESERVE_TOKENS = 512  # kept free for the reply where no max_tokens is set


def refine(  # noqa: PLR0913  the four parts of the loop, and three settings by keyword
    dialogue: Dialogue,
    model: Model,
    session: Session,
    critics: Sequence[Critic],
    *,
    limits: Limits = Limits(),
    sampling: Sampling = Sampling(),
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Event, None, None]:
    """Extend the dialogue turn by turn until no critic has anything left to say, or a limit is met.

    Yields events as things happen; the last one, `DialogueDone`, says why it ended. Closing the
    iterator cancels the model call or the run in progress; the last `TurnDone` then holds all
    that is complete.

    Raises:
        ModelError: a model call failed for good.
        SandboxError: the sandbox broke twice.
    """
    loop = _Loop(model, session, critics, limits, sampling, clock, clock())
    start = len(dialogue.turns)
    reason = None
    while reason is None:
        turn = yield from loop.turn(dialogue, start)
        dialogue = dialogue.with_turn(turn)
        yield TurnDone(turn, dialogue)
        reason = end_reason(dialogue, start, limits, loop.seconds())
    yield DialogueDone(dialogue, reason)


def to_the_end(
    events: Generator[Event, None, None], see: Callable[[Event], object] = lambda _: None
) -> DialogueDone:
    """Run the loop to its end and return its last event; `see` is shown each as it happens."""
    with closing(events):
        for event in events:
            see(event)
            if isinstance(event, DialogueDone):
                return event
    msg = "the loop ended without a last event"
    raise AssertionError(msg)


@dataclass(frozen=True, slots=True)
class _Loop:
    """What stays the same from turn to turn."""

    model: Model
    session: Session
    critics: Sequence[Critic]
    limits: Limits
    sampling: Sampling
    clock: Callable[[], float]
    started: float

    def seconds(self) -> float:
        return self.clock() - self.started

    def seconds_left(self) -> float | None:
        if self.limits.seconds is None:
            return None
        return max(0.0, self.limits.seconds - self.seconds())

    def time_is_up(self) -> bool:
        return self.seconds_left() == 0.0

    def turn(self, dialogue: Dialogue, start: int) -> Generator[Event, None, Turn]:
        """Take one turn: reply, runs, feedback."""
        reply = yield from self._reply(dialogue)
        cells = select_cells(reply.text, self.session.languages, reply.finish)
        if reply.finish is not Finish.CANCELLED:
            cells = yield from self._run_all(self._held_back(cells, dialogue.turns[start:]))
        turn = Turn(
            reply.text, cells, usage=reply.usage, finish=reply.finish, model=self.model.name
        )
        for critic in self.critics:
            said = critic.review(dialogue, turn)
            if isinstance(said, Verdict):
                turn = replace(turn, verdict=said)
                said = None if said.passed else Feedback(Source.JUDGE)
            if said is not None:
                turn = turn.with_feedback(said)
        for item in turn.feedback:
            yield FeedbackGiven(item)
        return turn

    def _reply(self, dialogue: Dialogue) -> Generator[Event, None, Reply]:
        """Ask the model with as much of the dialogue as fits."""
        overflow: ContextOverflowError | None = None
        for messages in shrinking(dialogue):
            if not self._fits(messages):
                continue
            try:
                return (yield from self._stream(messages))
            except ContextOverflowError as error:
                overflow = error
        if overflow is not None:
            raise overflow
        msg = f"the request is too long for {self.model.name}: {self.model.context_tokens} tokens"
        raise ContextOverflowError(msg)

    def _fits(self, messages: Sequence[Message]) -> bool:
        room = self.model.context_tokens
        if room is None:
            return True
        reserve = self.sampling.max_tokens or _REPLY_RESERVE_TOKENS
        return self.model.count_tokens(messages) + reserve <= room

    def _stream(self, messages: Sequence[Message]) -> Generator[Event, None, Reply]:
        """Pass a reply on as it comes; cut it if it outlasts its time or repeats itself."""
        so_far = ""
        stream = self.model.stream(messages, self.sampling, timeout_s=self.seconds_left())
        with closing(stream):
            try:
                for piece in stream:
                    if isinstance(piece, Reply):
                        return piece
                    so_far += piece
                    yield TextDelta(piece)
                    if self.time_is_up():
                        break
                    if "\n" in piece and repeats_itself(
                        _whole_lines(so_far), self.limits.same_lines
                    ):
                        stream.close()
                        return self._cut(messages, _whole_lines(so_far), Finish.REPEATING)
            except ContextOverflowError:
                raise
            except ModelError:
                if not self.time_is_up():
                    raise
        if not self.time_is_up():
            msg = f"{self.model.name} ended its reply without saying so"
            raise ModelError(msg)
        return self._cut(messages, so_far, Finish.CANCELLED)

    def _cut(self, messages: Sequence[Message], text: str, finish: Finish) -> Reply:
        """Return the reply that we cut; the model did not count its tokens, so we do."""
        written = self.model.count_tokens([Message(Role.ASSISTANT, text)])
        return Reply(text, finish, Usage(self.model.count_tokens(messages), written))

    def _held_back(self, cells: tuple[Cell, ...], before: tuple[Turn, ...]) -> tuple[Cell, ...]:
        """Mark the cells as repeated if they would do what the turns before them did."""
        code = tuple(cell.code for cell in cells if cell.skipped is None)
        if not repeats(before, code, self.limits):
            return cells
        return tuple(replace(cell, skipped=cell.skipped or Skipped.REPEATED) for cell in cells)

    def _run_all(self, cells: tuple[Cell, ...]) -> Generator[Event, None, tuple[Cell, ...]]:
        """Run the cells in order; after one that fails, the rest is not run."""
        done: list[Cell] = []
        why_not: Skipped | None = None
        for index, cell in enumerate(cells):
            if cell.skipped is None and why_not is None and self.time_is_up():
                why_not = Skipped.TIME_UP
            if cell.skipped is not None or why_not is not None:
                done.append(replace(cell, skipped=cell.skipped or why_not))
                continue
            yield CodeStarted(index, cell.language, cell.code)
            result = yield from self._run(cell)
            yield ExecutionDone(index, result)
            done.append(replace(cell, result=result))
            if result.status is not Status.OK:
                why_not = Skipped.EARLIER_FAILED
        return tuple(done)

    def _run(self, cell: Cell) -> Generator[Event, None, ExecutionResult]:
        """Run one cell; if the sandbox itself breaks, once more on a new one."""
        try:
            return (yield from self._run_once(cell))
        except SandboxError:
            self.session.restart()
            return (yield from self._run_once(cell))

    def _run_once(self, cell: Cell) -> Generator[Event, None, ExecutionResult]:
        run = self.session.run(cell.code, language=cell.language, limits=self._run_limits())
        with closing(run):
            for item in run:
                match item:
                    case OutputChunk() | InputRequested():
                        yield item
                    case ExecutionResult():
                        return item
        msg = "the sandbox ended a run without a result"
        raise SandboxError(msg)

    def _run_limits(self) -> ExecutionLimits:
        left = self.seconds_left()
        run = self.limits.run
        return run if left is None else replace(run, wall_s=min(run.wall_s, left))


def _whole_lines(text: str) -> str:
    return text[: text.rfind("\n") + 1]
