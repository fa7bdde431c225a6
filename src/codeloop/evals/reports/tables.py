"""The tables of a run's page and of a comparison's, before they are Markdown or HTML."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from codeloop.evals.metrics import Interval
from codeloop.evals.reports.comparison import Comparison, Comparisons
from codeloop.evals.reports.figures import Cost, Rate, Summary
from codeloop.evals.reports.published import COLUMNS, Published, own_rows, published
from codeloop.evals.settings import Settings, Stop

LEAKING = (
    "by its settings the model was told of the tests that measure it. "
    "These figures are an upper bound, not what the model can do by itself."
)
STOPS = {
    Stop.VISIBLE: "when visible tests pass",
    Stop.SELF: "at its last turn",
    Stop.ORACLE: "once it is right (an upper bound)",
}
_STRICT = (
    "Strict: exactly one code block in the language, and it is the whole solution. "
    "Lenient: what the extraction rules find."
)
_AS_PUBLISHED = (
    "pass@1 in per cent, base (plus). Published: greedy; feedback names the first failed test, "
    "hidden ones too; MBPP+ of 399 problems (v0.1.0). A star marks a figure that no number of "
    "solved problems gives."
)
_SAMPLING = (
    "Samples are drawn until one passes the visible tests or a cap of tokens is reached, under "
    "which both write the same in the mean. Where there were too few, the gain is an upper bound."
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts. `own` says how many of its first rows are one's own, beside others'."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    own: int = 0


def settings_table(settings: Settings) -> Table:
    """Return the settings that are not left to their empty values."""
    chosen = {key: str(value) for key, value in asdict(settings).items() if value not in ("", None)}
    return Table("Settings", ["setting", ""], list(chosen.items()))


def rate_table(settings: Settings, summary: Summary) -> Table:
    """Return what is solved by where dialogues stop, and pass@k."""
    rows = []
    for stop, name in STOPS.items():
        cells = [percent(rates[stop]) for rates in summary.rates.values()]
        rows.append([name + (" (as set)" if stop is settings.stop else ""), *cells])
    rows += [
        [f"pass@{k}", *(f"{100 * at[k]:.1f} %" for at in summary.pass_at.values())]
        for k in next(iter(summary.pass_at.values()), {})
    ]
    return Table("Solved", ["solved, where a dialogue stops", *summary.rates], rows)


def turn_table(summary: Summary) -> Table:
    """Return what is solved by turn, and the tokens that each solved problem has cost."""
    parts = zip(summary.course.solved, summary.course.ever, summary.costs, strict=True)
    rows = [
        [str(turn), f"{100 * now:.1f} %", f"{100 * ever:.1f} %", number(cost.tokens_per_solved)]
        for turn, (now, ever, cost) in enumerate(parts, start=1)
    ]
    rates = {"recovery": summary.course.recovery, "regression": summary.course.regression}
    note = "; ".join(f"{n} rate: {100 * r:.1f} %" for n, r in rates.items() if r is not None)
    return Table("By turn", ["turn", "solved", "ever solved", "tokens per solved"], rows, note)


def strict_table(settings: Settings, summary: Summary) -> Table:
    """Return what strict and lenient extraction score."""
    rows = [
        [name, *(percent(each[settings.stop]) for each in rates.values())]
        for name, rates in (("lenient", summary.rates), ("strict", summary.strict))
    ]
    return Table("Extraction", ["extraction", *summary.rates], rows, _STRICT)


def count_tables(summary: Summary) -> list[Table]:
    """Return how solutions were found, and what the last verdicts were."""
    return [
        Table(title, head, [[name, str(count)] for name, count in counts.items()])
        for title, head, counts in (
            ("Rules of extraction", ["solution found by", "turns"], summary.rules),
            ("Verdicts", ["last verdict", "dialogues"], summary.reasons),
        )
    ]


def published_table(runs: Sequence[tuple[Settings, Summary]]) -> Table:
    """Return the published table, with one's own runs on top where they belong there."""
    own = own_rows(runs)
    rows = [published_cells(row) for row in (*own, *published())]
    head = ["model", *COLUMNS.values(), "average (+)"]
    return Table("Beside what was published", head, rows, _AS_PUBLISHED, own=len(own))


