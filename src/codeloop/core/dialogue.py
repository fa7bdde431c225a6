"""The one record: a dialogue, made of turns; whoever reads it may only make a longer one."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from codeloop.core.execution import ExecutionResult, Status
from codeloop.core.problem import Verdict


class Role(StrEnum):
    """Who speaks in a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One text with a role."""

    role: Role
    content: str


def plain_messages(messages: Iterable[Message]) -> list[dict[str, str]]:
    """Return messages as chat formats have them: a role and a content each."""
    return [{"role": each.role.value, "content": each.content} for each in messages]


class Source(StrEnum):
    """Who says a piece of feedback."""

    EXECUTION = "execution"
    JUDGE = "judge"
    CRITIC = "critic"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Feedback:
    """What is said back about a turn.

    `text` holds the words of a person or a critic. What an execution or a judge says is not
    stored as text: it is made from the turn's structured record when a model is asked.
    """

    source: Source
    text: str = ""


class Skipped(StrEnum):
    """Why a code block of a reply was not run."""

    OUTPUT = "output"  # marked as what a program prints
    TRANSCRIPT = "transcript"  # a shell or interpreter session, not a program
    INSTALL = "install"  # only installs packages, which a jail without network cannot
    NO_RUNNER = "no_runner"  # a language that this session cannot run
    UNLABELLED = "unlabelled"  # no language, and nothing says that it is code to run
    CUT_OFF = "cut_off"  # the reply ended inside it
    EARLIER_FAILED = "earlier_failed"  # a block before it in the same reply failed
    REPEATED = "repeated"  # the same code as in the turn before
    TIME_UP = "time_up"  # the time of the loop was up


@dataclass(frozen=True, slots=True)
class Cell:
    """One code block of a reply: what came back from it, or why it was not run."""

    language: str  # normalised, "" if the block names none
    code: str
    result: ExecutionResult | None = None
    skipped: Skipped | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call, as the model counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class Finish(StrEnum):
    """Why a model stopped writing."""

    STOP = "stop"  # its own end, or a stop text
    LENGTH = "length"  # cut by max_tokens or by the context
    FILTER = "filter"  # refused by the endpoint
    REPEATING = "repeating"  # cut by us, at the end of a line: it wrote the same over and over
    CANCELLED = "cancelled"  # cut by us: the time was up


@dataclass(frozen=True, slots=True)
class Turn:
    """One model reply and all that it set off."""

    reply: str
    cells: tuple[Cell, ...] = ()
    feedback: tuple[Feedback, ...] = ()
    usage: Usage = Usage()
    finish: Finish = Finish.STOP
    model: str = ""
    verdict: Verdict | None = None  # of a judge, if one looked

    @property
    def results(self) -> tuple[ExecutionResult, ...]:
        """The results of the cells that ran, in order."""
        return tuple(cell.result for cell in self.cells if cell.result is not None)

    @property
    def ran(self) -> bool:
        return bool(self.results)

    @property
    def failed(self) -> bool:
        """Whether any run of this turn did not end well."""
        return any(result.status is not Status.OK for result in self.results)

    def with_feedback(self, *feedback: Feedback) -> Self:
        return replace(self, feedback=(*self.feedback, *feedback))


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The whole exchange: the opening (first messages before any reply), then the turns.

    What a person says after a reply is feedback of that turn, with source `person`: the next
    request of a chat, a hint, or a correction.
    """

    opening: tuple[Message, ...]
    turns: tuple[Turn, ...] = ()
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def ask(cls, query: str, *, system: str = "") -> Self:
        """Return a dialogue whose opening is one user message, after a system text if given."""
        first = (Message(Role.SYSTEM, system),) if system else ()
        return cls((*first, Message(Role.USER, query)))

    @property
    def last(self) -> Turn | None:
        return self.turns[-1] if self.turns else None

    def with_turn(self, turn: Turn) -> Self:
        return replace(self, turns=(*self.turns, turn))

    def with_feedback(self, *feedback: Feedback) -> Self:
        """Return the dialogue with feedback added to its last turn.

        Raises:
            ValueError: there is no turn yet.
        """
        if not self.turns:
            msg = "feedback needs a turn to speak about"
            raise ValueError(msg)
        return replace(self, turns=(*self.turns[:-1], self.turns[-1].with_feedback(*feedback)))
