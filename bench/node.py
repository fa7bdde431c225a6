# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Measures what HTTP costs a pool: runs a second direct, through a node, and as subprocesses.

    scripts/bench node

All ways run the same short program in as many slots, interleaved, in rounds; a node is a process of
its own on this machine, so that both sides of HTTP are paid for here. The peer is the shape of
SandboxFusion's mode `none` (sandbox/runners/base.py, run_command_bare): a shell, a new interpreter
for each run, no isolation; it is given no web server, no conda environment and no clean-up.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import urllib3

from codeloop.core.execution import Status
from codeloop.sandbox import Pool, Program, open_pool
from codeloop.sandbox.remote import RemotePool, open_nodes

CODE = "print(sum(n * n for n in range(100)))\n"
PRINTED = "328350\n"
WARM_UP = 8


@dataclass(frozen=True)
class Row:
    """One way, its median runs a second, and how many times those of a pool asked directly."""

    way: str
    runs_per_s: float
    least: float
    most: float
    to_direct: float


def by_pool(pool: Pool | RemotePool, count: int) -> None:
    """Run the program so many times in a pool."""
    for result in pool.run_many(Program(CODE) for _ in range(count)):
        assert (result.status, result.stdout.text) == (Status.OK, PRINTED), result


def by_run_code(http: urllib3.PoolManager, url: str, threads: int, count: int) -> None:
    """Post the program as verl does, but with connections that are kept."""
    body = json.dumps({"code": CODE, "language": "python", "stdin": "", "run_timeout": 10})

    def post(_: int) -> None:
        kind = {"Content-Type": "application/json"}
        facts = http.request("POST", f"{url}/run_code", body=body, headers=kind).json()
        assert facts["run_result"]["stdout"] == PRINTED, facts

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(post, range(count)))


def by_subprocess(slots: int, count: int) -> None:
    """Start a shell and an interpreter for each run."""

    def start(_: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "main.py"
            path.write_text(CODE, encoding="utf-8")
            command = ["/bin/bash", "-c", f"{sys.executable} -I {path}"]
            ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
            assert ended.stdout == PRINTED

    with ThreadPoolExecutor(slots) as pool:
        list(pool.map(start, range(count)))


@contextmanager
def node(slots: int) -> Iterator[str]:
    """Start a node; yield its URL; end it."""
    command = [sys.executable, "-m", "codeloop", "sandbox", "serve"]
    command += ["--port", "0", "--slots", str(slots)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


def measure(slots: int, rounds: int, count: int) -> list[Row]:
    """Run all ways in turn, and return their rates."""
    threads = 4 * slots
    with (
        open_pool(slots=slots) as direct,
        node(slots) as url,
        open_nodes([url]) as remote,
        urllib3.PoolManager(maxsize=threads) as http,
    ):
        ways: dict[str, Callable[[int], None]] = {
            "pool, asked directly": lambda count: by_pool(direct, count),
            "node, by RemotePool": lambda count: by_pool(remote, count),
            "node, by /run_code": lambda count: by_run_code(http, url, threads, count),
            "bash and python -I": lambda count: by_subprocess(slots, count),
        }
        rates: dict[str, list[float]] = {way: [] for way in ways}
        for way in ways.values():
            way(WARM_UP)
        for _ in range(rounds):
            for name, way in ways.items():
                begun = time.perf_counter()
                way(count)
                rates[name].append(count / (time.perf_counter() - begun))
    base = statistics.median(rates["pool, asked directly"])
    return [
        Row(name, median, min(each), max(each), median / base)
        for name, each in rates.items()
        for median in [statistics.median(each)]
    ]


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=300, help="of each way in each round")
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args()
    rows = measure(args.slots, args.rounds, args.runs)
    print(f"{args.slots} slots, {args.rounds} rounds of {args.runs} runs")
    print(f"{'':24}{'runs/s':>10}{'least':>10}{'most':>10}{'to direct':>11}")
    for row in rows:
        rates = f"{row.runs_per_s:10.1f}{row.least:10.1f}{row.most:10.1f}"
        print(f"{row.way:24}{rates}{row.to_direct:10.2f}x")
    if args.json:
        facts = {"slots": args.slots, "rows": [asdict(row) for row in rows]}
        args.json.write_text(json.dumps(facts, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
