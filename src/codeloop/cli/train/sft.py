"""`codeloop train sft`: fine-tune a model on dialogues, from where it was stopped."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.cli import benchmarking
from codeloop.cli.train import exporting, starting

if TYPE_CHECKING:
    from codeloop.train.tuning.sft import Trained

_EPILOG = """\
The folder of the run holds config.yaml (all that was resolved), run.json, log.jsonl (a row each
time figures are logged: loss, and loss_code, loss_repair, loss_prose), tensorboard/, checkpoints/,
model/ (weights and tokenizer at the end), and what `codeloop chat --model FOLDER` serves.
Started again, a run goes on from its last whole checkpoint.

examples:
  codeloop train sft train.yaml
  accelerate launch --config_file fsdp2.yaml -m codeloop train sft train.yaml
  codeloop chat --model run
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "sft",
        help="fine-tune a model on dialogues",
        description="Fine-tune a model on dialogues as a config says; goes on where it stopped.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("config", metavar="FILE", type=Path, help="YAML: see docs/training.md")
    parser.add_argument("--output", metavar="DIR", help="the folder of the run, not the config's")
    parser.add_argument(
        "--anew", action="store_true", help="take no checkpoint of the folder (default: the last)"
    )
    exporting.add_options(parser)
    starting.add_online(parser)
    benchmarking.add_options(parser)


def main(args: argparse.Namespace) -> int:
    starting.need_extra()
    from dataclasses import replace

    from codeloop.train.config import read_config
    from codeloop.train.tuning.sft import sft
    from codeloop.train.tuning.solving import held_out

    config = read_config(args.config)
    if args.output:
        config = replace(config, output=str(Path(args.output).resolve()))
    held = held_out(config)
    origin = starting.origin_of(config.model, online=args.online)
    with starting.open_solve(args, held) as solve:
        every = held.every if held is not None else 0
        trained = sft(config, origin, solve=solve, every=every, resume=not args.anew)
    return _finish(args, trained)


def _finish(args: argparse.Namespace, trained: "Trained") -> int:
    """Export what was trained, and say where it lies."""
    run = trained.run.path
    if trained.loss is not None:
        print(f"loss {trained.loss:.4f}", file=sys.stderr)
    exporting.export(run, trained.loaded, args.export or ["served"], check=args.check)
    print(f"{run}: try it with `codeloop chat --model {run}`")
    return 0
