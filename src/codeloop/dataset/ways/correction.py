"""Code correction: a program with a wanted error, which its run shows, and its repair.

OpenCodeInterpreter (arXiv 2402.14658), section 2.2: the text that asked for the error is replaced
by the normal one afterwards. It comes after the request: small models pass over a system text that
asks for what they never do.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from codeloop.core.codeblocks import find_blocks
from codeloop.core.dialogue import Dialogue, Finish, Turn
from codeloop.core.events import EndReason
from codeloop.core.execution import TIME_LIMITS, ExecutionLimits, ExecutionResult, Status
from codeloop.core.protocols import Critic, Model, Sampling, Session
from codeloop.dataset.failure import Failure, FailureKind, of_reply
from codeloop.dataset.keys import chooser, digest
from codeloop.dataset.records import Example, Query, Way
from codeloop.dataset.ways.relay import run_keys
from codeloop.loop.critics import ExecutionCritic
from codeloop.loop.limits import Limits
from codeloop.loop.prompts import sections, text
from codeloop.loop.refine import refine, to_the_end


class Wanted(StrEnum):
    """The errors that may be asked for."""

    SYNTAX = "syntax"
    LOGIC = "logic"
    TYPE = "type"
    NAME = "name"
    ENDLESS = "endless"


_CLASSES = {
    Wanted.LOGIC: frozenset({"AssertionError"}),
    Wanted.TYPE: frozenset({"TypeError"}),
    Wanted.NAME: frozenset({"NameError", "UnboundLocalError"}),
}
_SYNTAX = frozenset({"SyntaxError", "IndentationError", "TabError"})
_TELLS = re.compile(  # what nobody says of a program that they hold to be right
    r"\b(?:intentional\w*|deliberate\w*|on purpose|purpose(?:ly|fully)|bug(?:s|gy)?|mistakes?|"
    r"faulty|broken|incorrect\w*|wrong\w*|misspel\w*|missing|never ends?|infinite(?:ly)?|"
    r"endless\w*|"
    r"(?:will|should|to|must|does|would) (?:fail|crash|raise|cause)|"
    r"(?:syntax|type|name|logic\w*|assertion) ?errors?)\b",
    re.IGNORECASE,
)
_ENDLESS_S = 5.0  # a program that is to end does so sooner


@dataclass(frozen=True, slots=True)
class CorrectionSettings:
    """How many turns the repair may take, and how long a run may."""

    fixes: int = 3
    sampling: Sampling = Sampling(temperature=0.0, max_tokens=1024)
    run: ExecutionLimits = ExecutionLimits(cpu_s=_ENDLESS_S, wall_s=2 * _ENDLESS_S)


def draw_wanted(key: str) -> Wanted:
    """Return the error of a row, by its key."""
    return chooser(key, "wanted error").choice(list(Wanted))


def correct(
    query: Query,
    wanted: Wanted,
    models: tuple[Model, Model],
    session: Session,
    settings: CorrectionSettings = CorrectionSettings(),
) -> Example | Failure:
    """Make a dialogue of a wrong program and its repair, in a new session.

    `models` are the writer of the wrong program and the fixer. Where a program is to give a wrong
    result, it checks itself and its own `assert` fails.

    Raises:
        ModelError: a model call failed for good.
        SandboxError: the sandbox broke twice.
    """
    writer, fixer = models
    critics: list[Critic] = [ExecutionCritic()]
    limits = Limits(turns=1, seconds=None, run=settings.run)
    asked = Dialogue.ask(wrong_text(query.query, wanted))
    wrong = to_the_end(
        refine(asked, writer, session, critics, limits=limits, sampling=settings.sampling)
    ).dialogue.turns[0]
    failure = _not_wanted(wrong, wanted)
    if failure is not None:
        return failure
    dialogue = Dialogue(
        Dialogue.ask(query.query, system=text("system")).opening,
        (wrong,),
        digest([Way.CORRECTION, query.id, wanted]),
    )
    limits = replace(limits, turns=settings.fixes)
    done = to_the_end(
        refine(dialogue, fixer, session, critics, limits=limits, sampling=settings.sampling)
    )
    last = done.dialogue.turns[-1]
    if last.finish is not Finish.STOP:
        return of_reply(last.reply, last.finish)
    if done.reason is not EndReason.ANSWERED or not last.ran or last.failed:
        return Failure(FailureKind.UNMENDED, done.reason.value)
    return Example(
        done.dialogue,
        Way.CORRECTION,
        (query.id,),
        query.source,
        query.licence,
        query.language or "python",
        tuple(dict.fromkeys(turn.model for turn in done.dialogue.turns)),
        runs=run_keys(session),
    )


def wrong_text(request: str, wanted: Wanted) -> str:
    """Return the text that asks for a program with an error, in place of the request alone."""
    say = sections("correction")
    return say["wrong"].substitute(request=request, error=say[wanted.value].substitute())


def shows(result: ExecutionResult, wanted: Wanted) -> bool:
    """Return whether a run shows the wanted error, and no other."""
    name = result.error.name if result.error is not None else ""
    match wanted:
        case Wanted.SYNTAX:
            return result.status is Status.COMPILE_ERROR or name in _SYNTAX
        case Wanted.ENDLESS:
            return result.status in TIME_LIMITS
        case Wanted.LOGIC | Wanted.TYPE | Wanted.NAME:
            return result.status is Status.ERROR and name in _CLASSES[wanted]


def gives_away(reply: str) -> bool:
    """Return whether a reply speaks of its error, in its words or in the comments of its code."""
    code = "\n".join(block.code for block in find_blocks(reply))
    words = reply
    for line in code.splitlines():
        program, _, comment = line.partition("#")
        if program.strip():
            words = words.replace(line, comment)
    return _TELLS.search(words) is not None


def _not_wanted(turn: Turn, wanted: Wanted) -> Failure | None:
    if turn.finish is not Finish.STOP or not turn.reply.strip():
        return of_reply(turn.reply, turn.finish)
    if not turn.ran:
        return Failure(FailureKind.NO_CODE)
    last = turn.results[-1]
    if not shows(last, wanted):
        seen = last.error.name if last.error is not None else last.status.value
        return Failure(FailureKind.NOT_SHOWN, f"wanted {wanted.value}, seen {seen}")
    return Failure(FailureKind.REVEALED) if gives_away(turn.reply) else None
