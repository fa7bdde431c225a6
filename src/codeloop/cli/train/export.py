"""`codeloop train export RUN`: give a run on, as files that say what was trained."""

import argparse
from pathlib import Path

from codeloop.cli.train import exporting, starting


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "export",
        help="write what a run trained as GGUF files or merged safetensors",
        description="Write what a run trained in other forms. Each is compared with the trained "
        "model by the serving engine before it is called done.",
    )
    parser.set_defaults(main=main)
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of a run")
    exporting.add_options(parser)
    starting.add_online(parser)


def main(args: argparse.Namespace) -> int:
    starting.need_extra()
    from codeloop.train.loading import load_trained
    from codeloop.train.runs import RunFolder

    run = RunFolder(args.run)
    loaded = load_trained(run.facts(), run.model, online=args.online)
    exporting.export(run.path, loaded, args.export or ["served"], check=args.check)
    return 0
