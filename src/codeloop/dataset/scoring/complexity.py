"""Scores how complex a query is: a model says 1 to 5, asked twice in different words.

The two scales have descriptive labels; the second is harsher. OpenCodeInterpreter (arXiv
2402.14658), section 2.1, keeps what both call 4 or 5.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from codeloop.core.dialogue import Usage
from codeloop.core.errors import ModelError
from codeloop.core.protocols import Model, Reply, Sampling
from codeloop.dataset.asking import ask
from codeloop.dataset.failure import Failure, FailureKind, of_model, of_reply
from codeloop.dataset.scoring.rating import find_score, score_of, weigh
from codeloop.loop.prompts import sections

KEEP_FROM = 4.0
_SCORE_TOKENS = 16  # "Score: 4" and what may stand before it; the reason after it changes nothing
_REASON_TOKENS = 160
_TOP = 20  # alternatives of a token; the most that endpoints give


class Scale(StrEnum):
    """The two prompts."""

    PLAIN = "plain"
    HARSH = "harsh"


class Order(StrEnum):
    """Whether a model says its score before or after it says why."""

    SCORE_FIRST = "score_first"
    REASON_FIRST = "reason_first"


class Combination(StrEnum):
    """How the scores of the two prompts become one value."""

    MEAN = "mean"
    BOTH = "both"  # the lower one; the second is asked only where the first passed
    EXPECTED = "expected"  # the mean of the scores as their tokens' probabilities weigh them


@dataclass(frozen=True, slots=True)
class Rating:
    """What one prompt brought: a score, or why there is none; never both.

    `expected` weighs the score by what its token could have been, `mass` is how much of the
    probability that took; None where the model gave no log probabilities.
    """

    scale: Scale
    order: Order
    score: int | None = None
    failure: Failure | None = None
    expected: float | None = None
    mass: float | None = None
    reply: str = ""
    usage: Usage = Usage()
    wall_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Complexity:
    """The ratings of a query and the value that they make; no value where one of them failed."""

    ratings: tuple[Rating, ...]
    value: float | None = None
    failure: Failure | None = None

    def passes(self, keep_from: float = KEEP_FROM) -> bool:
        return self.value is not None and self.value >= keep_from


def rate(
    query: str,
    model: Model,
    scale: Scale,
    order: Order = Order.SCORE_FIRST,
    *,
    logprobs: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Rating:
    """Ask one prompt; `logprobs` asks for the probabilities of the score's token, too."""
    say = sections("complexity")
    text = say[scale.value].substitute(
        query=query,
        form=say[f"form_{order.value}"].substitute(),
        reminder=say[f"reminder_{order.value}"].substitute(),
    )
    at_end = order is Order.REASON_FIRST
    sampling = Sampling(
        temperature=0.0,
        max_tokens=_REASON_TOKENS if at_end else _SCORE_TOKENS,
        top_logprobs=_TOP if logprobs else None,
    )
    start = clock()
    try:
        reply = ask(model, text, sampling)
    except ModelError as error:
        return Rating(scale, order, failure=of_model(error), wall_s=clock() - start)
    wall_s = clock() - start
    score, failure = _read(reply, at_end=at_end)
    place = find_score(reply.text, at_end=at_end) if score is not None else None
    weighed = weigh(reply, place) if place else None
    return Rating(
        scale,
        order,
        score,
        failure,
        weighed.expected if weighed else None,
        weighed.mass if weighed else None,
        reply.text,
        reply.usage,
        wall_s,
    )


def score(
    query: str,
    model: Model,
    *,
    combination: Combination = Combination.MEAN,
    order: Order = Order.SCORE_FIRST,
    keep_from: float = KEEP_FROM,
) -> Complexity:
    """Score a query by both prompts, or by what `combination` needs of them."""
    weighed = combination is Combination.EXPECTED
    ratings = [rate(query, model, Scale.PLAIN, order, logprobs=weighed)]
    if asks_second(ratings[0], combination, keep_from):
        ratings.append(rate(query, model, Scale.HARSH, order, logprobs=weighed))
    return combine(ratings, combination)


def asks_second(first: Rating, combination: Combination, keep_from: float = KEEP_FROM) -> bool:
    """Return whether the second prompt can still change what becomes of a query."""
    if first.score is None:
        return False
    return combination is not Combination.BOTH or first.score >= keep_from


def combine(ratings: Sequence[Rating], combination: Combination) -> Complexity:
    """Return the value of the ratings that were asked for, or the failure of the first without.

    `expected` takes no plain score in place of a weighed one: the two are never mixed.
    """
    told = tuple(ratings)
    for each in told:
        if each.failure is not None:
            return Complexity(told, failure=each.failure)
    match combination:
        case Combination.MEAN:
            values: list[float | None] = [each.score for each in told]
        case Combination.BOTH:
            lowest = min((each.score for each in told if each.score is not None), default=None)
            return Complexity(told, None if lowest is None else float(lowest))
        case Combination.EXPECTED:
            values = [each.expected for each in told]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return Complexity(told, failure=Failure(FailureKind.NO_LOGPROBS))
    return Complexity(told, sum(known) / len(known))


def _read(reply: Reply, *, at_end: bool) -> tuple[int | None, Failure | None]:
    """Return the score of a reply, or why it has none."""
    place = find_score(reply.text, at_end=at_end)
    if place is None:
        return None, of_reply(reply.text, reply.finish)
    value = score_of(place)
    if value is None:
        return None, Failure(FailureKind.OUT_OF_RANGE, place.text)
    return value, None
