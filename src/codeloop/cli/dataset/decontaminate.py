"""`codeloop dataset decontaminate`: drop the rows that give a benchmark away, and say how."""

import argparse
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.cli import benchmarking, wiring
from codeloop.cli.dataset import against
from codeloop.cli.dataset.rows import GoodRows
from codeloop.core.errors import DataError

if TYPE_CHECKING:
    from codeloop.dataset.decontamination.leaks import Leak
    from codeloop.dataset.records import Example, Query

_EPILOG = """\
levels, in their order; a row is looked at until one finds something:
  whole       a problem's words, or its solution, from end to end
  runs        half of the runs of 13 tokens of a problem
  structure   its solution by other names and in another layout
  asked       a model says that the row asks for the same as a problem near to it (--model)
  behaviour   a function of the row passes the problem's tests, in the jail

examples:
  codeloop dataset decontaminate queries.jsonl --out clean.jsonl
  codeloop dataset decontaminate made.jsonl --out clean.jsonl --against own.jsonl
"""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "decontaminate",
        help="drop the rows that give a benchmark away",
        description="Drop the rows that give a benchmark away: by words, by code, and by what "
        "their functions do when they are run.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("file", metavar="FILE", type=wiring.existing_file)
    parser.add_argument("--out", metavar="FILE", type=Path, required=True)
    parser.add_argument(
        "--kind", choices=["query", "example"], help="default: what the first row is"
    )
    against.add_option(parser)
    parser.add_argument(
        "--leaks",
        metavar="FILE",
        type=Path,
        help="where to write the rows that leak, and how (default: OUT.leaks.jsonl)",
    )
    parser.add_argument("--no-run", action="store_true", help="leave the level `behaviour` out")
    parser.add_argument("--thorough", action="store_true", help="look at every level of every row")
    parser.add_argument("--model", metavar="NAME", help="whom to ask (default: nobody)")
    parser.add_argument("--base-url", metavar="URL", help="an OpenAI-compatible endpoint")
    benchmarking.add_options(parser)


def main(args: argparse.Namespace) -> int:
    from codeloop.dataset.decontamination.asking import Asking
    from codeloop.dataset.decontamination.leaks import Decontamination, Report, clean
    from codeloop.dataset.records import Example, Query, kind_of, read, write

    table = args.leaks or args.out.with_name(f"{args.out.name}.leaks.jsonl")
    with ExitStack() as stack:
        pool = stack.enter_context(benchmarking.open_rigs(args))
        problems = list(against.problems(args, pool))
        asking = None
        if args.model:
            asking = Asking(stack.enter_context(wiring.open_model(args.model, args.base_url)))
        wanted = Decontamination(
            problems,
            pool=None if args.no_run else pool,
            asking=asking,
            thorough=args.thorough,
        )
        report, rows = Report(wanted.levels), GoodRows()
        log = stack.enter_context(_log(table))
        made = args.kind == "example" if args.kind else kind_of(args.file) is Example
        if made:
            examples = rows.of(read(Example, args.file))
            write(args.out, clean(examples, wanted, report, log, threads=args.workers))
        else:
            queries = rows.of(read(Query, args.file))
            write(args.out, clean(queries, wanted, report, log, threads=args.workers))
    named = args.against or [*against.DEFAULT]
    facts = report.as_json() | {"problems": len(problems), "against": named}
    print(json.dumps(facts))
    return 1 if rows.malformed else 0


class _Log:
    """Writes each row that leaks, as it is found."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")

    def __call__(self, row: "Query | Example", leaks: "tuple[Leak, ...]") -> None:
        from codeloop.dataset.records import encode

        facts = {"leaks": [asdict(each) for each in leaks], "row": json.loads(encode(row))}
        self._file.write(f"{json.dumps(facts)}\n")

    def close(self) -> None:
        self._file.close()


@contextmanager
def _log(path: Path) -> Iterator[_Log]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        log = _Log(path)
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror})"
        raise DataError(msg) from error
    try:
        yield log
    finally:
        log.close()
