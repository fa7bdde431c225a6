"""`codeloop dataset VERB`: make a dataset of dialogues, and look into one."""

import argparse

from codeloop.cli.dataset import (
    card,
    check,
    decontaminate,
    dedup,
    export,
    ingest,
    judge_check,
    merge,
    mutate,
    run,
    score,
    store,
    verify,
    view,
    ways,
)
from codeloop.cli.dataset.ways import leetcode

_VERBS = (
    *(ingest, dedup, decontaminate, score, judge_check),
    *(ways, leetcode, mutate, verify),
    *(run, merge, store, export, card, view, check),
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "dataset",
        help="make a dataset of dialogues from queries",
        description="Make a dataset of verified dialogues from raw queries (Code-Feedback).",
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for module in _VERBS:
        module.add_parser(verbs)
