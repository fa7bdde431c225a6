"""`codeloop dataset export`: write examples in a form that others read."""

import argparse
from pathlib import Path

from codeloop.cli import wiring
from codeloop.cli.dataset.rows import GoodRows, examples

_EPILOG = """\
forms:
  messages   system, user, assistant and execution, with where the example came from
  paper      `id` and `messages` of user and assistant alone, as Code-Feedback has them
  sharegpt   turns of human and gpt
  pairs      a failed reply and the repaired one, for one prompt (prompt, chosen, rejected)

An --out that ends in .parquet is written as Parquet.

examples:
  codeloop dataset export main.jsonl --out messages.jsonl
  codeloop dataset export main.jsonl --form pairs --out pairs.parquet
"""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "export",
        help="write examples in a form that others read",
        description="Write examples in a form that others read.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("examples", metavar="FILE", nargs="+", type=wiring.existing_file)
    parser.add_argument(
        "--form", choices=["messages", "paper", "sharegpt", "pairs"], default="messages"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, required=True)


def main(args: argparse.Namespace) -> int:
    from codeloop.publishing.folder import write_lines, write_parquet
    from codeloop.publishing.forms import Form, rows

    form, good = Form(args.form), GoodRows()
    made = (row for example in examples(args.examples, good) for row in rows(example, form))
    write = write_parquet if args.out.suffix == ".parquet" else write_lines
    print(f"{args.out}: {write(args.out, made)} rows")
    return 1 if good.malformed else 0
