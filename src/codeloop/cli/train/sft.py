"""`codeloop train sft`: fine-tune a model on dialogues, from where it was stopped."""

import argparse

from codeloop.cli.train import running, starting

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
    running.add_options(parser)


def main(args: argparse.Namespace) -> int:
    config = running.read(args)
    from codeloop.train.tuning.sft import sft
    from codeloop.train.tuning.solving import held_out

    held = held_out(config)
    origin = starting.origin_of(config.model, online=args.online)
    with starting.open_solve(args, held) as solve:
        every = held.every if held is not None else 0
        trained = sft(config, origin, solve=solve, every=every, resume=not args.anew)
    return running.finish(args, trained)
