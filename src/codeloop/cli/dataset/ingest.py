"""`codeloop dataset ingest`: read what others have published, and one's own files, as queries."""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.core.errors import ConfigError

if TYPE_CHECKING:
    from codeloop.dataset.records import Example, Malformed, Query
    from codeloop.dataset.sources.ingest import Source

_SHOWN = 20  # malformed rows that are named on the terminal

_EPILOG = """\
SOURCE is a file (.jsonl, .json, .csv, .tsv, .parquet, also with .gz), a folder of them, a set of
queries that is known by name (`codeloop dataset ingest --list`), or hf://OWNER/NAME.

examples:
  codeloop dataset ingest nl2bash cosqa leetcode-train --out queries.jsonl
  codeloop dataset ingest magicoder.jsonl --licence MIT --out queries.jsonl
  codeloop dataset ingest hf://owner/name --as examples --out dialogues.jsonl
"""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from codeloop.dataset.sources.forms import Form

    parser = verbs.add_parser(
        "ingest",
        help="read published data sets and one's own files",
        description="Read sources as one file of queries (or examples). A malformed row is named "
        "with file and line, counted, and stops nothing.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("sources", metavar="SOURCE", nargs="*")
    parser.add_argument("--out", metavar="FILE", type=Path, help="the file to write")
    parser.add_argument("--list", action="store_true", help="the sets that are known by name")
    parser.add_argument(
        "--form", choices=[*Form], help="of files and folders (default: as their rows tell)"
    )
    parser.add_argument(
        "--as",
        dest="kind",
        choices=["queries", "examples"],
        default="queries",
        help="what to write: queries, or examples of sources that hold dialogues",
    )
    parser.add_argument("--name", help="of files and folders as a source (default: their own)")
    parser.add_argument("--licence", default="", help="of files and folders, if rows name none")
    parser.add_argument("--language", default="", help="likewise")
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        default=os.environ.get("CODELOOP_DATA"),
        help="folder of the sets (default: $CODELOOP_DATA, else `data` in the data folder)",
    )


def main(args: argparse.Namespace) -> int:
    if args.list:
        return _list()
    if not args.sources or args.out is None:
        msg = "name a SOURCE and --out"
        raise ConfigError(msg)
    from codeloop.dataset.records import write

    tally = _Tally()
    records = (each for name in args.sources for each in tally.good(name, _records(name, args)))
    write(args.out, records)
    tally.show()
    return 1 if any(tally.bad.values()) else 0


class _Tally:
    """Lets good rows through, names the malformed, and counts both by source."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.bad: dict[str, int] = {}

    def good(
        self, name: str, records: "Iterator[Query | Example | Malformed]"
    ) -> "Iterator[Query | Example]":
        from codeloop.dataset.records import Malformed

        self.rows[name] = self.bad[name] = 0
        for each in records:
            if isinstance(each, Malformed):
                self.bad[name] += 1
                if sum(self.bad.values()) <= _SHOWN:
                    print(f"codeloop: {each.where}: {each.why}", file=sys.stderr)
            else:
                self.rows[name] += 1
                yield each

    def show(self) -> None:
        for name, rows in self.rows.items():
            print(f"{name:24} {rows:8} rows {self.bad[name]:6} malformed")
        print(f"{'all':24} {sum(self.rows.values()):8} rows {sum(self.bad.values()):6} malformed")


def _records(name: str, args: argparse.Namespace) -> "Iterator[Query | Example | Malformed]":
    from codeloop.dataset.records import Example, Malformed
    from codeloop.dataset.sources.ingest import queries, read_source

    records = read_source(_source(name, args))
    if args.kind == "queries":
        yield from queries(records)
        return
    for each in records:
        if not isinstance(each, Example | Malformed):
            msg = f"{name}: it holds no dialogues (--form code-feedback, sharegpt-dialogues)"
            raise ConfigError(msg)
        yield each


def _source(name: str, args: argparse.Namespace) -> "Source":
    from codeloop.cli.benchmarking import data_folder
    from codeloop.dataset.sources.forms import Form, Origin
    from codeloop.dataset.sources.hub import HUB, SCHEME, HubName, fetch
    from codeloop.dataset.sources.ingest import Source
    from codeloop.dataset.sources.sets import query_set
    from codeloop.models.catalogue import data_dir

    form = Form(args.form) if args.form else None
    if name.startswith(SCHEME):
        endpoint, token = os.environ.get("HF_ENDPOINT", HUB), os.environ.get("HF_TOKEN", "")
        hub = HubName.parse(name)
        path = fetch(hub, data_dir() / "hub", endpoint=endpoint.rstrip("/"), token=token)
        own = hub.id
    elif (path := Path(name)).exists():
        own = path.name.partition(".")[0]
    else:
        return query_set(name).source(data_folder(args.data))
    return Source(path, Origin(args.name or own, args.licence, args.language), form)


def _list() -> int:
    from codeloop.dataset.sources.sets import query_sets

    for each in query_sets():
        print(f"{each.name:20} {each.origin.licence:20} {each.about}")
    return 0
