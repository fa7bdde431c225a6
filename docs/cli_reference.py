"""Write reference/cli.md: what `codeloop COMMAND --help` prints, for every command."""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from codeloop.cli import build_parser

PAGE = Path(__file__).parent / "reference" / "cli.md"
HEAD = """\
# Commands

<!-- Written by docs/cli_reference.py: run scripts/fix, do not edit. -->

Every command says `--help`. What it says is repeated here.
"""


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the parser and those of all its commands, in the order of the help."""
    yield parser
    for action in parser._actions:  # noqa: SLF001  argparse has no public way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in dict.fromkeys(action.choices.values()):
                yield from parsers(command)


def page() -> str:
    """Return the page; the width is fixed so that no terminal changes it."""
    os.environ["COLUMNS"] = "100"
    parts = [HEAD]
    for parser in parsers(build_parser()):
        text = "\n".join(line.rstrip() for line in parser.format_help().strip().splitlines())
        parts.append(f"## {parser.prog}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    if sys.version_info >= (3, 13):
        sys.exit(
            "argparse words the help anew from Python 3.13 on: write the page with 3.11 or 3.12"
        )
    PAGE.write_text(page(), encoding="utf-8")
