"""`codeloop train VERB`: make a model better at its dialogues, and see whether it is."""

import argparse

from codeloop.cli.train import check, estimate, export, grpo, preference, sft

_VERBS = (check, estimate, sft, preference, grpo, export)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "train",
        help="train a model on dialogues",
        description="Train a model on dialogues with execution feedback, and export it.",
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for module in _VERBS:
        module.add_parser(verbs)
