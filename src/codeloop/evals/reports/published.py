"""The results that OpenCodeInterpreter has published, and one's own in the same form."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from statistics import mean

from codeloop.evals.reports.figures import Summary
from codeloop.evals.settings import FeedbackKind, Settings, Visible

COLUMNS = {"humaneval": "HumanEval (+)", "mbpp": "MBPP (+)"}
_SAYS = {
    "none": "",
    "execution": " + exec",
    "human": " + synth. human",
    "oracle": " + oracle",
    "retry": " + retry",
    "shuffled": " + shuffled",
}
_PLACES = 0.05  # a figure to one decimal may be off by as much, in either direction


@dataclass(frozen=True, slots=True)
class Published:
    """A row of the table: pass@1 in per cent as (base, plus); None where nothing was published.

    `misprint` names the figures that no count of solved problems gives.
    """

    model: str
    size: str
    feedback: str
    humaneval: tuple[float, float] | None = None
    mbpp: tuple[float, float] | None = None
    average: tuple[float, float] | None = None
    misprint: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.model} {self.size}".strip() + _SAYS[self.feedback]


@cache
def published() -> tuple[Published, ...]:
    """Return the published table, in its order."""
    text = files("codeloop.evals.reports").joinpath("published.toml").read_text(encoding="utf-8")
    return tuple(_row(row) for row in tomllib.loads(text)["rows"])


def _row(row: dict[str, object]) -> Published:
    texts = {key: row[key] for key in ("model", "size", "feedback")}
    lists = {key: tuple(value) for key, value in row.items() if isinstance(value, list)}
    return Published(**texts, **lists)  # type: ignore[arg-type]


def family(benchmark: str) -> str:
    """Return the column of the table that a benchmark belongs to; empty if there is none."""
    name = benchmark.partition("@")[0]
    return {"humaneval+": "humaneval", "mbpp+": "mbpp"}.get(name, name if name in COLUMNS else "")


def own_rows(runs: Iterable[tuple[Settings, Summary]]) -> list[Published]:
    """Return one's own runs as rows of the table: those alike but for the benchmark in one row.

    Runs of other benchmarks than HumanEval's and MBPP's have no place in it.
    """
    rows: dict[tuple[str, str, str], dict[str, tuple[float, float]]] = {}
    for settings, summary in runs:
        column = family(settings.benchmark)
        if column:
            pair = _percents(settings, summary)
            rows.setdefault((settings.model, settings.feedback, _how(settings)), {})[column] = pair
    return [_own(*key, columns) for key, columns in rows.items()]


def _own(model: str, feedback: str, how: str, columns: dict[str, tuple[float, float]]) -> Published:
    pairs = list(columns.values())
    average = None
    if len(pairs) == len(COLUMNS):
        average = round(mean(pair[0] for pair in pairs), 1), round(mean(p[1] for p in pairs), 1)
    return Published(model, how, feedback, columns.get("humaneval"), columns.get("mbpp"), average)


def _how(settings: Settings) -> str:
    """Say in what a run with feedback differs from the published protocol."""
    if settings.feedback is FeedbackKind.NONE:
        return ""
    shown = "all tests shown" if settings.visible is Visible.ALL else f"{settings.visible} shown"
    return f"({shown}, {settings.turns} turns)"


def _percents(settings: Settings, summary: Summary) -> tuple[float, float]:
    rates = [100 * each[settings.stop].rate for each in summary.rates.values()]
    return round(rates[0], 1), round(rates[-1], 1)


def possible(percent: float, problems: int) -> bool:
    """Whether a figure to one decimal is that of some number of problems, rounded either way."""
    count = round(percent * problems / 100)
    nearest = min(abs(100 * each / problems - percent) for each in (count - 1, count, count + 1))
    return nearest <= _PLACES + 1e-9
