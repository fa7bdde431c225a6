"""`codeloop dataset leetcode`: related exercises, or solutions of one that differ, as dialogues."""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.cli import benchmarking, wiring
from codeloop.cli.dataset import ingest
from codeloop.core.errors import ModelError

if TYPE_CHECKING:
    from codeloop.core.protocols import Model
    from codeloop.dataset.failure import Failure
    from codeloop.dataset.records import Example, Exercise
    from codeloop.dataset.ways.leetcode import ExerciseSettings

_EPILOG = """\
SOURCE is as for `codeloop dataset ingest`. The code is that of the exercises, byte for byte; the
model writes the words before it, and a reply that holds code is cut there. Replies are kept beside
FILE, in FILE.calls.jsonl: started again, the same command asks for those that are missing.

examples:
  codeloop dataset leetcode leetcode-solutions --way similar --limit 50 --out similar.jsonl
  codeloop dataset leetcode leetcode-solutions --way follow-up --limit 50 --out follow-up.jsonl
"""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "leetcode",
        help="related exercises, or several solutions of one",
        description="Make dialogues of exercises: related ones after each other, or solutions of "
        "one that differ in complexity or language.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main, name=None, licence="", language="")
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True)
    parser.add_argument("--way", choices=["similar", "follow-up"], required=True)
    parser.add_argument("--form", metavar="FORM", help="as for `codeloop dataset ingest`")
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        default=os.environ.get("CODELOOP_DATA"),
        help="likewise",
    )
    parser.add_argument("--turns", metavar="N", type=wiring.positive, default=3, help="at most")
    parser.add_argument("--limit", type=wiring.positive, metavar="N", help="dialogues at most")
    parser.add_argument(
        "--longest",
        metavar="CHARS",
        type=wiring.positive,
        help="take exercises whose statement has at most so many characters",
    )
    parser.add_argument("--model", metavar="NAME", help="as for `codeloop run`")
    parser.add_argument("--base-url", metavar="URL", help="an OpenAI-compatible endpoint")
    parser.add_argument(
        "--in-flight", metavar="N", type=wiring.positive, default=4, help="dialogues at once"
    )


def main(args: argparse.Namespace) -> int:
    from concurrent.futures import ThreadPoolExecutor
    from itertools import islice

    from codeloop.dataset.records import Example, Exercise, write
    from codeloop.dataset.sources.ingest import read_source
    from codeloop.dataset.ways.leetcode import ExerciseSettings, different, related
    from codeloop.models.wrapping import KeepingModel

    settings = ExerciseSettings(turns=args.turns)
    records = read_source(ingest.source(args.source, args))
    exercises = [each for each in records if isinstance(each, Exercise)]
    if args.longest is not None:
        exercises = [each for each in exercises if len(each.statement) <= args.longest]
    if args.way == "similar":
        found = related(exercises, settings)
    else:
        found = ((each,) for each in exercises if len(different(each, args.turns)) > 1)
    groups = list(islice(found, args.limit))
    with (
        wiring.open_model(args.model, args.base_url, parallel=args.in_flight) as opened,
        ThreadPoolExecutor(args.in_flight) as threads,
    ):
        model = KeepingModel(opened, args.out.with_name(f"{args.out.name}.calls.jsonl"))
        made = threads.map(lambda group: _made(group, args.way, model, settings), groups)
        rows = list(benchmarking.followed(made, "dialogues:", len(groups)))
    examples = [each for each in rows if isinstance(each, Example)]
    write(args.out, examples)
    failed = Counter(each.kind.value for each in rows if not isinstance(each, Example))
    told = "".join(f", {count} {kind}" for kind, count in sorted(failed.items()))
    print(f"{len(groups)} groups: {len(examples)} dialogues{told}", file=sys.stderr)
    return 0


def _made(
    group: "tuple[Exercise, ...]", way: str, model: "Model", settings: "ExerciseSettings"
) -> "Example | Failure":
    from codeloop.dataset.failure import of_model
    from codeloop.dataset.ways.leetcode import follow_up, similar

    try:
        if way == "similar":
            return similar(group, model, settings)
        return follow_up(group[0], model, settings)
    except ModelError as error:
        return of_model(error)
