"""`codeloop mcp`: the interpreter as tools of the Model Context Protocol, over standard streams."""

import argparse
import sys
from dataclasses import replace

from codeloop.cli import wiring
from codeloop.core.errors import MissingExtraError
from codeloop.core.execution import MIB, ExecutionLimits

_EPILOG = """\
tools: run_code, reset, list_files, read_file, write_file, status

A client starts it and speaks to it over its standard streams. In the settings of most:
  {"mcpServers": {"codeloop": {"command": "codeloop", "args": ["mcp"]}}}

`codeloop serve` offers the same tools over HTTP, at /mcp.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "mcp",
        help="offer the interpreter to a client of the Model Context Protocol",
        description="Offer a session in the jail to a client of the Model Context Protocol.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument(
        "--file",
        dest="files",
        metavar="F",
        action="append",
        default=[],
        type=wiring.existing_file,
        help="put a file into the work directory; may be given again",
    )
    parser.add_argument("--wall-s", type=float, default=60.0, help="seconds a run may take")
    parser.add_argument("--memory-mb", type=wiring.positive, default=1024, help="a run may use")
    wiring.add_isolation(parser)


def main(args: argparse.Namespace) -> int:
    from codeloop.sandbox import open_sandbox

    try:
        from codeloop.server.mcp.streams import SessionInterpreter, serve
    except ModuleNotFoundError as error:
        msg = f"the protocol needs {error.name}: pip install 'codeloop[web]'"
        raise MissingExtraError(msg) from error
    level = wiring.isolation(args)
    limits = replace(
        ExecutionLimits(),
        cpu_s=args.wall_s,
        wall_s=args.wall_s,
        memory_bytes=args.memory_mb * MIB,
    )
    with open_sandbox(
        guest_packages=wiring.guest_packages(), toolchain=wiring.toolchain(), isolation=level
    ) as sandbox:
        session = sandbox.open_session(stateful=True, interactive=True, limits=limits)
        for path in args.files:
            session.put_file(path)
        out = sys.stdout.buffer
        serve(SessionInterpreter(session, limits, level), sys.stdin.buffer, out)
    return 0
