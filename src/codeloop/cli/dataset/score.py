"""`codeloop dataset score`: score how complex queries are, and keep those that are enough so."""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from codeloop.cli import benchmarking, wiring

_EPILOG = """\
A query that got no score is a failure, never a pass: it is in neither file, and its class is
counted. `expected` needs log probabilities; without them a query fails with `no_logprobs`.

example:
  codeloop dataset score queries.jsonl --model qwen2.5-coder-0.5b --out kept.jsonl
"""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "score",
        help="score how complex queries are",
        description="A model scores each query from 1 to 5, by two differently worded prompts.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("file", metavar="FILE", type=wiring.existing_file, help="queries (JSONL)")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="those to keep")
    parser.add_argument("--scores", metavar="FILE", type=Path, help="all scores (JSONL)")
    parser.add_argument("--model", metavar="NAME", help="as for `codeloop run`")
    parser.add_argument("--base-url", metavar="URL", help="an OpenAI-compatible endpoint")
    parser.add_argument(
        "--combination", choices=["mean", "both", "expected"], default="mean", help="default: mean"
    )
    parser.add_argument(
        "--order",
        choices=["score_first", "reason_first"],
        default="score_first",
        help="default: score_first",
    )
    parser.add_argument(
        "--keep-from", metavar="N", type=float, default=4.0, help="the lowest score (default: 4)"
    )
    parser.add_argument(
        "--in-flight", metavar="N", type=wiring.positive, default=8, help="queries at once"
    )


def main(args: argparse.Namespace) -> int:
    from concurrent.futures import ThreadPoolExecutor

    from codeloop.core.records import to_json
    from codeloop.dataset.records import Query, read, write
    from codeloop.dataset.scoring.complexity import Combination, Complexity, Order, score

    queries = [each for each in read(Query, args.file) if isinstance(each, Query)]
    with (
        wiring.open_model(args.model, args.base_url, parallel=args.in_flight) as model,
        ThreadPoolExecutor(args.in_flight) as threads,
    ):

        def scored(query: Query) -> Complexity:
            return score(
                query.query,
                model,
                combination=Combination(args.combination),
                order=Order(args.order),
                keep_from=args.keep_from,
            )

        found = threads.map(scored, queries)
        scores = list(benchmarking.followed(found, "scored:", len(queries)))
    kept = [
        query for query, each in zip(queries, scores, strict=True) if each.passes(args.keep_from)
    ]
    write(args.out, kept)
    if args.scores is not None:
        rows = zip(queries, scores, strict=True)
        lines = [json.dumps({"id": query.id, **to_json(each)}) for query, each in rows]
        args.scores.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    failed = Counter(each.failure.kind.value for each in scores if each.failure)
    told = "".join(f", {count} {kind}" for kind, count in sorted(failed.items()))
    print(f"{len(queries)} queries: {len(kept)} kept{told}", file=sys.stderr)
    return 0
