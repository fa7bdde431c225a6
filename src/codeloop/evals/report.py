"""What a run, or two, amount to: figures from records, and a page of them in Markdown."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

from codeloop.core.errors import ConfigError
from codeloop.evals.metrics import (
    Course,
    Interval,
    clustered_bootstrap,
    course,
    detectable,
    mcnemar,
    paired_bootstrap,
    wilson,
)
from codeloop.evals.rows import Row
from codeloop.evals.settings import Settings, Stop

SETS = ("base", "plus")
_HALF = 0.5
_LEAKING = (
    "**LEAKING**: by its settings the model was told of the tests that measure it. "
    "These figures are an upper bound, not what the model can do by itself."
)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of so many dialogues ended with a solution that passes, and the 95 % interval."""

    passed: int
    total: int
    interval: Interval

    @property
    def rate(self) -> float:
        return self.passed / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a run. `rates` are by set of tests and by when a dialogue stops."""

    records: int
    errors: int
    rates: dict[str, dict[str, Rate]]
    course: Course
    prompt_tokens: int
    completion_tokens: int
    person_tokens: int
    model_s: float
    leaks: int
    forgeable: int
    rules: dict[str, int]
    reasons: dict[str, int]


def summarise(records: Sequence[Row]) -> Summary:
    """Return the figures of records; those of failed model calls are counted and left out."""
    good = [row for row in records if not row.get("error")]
    with_hidden = any(turn["plus"] is not None for row in good for turn in row["turns"])
    sets = SETS if with_hidden else SETS[:1]
    last = [row["turns"][_stop(row["turns"], Stop.SELF)] for row in good]
    return Summary(
        records=len(records),
        errors=len(records) - len(good),
        rates={name: {stop: _rate(good, name, stop) for stop in Stop} for name in sets},
        course=course([[_passes(turn, sets[-1]) for turn in row["turns"]] for row in good]),
        prompt_tokens=sum(row["prompt_tokens"] for row in good),
        completion_tokens=sum(row["completion_tokens"] for row in good),
        person_tokens=sum(row["person_tokens"] for row in good),
        model_s=sum(row["model_s"] for row in good),
        leaks=sum(bool(row["leaks"]) for row in good),
        forgeable=sum(any(turn["forgeable"] for turn in row["turns"]) for row in good),
        rules=_counted(turn["rule"] for row in good for turn in row["turns"]),
        reasons=_counted(turn["reason"] for turn in last),
    )


def outcome(row: Row, tests: str, stop: Stop) -> bool:
    """Whether a dialogue that stops so ends with a solution that passes."""
    if stop is Stop.ORACLE:
        return any(_passes(turn, tests) for turn in row["turns"])
    return _passes(row["turns"][_stop(row["turns"], stop)], tests)


def markdown(settings: Settings, summary: Summary) -> str:
    """Return the page of a run; it holds nothing that another run of the same would not."""
    lines = [f"# {settings.benchmark}: {settings.model}", ""]
    if settings.leaks:
        lines += [_LEAKING, ""]
    if summary.leaks:
        lines += [f"**{summary.leaks} dialogues showed the model bytes of hidden tests.**", ""]
    chosen = [(key, value) for key, value in asdict(settings).items() if value not in ("", None)]
    lines += ["| setting | |", "|---|---|", *(f"| {key} | {value} |" for key, value in chosen), ""]
    lines += [*_rate_table(settings, summary), "", *_turn_table(summary), ""]
    lines += [
        f"{summary.records} dialogues, {summary.errors} without a reply (a model call failed);",
        f"{summary.prompt_tokens} prompt tokens, {summary.completion_tokens} written,",
        f"{summary.person_tokens} of who plays the human;",
        f"{summary.forgeable} dialogues with forgeable verdicts.",
        "",
        "| solution found by | turns |",
        "|---|---|",
        *(f"| {name} | {count} |" for name, count in summary.rules.items()),
        "",
        "| last verdict | dialogues |",
        "|---|---|",
        *(f"| {name} | {count} |" for name, count in summary.reasons.items()),
    ]
    return "\n".join(lines) + "\n"


def compare(first: Sequence[Row], second: Sequence[Row], tests: str, stop: Stop) -> dict[str, Any]:
    """Return how two runs on the same problems differ: rates, McNemar, and the interval.

    With several samples a problem counts as solved by a run if most of its samples are.

    Raises:
        ConfigError: they have no problem in common.
    """
    one, two = (_by_problem(rows, tests, stop) for rows in (first, second))
    shared = [name for name in one if name in two]
    if not shared:
        msg = "the runs have no problem in common"
        raise ConfigError(msg)
    solved = [(one[name] > _HALF, two[name] > _HALF) for name in shared]
    only_first, only_second = solved.count((True, False)), solved.count((False, True))
    rates = [mean(run[name] for name in shared) for run in (one, two)]
    return {
        "problems": len(shared),
        "first": rates[0],
        "second": rates[1],
        "only_first": only_first,
        "only_second": only_second,
        "p": mcnemar(only_first, only_second),
        "difference": rates[1] - rates[0],
        "interval": paired_bootstrap([one[n] for n in shared], [two[n] for n in shared]),
        "detectable": detectable(len(shared), (only_first + only_second) / len(shared)),
    }


def _by_problem(rows: Sequence[Row], tests: str, stop: Stop) -> dict[str, float]:
    """Return the share of each problem's dialogues that pass."""
    passed: dict[str, list[bool]] = {}
    for row in rows:
        if not row.get("error"):
            passed.setdefault(row["problem"], []).append(outcome(row, tests, stop))
    return {name: sum(each) / len(each) for name, each in passed.items()}


