"""`codeloop dataset ingest`: read what others have published, and one's own files, as queries."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.cli.dataset.rows import GoodRows
from codeloop.core.errors import ConfigError

if TYPE_CHECKING:
    from codeloop.dataset.records import Example, Malformed, Query
    from codeloop.dataset.sources.ingest import Source

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

    counts = {name: GoodRows() for name in args.sources}

    def good() -> "Iterator[Query | Example]":
        for name, count in counts.items():
            yield from count.of(_records(name, args))

    write(args.out, good())
    for name, count in counts.items():
        print(f"{name:24} {count.good:8} rows {count.malformed:6} malformed")
    good, malformed = (
        sum(getattr(each, what) for each in counts.values()) for what in ("good", "malformed")
    )
    print(f"{'all':24} {good:8} rows {malformed:6} malformed")
    return 1 if malformed else 0


def _records(name: str, args: argparse.Namespace) -> "Iterator[Query | Example | Malformed]":
    from codeloop.dataset.records import Example, Malformed
    from codeloop.dataset.sources.ingest import queries, read_source

    records = read_source(source(name, args))
    if args.kind == "queries":
        yield from queries(records)
        return
    for each in records:
        if not isinstance(each, Example | Malformed):
            msg = f"{name}: it holds no dialogues (--form code-feedback, sharegpt-dialogues)"
            raise ConfigError(msg)
        yield each


def source(name: str, args: argparse.Namespace) -> "Source":
    """Return the file, folder, known set or data set of the hub that a name leads to."""
    from codeloop.cli.benchmarking import data_folder
    from codeloop.dataset.sources.forms import Form, Origin
    from codeloop.dataset.sources.hub import HUB, SCHEME, HubName, fetch
    from codeloop.dataset.sources.ingest import Source, query_set
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
    from codeloop.dataset.sources.ingest import query_sets

    for each in query_sets():
        print(f"{each.name:20} {each.origin.licence:20} {each.about}")
    return 0
