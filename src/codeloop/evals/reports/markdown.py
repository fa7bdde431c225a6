"""Pages in Markdown: of a run, and of runs compared."""

from collections.abc import Sequence

from codeloop.evals.reports.comparison import Comparisons
from codeloop.evals.reports.figures import Summary
from codeloop.evals.reports.published import family
from codeloop.evals.reports.tables import (
    LEAKING,
    Table,
    comparison_tables,
    count_tables,
    published_table,
    rate_table,
    settings_table,
    strict_table,
    turn_table,
)
from codeloop.evals.settings import Settings


def markdown(settings: Settings, summary: Summary) -> str:
    """Return the page of a run; it holds nothing that another run of the same would not."""
    lines = [f"# {settings.benchmark}: {settings.model}", ""]
    if settings.leaks:
        lines += [f"**LEAKING**: {LEAKING}", ""]
    if summary.leaks:
        lines += [f"**{summary.leaks} dialogues showed the model bytes of hidden tests.**", ""]
    for table in (
        settings_table(settings),
        rate_table(settings, summary),
        turn_table(summary),
        strict_table(settings, summary),
    ):
        lines += [*as_lines(table), ""]
    lines += [
        f"{summary.records} dialogues, {summary.errors} without a reply (a model call failed);",
        f"{summary.prompt_tokens} prompt tokens, {summary.completion_tokens} written,",
        f"{summary.person_tokens} of who plays the human;",
        f"{summary.forgeable} dialogues with forgeable verdicts.",
    ]
    for table in count_tables(summary):
        lines += ["", *as_lines(table)]
    if family(settings.benchmark):
        lines += ["", *as_lines(published_table([(settings, summary)]))]
    return "\n".join(lines) + "\n"


def comparison(found: Comparisons) -> str:
    """Return the page of runs compared."""
    parts = [[f"## {table.title}", "", *as_lines(table), ""] for table in comparison_tables(found)]
    return "\n".join(line for part in parts for line in part)


def as_lines(table: Table) -> list[str]:
    """Return a table as lines of Markdown, and its note below."""
    lines = [as_line(table.head), "|---" * len(table.head) + "|", *map(as_line, table.rows)]
    return [*lines, "", table.note] if table.note else lines


def as_line(cells: Sequence[str]) -> str:
    """Return one row."""
    return f"| {' | '.join(cells)} |"
