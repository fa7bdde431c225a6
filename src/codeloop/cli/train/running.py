"""What the verbs that train share: the flags of a run, its config, and its end."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.cli import benchmarking
from codeloop.cli.train import exporting, starting

if TYPE_CHECKING:
    from codeloop.train.config import TrainConfig
    from codeloop.train.tuning.sft import Trained


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the config and the flags of a run."""
    parser.add_argument("config", metavar="FILE", type=Path, help="YAML: see docs/training.md")
    parser.add_argument("--output", metavar="DIR", help="the folder of the run, not the config's")
    parser.add_argument(
        "--anew", action="store_true", help="take no checkpoint of the folder (default: the last)"
    )
    exporting.add_options(parser)
    starting.add_online(parser)
    benchmarking.add_options(parser)


def read(args: argparse.Namespace) -> "TrainConfig":
    """Return the config that the flags name, with the folder that they name."""
    starting.need_extra()
    from codeloop.train.config import read_config

    config = starting.fit(read_config(args.config))
    return replace(config, output=str(Path(args.output).resolve())) if args.output else config


def finish(args: argparse.Namespace, trained: "Trained") -> int:
    """Export what was trained, and say where it lies."""
    from codeloop.train.loading import load_trained
    from codeloop.train.runs import leads, processes

    if not leads():
        return 0
    run, loaded = trained.run.path, trained.loaded
    if processes() > 1:
        loaded = load_trained(trained.run.facts(), trained.run.model, online=args.online)
    if trained.loss is not None:
        print(f"loss {trained.loss:.4f}", file=sys.stderr)
    exporting.export(run, loaded, args.export or ["served"], check=args.check)
    print(f"{run}: try it with `codeloop chat --model {run}`")
    return 0
