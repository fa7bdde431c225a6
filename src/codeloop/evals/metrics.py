"""Numbers over many verdicts, with how sure they are: standard library only.

Every rate is between 0 and 1. An interval is (low, high). Random draws come from the seed given.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import TypeVar

_T = TypeVar("_T")

Interval = tuple[float, float]

CONFIDENCE = 0.95
DRAWS = 2000


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """Return the unbiased estimate that one of k samples passes: 1 - C(n-c, k) / C(n, k).

    Chen et al. 2021 (arXiv 2107.03374), equation 1.

    Raises:
        ValueError: there are fewer samples than k.
    """
    if k > samples:
        msg = f"pass@{k} needs {k} samples of a problem, not {samples}"
        raise ValueError(msg)
    if samples - passed < k:
        return 1.0
    missed = 1.0
    for at in range(samples - passed + 1, samples + 1):
        missed *= 1.0 - k / at
    return 1.0 - missed


def mean_pass_at_k(counts: Sequence[tuple[int, int]], k: int) -> float:
    """Return pass@k over problems, each given as (samples, passed)."""
    return math.fsum(pass_at_k(samples, passed, k) for samples, passed in counts) / len(counts)


def wilson(passed: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """Return Wilson's interval for a rate (Wilson 1927); (0, 1) if nothing was tried."""
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = passed / total
    spread = z * math.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    middle, scale = rate + z * z / (2 * total), 1 + z * z / total
    low, high = (middle - spread) / scale, (middle + spread) / scale
    return (0.0 if passed == 0 else low), (1.0 if passed == total else high)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p-value that two runs on the same problems are equally good.

    `only_first` problems are solved by the first run alone. McNemar 1947, as a binomial test.
    """
    discordant = only_first + only_second
    tail = sum(math.comb(discordant, each) for each in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / (1 << discordant))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for there being several (Holm 1979), in the order given."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    for rank, at in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = largest
    return adjusted


def paired_bootstrap(
    first: Sequence[float],
    second: Sequence[float],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the interval of the difference of means, second less first, over the same problems.

    Problems are drawn with replacement, both figures of a problem together (Efron 1979,
    percentile method).

    Raises:
        ValueError: the two are not of one length, or are empty.
    """
    differences = [two - one for one, two in zip(first, second, strict=True)]
    return clustered_bootstrap(differences, _mean, draws=draws, seed=seed, confidence=confidence)


def clustered_bootstrap(
    problems: Sequence[_T],
    figure: Callable[[Sequence[_T]], float],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the interval of a figure over problems, drawn whole with all of their samples.

    Raises:
        ValueError: there is no problem.
    """
    if not problems:
        msg = "no problems to draw from"
        raise ValueError(msg)
    dice = random.Random(seed)  # noqa: S311  no secret
    figures = sorted(figure(dice.choices(problems, k=len(problems))) for _ in range(draws))
    tail = (1 - confidence) / 2
    return _quantile(figures, tail), _quantile(figures, 1 - tail)


@dataclass(frozen=True, slots=True)
class Course:
    """What became of the solutions from turn to turn, each rate None where it has no base.

    `solved[r]` is the rate of dialogues whose code after turn r + 1 passes, `ever[r]` of those
    with such code so far. Recovery is wrong, then right, by all that were wrong and went on;
    regression is right, then wrong, by all that were right and went on.
    """

    solved: tuple[float, ...]
    ever: tuple[float, ...]
    recovery: float | None
    regression: float | None


def course(dialogues: Sequence[Sequence[bool]]) -> Course:
    """Return the course of dialogues, each given as whether its code passes after each turn."""
    longest = max(map(len, dialogues), default=0)
    solved = tuple(
        _mean([each[min(turn, len(each) - 1)] for each in dialogues if each] or [0.0])
        for turn in range(longest)
    )
    ever = tuple(_mean([any(each[: turn + 1]) for each in dialogues]) for turn in range(longest))
    steps = [pair for each in dialogues for pair in pairwise(each)]
    from_wrong = [after for before, after in steps if not before]
    from_right = [not after for before, after in steps if before]
    return Course(
        solved,
        ever,
        _mean(from_wrong) if from_wrong else None,
        _mean(from_right) if from_right else None,
    )


def detectable(problems: int, discordant: float, confidence: float = CONFIDENCE) -> float:
    """Return the difference that a paired test sees four times in five (power 0.8).

    `discordant` is the rate of problems on which two runs differ. Normal approximation of
    McNemar's test (Connor 1987).
    """
    normal = NormalDist()
    z = normal.inv_cdf(0.5 + confidence / 2) + normal.inv_cdf(0.8)
    return min(1.0, z * math.sqrt(discordant / problems)) if problems else 1.0


def by_problem(passed: Mapping[str, Sequence[bool]]) -> list[tuple[int, int]]:
    """Return (samples, passed) of each problem."""
    return [(len(each), sum(each)) for each in passed.values()]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _quantile(ordered: Sequence[float], part: float) -> float:
    """Return a quantile by linear interpolation (Hyndman and Fan 1996, type 7)."""
    at = part * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])
