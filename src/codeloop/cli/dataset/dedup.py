"""`codeloop dataset dedup`: keep one of the queries that say the same."""

import argparse
from collections import Counter
from pathlib import Path

from codeloop.cli import wiring
from codeloop.cli.dataset.rows import GoodRows, again


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "dedup",
        help="keep one of the queries that say the same",
        description="Keep one of the queries that say the same: the one with the longest answer. "
        "Same is: but for letter case and white space; or by most of their shingles of words; or, "
        "if vectors are given, by these.",
    )
    parser.set_defaults(main=main)
    parser.add_argument("file", metavar="FILE", type=wiring.existing_file, help="queries")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True)
    parser.add_argument(
        "--clusters",
        metavar="FILE",
        type=Path,
        help="where to write which row stands for which, and why (default: OUT.clusters.jsonl)",
    )
    parser.add_argument(
        "--similarity", type=float, default=0.7, help="Jaccard, of shingles (default: 0.7)"
    )
    parser.add_argument(
        "--words", type=wiring.positive, default=5, help="of a shingle (default: 5)"
    )
    parser.add_argument(
        "--vectors", metavar="FILE", type=Path, help="an .npy file: a vector for each row"
    )
    parser.add_argument("--cosine", type=float, default=0.95, help="of vectors (default: 0.95)")


def main(args: argparse.Namespace) -> int:
    from codeloop.dataset.deduplication.clusters import (
        Likeness,
        cluster,
        load_vectors,
        write_clusters,
    )
    from codeloop.dataset.records import Query, read, write

    likeness = Likeness(words=args.words, similarity=args.similarity, cosine=args.cosine)
    vectors = load_vectors(args.vectors) if args.vectors else None
    rows = GoodRows()
    found = cluster(rows.of(read(Query, args.file)), likeness=likeness, vectors=vectors)
    kept = write(args.out, found.kept(again(Query, args.file)))
    table = args.clusters or args.out.with_name(f"{args.out.name}.clusters.jsonl")
    write_clusters(table, found, again(Query, args.file))
    why = Counter(str(each.why) for each in found.members)
    print(f"{kept} of {found.rows} rows kept; not: {dict(sorted(why.items()))}; {table}")
    return 1 if rows.malformed else 0
