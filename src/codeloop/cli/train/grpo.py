"""`codeloop train grpo`: train a model by what its solutions are worth, as the judge finds."""

import argparse
from typing import TYPE_CHECKING

from codeloop.cli import benchmarking
from codeloop.cli.train import running, starting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeloop.judge.many import RigPool
    from codeloop.train.config import TrainConfig
    from codeloop.train.tuning.playing import Task

_EPILOG = """\
A `path` of `data` names problems: a file of one's own, or a name of `codeloop eval list`. Visible
tests are what the model is told of; all tests are what it is rewarded for: 1 if the first turn
solves the problem, 0.7 if a later one does. `trl` takes the keys of TRL's GRPOConfig.

example:
  codeloop train grpo grpo.yaml --turns 2
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "grpo",
        help="train a model by what its solutions are worth",
        description="Train a model by reinforcement: the loop rolls out, the judge rewards.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("--turns", type=int, default=2, help="of a dialogue (default: 2)")
    parser.add_argument(
        "--context", type=int, default=2048, help="tokens of a dialogue (default: 2048)"
    )
    running.add_options(parser)


def main(args: argparse.Namespace) -> int:
    config = running.read(args)
    from codeloop.evals.run import NoSession
    from codeloop.train.tuning.grpo import grpo
    from codeloop.train.tuning.rollouts import RolloutSettings

    origin = starting.origin_of(config.model, online=args.online)
    settings = RolloutSettings(args.turns, args.context)
    with benchmarking.open_rigs(args) as pool:
        tasks = list(_tasks(args, config, pool))
        trained = grpo(
            config, origin, tasks, pool, NoSession(), settings=settings, resume=not args.anew
        )
    return running.finish(args, trained)


def _tasks(args: argparse.Namespace, config: "TrainConfig", pool: "RigPool") -> "Iterator[Task]":
    from codeloop.evals.benchmarks import benchmark
    from codeloop.evals.run import opening
    from codeloop.train.config import Split
    from codeloop.train.tuning.playing import Task

    for data in config.of(Split.TRAIN):
        path = config.file(data.path)
        chosen = benchmark(str(path) if path.is_file() else data.path)
        prepared = benchmarking.open_prepared(chosen, args, pool)
        for name in prepared.ids:
            problem = prepared.problem(name)
            yield Task(problem, opening(problem, chosen))
