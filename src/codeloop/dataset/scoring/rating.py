"""The score that a reply gives: read at the score's own place, with what its token weighed."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from codeloop.core.protocols import Reply, TokenLogprob

LOWEST, HIGHEST = 1, 5

_NUMBER = r"[-+]?\d+(?:[.,]\d+)?"
_NAMED = re.compile(  # Score: 4, **Score:** 4, "score": "4", Score is 4/5, Rating = 4
    rf"\b(?:score|rating)\b[\s\"'*_`]*(?:[:=]|\bis\b|\bof\b)?[\s\"'*_`(\[]*({_NUMBER})",
    re.IGNORECASE,
)
_BARE = re.compile(rf"[\s\"'*_`#(\[]*({_NUMBER})")  # a reply that begins with its score
_RANGE = re.compile(r"\s*(?:-|–|to|or|and)\s*\d", re.IGNORECASE)  # noqa: RUF001  3-4, 3 or 4
_COUNTED = re.compile(r"\s*[.)]\s+\S")  # the first item of a list


@dataclass(frozen=True, slots=True)
class Place:
    """A number in a reply that is its score, from `start` to `end`, in characters."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Weighed:
    """The mean of the scores that a token could have been, weighed by their probabilities.

    `mass` is the probability of all of them together, before it was divided out.
    """

    expected: float
    mass: float


def find_score(text: str, *, at_end: bool) -> Place | None:
    """Return where a reply says its score; None if it says none, or a range.

    That is the number after its first `Score`, or the one that it begins with; `at_end` looks for
    the last `Score`, or a last line that is a number. Any other digit is not looked at.
    """
    named = list(_NAMED.finditer(text))
    if named:
        found = named[-1 if at_end else 0]
    else:
        last_line = len(text.rstrip()[: text.rstrip().rfind("\n") + 1])
        bare = _BARE.match(text, last_line if at_end else 0)
        if bare is None or _COUNTED.match(text, bare.end(1)):
            return None
        found = bare
    if _RANGE.match(text, found.end(1)):
        return None
    return Place(found[1], found.start(1), found.end(1))


def score_of(place: Place) -> int | None:
    """Return the score at a place; None if it is not 1, 2, 3, 4 or 5."""
    try:
        value = float(place.text.replace(",", "."))
    except ValueError:
        return None
    whole = LOWEST <= value <= HIGHEST and value == int(value)
    return int(value) if whole else None


def weigh(reply: Reply, place: Place) -> Weighed | None:
    """Return the weighed score at a place, from the log probabilities of the token that wrote it.

    None if the reply has none, or they do not make its text: G-Eval (arXiv 2303.16634), section
    2.3, read at the score's own token.
    """
    token = _token_at(reply, place)
    if token is None:
        return None
    row, digit_at = token
    before, after = row.token[:digit_at], row.token[digit_at + len(place.text) :]
    weights: dict[int, float] = {}
    for text, logprob in dict([*row.top, (row.token, row.logprob)]).items():
        score = _alternative(text, before, after)
        if score is not None:
            weights[score] = weights.get(score, 0.0) + math.exp(logprob)
    mass = math.fsum(weights.values())
    if not mass:
        return None
    return Weighed(math.fsum(score * p for score, p in weights.items()) / mass, min(1.0, mass))


def _token_at(reply: Reply, place: Place) -> tuple[TokenLogprob, int] | None:
    """Return the token that holds the place, and where in it the score begins."""
    if not _makes(reply.logprobs, reply.text):
        return None
    start = 0
    for row in reply.logprobs:
        end = start + len(row.token)
        if start <= place.start < end:
            return (row, place.start - start) if place.end <= end else None
        start = end
    return None


def _makes(logprobs: Sequence[TokenLogprob], text: str) -> bool:
    """Return whether the tokens make the text; one that ends it without a word may be left over."""
    joined = "".join(row.token for row in logprobs)
    return bool(logprobs) and joined.startswith(text)


def _alternative(token: str, before: str, after: str) -> int | None:
    if not (token.startswith(before) and token.endswith(after)):
        return None
    digit = token[len(before) : len(token) - len(after)] if after else token[len(before) :]
    digit = digit.strip()
    known = len(digit) == 1 and digit.isascii() and digit.isdigit()
    return int(digit) if known and LOWEST <= int(digit) <= HIGHEST else None
