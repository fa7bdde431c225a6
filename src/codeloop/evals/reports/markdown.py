"""Pages in Markdown: of a run, and of runs compared."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from codeloop.evals.metrics import Interval
from codeloop.evals.reports.comparison import Comparison, Comparisons
from codeloop.evals.reports.figures import Cost, Rate, Summary
from codeloop.evals.reports.published import family, own_rows, published, table
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
STRICT = (
    "Strict: exactly one code block in the language, and it is the whole solution. "
    "Lenient: what the extraction rules find."
)
AS_PUBLISHED = (
    "pass@1 in per cent, base (plus). Published: greedy; feedback names the first failed test, "
    "hidden ones too; MBPP+ of 399 problems (v0.1.0). A star marks a figure that no number of "
    "solved problems gives."
)


def markdown(settings: Settings, summary: Summary) -> str:
    """Return the page of a run; it holds nothing that another run of the same would not."""
    lines = [f"# {settings.benchmark}: {settings.model}", ""]
    if settings.leaks:
        lines += [f"**LEAKING**: {LEAKING}", ""]
    if summary.leaks:
        lines += [f"**{summary.leaks} dialogues showed the model bytes of hidden tests.**", ""]
    chosen = [(key, value) for key, value in asdict(settings).items() if value not in ("", None)]
    lines += ["| setting | |", "|---|---|", *(f"| {key} | {value} |" for key, value in chosen), ""]
    lines += [*_rate_table(settings, summary), "", *_turn_table(summary), ""]
    lines += [*_strict_table(settings, summary), ""]
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
    if family(settings.benchmark):
        lines += ["", *beside_published([(settings, summary)])]
    return "\n".join(lines) + "\n"


def beside_published(runs: Sequence[tuple[Settings, Summary]]) -> list[str]:
    """Return the published table with one's own runs on top, and what has to be said of it."""
    return [AS_PUBLISHED, "", *table([*own_rows(runs), *published()])]


def comparison(found: Comparisons) -> str:
    """Return the page of runs compared."""
    head = ["run", f"solved ({found.tests} tests)", "tokens per solved", "seconds per solved"]
    rows = [
        [name, percent(summary.rates[found.tests][found.stop]), *_per_solved(summary.costs[-1:])]
        for name, summary in found.runs.items()
    ]
    lines = _table(head, rows)
    for title, pairs in (
        ("against the first run", found.against_first),
        ("feedback over its controls", found.over_controls),
    ):
        if pairs:
            lines += ["", *_pairs(title, pairs)]
    if found.over_sampling:
        lines += ["", *_sampling_table(found)]
    head = ["run", "by turn", "solved", "tokens per solved", "seconds per solved"]
    rows = [
        [name, str(turn), str(cost.solved), *_per_solved([cost])]
        for name, summary in found.runs.items()
        for turn, cost in enumerate(summary.costs, start=1)
    ]
    return "\n".join([*lines, "", *_table(head, rows)]) + "\n"


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


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return lines + [f"| {' | '.join(cells)} |" for cells in rows]


def _rate_table(settings: Settings, summary: Summary) -> list[str]:
    rows = []
    for stop, name in STOPS.items():
        cells = [percent(rates[stop]) for rates in summary.rates.values()]
        rows.append([name + (" (as set)" if stop is settings.stop else ""), *cells])
    rows += [
        [f"pass@{k}", *(f"{100 * at[k]:.1f} %" for at in summary.pass_at.values())]
        for k in next(iter(summary.pass_at.values()), {})
    ]
    return _table(["solved, where a dialogue stops", *summary.rates], rows)


def _turn_table(summary: Summary) -> list[str]:
    rows = zip(summary.course.solved, summary.course.ever, summary.costs, strict=True)
    lines = _table(
        ["turn", "solved", "ever solved", "tokens per solved"],
        [
            [str(turn), f"{100 * now:.1f} %", f"{100 * ever:.1f} %", number(cost.tokens_per_solved)]
            for turn, (now, ever, cost) in enumerate(rows, start=1)
        ],
    )
    for name, rate in (
        ("recovery", summary.course.recovery),
        ("regression", summary.course.regression),
    ):
        if rate is not None:
            lines += ["", f"{name} rate: {100 * rate:.1f} %"]
    return lines


def _strict_table(settings: Settings, summary: Summary) -> list[str]:
    rows = [
        [name, *(percent(each[settings.stop]) for each in rates.values())]
        for name, rates in (("lenient", summary.rates), ("strict", summary.strict))
    ]
    return [*_table(["extraction", *summary.rates], rows), "", STRICT]


def _pairs(title: str, pairs: Sequence[Comparison]) -> list[str]:
    head = [
        *(title, "problems", "rates", "difference (95 %)", "solved by one alone"),
        *("exact McNemar p", "Holm's", "detectable"),
    ]
    rows = [
        [
            f"{pair.two} - {pair.one}",
            str(pair.problems),
            f"{100 * pair.first:.1f} %, {100 * pair.second:.1f} %",
            points(pair.difference, pair.interval),
            f"{pair.only_first}, {pair.only_second}",
            f"{pair.p:.4f}",
            f"{pair.adjusted:.4f}",
            f"{100 * pair.detectable:.1f}",
        ]
        for pair in pairs
    ]
    return _table(head, rows)


def _sampling_table(found: Comparisons) -> list[str]:
    head = [
        *("feedback over sampling for equal tokens", "solved", "sampling", "gain (95 %)"),
        *("tokens a problem", "too few samples"),
    ]
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
    return _table(head, rows)


def _per_solved(costs: Sequence[Cost]) -> list[str]:
    return [
        text
        for cost in costs
        for text in (number(cost.tokens_per_solved), number(cost.seconds_per_solved, 1))
    ]
