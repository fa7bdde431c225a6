"""`codeloop dataset check`: count the records of files, and name the rows that are none."""

import argparse
import sys
from pathlib import Path

from codeloop.cli import wiring


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "check",
        help="count the records of files",
        description="Count the records of files of queries or examples, and name each row that "
        "is none. Exit status 1 if there is one.",
    )
    parser.set_defaults(main=main)
    parser.add_argument("files", metavar="FILE", nargs="+", type=wiring.existing_file)
    parser.add_argument(
        "--kind", choices=["query", "example"], help="default: what the first row is"
    )


def main(args: argparse.Namespace) -> int:
    bad = 0
    for path in args.files:
        bad += _checked(path, args.kind)
    return 1 if bad else 0


def _checked(path: Path, kind: str | None) -> int:
    from codeloop.dataset.records import Example, Malformed, Query, kind_of, read

    good = bad = 0
    queries = kind == "query" if kind else kind_of(path) is Query
    for row in read(Query, path) if queries else read(Example, path):
        if isinstance(row, Malformed):
            bad += 1
            print(f"codeloop: {row.where}: {row.why}", file=sys.stderr)
        else:
            good += 1
    print(f"{path}: {good} good rows, {bad} malformed")
    return bad
