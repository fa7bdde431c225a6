"""`codeloop dataset run`: make a dataset as a config says, from where it was stopped."""

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from codeloop.cli.dataset.progress import Ticker
from codeloop.core.errors import BudgetSpentError, ConfigError

if TYPE_CHECKING:
    from codeloop.cli.dataset.making import Making
    from codeloop.dataset.budget import Budget
    from codeloop.dataset.config import Config
    from codeloop.dataset.pipeline import Pipeline, Shard

_EPILOG = """\
DIR gets made.jsonl (the records), left.jsonl and failed.jsonl (the rows that are not in it, each
with its stage and reason), funnel.json (how many there were), and store.db: every reply, run and
row by its content. Kill it anywhere and start it again: nothing is bought twice, and the files
come out the same.

exit status:
  0  done        1  done, and rows failed; or the budget was spent before the end
  2  the config, a flag or a file is wrong        130  interrupted
  3  the model or the sandbox failed row after row

examples:
  codeloop dataset run build.toml --out build --dry-run
  codeloop dataset run build.toml --out build --budget 2Mtokens
  codeloop dataset run build.toml --out build --retry parse --retry refused
  codeloop dataset run build.toml --out build --shard 1/4
"""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "run",
        help="make a dataset as a config says",
        description="Take the rows of a config through its stages; go on where it was stopped.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("config", metavar="CONFIG", type=Path, help="a TOML file")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True)
    parser.add_argument("--limit", type=int, metavar="N", help="the first N rows alone")
    parser.add_argument(
        "--shard", metavar="I/N", default="1/1", help="part I of N, for `codeloop dataset merge`"
    )
    parser.add_argument(
        "--budget", metavar="B", help="money by the config's prices (3.50), or 2Mtokens"
    )
    parser.add_argument(
        "--retry",
        metavar="CLASS",
        action="append",
        default=[],
        choices=["refused", "empty", "parse", "length"],
        help="try rows again that failed so in a former run (http, model, sandbox always are)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what is to do and may cost; ask no model"
    )


def main(args: argparse.Namespace) -> int:
    from codeloop.dataset.budget import Budget, parse_budget
    from codeloop.dataset.config import read_config
    from codeloop.dataset.kinds import KINDS

    return take(
        read_config(args.config, KINDS),
        args.out,
        limit=args.limit,
        shard=_shard(args.shard),
        budget=parse_budget(args.budget) if args.budget else Budget(),
        again=tuple(args.retry),
        dry_run=args.dry_run,
    )


def take(  # noqa: PLR0913  the flags of the verb
    config: "Config",
    out: Path,
    *,
    limit: int | None = None,
    shard: "Shard | None" = None,
    budget: "Budget | None" = None,
    again: tuple[str, ...] = (),
    dry_run: bool = False,
) -> int:
    """Take the rows of a config through its stages, into a folder; return the exit status."""
    from codeloop.cli.dataset.making import open_making
    from codeloop.dataset.budget import Budget
    from codeloop.dataset.pipeline import Pipeline, Shard

    shard = shard or Shard(1, 1)
    with ExitStack() as stack:
        making = open_making(config, out, stack, budget=budget or Budget(), again=again)
        if dry_run:
            return _estimate(making, limit, shard)
        pipeline = Pipeline(making.stages, making.shop, in_flight=config.run.in_flight)
        folder = out if shard.of == 1 else out / f"shard-{shard.index}-of-{shard.of}"
        try:
            with (
                _stopped_by_interrupt(making),
                Ticker(pipeline, making.surroundings.purse, making.throttles),
            ):
                pipeline.run(making.rows(limit), folder, shard=shard)
        except BudgetSpentError as error:
            print(f"codeloop: {error}; what was done is in the store", file=sys.stderr)
            return 1
        print(_table(pipeline), end="")
        purse = making.surroundings.purse
        print(f"{folder}: made.jsonl, left.jsonl, failed.jsonl, funnel.json")
        print(f"spent so far: {purse.tokens} tokens, {purse.money:.4f} by the config's prices")
    return 1 if any(tally.failed for tally in pipeline.funnel) else 0


@contextmanager
def _stopped_by_interrupt(making: "Making") -> Iterator[None]:
    """Let ^C end the run once the calls in flight are in the store; a second one ends it now.

    Nothing is tidied up then, as if the process had been killed: the threads that wait for a model
    would have to be waited for, and the store is whole at any moment.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        os._exit(128 + signal.SIGINT)

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, end)
        making.surroundings.purse.stop()
        print("codeloop: ends with the calls in flight; ^C ends it now", file=sys.stderr)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _shard(text: str) -> "Shard":
    from codeloop.dataset.pipeline import Shard

    index, slash, of = text.partition("/")
    if not (slash and index.isdigit() and of.isdigit() and 1 <= int(index) <= int(of)):
        msg = f"--shard {text}: it looks like 1/4"
        raise ConfigError(msg)
    return Shard(int(index), int(of))


def _table(pipeline: "Pipeline") -> str:
    lines = [f"{pipeline.read} rows read, {pipeline.malformed} malformed"]
    for tally in pipeline.funnel:
        lines.append(f"{tally.name}: {tally.taken} rows, {tally.made} made")
        lines += [f"    left, {why}: {count}" for why, count in sorted(tally.left.items())]
        lines += [f"    failed, {why}: {count}" for why, count in sorted(tally.failed.items())]
    return "\n".join(lines) + "\n"


def _estimate(making: "Making", limit: int | None, shard: "Shard") -> int:
    from codeloop.dataset.estimate import estimate

    rows = (row for place, row in enumerate(making.rows(limit)) if shard.takes(place))
    for line in estimate(making.stages, making.shop, making.surroundings, rows):
        print(line)
    return 0
