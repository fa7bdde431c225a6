"""What sampling would solve with the tokens that feedback spends: the estimate of its gain."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from codeloop.core.errors import ConfigError
from codeloop.evals.metrics import Interval, paired_bootstrap
from codeloop.evals.reports.figures import outcome, passes
from codeloop.evals.rows import Row
from codeloop.evals.settings import Stop

_ORDERS = 50  # in which the samples of a problem are drawn
_HALVINGS = 30
_SEED = 0


@dataclass(frozen=True, slots=True)
class EqualTokens:
    """Feedback and sampling for the same tokens, over the same problems.

    `solved` is the rate of the run with feedback, `sampled` that of sampling; `tokens` and
    `sampled_tokens` are what each writes for a problem in the mean. `exhausted` counts the
    problems that had too few samples: there the gain of feedback is an upper bound.
    """

    problems: int
    solved: float
    sampled: float
    tokens: float
    sampled_tokens: float
    difference: float
    interval: Interval
    exhausted: int


def equal_tokens(
    feedback: Sequence[Row], samples: Sequence[Row], tests: str, stop: Stop
) -> EqualTokens:
    """Return what a run with feedback gains over independent samples for the same tokens.

    Whoever samples draws answers to a problem until one passes the visible tests (with the
    oracle's stop: the deciding ones), or until a cap of tokens is reached; the last one counts.
    The cap is the same for all problems, and such that the mean written for a problem is that of
    the run with feedback. So feedback that does no more than another draw would gain nothing. A
    budget for each problem, of what its own dialogue wrote, would not do: easy dialogues are short
    by luck, and sampling would be given no second draw where feedback needed none. The draw that
    would cross the cap is made with the chance that the rest covers it; the first is always made.

    The answers are those of a run with several samples (of each its first turn), in random orders
    and without putting back, as in pass@k (Chen et al. 2021, arXiv 2107.03374, equation 1). Equal
    tokens as the measure: Olausson et al. 2024, "Is self-repair a silver bullet for code
    generation?" (arXiv 2306.09896, section 3). Tokens are those that the model writes. The
    interval is over problems; it takes the cap as given.

    Raises:
        ConfigError: the runs have no problem in common.
    """
    drawn_from = _by_problem(samples)
    dialogues = {name: rows for name, rows in _by_problem(feedback).items() if name in drawn_from}
    if not dialogues:
        msg = "the runs have no problem in common"
        raise ConfigError(msg)
    dice = random.Random(_SEED)  # noqa: S311  no secret
    orders = {
        name: [_order(drawn_from[name], tests, stop, dice) for _ in range(_ORDERS)]
        for name in dialogues
    }
    solved = [mean(outcome(row, tests, stop) for row in rows) for rows in dialogues.values()]
    tokens = mean(mean(row["completion_tokens"] for row in rows) for rows in dialogues.values())
    cap = _cap(orders, tokens)
    walks = [[_walk(order, cap) for order in each] for each in orders.values()]
    sampled = [mean(walk.passed for walk in each) for each in walks]
    return EqualTokens(
        problems=len(dialogues),
        solved=mean(solved),
        sampled=mean(sampled),
        tokens=tokens,
        sampled_tokens=mean(mean(walk.tokens for walk in each) for each in walks),
        difference=mean(solved) - mean(sampled),
        interval=paired_bootstrap(sampled, solved),
        exhausted=sum(any(walk.exhausted for walk in each) for each in walks),
    )


@dataclass(frozen=True, slots=True)
class _Draw:
    """One sample: what it wrote, whether one stops there, whether it passes, and its luck."""

    tokens: int
    stops: bool
    passed: bool
    luck: float  # from 0 to 1: made, if that is below the part of it that the cap still covers


@dataclass(frozen=True, slots=True)
class _Walk:
    """What one order of samples gives under a cap."""

    tokens: int
    passed: bool
    exhausted: bool


def _order(samples: Sequence[Row], tests: str, stop: Stop, dice: random.Random) -> list[_Draw]:
    turns = [sample["turns"][0] for sample in dice.sample(samples, len(samples))]
    return [
        _Draw(
            turn["tokens"],
            passes(turn, tests) if stop is Stop.ORACLE else bool(turn["visible"]),
            passes(turn, tests),
            dice.random(),
        )
        for turn in turns
    ]


def _walk(order: Sequence[_Draw], cap: float) -> _Walk:
    spent = 0
    passed = False
    for at, draw in enumerate(order):
        if at and draw.luck * draw.tokens >= cap - spent:
            return _Walk(spent, passed, exhausted=False)
        spent += draw.tokens
        passed = draw.passed
        if draw.stops:
            return _Walk(spent, passed, exhausted=False)
    return _Walk(spent, passed, exhausted=spent < cap)


def _cap(orders: Mapping[str, Sequence[Sequence[_Draw]]], tokens: float) -> float:
    """Return the cap under which so many tokens are written for a problem in the mean."""
    low = 0.0
    high = 1.0 + max(
        sum(draw.tokens for draw in order) for each in orders.values() for order in each
    )
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        spent = mean(mean(_walk(one, middle).tokens for one in each) for each in orders.values())
        low, high = (middle, high) if spent < tokens else (low, middle)
    return high


def _by_problem(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        if not row.get("error"):
            found.setdefault(row["problem"], []).append(row)
    return found