def published_cells(row: Published) -> list[str]:
    """Return a row of the published table as texts; a star marks what is misprinted."""
    cells = [row.name]
    for name in ("humaneval", "mbpp", "average"):
        pair = getattr(row, name)
        stars = ["*" if f"{name}{plus}" in row.misprint else "" for plus in ("", "+")]
        cells.append(f"{pair[0]}{stars[0]} ({pair[1]}{stars[1]})" if pair else "-")
    return cells


def comparison_tables(found: Comparisons) -> list[Table]:
    """Return all that is said of runs together."""
    head = ["run", f"solved ({found.tests} tests)", "tokens per solved", "seconds per solved"]
    rows = [
        [name, percent(summary.rates[found.tests][found.stop]), *_per_solved(summary.costs[-1:])]
        for name, summary in found.runs.items()
    ]
    tables = [Table("Runs", head, rows), _pairs("Against the first run", found.against_first)]
    if found.over_controls:
        tables.append(_pairs("Feedback over its controls", found.over_controls))
    if found.over_sampling:
        tables.append(_sampling_table(found))
    head = ["run", "by turn", "solved", "tokens per solved", "seconds per solved"]
    rows = [
        [name, str(turn), str(cost.solved), *_per_solved([cost])]
        for name, summary in found.runs.items()
        for turn, cost in enumerate(summary.costs, start=1)
    ]
    return [*tables, Table("Cost by turn", head, rows)]


def _pairs(title: str, pairs: Sequence[Comparison]) -> Table:
    head = [
        *("runs", "problems", "rates", "difference (95 %)", "solved by one alone"),
        *("exact McNemar p", "Holm's", "detectable"),
    ]
    rows = [
        [
            f"{pair.two} - {pair.one}",
            str(pair.problems),
            f"{100 * pair.second:.1f} %, {100 * pair.first:.1f} %",
            points(pair.difference, pair.interval),
            f"{pair.only_second}, {pair.only_first}",
            f"{pair.p:.4f}",
            f"{pair.adjusted:.4f}",
            f"{100 * pair.detectable:.1f}",
        ]
        for pair in pairs
    ]
    return Table(title, head, rows)


def _sampling_table(found: Comparisons) -> Table:
    head = ["runs", "solved", "sampling", "gain (95 %)", "tokens a problem", "too few samples"]
    rows = [
        [
            f"{each.run} - samples of {each.samples}",
            f"{100 * each.figures.solved:.1f} %",
            f"{100 * each.figures.sampled:.1f} %",
            points(each.figures.difference, each.figures.interval),
            f"{each.figures.tokens:.0f}, {each.figures.sampled_tokens:.0f}",
            f"{each.figures.exhausted} of {each.figures.problems}",
        ]
        for each in found.over_sampling
    ]
    return Table("Feedback over sampling for equal tokens", head, rows, _SAMPLING)


def _per_solved(costs: Sequence[Cost]) -> list[str]:
    return [
        text
        for cost in costs
        for text in (number(cost.tokens_per_solved), number(cost.seconds_per_solved, 1))
    ]


def percent(rate: Rate) -> str:
    """Return a rate in words and figures, with its interval."""
    low, high = rate.interval
    return (
        f"{rate.passed}/{rate.total} = {100 * rate.rate:.1f} % "
        f"({100 * low:.1f} to {100 * high:.1f})"
    )


def points(difference: float, interval: Interval) -> str:
    """Return a difference of rates in points of per cent, with its interval."""
    low, high = interval
    return f"{100 * difference:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def number(value: float | None, places: int = 0) -> str:
    """Return a number, or a dash where there is none."""
    return "-" if value is None else f"{value:.{places}f}"
