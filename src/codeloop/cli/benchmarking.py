"""Choose the benchmark, its data and the rigs that flags ask for: for `judge` and `eval`."""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from codeloop.cli import wiring
from codeloop.core.errors import ConfigError

if TYPE_CHECKING:
    from codeloop.evals.benchmarks import Benchmark
    from codeloop.evals.prepared import Prepared
    from codeloop.judge.many import RigPool

MEMORY_MB = 4096  # as evalplus gives


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where benchmarks lie and what judging may use."""
    group = parser.add_argument_group("judging")
    group.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        default=os.environ.get("CODELOOP_DATA"),
        help="folder of the benchmarks' files (default: $CODELOOP_DATA, else `data` in the "
        "data folder)",
    )
    group.add_argument(
        "--workers", type=int, metavar="N", default=os.cpu_count() or 1, help="default: processors"
    )
    group.add_argument(
        "--memory-mb", type=int, metavar="M", default=MEMORY_MB, help=f"default: {MEMORY_MB}"
    )


def data_folder(given: Path | None) -> Path:
    """Return the folder of the benchmarks' files."""
    from codeloop.models.catalogue import data_dir

    return given or data_dir() / "data"


@contextmanager
def open_rigs(args: argparse.Namespace) -> "Iterator[RigPool]":
    """Yield as many rigs as there are workers, and more of them while candidates sleep."""
    from codeloop.core.execution import MIB, ExecutionLimits
    from codeloop.judge.many import RigPool
    from codeloop.judge.programs import rig_programs
    from codeloop.sandbox import open_pool

    if args.workers < 1:
        msg = "--workers should be 1 or more"
        raise ConfigError(msg)
    limits = ExecutionLimits(memory_bytes=args.memory_mb * MIB)
    programs = rig_programs()
    packages, toolchain = wiring.guest_packages(), wiring.toolchain()
    with (
        open_pool(slots=args.workers, guest_packages=packages, toolchain=toolchain) as pool,
        RigPool(
            lambda: pool.open_rig(programs, limits=limits),
            args.workers,
            spare=args.workers,
            memory_bytes=limits.memory_bytes,
        ) as rigs,
    ):
        yield rigs


def open_prepared(benchmark: "Benchmark", args: argparse.Namespace, pool: "RigPool") -> "Prepared":
    """Return a benchmark that is made ready; make it so if it is used for the first time."""
    from codeloop.evals.prepared import Prepared, prepare, prepared_path
    from codeloop.models.catalogue import data_dir

    folder = data_dir() / "benchmarks"
    path = prepared_path(folder, benchmark)
    if not path.is_file():
        data = data_folder(args.data)
        if not (data / benchmark.file).is_file():
            msg = (
                f"{data / benchmark.file}: no such file; `codeloop eval pull {benchmark}` brings "
                f"it, or `--data` or CODELOOP_DATA names the folder of benchmarks"
            )
            raise ConfigError(msg)
        steps = prepare(benchmark, data, folder, pool, threads=args.workers)
        for _ in followed(steps, f"making {benchmark} ready:", benchmark.rows):
            pass
    return Prepared(path, benchmark)


def warn(text: str) -> None:
    """Say something on stderr that a person should see."""
    print(f"codeloop: {text}", file=sys.stderr)


_T = TypeVar("_T")

LINE_S = 10.0  # between two lines, where there is no terminal
CHANGE_S = 0.2


class Progress:
    """Shows `WHAT DONE of TOTAL` and a note; nothing if the work is quick."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic()
        self._shown = False

    def show(self, done: int, note: str = "") -> None:
        """Show how far it has come, if it is time to."""
        now = time.monotonic()
        if now - self._last < (CHANGE_S if self._terminal else LINE_S):
            return
        self._last = now
        line = f"{self._what} {done} of {self._total}{', ' if note else ''}{note}"
        print(
            f"\r{line}\x1b[K" if self._terminal else line,
            end="" if self._terminal else "\n",
            file=sys.stderr,
            flush=True,
        )
        self._shown = True

    def clear(self) -> None:
        """Take the line away."""
        if self._terminal and self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def followed(items: Iterable[_T], what: str, total: int) -> Iterator[_T]:
    """Yield the items, and show how many there were."""
    progress = Progress(what, total)
    for count, item in enumerate(items, start=1):
        progress.show(count)
        yield item
    progress.clear()
