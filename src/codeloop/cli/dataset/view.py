"""`codeloop dataset view`: a page with search over examples, which needs no server."""

import argparse
from pathlib import Path

from codeloop.cli import wiring
from codeloop.cli.dataset.rows import GoodRows, examples


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "view",
        help="make a page with search over examples",
        description="Make a folder with a page that searches and shows examples. It needs no "
        "server and no network: open its index.html.",
    )
    parser.set_defaults(main=main)
    parser.add_argument("examples", metavar="FILE", nargs="+", type=wiring.existing_file)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True)
    parser.add_argument("--title", default="Dialogues")


def main(args: argparse.Namespace) -> int:
    from codeloop.publishing.viewer import write_viewer

    good = GoodRows()
    count = write_viewer(args.out, args.title, examples(args.examples, good))
    print(f"{args.out / 'index.html'}: {count} dialogues")
    return 1 if good.malformed else 0
