"""How well values agree with labels: rank correlation, and the area under the ROC curve.

Standard library only. An interval is (low, high) at 95 %.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

_Z = 1.959963984540054  # of 95 %

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, and the interval that it lies in; None where the cases do not tell one."""

    value: float | None
    interval: Interval | None = None


def ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value from 1 up; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=lambda at: values[at])
    ranked, passed = [0.0] * len(values), 0
    for _, tied in groupby(order, key=lambda at: values[at]):
        group = list(tied)
        for at in group:
            ranked[at] = passed + (len(group) + 1) / 2
        passed += len(group)
    return ranked


def spearman(first: Sequence[float], second: Sequence[float]) -> Figure:
    """Return Spearman's rank correlation, ties counted by their mean rank.

    The interval is that of Bonett and Wright 2000 (Psychometrika 65, equation 4): Fisher's z with
    a variance of (1 + r * r / 2) / (n - 3). No value where one of the two is constant.

    Raises:
        ValueError: the two are not of one length.
    """
    pairs = list(zip(ranks(first), ranks(second), strict=True))
    mean = (len(pairs) + 1) / 2
    cross = math.fsum((one - mean) * (two - mean) for one, two in pairs)
    one_way = math.fsum((one - mean) ** 2 for one, _ in pairs)
    other = math.fsum((two - mean) ** 2 for _, two in pairs)
    if not one_way or not other:
        return Figure(None)
    r = max(-1.0, min(1.0, cross / math.sqrt(one_way * other)))
    if len(pairs) <= 3 or abs(r) == 1.0:  # noqa: PLR2004  n - 3 divides
        return Figure(r)
    spread = _Z * math.sqrt((1 + r * r / 2) / (len(pairs) - 3))
    return Figure(r, (math.tanh(math.atanh(r) - spread), math.tanh(math.atanh(r) + spread)))


def auc(low: Sequence[float], high: Sequence[float]) -> Figure:
    """Return how often a value of `high` is above one of `low`, ties counted half.

    The interval is that of DeLong, DeLong and Clarke-Pearson 1988 (Biometrics 44), cut at 0 and 1.
    """
    if not low or not high:
        return Figure(None)
    of_low, of_high = _placements(low, high)
    area = math.fsum(of_high) / len(of_high)
    if len(low) < 2 or len(high) < 2:  # noqa: PLR2004  a variance needs two
        return Figure(area)
    spread = _Z * math.sqrt(_variance(of_low) / len(low) + _variance(of_high) / len(high))
    return Figure(area, (max(0.0, area - spread), min(1.0, area + spread)))


def auc_difference(
    low: Sequence[tuple[float, float]], high: Sequence[tuple[float, float]]
) -> Figure:
    """Return how much the second of two values per case has more area than the first.

    Both were found on the same cases: DeLong's interval for that.
    """
    if len(low) < 2 or len(high) < 2:  # noqa: PLR2004  a variance needs two
        return Figure(None)
    firsts = _placements([one for one, _ in low], [one for one, _ in high])
    seconds = _placements([two for _, two in low], [two for _, two in high])
    of_low = [two - one for one, two in zip(firsts[0], seconds[0], strict=True)]
    of_high = [two - one for one, two in zip(firsts[1], seconds[1], strict=True)]
    difference = math.fsum(of_high) / len(of_high)
    spread = _Z * math.sqrt(_variance(of_low) / len(low) + _variance(of_high) / len(high))
    return Figure(difference, (difference - spread, difference + spread))


def _placements(low: Sequence[float], high: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return, for each case, the share of the other class that lies on its right side."""
    of_low = [math.fsum(_above(each, one) for each in high) / len(high) for one in low]
    of_high = [math.fsum(_above(one, each) for each in low) / len(low) for one in high]
    return of_low, of_high


def _above(value: float, other: float) -> float:
    return 0.5 if value == other else float(value > other)


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
