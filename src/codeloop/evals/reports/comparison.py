"""Runs compared: each with the first, and feedback with its controls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import mean

from codeloop.core.errors import ConfigError
from codeloop.evals.metrics import Interval, detectable, holm, mcnemar, paired_bootstrap
from codeloop.evals.reports.figures import Summary, outcomes, sets_of, summarise
from codeloop.evals.reports.sampling import EqualTokens, equal_tokens
from codeloop.evals.rows import Row
from codeloop.evals.settings import FeedbackKind, Settings, Stop

_HALF = 0.5
_CONTROLS = frozenset({FeedbackKind.RETRY, FeedbackKind.SHUFFLED})


@dataclass(frozen=True, slots=True)
class Run:
    """A run by the name that it is called by here."""

    name: str
    settings: Settings
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs on the same problems. Rates are from 0 to 1; `difference` is second less first.

    `p` is McNemar's, exact; `adjusted` is Holm's, for all that are compared together.
    `detectable` is the difference that so many problems show four times in five.
    """

    one: str
    two: str
    problems: int
    first: float
    second: float
    only_first: int
    only_second: int
    p: float
    adjusted: float
    difference: float
    interval: Interval
    detectable: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """What a run with feedback gains over sampling for the same tokens."""

    run: str
    samples: str
    figures: EqualTokens


@dataclass(frozen=True, slots=True)
class Comparisons:
    """All that is said of runs together. `against_first` and `over_controls` are two families."""

    tests: str
    stop: Stop
    runs: dict[str, Summary]
    against_first: tuple[Comparison, ...]
    over_controls: tuple[Comparison, ...]
    over_sampling: tuple[Sampled, ...]


def compare(first: Run, second: Run, tests: str, stop: Stop) -> Comparison:
    """Return how two runs on the same problems differ: rates, McNemar, and the interval.

    With several samples a problem counts as solved by a run if most of its samples are.

    Raises:
        ConfigError: they have no problem in common.
    """
    one, two = (
        {name: mean(each) for name, each in outcomes(run.rows, tests, stop).items()}
        for run in (first, second)
    )
    shared = [name for name in one if name in two]
    if not shared:
        msg = f"{first.name} and {second.name} have no problem in common"
        raise ConfigError(msg)
    solved = [(one[name] > _HALF, two[name] > _HALF) for name in shared]
    only_first, only_second = solved.count((True, False)), solved.count((False, True))
    rates = [mean(run[name] for name in shared) for run in (one, two)]
    p = mcnemar(only_first, only_second)
    return Comparison(
        one=first.name,
        two=second.name,
        problems=len(shared),
        first=rates[0],
        second=rates[1],
        only_first=only_first,
        only_second=only_second,
        p=p,
        adjusted=p,
        difference=rates[1] - rates[0],
        interval=paired_bootstrap([one[n] for n in shared], [two[n] for n in shared]),
        detectable=detectable(len(shared), (only_first + only_second) / len(shared)),
    )


def compare_all(runs: Sequence[Run], stop: Stop) -> Comparisons:
    """Return every run beside the first, and each with feedback beside its controls.

    A control is a run of the same model that is told to try again, or of another problem; a run
    without feedback stands for sampling.

    Raises:
        ConfigError: two have no problem in common.
    """
    sets = {sets_of(run.rows) for run in runs}
    tests = "plus" if sets == {("base", "plus")} else "base"
    pairs = list(product(runs, runs))
    controls = [
        (control, run)
        for control, run in pairs
        if _tells(run) and control.settings.feedback in _CONTROLS and _same_model(run, control)
    ]
    sampled = [
        Sampled(run.name, other.name, equal_tokens(run.rows, other.rows, tests, stop))
        for other, run in pairs
        if _tells(run) and other.settings.feedback is FeedbackKind.NONE and _same_model(run, other)
    ]
    return Comparisons(
        tests=tests,
        stop=stop,
        runs={run.name: summarise(run.rows, stop=stop) for run in runs},
        against_first=_family([(runs[0], run) for run in runs[1:]], tests, stop),
        over_controls=_family(controls, tests, stop),
        over_sampling=tuple(sampled),
    )


def _tells(run: Run) -> bool:
    """Whether a model is told something of its own solution."""
    return run.settings.feedback not in _CONTROLS | {FeedbackKind.NONE}


def _same_model(one: Run, two: Run) -> bool:
    return (one.settings.model, one.settings.benchmark) == (
        two.settings.model,
        two.settings.benchmark,
    )


def _family(pairs: Sequence[tuple[Run, Run]], tests: str, stop: Stop) -> tuple[Comparison, ...]:
    """Return comparisons whose p-values are adjusted for each other (Holm 1979)."""
    found = [compare(one, two, tests, stop) for one, two in pairs]
    adjusted = holm([each.p for each in found])
    return tuple(replace(each, adjusted=p) for each, p in zip(found, adjusted, strict=True))
