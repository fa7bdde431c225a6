"""`codeloop train check`: look at what would be trained on, before any weight is loaded."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.cli import benchmarking, wiring
from codeloop.cli.dataset import against
from codeloop.cli.train import seeing, starting

if TYPE_CHECKING:
    from codeloop.train.checking.report import Overlaps, Tokenise
    from codeloop.train.loading import Origin

_EPILOG = """\
Nothing is loaded but the tokenizer. Exit status 1 if something forbids to train; what, and what
helps, is said. Tokenised rows are kept by content, so that a second look takes seconds, and
`codeloop train sft` starts from them.

examples:
  codeloop train check train.yaml
  codeloop train check train.yaml --html check.html --against humaneval+ --engine
"""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "check",
        help="look at what would be trained on",
        description="Look at what would be trained on: lengths, masks, stop tokens, claims, "
        "duplicates; before any weight is loaded.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("config", metavar="FILE", type=wiring.existing_file)
    parser.add_argument("--html", metavar="FILE", type=Path, help="write it all as one page")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--show", metavar="N", type=int, default=1, help="rows to show in colours (default: 1)"
    )
    parser.add_argument(
        "--engine",
        action="store_true",
        help="compare the tokenizer with that of the engine that serves the model (a GGUF file)",
    )
    against.add_option(parser)
    starting.add_online(parser)
    benchmarking.add_options(parser)


def main(args: argparse.Namespace) -> int:
    starting.need_extra()
    from trl import SFTConfig

    from codeloop.train.checking.page import page
    from codeloop.train.checking.report import check
    from codeloop.train.config import passed_on, read_config
    from codeloop.train.loading import load_tokenizer
    from codeloop.train.shaping import cache_folder, shaping

    config = read_config(args.config)
    passed_on(config.trl, SFTConfig, f"{args.config}: trl")
    origin = starting.origin_of(config.model, online=args.online)
    shaped = shaping(config, load_tokenizer(origin))
    with ExitStack() as stack:
        progress = stack.enter_context(_progress())
        report = check(
            config,
            shaped,
            cache_folder(config),
            workers=args.workers,
            engine=stack.enter_context(_engine(origin)) if args.engine else None,
            overlaps=_overlaps(args) if args.against else None,
            previews=max(args.show, 4 if args.html else 0),
            see=progress,
        )
    if args.html:
        from codeloop.core.files import whole_file

        with whole_file(args.html) as file:
            file.write(page(report).encode("utf-8", "replace"))
    if args.json:
        print(json.dumps(seeing.facts(report)))
    else:
        seeing.show(report, rows=args.show)
    return 1 if report.refusals else 0


@contextmanager
def _progress() -> "Iterator[Callable[[int], None]]":
    """Yield what counts rows, and says on a terminal how far it has come."""
    start, done, last = time.monotonic(), 0, 0.0
    live = sys.stderr.isatty()

    def see(rows: int) -> None:
        nonlocal done, last
        done += rows
        now = time.monotonic()
        if live and now - last > 0.25:  # noqa: PLR2004  seconds between two lines
            last = now
            print(f"\r{done:,} rows, {now - start:.0f} s", end="", file=sys.stderr, flush=True)

    yield see
    if live and last:
        print("\r\x1b[K", end="", file=sys.stderr)


@contextmanager
def _engine(origin: "Origin") -> "Iterator[Tokenise]":
    """Yield how the engine that serves a model's file tokenises a text."""
    from codeloop.core.errors import ConfigError
    from codeloop.models.local import LocalModel, LocalSettings

    if origin.gguf is None:
        msg = f"--engine compares with a GGUF file, which {origin.name} is not"
        raise ConfigError(msg)
    model = LocalModel(origin.gguf, settings=LocalSettings(512, threads=1))
    try:
        yield model.tokens
    finally:
        model.close()


def _overlaps(args: argparse.Namespace) -> "Overlaps":
    """Return what names the benchmark problems that a text holds, by words."""
    from codeloop.dataset.decontamination.passages import Passage
    from codeloop.dataset.decontamination.wording import Runs, Wholes, row_tokens, texts_of

    with benchmarking.open_rigs(args) as pool:
        problems = [(each.id, texts_of(each)) for each in against.problems(args, pool)]
    levels: Sequence[Wholes | Runs] = (Wholes(problems), Runs(problems))

    def find(text: str) -> Iterable[tuple[str, str]]:
        tokens = row_tokens(Passage("", "", text, ()))
        for level in levels:
            found = list(level.find(tokens))
            if found:
                return found
        return ()

    return find
