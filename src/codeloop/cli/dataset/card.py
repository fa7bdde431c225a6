"""`codeloop dataset card`: a folder to publish, with data card, Parquet and plots."""

import argparse
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloop.cli import wiring
from codeloop.cli.dataset.rows import GoodRows, again_examples, examples

if TYPE_CHECKING:
    from codeloop.publishing.card import Reports

_EPILOG = """\
DIR becomes what the Hugging Face hub takes: README.md (the data card, with its YAML head),
data/train.parquet, and plots/ (SVG). All numbers are counted from the files that are named.

example:
  codeloop dataset card main.jsonl --rest rest.jsonl --mutation mutation.jsonl.report.json \\
      --name "Planted bugs" --out published
"""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "card",
        help="make a folder to publish: data card, Parquet, plots",
        description="Make a folder to publish: data card, Parquet, plots.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("examples", metavar="FILE", nargs="+", type=wiring.existing_file)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True)
    parser.add_argument("--name", default="Dialogues with execution feedback")
    parser.add_argument(
        "--rest", metavar="FILE", type=wiring.existing_file, help="what was dropped"
    )
    for name in ("funnel", "mutation", "contamination", "cost"):
        help_ = f"the run's report as JSON: {name}"
        parser.add_argument(f"--{name}", metavar="FILE", type=wiring.existing_file, help=help_)
    parser.add_argument("--rows", type=wiring.positive, default=2, help="shown on the card")
    parser.add_argument("--no-data", action="store_true", help="write the card and plots alone")


def main(args: argparse.Namespace) -> int:
    from codeloop.publishing.card import card
    from codeloop.publishing.facts import count
    from codeloop.publishing.folder import write_parquet, write_text
    from codeloop.publishing.forms import as_messages
    from codeloop.publishing.plots import write_plots

    reports, good = _reports(args), GoodRows()
    dropped = examples([args.rest] if args.rest else [], good)
    facts = count(examples(args.examples, good), dropped)
    shown = list(islice(again_examples(args.examples), args.rows))
    write_text(args.out / "README.md", card(args.name, facts, shown, reports))
    plots = write_plots(args.out / "plots", facts, reports)
    if not args.no_data:
        rows = (as_messages(example) for example in again_examples(args.examples))
        write_parquet(args.out / "data" / "train.parquet", rows)
    print(f"{args.out}: {facts.samples} dialogues, {len(plots)} plots")
    return 1 if good.malformed else 0


def _reports(args: argparse.Namespace) -> "Reports":
    from codeloop.publishing.card import Reports, read_report

    found: dict[str, dict[str, Any]] = {}
    for name in ("funnel", "mutation", "contamination", "cost"):
        path = getattr(args, name)
        if path is not None:
            found[name] = read_report(path.read_text(encoding="utf-8"), str(path))
    return Reports(**found)
