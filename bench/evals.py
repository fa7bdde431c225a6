# /// script
# requires-python = ">=3.11"
# dependencies = ["evalplus==0.3.1"]
# ///
"""How quickly files of solutions are judged, next to evalplus on the same files.

    scripts/bench evals --data DATA --json out.json

For HumanEval+ and MBPP+, two files each: the canonical solutions (`canonical`), and these with
wrong ones of `variants.py` (`all`: 445 and 619 rows): mutants, some that raise, crash, sleep, never
end. Both take turns, with what references tell worked out before. The calls' own time is that of
the canonical functions, called with all inputs and nothing around them. evalplus is the one that
is installed: 0.3.1, or its master branch.
"""

import argparse
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from usage import Meter
from variants import MISBEHAVING, SOURCES, Variant, canonical, read_tasks, variants, write_samples

from codeloop.evals.mbpp import typed_inputs

Json = dict[str, Any]

WRONG = {"humaneval+": 281, "mbpp+": 241}
TARGETS = {  # times as fast: canonical, all; our largest process by evalplus's
    "humaneval+": (2.0, 3.0, 1 / 8),
    "mbpp+": (2.5, 4.0, 1 / 16),
}
OVERHEAD_MS = 10.0
EVERY_S = 0.2  # a look at the processes
CANDIDATE_DEPTH = 4  # below us: host, zygote, slot, nursery, candidate


@dataclass
class Sizes:
    """The most memory that each process of a family has used, by how deep it stands, in bytes."""

    by_depth: dict[int, int] = field(default_factory=dict)

    def look(self, pid: int) -> None:
        """Look at a process and all that descend from it."""
        parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    text = (entry / "stat").read_text(encoding="ascii", errors="replace")
                except OSError:
                    continue
                parents[int(entry.name)] = int(text.rpartition(")")[2].split()[1])
        depths = {pid: 0}
        while more := {
            each: depths[parent] + 1
            for each, parent in parents.items()
            if parent in depths and each not in depths
        }:
            depths |= more
        for each, depth in depths.items():
            self.by_depth[depth] = max(self.by_depth.get(depth, 0), _peak_bytes(each))


def _peak_bytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0")
    return 1024 * int(line.split()[1])


@dataclass(frozen=True, slots=True)
class Timing:
    """What a command took."""

    wall_s: float
    cpu_s: float
    sizes: dict[int, int]

    def largest(self, depth: int) -> int:
        """Return the size of the largest process above a depth, in bytes."""
        return max(size for at, size in self.sizes.items() if at < depth)


