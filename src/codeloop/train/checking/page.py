"""The report about a dataset as a page in one file, with no script and nothing from elsewhere."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template

from codeloop.train.checking.report import Preview, Report
from codeloop.train.rendering import Kind


def page(report: Report) -> str:
    """Return the page."""
    template = files("codeloop.train.checking").joinpath("page.html").read_text(encoding="utf-8")
    figures = report.lengths
    most = max((rows for _, _, rows in figures.bars), default=0) or 1
    return Template(template).substitute(
        verdict=_verdict(report),
        files=_files(report),
        findings=_findings(report),
        bars="".join(
            f'<div style="height:{100 * rows / most:.1f}%" title="{start} to {end}: {rows}"></div>'
            for start, end, rows in figures.bars
        ),
        longest=f"{figures.percentiles[-1][1] if figures.percentiles else 0:,}",
        lengths=_lengths(report),
        previews="".join(_preview(each) for each in report.previews),
    )


def _verdict(report: Report) -> str:
    if not report.refusals:
        return '<span class="good">Nothing forbids to train on it.</span>'
    says = "; ".join(escape(each.says) for each in report.refusals)
    return f'<span class="bad">Not to be trained on: {says}.</span>'


def _files(report: Report) -> str:
    rows = [
        (
            escape(each.path),
            each.split.value,
            f"{each.rows:,}",
            f"{each.often:.3g}",
            f"{each.epoch_rows:,}",
            f"{each.epoch_tokens:,}",
            f"{each.epoch_learned / max(1, each.epoch_tokens):.1%}",
        )
        for each in report.shares
    ]
    heads = ("file", "split", "rows", "times", "rows an epoch", "tokens an epoch", "learned")
    return _table(heads, rows, numbers=2)


def _findings(report: Report) -> str:
    if not report.findings:
        return "<p>None.</p>"
    rows = []
    for each in report.findings:
        places = "<br>".join(
            f'<span class="dim">{escape(where)}: {escape(what)}</span>'
            for where, what in each.places
        )
        kind = "bad" if each.refuses else "dim"
        rows.append(
            (
                f"{escape(each.says)}<br>{places}",
                f"{each.rows:,}",
                f"{each.share:.2%}",
                f'<span class="{kind}">{"refuses" if each.refuses else "tells"}</span>',
                escape(each.cure),
            )
        )
    return _table(("what", "rows", "share", "", "what helps"), rows)


def _lengths(report: Report) -> str:
    figures = report.lengths
    shares = "".join(f"<td class=n>{tokens:,}</td>" for _, tokens in figures.percentiles)
    heads = "".join(f"<th class=n>{share} %</th>" for share, _ in figures.percentiles)
    cut = [
        (
            f"{length:,}" + (" (max_length)" if length == report.max_length else ""),
            f"{rows:.1%}",
            f"{tokens:.1%}",
        )
        for length, rows, tokens in figures.cut
    ]
    waste = [(f"padding, {batch} rows a batch", f"{share:.1%}") for batch, share in figures.padding]
    waste.append(("packed", f"{figures.packed:.1%}"))
    return (
        f"<table><tr>{heads}</tr><tr>{shares}</tr></table>"
        + _table(("length", "rows cut", "tokens lost"), cut, numbers=1)
        + _table(("", "slots that hold nothing"), waste, numbers=1)
    )


def _preview(each: Preview) -> str:
    text = "".join(_piece(*piece) for piece in each.pieces)
    return f"<h3 class=dim>{escape(each.where)}</h3><pre>{text}</pre>"


def _piece(text: str, kind: Kind) -> str:
    return f"<b class=k{kind.value}>{escape(text)}</b>" if kind else escape(text)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 99) -> str:
    """Return a table; columns from `numbers` on are aligned to the right."""

    def line(cells: Sequence[str], tag: str) -> str:
        made = [
            f"<{tag}{' class=n' if at >= numbers else ''}>{cell}</{tag}>"
            for at, cell in enumerate(cells)
        ]
        return f"<tr>{''.join(made)}</tr>"

    return f"<table>{line(heads, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"
