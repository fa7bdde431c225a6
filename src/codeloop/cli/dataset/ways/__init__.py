"""`codeloop dataset pack`, `simulate`, `correct`: one way by itself, as a run of one stage."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloop.cli import wiring
from codeloop.cli.dataset import run

if TYPE_CHECKING:
    from codeloop.dataset.config import Config

_DIR = """\
DIR is that of `codeloop dataset run`: made.jsonl holds the dialogues, left.jsonl and failed.jsonl
the queries that became none, each with its reason. Start it again and it goes on where it was.

example:
"""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    packing = _verb(
        verbs,
        "pack",
        "put similar queries together",
        "Put 2 or 3 similar queries with their answers into one dialogue: nearest neighbours by "
        "their words, none used twice.",
        "codeloop dataset pack queries.jsonl --out packed --min-similarity 0.3 --same-language",
    )
    packing.add_argument("--neighbours", metavar="K", type=wiring.positive, default=4)
    packing.add_argument("--seed", type=int, default=0, help="of the choice among neighbours")
    packing.add_argument(
        "--min-similarity", metavar="C", type=float, default=-1.0, help="cosine (default: any)"
    )
    packing.add_argument("--same-language", action="store_true", help="of all in a dialogue")
    simulation = _verb(
        verbs,
        "simulate",
        "a writer, real runs, a fixer, a simulated user",
        "Make dialogues of queries: a writer answers, its code runs, a fixer mends it, a simulated "
        "user is content or asks for more.",
        "codeloop dataset simulate queries.jsonl --out simulated --writer qwen2.5-coder-0.5b "
        "--fixer qwen2.5-coder-1.5b",
    )
    simulation.add_argument("--asks", metavar="N", type=int, default=1, help="of the user at most")
    simulation.add_argument(
        "--explain", action="store_true", help="show the fixer the output of what ran well, too"
    )
    _add_models(simulation, ("writer", "fixer", "user"))
    correction = _verb(
        verbs,
        "correct",
        "a program with a wanted error, and its repair",
        "Make dialogues of queries: a program with a wanted error, which its run shows, and its "
        "repair.",
        "codeloop dataset correct queries.jsonl --out corrected --wanted type",
    )
    correction.add_argument(
        "--wanted",
        choices=["syntax", "logic", "type", "name", "endless"],
        help="the error (default: drawn for each query)",
    )
    _add_models(correction, ("writer", "fixer"))


def main(args: argparse.Namespace) -> int:
    return run.take(config(args), args.out, limit=args.limit)


def config(args: argparse.Namespace) -> "Config":
    """Return the config of a run of the one stage that the flags ask for."""
    from codeloop.dataset.config import (
        Config,
        InputSettings,
        ModelSettings,
        RunSettings,
        SandboxSettings,
        StageSettings,
    )
    from codeloop.dataset.ways.kinds import KINDS

    kind = next(each for each in KINDS if each.name == args.verb)
    models = {}
    for role in args.roles:
        name = getattr(args, role) or args.writer
        models[role] = ModelSettings(
            name or "", args.base_url, max_tokens=args.max_tokens, in_flight=args.in_flight
        )
    return Config(
        args.file,
        RunSettings(in_flight=args.in_flight if args.roles else 64),
        (InputSettings(str(args.file.resolve())),),
        models,
        SandboxSettings() if args.roles else None,
        (StageSettings(kind, kind.settings(**_settings(args))),),
    )


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    from codeloop.dataset.ways.correction import Wanted

    match args.verb:
        case "pack":
            names: tuple[str, ...] = ("neighbours", "seed", "min_similarity", "same_language")
        case "simulate":
            names = ("fixes", "asks", "explain")
        case _:
            return {"fixes": args.fixes, "wanted": Wanted(args.wanted) if args.wanted else None}
    return {name: getattr(args, name) for name in names}


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    about: str,
    description: str,
    example: str,
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(
        name,
        help=about,
        description=description,
        epilog=f"{_DIR}  {example}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main, verb=name, roles=(), writer=None, base_url=None)
    parser.set_defaults(max_tokens=None, in_flight=None)
    parser.add_argument("file", metavar="FILE", type=wiring.existing_file, help="queries (JSONL)")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True)
    parser.add_argument("--limit", type=wiring.positive, metavar="N", help="the first N rows alone")
    return parser


def _add_models(parser: argparse.ArgumentParser, roles: tuple[str, ...]) -> None:
    parser.set_defaults(roles=roles)
    for role in roles:
        default = "the catalogue's default" if role == "writer" else "that of --writer"
        parser.add_argument(f"--{role}", metavar="NAME", help=f"a model (default: {default})")
    parser.add_argument("--base-url", metavar="URL", help="an OpenAI-compatible endpoint of all")
    parser.add_argument("--max-tokens", metavar="N", type=wiring.positive, default=1024)
    parser.add_argument(
        "--in-flight", metavar="N", type=wiring.positive, default=4, help="dialogues at once"
    )
    parser.add_argument(
        "--fixes", metavar="N", type=wiring.positive, default=3, help="turns of the fixer at most"
    )
