"""`codeloop dataset merge`: put the shards of a run together."""

import argparse
from pathlib import Path


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "merge",
        help="put the shards of a run together",
        description="Merge the folders that `codeloop dataset run --shard` has made, in the order "
        "of the input.",
    )
    parser.set_defaults(main=main)
    parser.add_argument("shards", metavar="DIR", nargs="+", type=Path, help="shard-I-of-N folders")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True)


def main(args: argparse.Namespace) -> int:
    from codeloop.dataset.outputs import merge

    merge(args.shards, args.out)
    print(f"{args.out}: merged {len(args.shards)} shards")
    return 0
