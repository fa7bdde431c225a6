"""The limits of the loop, and which of them a dialogue has reached."""

from dataclasses import dataclass

from codeloop.core.dialogue import Dialogue, Finish, Skipped, Turn
from codeloop.core.events import EndReason
from codeloop.core.execution import ExecutionLimits, Status

_LONGEST_PERIOD = 4  # lines
_PERIOD_CHARS = 1000  # that many lines may have together


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one call of the loop; None means no limit.

    `tokens` counts prompts and replies of all turns. The same error, or the same code, may come
    in so many turns in a row before the loop ends. A reply that writes the same few lines
    `same_lines` times in a row is cut there: weak models do not stop by themselves. `run`
    limits each run of code.
    """

    turns: int | None = 4
    seconds: float | None = 600.0
    tokens: int | None = None
    same_error: int | None = 2
    same_code: int | None = 2
    same_lines: int | None = 12
    run: ExecutionLimits = ExecutionLimits()


def end_reason(dialogue: Dialogue, start: int, limits: Limits, seconds: float) -> EndReason | None:
    """Return why the loop ends here, or None if another turn is due.

    `start` is the number of turns that were there before; `seconds` have passed since.
    """
    turns = dialogue.turns[start:]
    last = turns[-1]
    return (
        _end_of_turn(turns)
        or (None if last.feedback else _end_of_answer(turns))
        or _limit(turns, limits, seconds)
    )


def repeats(turns: tuple[Turn, ...], code: tuple[str, ...], limits: Limits) -> bool:
    """Return whether running `code` would repeat the turns before it as often as is allowed."""
    if limits.same_code is None or not code:
        return False
    before = [_code(turn) for turn in turns[max(0, len(turns) + 1 - limits.same_code) :]]
    return len(before) + 1 >= limits.same_code and all(item == code for item in before)


def repeats_itself(text: str, times: int | None) -> bool:
    """Return whether a text ends in the same one to four lines so many times in a row.

    Looks only at a text that ends with a whole line, and passes over blank lines.
    """
    if times is None or not text.endswith("\n"):
        return False
    tail = text[-_PERIOD_CHARS * times :].split("\n")[:-1]
    lines = [line for line in tail if line.strip()]
    return any(
        len(lines) >= period * times and lines[-period * times :] == lines[-period:] * times
        for period in range(1, _LONGEST_PERIOD + 1)
    )


def _end_of_turn(turns: tuple[Turn, ...]) -> EndReason | None:
    last = turns[-1]
    if any(result.status is Status.INTERRUPTED for result in last.results):
        return EndReason.INTERRUPTED
    if last.finish is Finish.CANCELLED or _skipped(last, Skipped.TIME_UP):
        return EndReason.TIME_LIMIT
    if _skipped(last, Skipped.REPEATED):
        return EndReason.SAME_CODE
    if not last.reply.strip():
        return EndReason.EMPTY_REPLY
    return None


def _end_of_answer(turns: tuple[Turn, ...]) -> EndReason:
    """Return how a turn that nobody objects to ends the loop."""
    unmended = len(turns) > 1 and turns[-2].failed and not turns[-1].ran
    return EndReason.GAVE_UP if unmended else EndReason.ANSWERED


def _limit(turns: tuple[Turn, ...], limits: Limits, seconds: float) -> EndReason | None:
    if _same_error(turns, limits.same_error):
        return EndReason.SAME_ERROR
    if limits.turns is not None and len(turns) >= limits.turns:
        return EndReason.TURN_LIMIT
    if limits.seconds is not None and seconds >= limits.seconds:
        return EndReason.TIME_LIMIT
    if limits.tokens is not None and _tokens(turns) >= limits.tokens:
        return EndReason.TOKEN_LIMIT
    return None


def _same_error(turns: tuple[Turn, ...], times: int | None) -> bool:
    if times is None or len(turns) < times:
        return False
    errors = {_error(turn) for turn in turns[-times:]}
    return len(errors) == 1 and None not in errors


def _error(turn: Turn) -> tuple[str, ...] | None:
    """Return what identifies the error of a turn's last run; None if it ended well."""
    results = turn.results
    if not results or results[-1].status is Status.OK:
        return None
    result = results[-1]
    if result.error is not None:
        return result.status, result.error.name, result.error.message
    return result.status, str(result.exit_code), str(result.signal), result.stderr.text


def _code(turn: Turn) -> tuple[str, ...]:
    return tuple(cell.code for cell in turn.cells if cell.result is not None)


def _skipped(turn: Turn, why: Skipped) -> bool:
    return any(cell.skipped is why for cell in turn.cells)


def _tokens(turns: tuple[Turn, ...]) -> int:
    return sum(turn.usage.total_tokens for turn in turns)
