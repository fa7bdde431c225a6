"""Why a row did not become what was wanted: data, with its class, and never a pass."""

from dataclasses import dataclass
from enum import StrEnum

from codeloop.core.dialogue import Finish
from codeloop.core.errors import ContextOverflowError, ModelError


class FailureKind(StrEnum):
    """The class of a failure; whether to try again is decided by it."""

    MODEL_FAILED = "model_failed"  # a call failed for good
    TOO_LONG = "too_long"  # it does not fit into the model's context
    REFUSED = "refused"  # the endpoint filtered the reply
    EMPTY_REPLY = "empty_reply"
    CUT_OFF = "cut_off"  # the reply ended at its token limit, before what was asked for
    UNREADABLE = "unreadable"  # the reply does not hold what was asked for
    OUT_OF_RANGE = "out_of_range"  # a score that is none of the scale
    NO_LOGPROBS = "no_logprobs"  # the model does not say how sure it is
    NO_CODE = "no_code"  # nothing in the reply was run
    NOT_SHOWN = "not_shown"  # the run does not show the wanted error
    REVEALED = "revealed"  # the reply gives its wanted error away
    UNMENDED = "unmended"  # the last run did not end well
    ALTERED = "altered"  # a model wrote code where it was to write prose
    REPEATED = "repeated"  # a model said of one program what it had said of another
    TOO_FEW = "too_few"  # there is nothing to put together


@dataclass(frozen=True, slots=True)
class Failure:
    """What became of a row instead; `note` is for a person."""

    kind: FailureKind
    note: str = ""


def of_model(error: ModelError) -> Failure:
    """Return the failure of a call that could not be had."""
    overflow = isinstance(error, ContextOverflowError)
    return Failure(FailureKind.TOO_LONG if overflow else FailureKind.MODEL_FAILED, str(error))


def of_reply(text: str, finish: Finish) -> Failure:
    """Return why a reply that does not hold what was asked for does not."""
    if finish is Finish.FILTER:
        return Failure(FailureKind.REFUSED)
    if not text.strip():
        return Failure(FailureKind.EMPTY_REPLY)
    cut = finish in {Finish.LENGTH, Finish.REPEATING, Finish.CANCELLED}
    return Failure(FailureKind.CUT_OFF if cut else FailureKind.UNREADABLE, text.strip()[:200])
