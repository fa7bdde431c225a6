"""`codeloop sandbox serve`: run programs for clients over HTTP."""

import argparse
import os
import signal
from types import FrameType

from codeloop.cli import wiring
from codeloop.core.errors import MissingExtraError

_ROOM_PER_SLOT = 32
_EPILOG = """\
examples:
  codeloop sandbox serve
  codeloop sandbox serve --host 0.0.0.0 --token-file token --slots 16
  curl http://127.0.0.1:8900/health
  curl http://127.0.0.1:8900/run_code -H 'Content-Type: application/json' \\
      -d '{"language": "python", "code": "print(6 * 7)"}'

The node listens when hostile programs were seen to be stopped here, and not before. On SIGTERM
or ^C it drains: it refuses new work with 503, answers what runs, and ends with exit status 0.
A second ^C ends it at once.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("sandbox", help="run programs for other machines")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    serve = actions.add_parser(
        "serve",
        help="run programs for clients over HTTP",
        description="Run a node: a pool of jails behind HTTP, with an own form for batches, and "
        "SandboxFusion's /run_code and /submit for trainers that speak them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument("--host", default="127.0.0.1", help="address (default: 127.0.0.1)")
    serve.add_argument("--port", type=int, default=8900, help="0 takes a free one (default: 8900)")
    serve.add_argument(
        "--slots",
        type=wiring.positive,
        metavar="N",
        help="programs that run at once (default: the processors that it may use)",
    )
    serve.add_argument(
        "--room",
        type=wiring.positive,
        metavar="N",
        help=f"programs that may wait; more are refused (default: {_ROOM_PER_SLOT} a slot)",
    )
    serve.add_argument(
        "--token-file",
        type=wiring.existing_file,
        metavar="F",
        help="a file whose text clients have to know; needed if HOST is not this machine alone",
    )
    serve.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="a name that clients may call it by, as often as wanted (default: any with a token)",
    )
    wiring.add_isolation(serve)
    serve.set_defaults(main=main)


def main(args: argparse.Namespace) -> int:
    try:
        from codeloop.server.node.opening import Settings, open_service
    except ModuleNotFoundError as error:
        msg = f"a node needs {error.name}: pip install 'codeloop[web]'"
        raise MissingExtraError(msg) from error

    slots = args.slots or len(os.sched_getaffinity(0))
    settings = Settings(
        slots=slots,
        room=args.room or _ROOM_PER_SLOT * slots,
        host=args.host,
        port=args.port,
        token=wiring.read_token(args.token_file) if args.token_file else "",
        hosts=frozenset(name.lower() for name in args.name),
    )
    with open_service(
        settings,
        guest_packages=wiring.guest_packages(),
        toolchain=wiring.toolchain(),
        isolation=wiring.isolation(args),
    ) as service:

        def drain(number: int, _frame: FrameType | None) -> None:
            signal.signal(number, signal.default_int_handler)  # another one ends it at once
            service.drain()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, drain)
        host = f"[{args.host}]" if ":" in args.host else args.host
        print(f"a node of {slots} slots at http://{host}:{service.port}", flush=True)
        service.wait()
    return 0
