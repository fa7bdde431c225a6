"""What the loop reports while it works, in the order in which things happen."""

from dataclasses import dataclass
from enum import StrEnum

from codeloop.core.dialogue import Dialogue, Feedback, Turn
from codeloop.core.execution import ExecutionResult, InputRequested, OutputChunk


class EndReason(StrEnum):
    """Why the loop ended."""

    ANSWERED = "answered"  # no critic has anything left to say
    GAVE_UP = "gave_up"  # the last run failed and the reply to that holds nothing to run
    EMPTY_REPLY = "empty_reply"
    TURN_LIMIT = "turn_limit"
    TIME_LIMIT = "time_limit"
    TOKEN_LIMIT = "token_limit"  # noqa: S105  a limit, no secret
    SAME_ERROR = "same_error"  # the same error twice in a row
    SAME_CODE = "same_code"  # the same code twice in a row
    INTERRUPTED = "interrupted"  # a person stopped the run


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the model's reply."""

    text: str


@dataclass(frozen=True, slots=True)
class CodeStarted:
    """A code block of the reply is about to run; `index` counts the reply's blocks from 0."""

    index: int
    language: str
    code: str


@dataclass(frozen=True, slots=True)
class ExecutionDone:
    """The run of block `index` ended."""

    index: int
    result: ExecutionResult


@dataclass(frozen=True, slots=True)
class FeedbackGiven:
    """A critic has something to say about the turn."""

    feedback: Feedback


@dataclass(frozen=True, slots=True)
class TurnDone:
    """A turn is complete; `dialogue` holds it."""

    turn: Turn
    dialogue: Dialogue


@dataclass(frozen=True, slots=True)
class DialogueDone:
    """The loop ended: the last event, always sent."""

    dialogue: Dialogue
    reason: EndReason

    @property
    def ended_well(self) -> bool:
        """Whether the model had its say and the last code that ran ended well."""
        ran = [turn for turn in self.dialogue.turns if turn.ran]
        mended = not (ran and ran[-1].failed)
        repeated_success = self.reason is EndReason.SAME_CODE and bool(ran)
        return mended and (self.reason is EndReason.ANSWERED or repeated_success)


Event = (
    TextDelta
    | CodeStarted
    | OutputChunk
    | InputRequested
    | ExecutionDone
    | FeedbackGiven
    | TurnDone
    | DialogueDone
)
