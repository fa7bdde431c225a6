"""`codeloop doctor`: see whether this machine can isolate, and what is installed."""

import argparse
import platform
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.cli import wiring

if TYPE_CHECKING:
    from codeloop.core.execution import Isolation

_GIB = 1 << 30
_EPILOG = """\
examples:
  codeloop doctor
  codeloop doctor --prepare
  codeloop doctor --isolation landlock

With --prepare it first makes ready, in the data folder, what makes compilers quicker: the C++
headers compiled, the classes of javac parsed. Do it again after a compiler was upgraded.

The exit status is 0 if code can be isolated here and every probe held, 1 if not.
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "doctor",
        help="check the jail, the languages, the models and the disk",
        description="Check the jail with hostile programs; list the languages that run here, "
        "the models and the free disk.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--prepare", action="store_true", help="make compilers quicker, once")
    wiring.add_isolation(parser)
    parser.set_defaults(main=main)


def main(args: argparse.Namespace) -> int:
    print("jail")
    isolated = True
    for held, line in jail_lines(wiring.isolation(args)):
        isolated = isolated and held
        print(f"  {'ok  ' if held else 'FAIL'}  {line}", flush=True)
    print("languages")
    if args.prepare:
        from codeloop.sandbox import prepare_toolchain

        for made in prepare_toolchain(wiring.toolchain_folder()):
            print(f"  prepared   {made}", flush=True)
    for line in language_lines():
        print(f"  {line}")
    print("models")
    for line in model_lines():
        print(f"  {line}")
    return 0 if isolated else 1


def jail_lines(level: "Isolation") -> Iterator[tuple[bool, str]]:
    """Yield for each check of a level of isolation whether it holds, and what was tried."""
    from codeloop.core.errors import IsolationError
    from codeloop.sandbox import Sandbox, self_test

    try:
        with Sandbox(isolation=level) as sandbox:
            probes = self_test(sandbox)
            groups = sandbox.groups
    except IsolationError as error:
        yield False, str(error)
        return
    yield True, f"isolation {level} can be had here"
    why = f" ({groups.why})" if groups.why else ""
    yield True, f"memory and processes of a session are counted by {groups.tier}{why}"
    for probe in probes:
        yield probe.held, f"{probe.name}: {'stopped' if probe.held else probe.detail}"


def language_lines() -> Iterator[str]:
    """Yield for each language its version, or what it needs."""
    from codeloop.cli.wiring import guest_packages
    from codeloop.sandbox import BUILT_IN, NAMES, find_languages, install_hint, version_of

    found = find_languages(guest_packages())
    versions = {"python": platform.python_version(), "sql": f"SQLite {sqlite3.sqlite_version}"}
    for name in NAMES:
        if name in BUILT_IN:
            yield f"available  {name} {versions[name]}"
        elif name in found:
            row = found[name]
            told = "guest package" if row.module else f"{row.version[0]} {version_of(row)}"
            yield f"available  {name} ({told})"
        else:
            yield f"missing    {install_hint(name)}"


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
