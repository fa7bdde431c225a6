"""`codeloop exec`: run a program in the jail."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from codeloop.cli import wiring
from codeloop.cli.terminal import Cleaner
from codeloop.core.errors import ConfigError
from codeloop.core.execution import (
    MIB,
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    OutputChunk,
    Status,
)

_EPILOG = """\
examples:
  codeloop exec script.py
  echo 'print(6 * 7)' | codeloop exec -
  codeloop exec solve.py --stdin < input.txt
  codeloop exec script.py --wall-s 5 --memory-mb 256 --json
  codeloop exec solve.cpp
  echo 'select 6 * 7' | codeloop exec - --language sql

with --json one object is printed, with these fields in this order: status, exit_code, signal,
stdout, stderr, cpu_s, wall_s, peak_memory_bytes, isolation. The exit status is 0 if the program
ended well, 1 if it did not, 2 if a flag or the file is wrong, 3 if the sandbox failed.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    limits = ExecutionLimits()
    parser = commands.add_parser(
        "exec",
        help="run a program in the jail",
        description="Run a program in the jail: no network, no files but its own.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="the program; - reads it from standard input")
    parser.add_argument(
        "--language",
        metavar="L",
        help="as `codeloop doctor` names it (default: what the file's name ends in, else python)",
    )
    for flag, value, what in (
        ("--cpu-s", limits.cpu_s, "processor time, in seconds"),
        ("--wall-s", limits.wall_s, "time on the clock, in seconds"),
        ("--memory-mb", limits.memory_bytes / MIB, "memory of all its processes, in MiB"),
    ):
        parser.add_argument(
            flag, type=_positive, default=value, metavar="X", help=f"{what} (default: {value:g})"
        )
    wiring.add_isolation(parser)
    parser.add_argument("--stdin", action="store_true", help="pass our standard input to it")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    parser.set_defaults(main=main)


def main(args: argparse.Namespace) -> int:
    from codeloop.sandbox import open_sandbox

    if args.stdin and args.file == "-":
        msg = "--stdin needs the program in a file: standard input can be only one of the two"
        raise ConfigError(msg)
    language = _language(args.language, args.file)
    code = _read(args.file)
    stdin = sys.stdin.buffer.read() if args.stdin else b""
    defaults = ExecutionLimits()
    limits = replace(
        defaults,
        cpu_s=args.cpu_s,
        wall_s=args.wall_s,
        memory_bytes=int(args.memory_mb * MIB),
        output_bytes=defaults.output_bytes if args.json else defaults.output_stop_bytes,
    )
    with open_sandbox(
        guest_packages=wiring.guest_packages(),
        toolchain=wiring.toolchain(),
        isolation=wiring.isolation(args),
    ) as sandbox:
        session = sandbox.open_session(stateful=False, limits=limits)
        events = session.run(code, language=language, stdin=stdin)
        result = _show(events, quiet=args.json)
    if args.json:
        print(json.dumps(_record(result)))
    elif result.status is not Status.OK:
        sys.stdout.flush()
        print(f"codeloop: {_note(result)}", file=sys.stderr)
    return 0 if result.status is Status.OK else 1


def _show(
    events: Iterator[OutputChunk | InputRequested | ExecutionResult], *, quiet: bool
) -> ExecutionResult:
    """Run the program, passing its output through as it comes unless JSON is wanted."""
    result = ExecutionResult(Status.UNSUPPORTED)
    cleaners = {"stdout": Cleaner(), "stderr": Cleaner()}
    for event in events:
        match event:
            case OutputChunk(stream, text) if not quiet:
                out = sys.stdout if stream == "stdout" else sys.stderr
                shown = cleaners[stream].clean(text) if out.isatty() else text
                out.write(shown.encode(errors="replace").decode(out.encoding, "replace"))
                out.flush()
            case ExecutionResult():
                result = event
            case _:
                pass
    return result


def _language(named: str | None, file: str) -> str:
    from codeloop.core.codeblocks import normalise_language
    from codeloop.sandbox import ENDINGS

    if named is not None:
        return normalise_language(named) or named
    return ENDINGS.get(Path(file).suffix.lower(), "python")


def _read(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        msg = f"{file}: {error.strerror}"
        raise ConfigError(msg) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{file}: not UTF-8 text (byte {error.start})"
        raise ConfigError(msg) from error


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        msg = f"{text}: not a positive number"
        raise argparse.ArgumentTypeError(msg)
    return value


def _record(result: ExecutionResult) -> dict[str, Any]:
    """Return what --json prints, in the documented order."""
    return {
        "status": result.status,
        "exit_code": result.exit_code,
        "signal": result.signal,
        "stdout": result.stdout.text,
        "stderr": result.stderr.text,
        "cpu_s": round(result.cpu_s, 6),
        "wall_s": round(result.wall_s, 6),
        "peak_memory_bytes": result.peak_memory_bytes,
        "isolation": result.isolation,
    }


def _note(result: ExecutionResult) -> str:
    """Return one line on how a run ended that did not end well."""
    match result.status:
        case Status.UNSUPPORTED:
            return result.stderr.text
        case Status.ERROR if result.exit_code is not None:
            return f"error: exit code {result.exit_code}"
        case Status.SIGNAL:
            return f"signal {result.signal}"
        case status:
            return status.replace("_", " ")