def timed(command: list[str], env: dict[str, str]) -> Timing:
    """Run a command to its end, and watch it."""
    sizes, over = Sizes(), threading.Event()
    with Meter() as meter:
        before, start = meter.cpu_s(), time.perf_counter()
        process = subprocess.Popen(
            meter.command(command),
            env=os.environ | env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

        def watch() -> None:
            while not over.wait(EVERY_S):
                sizes.look(process.pid)

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, said = process.communicate()
        wall_s, cpu_s = time.perf_counter() - start, meter.cpu_s() - before
        over.set()
        watcher.join()
    if process.returncode:
        msg = f"{' '.join(command)}\n{said[-2000:]}"
        raise SystemExit(msg)
    return Timing(wall_s, cpu_s, sizes.by_depth)


def write_files(folder: Path, name: str, tasks: list[Json]) -> dict[str, Path]:
    """Write both files of solutions; return them by name."""
    right = [canonical(task) for task in tasks]
    kinds = {"mutant", *MISBEHAVING} - {"stops at import"}  # which takes evalplus two minutes
    usual = [row for row in variants(tasks, each=2) if row.kind in kinds]
    wrong: list[Variant] = random.Random(name).sample(usual, min(len(usual), WRONG[name]))
    paths = {}
    for kind, rows in (("canonical", right), ("all", [*right, *wrong])):
        paths[kind] = folder / f"{name}-{kind}.jsonl"
        write_samples(paths[kind], rows)
    return paths


def calls_cpu_s(tasks: list[Json]) -> float:
    """Return the processor seconds of calling each canonical function with each of its inputs."""
    total = 0.0
    for task in tasks:
        space: Json = {}
        exec(task["prompt"] + task["canonical_solution"], space)
        function, sets = space[task["entry_point"]], (task["base_input"], task["plus_input"])
        if task["task_id"].startswith("Mbpp/"):
            sets = tuple(typed_inputs(task["task_id"], each) for each in sets)
        inputs = [arguments for each in sets for arguments in each]
        with redirect_stdout(StringIO()):
            before = time.process_time()
            for each in inputs:
                function(*each)
            total += time.process_time() - before
    return total


def floor_s(tasks: list[Json], workers: int) -> float:
    """Return that, worked out by as many processes as there are workers."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        return sum(pool.map(calls_cpu_s, [tasks[at::workers] for at in range(workers)]))


def compare(name: str, path: Path, env: dict[str, str], args: argparse.Namespace) -> Json:
    """Return medians of both, and the ratio of wall times within a round."""
    workers = str(args.workers)
    ours = [sys.executable, "-m", "codeloop", "judge", name, str(path), "--workers", workers]
    ours += ["--data", str(args.data)]
    theirs = [sys.executable, "-m", "evalplus.evaluate", "--dataset", SOURCES[name][0]]
    theirs += ["--samples", str(path), "--parallel", workers, "--i_just_wanna_run"]

    def peer() -> Timing:
        for old in path.parent.glob("*eval_results.json"):  # which it would only print again
            old.unlink()
        return timed(theirs, env)

    rounds = [(peer(), timed(ours, env)) for _ in range(args.rounds)]
    median = statistics.median
    own_bytes = max(own.largest(CANDIDATE_DEPTH) for _, own in rounds)
    peer_bytes = max(other.largest(10) for other, _ in rounds)
    return {
        "rows": len(path.read_text(encoding="utf-8").splitlines()),
        "rounds": args.rounds,
        "evalplus_wall_s": round(median(other.wall_s for other, _ in rounds), 2),
        "codeloop_wall_s": round(median(own.wall_s for _, own in rounds), 2),
        "evalplus_cpu_s": round(median(other.cpu_s for other, _ in rounds), 2),
        "codeloop_cpu_s": round(median(own.cpu_s for _, own in rounds), 2),
        "times_as_fast": round(median(other.wall_s / own.wall_s for other, own in rounds), 2),
        "evalplus_largest_mib": peer_bytes >> 20,
        "codeloop_largest_mib": own_bytes >> 20,
        "codeloop_candidate_mib": max(own.largest(10) for _, own in rounds) >> 20,
        "size": round(own_bytes / peer_bytes, 4),
    }


def measure(name: str, args: argparse.Namespace, folder: Path) -> Json:
    """Return the figures of a benchmark by file."""
    unpacked, tasks = read_tasks(args.data, name)
    source = folder / f"{name}.data.jsonl"
    source.write_bytes(unpacked)
    figures: Json = {}
    for at, (kind, path) in enumerate(write_files(folder, name, tasks).items()):
        if args.kind in {None, kind}:
            row = compare(name, path, {SOURCES[name][2]: str(source)}, args)
            row |= {"target": TARGETS[name][at], "size_target": TARGETS[name][2]}
            if kind == "canonical":
                row["calls_cpu_s"] = round(floor_s(tasks, args.workers), 2)
                beyond_s = row["codeloop_cpu_s"] - row["calls_cpu_s"]
                row["overhead_ms"] = round(1000 * beyond_s / len(tasks), 1)
                row["overhead_target_ms"] = OVERHEAD_MS
            figures[f"{name} {kind}"] = row
            print(f"{name:11} {kind:10}", json.dumps(row), flush=True)
    return figures


def main() -> None:
    """Measure, print a line for each file, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=list(SOURCES))
    parser.add_argument("--kind", choices=["canonical", "all"])
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to a file")
    args = parser.parse_args()
    figures: Json = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in SOURCES:
            if args.only in {None, name}:
                figures |= measure(name, args, Path(folder))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
