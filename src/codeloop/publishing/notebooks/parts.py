"""A dialogue as a row of parts, what is said and what ran: every form shows them so."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from codeloop.core.codeblocks import CodeBlock, split_text
from codeloop.core.dialogue import Cell, Dialogue, Role, Source, Turn
from codeloop.core.execution import ExecutionResult, Status
from codeloop.loop.prompts import feedback_parts


class Voice(StrEnum):
    """Who says a piece of text."""

    SYSTEM = "system"
    USER = "user"
    MODEL = "model"
    JUDGE = "judge"
    CRITIC = "critic"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of prose; `turn` counts from 0, and is None in the opening."""

    voice: Voice
    text: str
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """A code block of a reply, with what came back if it ran."""

    cell: Cell
    turn: int


Part = Said | Ran

_ROLES = {Role.SYSTEM: Voice.SYSTEM, Role.USER: Voice.USER, Role.ASSISTANT: Voice.MODEL}
_SOURCES = {Source.JUDGE: Voice.JUDGE, Source.CRITIC: Voice.CRITIC, Source.PERSON: Voice.PERSON}


def parts(dialogue: Dialogue) -> Iterator[Part]:
    """Yield the parts of a dialogue; what a run says is not repeated as prose."""
    for message in dialogue.opening:
        yield Said(_ROLES[message.role], message.content)
    for number, turn in enumerate(dialogue.turns):
        yield from reply_parts(turn, number)
        for source, text in feedback_parts(turn):
            if source is not Source.EXECUTION:
                yield Said(_SOURCES[source], text, number)


def reply_parts(turn: Turn, number: int) -> Iterator[Part]:
    """Yield the prose and the code of a turn's reply, each code block as the cell that it became.

    A block that no cell stands for, as in a dialogue of texts alone, is a cell that never ran.
    """
    pieces = split_text(turn.reply)
    codes = [piece.code for piece in pieces if isinstance(piece, CodeBlock)]
    known = codes == [cell.code for cell in turn.cells]
    cells = iter(turn.cells)
    for piece in pieces:
        if isinstance(piece, CodeBlock):
            yield Ran(next(cells) if known else Cell(piece.language, piece.code), number)
        else:
            yield Said(Voice.MODEL, piece.strip("\n"), number)


def how_it_ended(result: ExecutionResult) -> str:
    """Return in a few words how a run ended that did not end well; empty if it did."""
    match result.status:
        case Status.OK:
            return ""
        case Status.ERROR if result.error is not None:
            return f"error: {result.error.name}"
        case Status.ERROR if result.exit_code is not None:
            return f"error: exit code {result.exit_code}"
        case Status.SIGNAL:
            return f"signal {result.signal}"
        case status:
            return status.value.replace("_", " ")


def fenced(code: str, info: str = "") -> str:
    """Return text as a fenced block whose fence does not occur in it."""
    fence = "```"
    while fence in code:
        fence += "`"
    ended = code if code.endswith("\n") or not code else f"{code}\n"
    return f"{fence}{info}\n{ended}{fence}"
