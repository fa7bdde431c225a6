"""The verbs of `codeloop eval` that read runs: their pages, comparisons, exports."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeloop.evals.reports.comparison import Run
    from codeloop.evals.reports.figures import Summary
    from codeloop.evals.settings import Settings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of these verbs."""
    group = parser.add_argument_group("report, compare, published, export")

    group.add_argument("--row", action="store_true", help="published: one's own rows alone")


def report(args: argparse.Namespace) -> int:
    (folder,) = args.paths
    print(write_pages(folder, settings_of(folder), as_json=args.json), end="")
    return 0


def write_pages(folder: Path, settings: "Settings", *, as_json: bool) -> str:
    """Write the pages of a run beside its records; return it, or its figures as JSON."""
    from dataclasses import asdict

    from codeloop.evals.reports.markdown import markdown

    summary = _summary(folder, settings)
    page = markdown(settings, summary)
    (folder / "report.md").write_text(page, encoding="utf-8")
    return json.dumps(asdict(summary)) + "\n" if as_json else page


def compare(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from codeloop.evals.reports.comparison import compare_all
    from codeloop.evals.reports.markdown import comparison
    from codeloop.evals.settings import Stop

    runs = _runs(args.paths)
    found = compare_all(runs, Stop(args.stop or "visible"))
    print(json.dumps(asdict(found)) if args.json else comparison(found).rstrip())
    return 0


def published(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from codeloop.evals.reports.markdown import beside_published
    from codeloop.evals.reports.published import own_rows, table_row
    from codeloop.evals.reports.published import published as published_rows

    settings = [settings_of(folder) for folder in args.paths]
    runs = [(each, _summary(path, each)) for path, each in zip(args.paths, settings, strict=True)]
    own = own_rows(runs)
    if args.row and not own:
        msg = "--row takes folders of runs on HumanEval or MBPP"
        raise ConfigError(msg)
    if args.json:
        print(json.dumps([asdict(row) for row in (*own, *(() if args.row else published_rows()))]))
    elif args.row:
        print(*map(table_row, own), sep="\n")
    else:
        print(*beside_published(runs), sep="\n")
    return 0


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
