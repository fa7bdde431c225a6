"""Figures of a run from its records: rates with intervals, the course of turns, what it cost."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from codeloop.evals.benchmarks import benchmarks
from codeloop.evals.metrics import (
    Course,
    Interval,
    by_problem,
    clustered_bootstrap,
    course,
    mean_pass_at_k,
    wilson,
)
from codeloop.evals.reports.strict import strictly
from codeloop.evals.rows import Row
from codeloop.evals.settings import Settings, Stop

SETS = ("base", "plus")
_KS = (1, 2, 5, 10, 20, 50, 100)


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
class Cost:
    """What a run had spent by the end of a turn, over all dialogues, and what it had solved.

    `solved` counts dialogues whose solution passes then. `model_s` is None where records do not
    say how long each turn took.
    """

    prompt_tokens: int
    completion_tokens: int
    model_s: float | None
    solved: int

    @property
    def tokens_per_solved(self) -> float | None:
        """Tokens written for each solved dialogue; None if there is none."""
        return self.completion_tokens / self.solved if self.solved else None

    @property
    def seconds_per_solved(self) -> float | None:
        """Seconds of the model for each solved dialogue; None if there is none, or no record."""
        return self.model_s / self.solved if self.solved and self.model_s is not None else None


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a run. `rates` are by set of tests and by when a dialogue stops.

    `strict` is the same for a reader who takes a solution only from one whole code block;
    `pass_at` has pass@k by set and k, where there are several samples of each problem.
    """

    records: int
    errors: int
    rates: dict[str, dict[str, Rate]]
    strict: dict[str, dict[str, Rate]]
    pass_at: dict[str, dict[int, float]]
    course: Course
    costs: tuple[Cost, ...]
    prompt_tokens: int
    completion_tokens: int
    person_tokens: int
    model_s: float
    leaks: int
    forgeable: int
    rules: dict[str, int]
    reasons: dict[str, int]


def summarise(
    records: Sequence[Row], *, stop: Stop = Stop.VISIBLE, language: str = "python"
) -> Summary:
    """Return the figures of records; those of failed model calls are counted and left out.

    `stop` is that of pass@k; `language` is that of the code blocks which a strict reader takes.
    """
    good = [row for row in records if not row.get("error")]
    sets = sets_of(good)
    last = [row["turns"][stop_turn(row["turns"], Stop.SELF)] for row in good]
    strict = strictly(good, language)
    return Summary(
        records=len(records),
        errors=len(records) - len(good),
        rates={name: {each: _rate(good, name, each) for each in Stop} for name in sets},
        strict={name: {each: _rate(strict, name, each) for each in Stop} for name in sets},
        pass_at={name: _pass_at(good, name, stop) for name in sets},
        course=course([[passes(turn, sets[-1]) for turn in row["turns"]] for row in good]),
        costs=costs(good, sets[-1]),
        prompt_tokens=sum(row["prompt_tokens"] for row in good),
        completion_tokens=sum(row["completion_tokens"] for row in good),
        person_tokens=sum(row["person_tokens"] for row in good),
        model_s=sum(row["model_s"] for row in good),
        leaks=sum(bool(row["leaks"]) for row in good),
        forgeable=sum(any(turn["forgeable"] for turn in row["turns"]) for row in good),
        rules=_counted(turn["rule"] for row in good for turn in row["turns"]),
        reasons=_counted(turn["reason"] for turn in last),
    )


def sets_of(records: Sequence[Row]) -> tuple[str, ...]:
    """Return the sets of tests that records tell of; the last one decides."""
    turns = (turn for row in records if not row.get("error") for turn in row["turns"])
    return SETS if any(turn["plus"] is not None for turn in turns) else SETS[:1]


def language_of(settings: Settings) -> str:
    """Return the language of a run's solutions."""
    known = {str(each): each.language for each in benchmarks()}
    return known.get(settings.benchmark, "python")  # one's own problems are in Python


def outcome(row: Row, tests: str, stop: Stop) -> bool:
    """Whether a dialogue that stops so ends with a solution that passes."""
    if stop is Stop.ORACLE:
        return any(passes(turn, tests) for turn in row["turns"])
    return passes(row["turns"][stop_turn(row["turns"], stop)], tests)


def outcomes(rows: Sequence[Row], tests: str, stop: Stop) -> dict[str, list[bool]]:
    """Return for each problem which of its dialogues pass; failed model calls are left out."""
    found: dict[str, list[bool]] = {}
    for row in rows:
        if not row.get("error"):
            found.setdefault(row["problem"], []).append(outcome(row, tests, stop))
    return found


def passes(turn: Row, tests: str) -> bool:
    """Whether a turn's solution passes a set of tests, and those before it."""
    return bool(turn["base"]) and (tests == "base" or turn["plus"] is not False)


def costs(rows: Sequence[Row], tests: str) -> tuple[Cost, ...]:
    """Return what was spent and solved by the end of each turn."""
    longest = max((len(row["turns"]) for row in rows), default=0)
    timed = all(turn.get("model_s") is not None for row in rows for turn in row["turns"])
    found = []
    for end in range(1, longest + 1):
        turns = [turn for row in rows for turn in row["turns"][:end]]
        usages = [turn["usage"] for row in rows for turn in row["dialogue"]["turns"][:end]]
        found.append(
            Cost(
                sum(usage["prompt_tokens"] for usage in usages),
                sum(usage["completion_tokens"] for usage in usages),
                sum(turn["model_s"] for turn in turns) if timed else None,
                sum(passes(row["turns"][:end][-1], tests) for row in rows),
            )
        )
    return tuple(found)


def stop_turn(turns: Sequence[Row], stop: Stop) -> int:
    """Return the turn at which a dialogue stops: where visible tests pass, or its last."""
    if stop is Stop.VISIBLE:
        return next((at for at, turn in enumerate(turns) if turn["visible"]), len(turns) - 1)
    return len(turns) - 1


def _rate(rows: Sequence[Row], tests: str, stop: Stop) -> Rate:
    passed = outcomes(rows, tests, stop)
    count, total = sum(map(sum, passed.values())), sum(map(len, passed.values()))
    if total == len(passed):
        return Rate(count, total, wilson(count, total))
    return Rate(count, total, clustered_bootstrap(list(passed.values()), _share))


def _pass_at(rows: Sequence[Row], tests: str, stop: Stop) -> dict[int, float]:
    counts = by_problem(outcomes(rows, tests, stop))
    fewest = min((samples for samples, _ in counts), default=0)
    return {k: mean_pass_at_k(counts, k) for k in _KS if k <= fewest} if fewest > 1 else {}


def _share(drawn: Sequence[list[bool]]) -> float:
    return sum(map(sum, drawn)) / sum(map(len, drawn))


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0])))
