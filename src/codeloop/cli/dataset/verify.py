"""`codeloop dataset verify`: run all that examples quote again, and keep what was obtained."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.cli import benchmarking, wiring

if TYPE_CHECKING:
    from codeloop.cli.dataset.sandboxes import Ground
    from codeloop.core.problem import Problem, Verdict
    from codeloop.dataset.records import Example
    from codeloop.dataset.verification import Means

_WALL_S = 40.0  # of a run: more than where dialogues are made, since the machine may be busy

_EPILOG = """\
Each run and each verdict that an example quotes is obtained again, in new sessions of two
sandboxes. An example is kept if it comes out the same each time, and its last code ends well and
passes its problem's tests. The rest is written apart, with the reason.

exit status 1 if a row is malformed.
"""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "verify",
        help="run all that examples quote again",
        description="Run all that examples quote again, and keep those that hold.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("examples", metavar="FILE", type=wiring.existing_file)
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="what is kept")
    parser.add_argument("--rest", metavar="FILE", type=Path, help="what is not, with the reason")
    parser.add_argument("--times", type=wiring.positive, default=2, help="default: 2")
    benchmarking.add_options(parser)


def main(args: argparse.Namespace) -> int:
    from codeloop.cli.dataset.sandboxes import open_ground
    from codeloop.dataset.records import VerifiedStatus, write
    from codeloop.dataset.verification import verify_examples

    malformed: list[str] = []
    reasons: Counter[str] = Counter()
    dropped: list[Example] = []

    def kept(examples: "Iterator[Example]") -> "Iterator[Example]":
        for example in examples:
            if example.verified is None:
                continue
            reasons[example.verified.reason.value] += 1
            if example.verified.status is VerifiedStatus.KEPT:
                yield example
            else:
                dropped.append(example)

    problems, total = _problems(args)
    with open_ground(args, sandboxes=2) as ground:
        given = _examples(args.examples, malformed)
        means = _means(ground, problems)
        done = verify_examples(given, means, times=args.times, threads=args.workers)
        count = write(args.out, kept(benchmarking.followed(done, "verified", total)))
    if args.rest is not None:
        write(args.rest, dropped)
    for name, number in sorted(reasons.items()):
        print(f"{number:7} {name}")
    print(f"{args.out}: {count} of {sum(reasons.values())} kept")
    for line in malformed:
        print(f"codeloop: {line}", file=sys.stderr)
    return 1 if malformed else 0


def _examples(path: Path, malformed: list[str]) -> "Iterator[Example]":
    from codeloop.dataset.records import Example, Malformed, read

    for row in read(Example, path):
        if isinstance(row, Malformed):
            malformed.append(f"{row.where}: {row.why}")
        else:
            yield row


def _problems(args: argparse.Namespace) -> "tuple[dict[str, Problem], int]":
    """Return the problems at hand, none if no example names one, and the number of examples."""
    from codeloop.cli.dataset.mutate import read_tasks
    from codeloop.dataset.mutation.tasks import Task

    named = [bool(each.problem_id) for each in _examples(args.examples, [])]
    if not any(named):
        return {}, len(named)
    tasks = read_tasks(benchmarking.data_folder(args.data))
    return {each.problem.id: each.problem for each in tasks if isinstance(each, Task)}, len(named)


def _means(ground: "Ground", problems: "Mapping[str, Problem]") -> "Means":
    from codeloop.dataset.config import SandboxSettings
    from codeloop.dataset.mutation.trying import RUN_LIMITS
    from codeloop.dataset.records import Way
    from codeloop.dataset.verification import Means

    own = replace(SandboxSettings().limits, wall_s=_WALL_S)
    return Means(
        ground.openers,
        partial(_judged, ground),
        problems.get,
        lambda way: RUN_LIMITS if way is Way.MUTATION else own,
    )


def _judged(ground: "Ground", problem: "Problem", code: str, shown: bool) -> "Verdict":
    from codeloop.judge.judging import judge

    tests = problem.visible if shown else None
    with ground.rigs.lend() as rig:  # others beside it: processor time decides
        return judge(problem, code, rig, tests=tests)
