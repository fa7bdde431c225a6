"""The benchmarks that must not be given away: a flag, and what looks for their leaks."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from codeloop.cli import benchmarking

if TYPE_CHECKING:
    from codeloop.core.problem import Problem
    from codeloop.judge.many import RigPool

DEFAULT = ("humaneval+", "mbpp+", "mbpp")


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add `--against`, to a parser that has the options of benchmarking."""
    parser.add_argument(
        "--against",
        metavar="BENCHMARK",
        action="append",
        help=f"as for `codeloop eval`; may be repeated (default: {', '.join(DEFAULT)})",
    )


def problems(args: argparse.Namespace, pool: "RigPool") -> "Iterator[Problem]":
    """Yield the problems of the benchmarks that are named.

    Raises:
        ConfigError: one is not known, or its file is missing.
    """
    from codeloop.evals.benchmarks import benchmark

    for name in args.against or DEFAULT:
        yield from benchmarking.open_prepared(benchmark(name), args, pool).problems()
