# /// script
# requires-python = ">=3.11"
# dependencies = ["evalplus==0.3.1"]
# ///
"""How many HumanEval checks a second, and at what processor time, next to evalplus and `python -I`.

    scripts/bench sandbox --data DATA --json out.json

Each method checks the canonical solutions with the base inputs, in two processes. The methods
take turns, so that what else the machine does hits all alike. codeloop's are: `tester`, the full
jail and expected outputs in another; `check`, the same with HumanEval's own code of asserts;
`script`, solution and asserts in one jail. evalplus and `python -I` isolate nothing.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from codeloop.core.problem import CheckTests, FunctionTests, Problem, ScriptTests, Tests
from codeloop.judge.judging import judge
from codeloop.judge.programs import rig_programs
from codeloop.sandbox import open_sandbox

Json = dict[str, Any]

PEER = "evalplus"
METHODS = (PEER, "python -I", "codeloop tester", "codeloop check", "codeloop script")
TARGETS = {"codeloop tester": (6.0, 0.25)}  # times evalplus's checks a second, and its CPU
TICKS = os.sysconf("SC_CLK_TCK")


class Worker:
    """What one process checks with: the data, and a rig."""

    def __init__(self) -> None:
        from evalplus.data import get_human_eval_plus  # noqa: PLC0415  it is slow to import
        from evalplus.gen.util import trusted_exec  # noqa: PLC0415

        multiprocessing.set_start_method("fork", force=True)  # as evalplus is used; we were spawned
        self.stack = ExitStack()
        sandbox = self.stack.enter_context(open_sandbox())
        self.rig = sandbox.open_rig(rig_programs())
        self.tasks: list[tuple[Json, str, list[Any], list[float]]] = []
        for task in get_human_eval_plus().values():
            if task["entry_point"] == "find_zero":  # of which evalplus 0.3.1 passes no solution
                continue
            code = task["prompt"] + task["canonical_solution"]
            inputs, name = task["base_input"], task["entry_point"]
            expected, times = trusted_exec(code, inputs, name, record_time=True)
            del task["plus_input"]  # which would make evalplus's forks dearer than they need be
            self.tasks.append((task, code, expected, times))

    def check(self, method: str, at: int) -> bool:
        """Check one solution; return whether it passes."""
        task, code, expected, times = self.tasks[at]
        name = task["entry_point"]
        inputs = tuple(map(tuple, task["base_input"]))
        script = f"{task['test']}\ncheck({name})\n"
        if method == PEER:
            from evalplus.eval import untrusted_check  # noqa: PLC0415

            arguments = ("humaneval", code, task["base_input"], name, expected, task["atol"])
            return bool(untrusted_check(*arguments, times, fast_check=True)[0] == "pass")
        if method == "python -I":
            command = [sys.executable, "-I", "-c", f"{code}\n{script}"]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        choice: dict[str, Tests] = {
            "codeloop tester": FunctionTests(inputs, tuple(expected), atol=task["atol"]),
            "codeloop check": CheckTests(task["test"], task["prompt"]),
            "codeloop script": ScriptTests(script),
        }
        problem = Problem(task["task_id"], task["prompt"], (choice[method],), name)
        return judge(problem, code, self.rig).passed


class Place:
    """Where a process keeps its worker; made when first needed."""

    worker: Worker | None = None


def run(method: str, share: int, shares: int) -> tuple[int, int, float]:
    """Check a share of all solutions; return how many, how many passed, and processor seconds."""
    worker = Place.worker = Place.worker or Worker()
    mine = range(share, len(worker.tasks), shares)
    before = cpu_s()
    passed = sum(worker.check(method, at) for at in mine)
    return len(mine), passed, cpu_s() - before


def cpu_s() -> float:
    """Return the processor time of this process and all that it has started, alive or dead."""
    children: dict[int, list[tuple[int, int]]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:  # it has ended just now
            continue
        used = sum(map(int, fields[11:15]))
        children.setdefault(int(fields[1]), []).append((int(entry.name), used))
    own = os.times()
    total, waiting = 0, [os.getpid()]
    while waiting:
        for process, used in children.get(waiting.pop(), []):
            total += used
            waiting.append(process)
    return sum(own[:4]) + total / TICKS


def one_round(
    ask: Callable[[str, int], Any], workers: int, method: str
) -> tuple[float, float, int, int]:
    """Return checks a second, processor seconds a check, how many, and how many passed."""
    start = time.perf_counter()
    done = [future.result() for future in [ask(method, share) for share in range(workers)]]
    wall_s = time.perf_counter() - start
    count = sum(each[0] for each in done)
    return count / wall_s, sum(each[2] for each in done) / count, count, sum(e[1] for e in done)


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="holds humanevalplus/")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to a file")
    args = parser.parse_args()
    figures: dict[str, list[tuple[float, float, int, int]]] = {name: [] for name in METHODS}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        unpacked = Path(folder) / "HumanEvalPlus.jsonl"
        packed = args.data / "humanevalplus" / "HumanEvalPlus.jsonl.gz"
        unpacked.write_bytes(
            subprocess.run(["gzip", "-dc", packed], capture_output=True, check=True).stdout
        )
        os.environ["HUMANEVAL_OVERRIDE_PATH"] = str(unpacked)
        spawn = multiprocessing.get_context("spawn")
        pools = [
            stack.enter_context(ProcessPoolExecutor(1, mp_context=spawn))
            for _ in range(args.workers)
        ]

        def ask(method: str, share: int) -> Any:
            return pools[share].submit(run, method, share, args.workers)

        for method in METHODS:  # not counted: what is made once
            one_round(ask, args.workers, method)
        for _ in range(args.rounds):
            for method in METHODS:
                figures[method].append(one_round(ask, args.workers, method))
    report(figures, args.json)


def report(figures: dict[str, list[tuple[float, float, int, int]]], path: Path | None) -> None:
    """Print and write medians, and ratios to the peer of the same round."""
    rows = {}
    print(f"{'':18}{'checks/s':>10}{'CPU ms':>8}{'x evalplus':>12}{'x its CPU':>11}  passed")
    for name, rounds in figures.items():
        pairs = list(zip(rounds, figures[PEER], strict=True))
        row = {
            "checks_per_s": statistics.median(each[0] for each in rounds),
            "cpu_ms": 1000 * statistics.median(each[1] for each in rounds),
            "times_peer": statistics.median(own[0] / peer[0] for own, peer in pairs),
            "times_peer_cpu": statistics.median(own[1] / peer[1] for own, peer in pairs),
            "passed": rounds[-1][3],
            "of": rounds[-1][2],
        }
        rows[name] = row
        verdict = ""
        if name in TARGETS:
            speed, cpu = TARGETS[name]
            met = row["times_peer"] >= speed and row["times_peer_cpu"] <= cpu
            verdict = f"  >= {speed} and <= {cpu}: {'met' if met else 'MISSED'}"
        print(
            f"{name:18}{row['checks_per_s']:10.1f}{row['cpu_ms']:8.2f}{row['times_peer']:12.2f}"
            f"{row['times_peer_cpu']:11.3f}  {row['passed']}/{row['of']}{verdict}"
        )
    if path:
        path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
