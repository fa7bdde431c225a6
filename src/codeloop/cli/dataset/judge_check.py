"""`codeloop dataset judge-check`: measure how far a judge's scores of complexity can be trusted."""

import argparse
from pathlib import Path

from codeloop.cli import benchmarking, wiring

_EPILOG = """\
FILE holds queries whose `meta` has a `difficulty`, as `codeloop dataset ingest` writes them from
collections of LeetCode problems. Each is scored by both prompts, score first and reason first.
With --out, a measurement that was stopped goes on where it was.

examples:
  codeloop dataset judge-check queries.jsonl --model qwen2.5-coder-0.5b --per-level 30
  codeloop dataset judge-check queries.jsonl --model m --base-url http://127.0.0.1:8000/v1
"""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "judge-check",
        help="measure a judge of complexity against labels of difficulty",
        description="Measure how a model's scores of complexity agree with labels of difficulty, "
        "for every combination and order, and what they cost. Prints a Markdown table.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("file", metavar="FILE", type=wiring.existing_file)
    parser.add_argument("--model", metavar="NAME", help="as for `codeloop run`")
    parser.add_argument("--base-url", metavar="URL", help="an OpenAI-compatible endpoint")
    parser.add_argument(
        "--levels", metavar="NAMES", default="easy,medium,hard", help="default: easy,medium,hard"
    )
    parser.add_argument(
        "--per-level", metavar="N", type=wiring.positive, default=30, help="default: 30"
    )
    parser.add_argument(
        "--longest",
        metavar="CHARS",
        type=wiring.positive,
        help="draw from queries of at most so many characters",
    )
    parser.add_argument(
        "--order", choices=["score_first", "reason_first"], help="this one alone (default: both)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default: 0)")
    parser.add_argument(
        "--in-flight", metavar="N", type=wiring.positive, default=8, help="calls at once"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="append each rating to it (JSONL)")


def main(args: argparse.Namespace) -> int:
    from codeloop.dataset.records import Query, read
    from codeloop.dataset.scoring import judge_check
    from codeloop.dataset.scoring.complexity import Order

    levels = args.levels.split(",")
    orders = [Order(args.order)] if args.order else list(Order)
    queries = (each for each in read(Query, args.file) if isinstance(each, Query))
    known = judge_check.labelled(queries, levels, longest=args.longest)
    cases = judge_check.draw(known, args.per_level, args.seed)
    before = judge_check.read_noted(args.out) if args.out else []
    if args.out is not None:
        judge_check.write_noted(args.out, before, anew=True)
    with wiring.open_model(args.model, args.base_url, parallel=args.in_flight) as model:
        noted = judge_check.of_cases(before, cases, model.name)
        asked = judge_check.still_to_ask(cases, orders, noted)
        found = judge_check.measure(asked, model, in_flight=args.in_flight)
        for each in benchmarking.followed(found, "ratings:", len(asked)):
            noted.append(each)
            if args.out is not None:
                judge_check.write_noted(args.out, [each])
    print(judge_check.page(judge_check.agreements(noted, in_flight=args.in_flight), levels), end="")
    return 0
