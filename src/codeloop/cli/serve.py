"""`codeloop serve`: the interpreter as a page and an API."""

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.cli import wiring
from codeloop.core.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from codeloop.core.protocols import Model

_EPILOG = """\
examples:
  codeloop serve
  codeloop serve --model qwen2.5-coder-1.5b --port 8500
  codeloop serve --base-url http://localhost:11434/v1 --model qwen2.5-coder:7b
  codeloop serve user add ada

Open the URL that it prints: it holds a token, which logs the browser in. Programs send a token as
`Authorization: Bearer TOKEN`. ^C ends the server; chats are kept, and resumed at the next start.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "serve",
        help="serve the interpreter as a web page and an API",
        description="Serve the interpreter as a web page and an API, to this machine alone.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("--host", default="127.0.0.1", help="address (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8400, help="0 takes a free one (default: 8400)")
    parser.add_argument(
        "--expose",
        action="store_true",
        help="has to be said, with --token-file, if HOST is not this machine alone",
    )
    parser.add_argument(
        "--token-file",
        type=wiring.existing_file,
        metavar="F",
        help="a file with the token of whoever starts it (default: a new one at each start)",
    )
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="a name that browsers may call it by, beside localhost",
    )
    parser.add_argument(
        "--also-model",
        action="append",
        default=[],
        metavar="NAME",
        help="another model to choose in the page, as often as wanted",
    )
    _add_data(parser)
    wiring.add_options(parser)
    parser.set_defaults(explain=True)  # a person reads along, and wants to be told what came out
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    user = actions.add_parser("user", help="users beside the one who starts the server")
    verbs = user.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb, text in (
        ("add", "make a user, and print their token: it is shown this once"),
        ("token", "print a new token for a user"),
        ("remove", "remove a user with all that is theirs"),
        ("list", "list the users"),
    ):
        each = verbs.add_parser(verb, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if verb != "list":
            each.add_argument("user", metavar="NAME")
        _add_data(each)
        each.set_defaults(main=partial(_users, verb))


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="where chats are kept (default: `server` in the data folder)",
    )


def main(args: argparse.Namespace) -> int:
    try:
        from codeloop.server.opening import Lent, PageSettings, open_page, serve
    except ModuleNotFoundError as error:
        msg = f"the page needs {error.name}: pip install 'codeloop[web]'"
        raise MissingExtraError(msg) from error
    from codeloop.models.catalogue import DEFAULT
    from codeloop.server.chats.work import LoopOrder

    order = LoopOrder(
        limits=wiring.limits(args), sampling=wiring.sampling(args), explain=args.explain
    )
    settings = PageSettings(
        folder=_folder(args),
        host=args.host,
        port=args.port,
        token=wiring.read_token(args.token_file) if args.token_file else "",
        hosts=frozenset(name.lower() for name in args.name),
        exposed=args.expose,
        order=order,
    )
    if args.base_url is not None and args.model is None:
        msg = "--base-url needs --model: the name that the endpoint gives its model"
        raise ConfigError(msg)
    lent = Lent(
        models=list(dict.fromkeys([args.model or DEFAULT, *args.also_model, *_pulled(args)])),
        open_model=partial(_open_model, args.base_url),
        guest_packages=wiring.guest_packages(),
        toolchain=wiring.toolchain(),
        isolation=wiring.isolation(args),
        installs_from=wiring.installs(args),
        kernel=args.kernel,
    )
    with open_page(settings, lent) as opened:
        host = f"[{args.host}]" if ":" in args.host else args.host

        def tell(port: int) -> None:
            print(f"codeloop at http://{host}:{port}/?token={opened.token}", flush=True)

        serve(opened, settings, tell)
    return 0


def _pulled(args: argparse.Namespace) -> list[str]:
    """Return the models of the catalogue that are here; an endpoint has models of its own."""
    from codeloop.models.catalogue import entries, installed

    return [] if args.base_url else [each.name for each in entries() if installed(each)]


def _open_model(base_url: str | None, name: str) -> "Model":
    from codeloop.models import connect

    return connect(name, base_url=base_url, parallel=min(4, os.cpu_count() or 1))


def _folder(args: argparse.Namespace) -> Path:
    from codeloop.models.catalogue import data_dir

    folder: Path | None = args.data
    return folder or data_dir() / "server"


def _users(verb: str, args: argparse.Namespace) -> int:
    from codeloop.server.store.store import Store

    store = Store(_folder(args))
    users = store.users
    try:
        if verb == "list":
            for each in users.all():
                print(each.name)
            return 0
        user = users.add(args.user) if verb == "add" else users.find(args.user)
        if user is None:
            msg = f"no user {args.user!r}"
            raise ConfigError(msg)
        if verb == "remove":
            store.remove_user(user)
        else:
            print(users.new_token(user))
    finally:
        store.close()
    return 0
