"""The report of `codeloop train check` on a terminal, and as JSON."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from codeloop.cli.terminal import clean

if TYPE_CHECKING:
    from rich.console import Console

    from codeloop.train.checking.report import Preview, Report

_STYLES = ("dim", "black on green", "black on yellow", "black on cyan")  # by kind
_BARS = " ▁▂▃▄▅▆▇█"


def facts(report: "Report") -> dict[str, Any]:
    """Return the figures of a report as plain values."""
    from codeloop.core.records import to_json

    return {
        "files": to_json(report.shares),
        "lengths": to_json(report.lengths),
        "kinds": dict(zip(("code", "repair", "prose"), report.kinds, strict=True)),
        "epoch_tokens": report.epoch_tokens,
        "findings": to_json(report.findings),
        "refuses": bool(report.refusals),
        "engine_texts": report.engine_texts,
        "data_hash": report.data_hash,
    }


def show(report: "Report", *, rows: int) -> None:
    """Print a report, with some rows in colours."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    _files(console, report)
    _lengths(console, report)
    for each in report.previews[:rows]:
        _preview(console, each)
    _findings(console, report)


def _files(console: "Console", report: "Report") -> None:
    lines = [
        (
            each.path,
            each.split.value,
            f"{each.rows:,}",
            f"{each.often:.3g}",
            f"{each.epoch_rows:,}",
            f"{each.epoch_tokens:,}",
            f"{each.epoch_learned / max(1, each.epoch_tokens):.1%}",
        )
        for each in report.shares
    ]
    heads = ("file", "split", "rows", "times", "rows an epoch", "tokens", "learned")
    _table(console, heads, lines, text=2)
    code, repair, prose = report.kinds
    console.print(f"learned: {code:,} tokens of code, {repair:,} of repairs, {prose:,} of prose")


def _lengths(console: "Console", report: "Report") -> None:
    figures = report.lengths
    if not figures.bars:
        return
    most = max(rows for _, _, rows in figures.bars) or 1
    top = len(_BARS) - 1
    bars = "".join(_BARS[-(-rows * top // most)] for _, _, rows in figures.bars)
    shares = ", ".join(f"{share} %: {tokens:,}" for share, tokens in figures.percentiles)
    console.print(f"tokens a row  0 {bars} {figures.bars[-1][1]:,}   {shares}")
    lines = [
        (f"{length:,}{' *' if length == report.max_length else ''}", f"{rows:.1%}", f"{lost:.1%}")
        for length, rows, lost in figures.cut
    ]
    _table(console, ("length", "rows cut", "tokens lost"), lines, text=0)
    waste = ", ".join(f"{batch} rows: {share:.0%}" for batch, share in figures.padding)
    console.print(f"padding in a batch of {waste}; packed: {figures.packed:.1%} of the slots empty")


def _preview(console: "Console", preview: "Preview") -> None:
    from rich.text import Text

    text = Text()
    for piece, kind in preview.pieces:
        text.append(clean(piece), style=_STYLES[kind])
    console.print(f"\n{preview.where}", style="bold")
    console.print(text)
    key = Text("learned: ")
    for name, style in zip(("code", "repair", "prose"), _STYLES[1:], strict=True):
        key.append(f" {name} ", style=style)
    console.print(key, "\n")


def _findings(console: "Console", report: "Report") -> None:
    for each in report.findings:
        style = "bold red" if each.refuses else "yellow"
        word = "refuses" if each.refuses else "note"
        console.print(f"{word}: {each.rows:,} {each.says} ({each.share:.2%})", style=style)
        for where, what in each.places:
            console.print(f"    {where}: {clean(what)}", style="dim", markup=False)
        console.print(f"    {each.cure}", markup=False)
    if report.engine_texts:
        differing = sum(each.rows for each in report.findings if each.fault.value == "engine")
        console.print(f"tokenizer: {differing} of {report.engine_texts} texts differ")
    if not report.refusals:
        console.print("nothing forbids to train on it", style="green")


def _table(
    console: "Console", heads: Sequence[str], lines: Iterable[Sequence[str]], *, text: int
) -> None:
    """Print a table whose first `text` columns are aligned to the left."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for at, head in enumerate(heads):
        table.add_column(head, justify="left" if at < text else "right", overflow="fold")
    for line in lines:
        table.add_row(*line)
    console.print(table)
