"""The command line: parse, wire, print. No logic lives here."""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import metadata

from codeloop.cli import (
    chat,
    convert,
    dataset,
    doctor,
    eval,  # noqa: A004  a command's name
    exec,  # noqa: A004  a command's name
    judge,
    mcp,
    model,
    run,
    sandbox,
    serve,
    train,
)
from codeloop.core.errors import CodeloopError, ConfigError, DataError

EXIT_OK = 0
EXIT_NOT_WELL = 1  # the work ended, but not as asked
EXIT_USAGE = 2  # a flag, a setting or a file is wrong
EXIT_FAILED = 3  # a model or the sandbox failed
EXIT_INTERRUPTED = 130

_EPILOG = """\
examples:
  codeloop run "Compute the first 20 primes and verify each one by trial division"
  codeloop run "Which month was the wettest?" --file weather.csv
  codeloop chat --model qwen2.5-coder-1.5b
  codeloop exec script.py --memory-mb 256 --json
  codeloop doctor
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="codeloop",
        description="An open code interpreter: a model writes code, a jail runs it, "
        "the answer is refined until it works.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (
        run,
        chat,
        serve,
        exec,
        judge,
        eval,
        dataset,
        train,
        convert,
        mcp,
        model,
        sandbox,
        doctor,
    ):
        module.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; errors of ours become one line on stderr."""
    warnings.filterwarnings("ignore", module="<unknown>")  # of models' code, which we only parse
    try:
        args = build_parser().parse_args(argv)
        status: int = args.main(args)
        sys.stdout.flush()
    except CodeloopError as error:
        print(f"codeloop: {error}", file=sys.stderr)
        return EXIT_USAGE if isinstance(error, (ConfigError, DataError)) else EXIT_FAILED
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has gone; keep the interpreter from flushing into nothing
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_NOT_WELL
    return status


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"codeloop {metadata.version('codeloop')}")
        parser.exit()