def _passes(turn: Row, tests: str) -> bool:
    return bool(turn["base"]) and (tests == "base" or turn["plus"] is not False)


def _stop(turns: Sequence[Row], stop: Stop) -> int:
    """Return the turn at which a dialogue stops: where visible tests pass, or its last."""
    if stop is Stop.VISIBLE:
        return next((at for at, turn in enumerate(turns) if turn["visible"]), len(turns) - 1)
    return len(turns) - 1


def _rate(rows: Sequence[Row], tests: str, stop: Stop) -> Rate:
    passed: dict[str, list[bool]] = {}
    for row in rows:
        passed.setdefault(row["problem"], []).append(outcome(row, tests, stop))
    count, total = sum(map(sum, passed.values())), sum(map(len, passed.values()))
    if total == len(passed):
        return Rate(count, total, wilson(count, total))
    return Rate(count, total, clustered_bootstrap(list(passed.values()), _share))


def _share(drawn: Sequence[list[bool]]) -> float:
    return sum(map(sum, drawn)) / sum(map(len, drawn))


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0])))


def _rate_table(settings: Settings, summary: Summary) -> list[str]:
    lines = ["| solved, where a dialogue stops | " + " | ".join(summary.rates) + " |"]
    lines.append("|---|" + "---|" * len(summary.rates))
    names = {
        Stop.VISIBLE: "when visible tests pass",
        Stop.SELF: "at its last turn",
        Stop.ORACLE: "once it is right (an upper bound)",
    }
    for stop, name in names.items():
        cells = [_percent(rates[stop]) for rates in summary.rates.values()]
        mark = " (as set)" if stop is settings.stop else ""
        lines.append(f"| {name}{mark} | {' | '.join(cells)} |")
    return lines


def _percent(rate: Rate) -> str:
    low, high = rate.interval
    return (
        f"{rate.passed}/{rate.total} = {100 * rate.rate:.1f} % "
        f"({100 * low:.1f} to {100 * high:.1f})"
    )


def _turn_table(summary: Summary) -> list[str]:
    lines = ["| turn | solved | ever solved |", "|---|---|---|"]
    pairs = zip(summary.course.solved, summary.course.ever, strict=True)
    lines += [
        f"| {turn} | {100 * now:.1f} % | {100 * ever:.1f} % |"
        for turn, (now, ever) in enumerate(pairs, start=1)
    ]
    for name, rate in (
        ("recovery", summary.course.recovery),
        ("regression", summary.course.regression),
    ):
        if rate is not None:
            lines += ["", f"{name} rate: {100 * rate:.1f} %"]
    return lines
