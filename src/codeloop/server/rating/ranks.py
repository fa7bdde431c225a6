"""Models ranked by votes between them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_STEPS = 200
_PRIOR = 0.5  # a drawn half game of each with an opponent of strength 1, so that none is infinite
_SCALE = 400 / math.log(10)  # as Elo has it: 400 points for odds of ten to one
_MIDDLE = 1000.0


@dataclass(frozen=True, slots=True)
class Ballot:
    """One vote: the models side by side, and the place of the best; None if they are equal."""

    models: tuple[str, ...]
    winner: int | None


@dataclass(frozen=True, slots=True)
class Rank:
    """A model's standing: `points` on Elo's scale, 1000 in the middle; games are pairs."""

    model: str
    points: float
    wins: int
    losses: int
    ties: int


def ranks(ballots: Iterable[Ballot]) -> list[Rank]:
    """Return the models, the best first, by the model of Bradley and Terry (1952).

    A vote among more than two is one game of the best with each of the others; a tie counts half
    for either. Strengths are found by minorisation (Hunter 2004), each model having drawn one half
    game beside.
    """
    counted: dict[str, dict[str, float]] = {}
    wins: dict[str, int] = {}
    losses: dict[str, int] = {}
    ties: dict[str, int] = {}
    for ballot in ballots:
        for one, other, share in _games(ballot):
            counted.setdefault(one, {}).setdefault(other, 0.0)
            counted.setdefault(other, {}).setdefault(one, 0.0)
            counted[one][other] += share
            counted[other][one] += 1 - share
            tally = ties if share == _PRIOR else wins
            tally[one] = tally.get(one, 0) + 1
            tally = ties if share == _PRIOR else losses
            tally[other] = tally.get(other, 0) + 1
    strengths = _strengths(counted)
    found = [
        Rank(
            model,
            round(_MIDDLE + _SCALE * math.log(strength), 1),
            *(tally.get(model, 0) for tally in (wins, losses, ties)),
        )
        for model, strength in strengths.items()
    ]
    return sorted(found, key=lambda rank: (-rank.points, rank.model))


def _games(ballot: Ballot) -> Iterable[tuple[str, str, float]]:
    models: Sequence[str] = ballot.models
    if ballot.winner is None:
        pairs = [(one, other) for at, one in enumerate(models) for other in models[at + 1 :]]
        return [(one, other, 0.5) for one, other in pairs if one != other]
    best = models[ballot.winner]
    return [(best, other, 1.0) for other in models if other != best]


def _strengths(counted: dict[str, dict[str, float]]) -> dict[str, float]:
    strengths = dict.fromkeys(counted, 1.0)
    for _ in range(_STEPS):
        new = {}
        for one, against in counted.items():
            won = sum(against.values()) + _PRIOR / 2
            weight = _PRIOR / (strengths[one] + 1.0)
            for other, share in against.items():
                games = share + counted[other][one]
                weight += games / (strengths[one] + strengths[other])
            new[one] = won / weight
        strengths = new
    return strengths
