"""`codeloop doctor`: see whether this machine can isolate, and what is installed."""

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

_GIB = 1 << 30
_EPILOG = """\
examples:
  codeloop doctor

The exit status is 0 if code can be isolated here and every probe held, 1 if not.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "doctor",
        help="check the jail, the models and the disk",
        description="Check the jail with hostile programs; list the models and the free disk.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)


def main(args: argparse.Namespace) -> int:
    print("jail")
    isolated = True
    for held, line in jail_lines():
        isolated = isolated and held
        print(f"  {'ok  ' if held else 'FAIL'}  {line}", flush=True)
    print("models")
    for line in model_lines():
        print(f"  {line}")
    return 0 if isolated else 1


def jail_lines() -> Iterator[tuple[bool, str]]:
    """Yield for each check of the jail whether it holds, and what was tried."""
    from codeloop.core.errors import IsolationError
    from codeloop.sandbox import open_sandbox, self_test

    try:
        with open_sandbox() as sandbox:
            probes = self_test(sandbox)
    except IsolationError as error:
        yield False, str(error)
        return
    yield True, "namespaces, seccomp and limits can be had here"
    for probe in probes:
        yield probe.held, f"{probe.name}: {'stopped' if probe.held else probe.detail}"


def model_lines() -> Iterator[str]:
    """Yield what is to be said of the models and of the room for them."""
    from codeloop.models import catalogue

    folder = catalogue.data_dir()
    for entry in catalogue.entries():
        path = catalogue.installed(entry)
        yield f"{'installed' if path else 'not here '}  {entry.name}"
    free = shutil.disk_usage(_nearest_existing(folder)).free
    yield f"{free / _GIB:.1f} GiB free at {folder}"


def _nearest_existing(path: Path) -> Path:
    """Return the path, or the closest folder above it that exists."""
    return next(each for each in (path, *path.parents) if each.exists())
