"""The verbs of `codeloop eval` that read runs: their pages, comparisons, exports."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeloop.evals.reports.comparison import Run
    from codeloop.evals.reports.figures import Summary
    from codeloop.evals.settings import Settings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of these verbs."""
    group = parser.add_argument_group("report, compare, published, export")
    group.add_argument(
        "--html", action="store_true", help="report: write DIR/report.html; compare: print HTML"
    )
    group.add_argument(
        "--form", choices=["samples", "evalplus", "inspect"], help="export: what --out FILE holds"
    )
    group.add_argument("--row", action="store_true", help="published: one's own rows alone")


def report(args: argparse.Namespace) -> int:
    (folder,) = args.paths
    text = write_pages(folder, settings_of(folder), as_json=args.json, as_html=args.html)
    print(text, end="")
    return 0


def write_pages(
    folder: Path, settings: "Settings", *, as_json: bool = False, as_html: bool = True
) -> str:
    """Write the pages of a run beside its records; return it in Markdown, or its figures."""
    from dataclasses import asdict

    from codeloop.evals.reports.figures import language_of, summarise
    from codeloop.evals.reports.markdown import markdown
    from codeloop.evals.reports.page import run_page
    from codeloop.evals.run import read_records

    rows, language = read_records(folder), language_of(settings)
    summary = summarise(rows, stop=settings.stop, language=language)
    text = markdown(settings, summary)
    pages = {"report.md": text}
    if as_html:
        rows.sort(key=lambda row: (natural(row["problem"]), row["sample"]))
        pages["report.html"] = run_page(settings, summary, rows, language=language)
    for name, page in pages.items():
        try:
            (folder / name).write_text(page, encoding="utf-8")
        except OSError as error:
            msg = f"{folder / name}: cannot be written ({error.strerror})"
            raise DataError(msg) from error
    return json.dumps(asdict(summary)) + "\n" if as_json else text


def natural(name: str) -> list[tuple[int, str]]:
    """Return what sorts names by the numbers in them."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def compare(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from codeloop.evals.reports.comparison import compare_all
    from codeloop.evals.reports.markdown import comparison
    from codeloop.evals.reports.page import comparison_page
    from codeloop.evals.settings import Stop

    runs = _runs(args.paths)
    benchmarks = {run.settings.benchmark for run in runs}
    if len(benchmarks) > 1:
        print(f"codeloop: {' and '.join(sorted(benchmarks))} differ", file=sys.stderr)
    found = compare_all(runs, Stop(args.stop or "visible"))
    if args.json:
        print(json.dumps(asdict(found)))
    else:
        print(comparison_page(found, runs) if args.html else comparison(found).rstrip())
    return 0


def published(args: argparse.Namespace) -> int:
    from codeloop.evals.reports.markdown import as_line, as_lines
    from codeloop.evals.reports.tables import published_table

    runs = [(settings, _summary(path, settings)) for path, settings in _all(args.paths)]
    table = published_table(runs)
    if args.row and not table.own:
        msg = "--row takes folders of runs on HumanEval or MBPP"
        raise ConfigError(msg)
    rows = table.rows[: table.own] if args.row else table.rows
    if args.json:
        print(json.dumps([dict(zip(table.head, row, strict=True)) for row in rows]))
    else:
        print(*(map(as_line, rows) if args.row else as_lines(table)), sep="\n")
    return 0


def export(args: argparse.Namespace) -> int:
    from datetime import UTC, datetime
    from importlib import metadata

    from codeloop.evals.exports import Form, exported
    from codeloop.evals.run import RECORDS, read_records

    (folder,) = args.paths
    if args.form is None or args.out is None:
        msg = "export needs --form and --out FILE"
        raise ConfigError(msg)
    settings, rows = settings_of(folder), read_records(folder)
    rows.sort(key=lambda row: (natural(row["problem"]), row["sample"]))
    created = datetime.fromtimestamp((folder / RECORDS).stat().st_mtime, UTC)
    version = metadata.version("codeloop")
    data = exported(Form(args.form), settings, rows, created, version)
    try:
        args.out.write_bytes(data)
    except OSError as error:
        msg = f"{args.out}: cannot be written ({error.strerror})"
        raise DataError(msg) from error
    missing = sum(bool(row.get("error")) for row in rows)
    if missing and args.form != Form.INSPECT:
        print(f"codeloop: {missing} dialogues without a reply are left out", file=sys.stderr)
    return 0


def _all(folders: "Sequence[Path]") -> "list[tuple[Path, Settings]]":
    return [(folder, settings_of(folder)) for folder in folders]


def settings_of(folder: Path) -> "Settings":
    """Return the settings of the run in a folder.

    Raises:
        DataError: there are none.
    """
    from codeloop.evals.run import read_settings

    return read_settings(folder)


def _summary(folder: Path, settings: "Settings") -> "Summary":
    from codeloop.evals.reports.figures import language_of, summarise
    from codeloop.evals.run import read_records

    language = language_of(settings)
    return summarise(read_records(folder), stop=settings.stop, language=language)


def _runs(folders: "Sequence[Path]") -> "list[Run]":
    """Return runs by the names of their folders: whole paths, if names alone are not enough."""
    from codeloop.evals.reports.comparison import Run
    from codeloop.evals.run import read_records

    short = len({folder.name for folder in folders}) == len(folders)
    return [
        Run(folder.name if short else str(folder), settings_of(folder), read_records(folder))
        for folder in folders
    ]
