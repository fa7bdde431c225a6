# /// script
# requires-python = ">=3.11"
# dependencies = ["ipykernel==7.4.0", "jupyter-client==8.10.0"]
# ///
"""Measures a session against an IPython kernel, interleaved in one run; ratios and JSON out.

    scripts/bench session

Ours runs in its jail, the IPython kernel without one. Times are wall times in milliseconds, medians
of all rounds; memory is the proportional set size (PSS) of all the processes that exist for one
session: ours are its pid 1 and its kernel. Shared pages count by shares, so sessions are measured
beside others of their kind: ten of ours, three of theirs.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager  # type: ignore[import-not-found]

from codeloop.core.execution import ExecutionResult, Status
from codeloop.sandbox import Sandbox, SandboxSession, open_sandbox

CELLS = {"1 + 1": "1 + 1", "print": "print('x')", "error": "1 / 0"}
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Row:
    """One measure of both, and ours in relation to theirs (below 1 is better)."""

    measure: str
    unit: str
    ours: float
    ipykernel: float | None

    @property
    def ratio(self) -> float | None:
        return None if self.ipykernel is None else self.ours / self.ipykernel


def run(session: SandboxSession, code: str) -> ExecutionResult:
    """Run code and return the result alone."""
    *_, result = session.run(code)
    assert isinstance(result, ExecutionResult)
    return result


class IPythonKernel:
    """A kernel with a blocking client; waits for the reply and for idle, as a front end does."""

    def __init__(self) -> None:
        self.manager = KernelManager()
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=TIMEOUT_S)

    def run(self, code: str) -> None:
        request = self.client.execute(code)
        while True:
            message = self.client.get_iopub_msg(timeout=TIMEOUT_S)
            if (
                message["parent_header"].get("msg_id") == request
                and message["msg_type"] == "status"
                and message["content"]["execution_state"] == "idle"
            ):
                break
        self.client.get_shell_msg(timeout=TIMEOUT_S)

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.pid)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@contextmanager
def ipython() -> Iterator[IPythonKernel]:
    """Have an IPython kernel for a while."""
    kernel = IPythonKernel()
    try:
        yield kernel
    finally:
        kernel.close()


def timed(call: Callable[..., object], *arguments: object) -> float:
    """Return how long a call took, in milliseconds."""
    started = time.perf_counter()
    call(*arguments)
    return 1000 * (time.perf_counter() - started)


def pss(pid: int) -> int:
    """Return the proportional set size of a process, in bytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError(pid)


def family(pid: int) -> list[int]:
    """Return the descendants of a process."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    children = [int(each) for each in path.read_text(encoding="ascii").split()]
    return children + [each for child in children for each in family(child)]


def measure_cells(rounds: int) -> Iterator[Row]:
    """Time cells in warm sessions, one of ours and one of theirs in turn."""
    with open_sandbox() as sandbox, ipython() as theirs:
        ours = sandbox.open_session(stateful=True)
        for name, code in CELLS.items():
            pairs = [
                (
                    timed(lambda code=code: run(ours, code)),
                    timed(lambda code=code: theirs.run(code)),
                )
                for _ in range(rounds)
            ][rounds // 10 :]
            yield row(f"cell: {name}", pairs)


def measure_starts(rounds: int) -> Iterator[Row]:
    """Time from nothing to the first result, and from a running sandbox to the first result."""

    def cold() -> None:
        with open_sandbox() as sandbox:
            first(sandbox)

    def first(sandbox: Sandbox) -> None:
        assert run(sandbox.open_session(stateful=True), "1 + 1").status is Status.OK

    def theirs() -> None:
        kernels.append(IPythonKernel())
        kernels[-1].run("1 + 1")

    kernels: list[IPythonKernel] = []
    with open_sandbox() as warm:
        triples = []
        for _ in range(rounds):
            triples.append((timed(cold), timed(first, warm), timed(theirs)))
            kernels.pop().close()
        yield row("start to first result, cold", [(cold_ms, ipy) for cold_ms, _, ipy in triples])
        yield row("start to first result, warm", [(warm_ms, ipy) for _, warm_ms, ipy in triples])


def measure_memory() -> Iterator[Row]:
    """Measure what a session adds, each after one small cell."""
    with open_sandbox() as sandbox:
        sessions = [sandbox.open_session(stateful=True) for _ in range(10)]
        for session in sessions:
            run(session, "1 + 1")
        zygote = family(os.getpid())[0]
        ours = sum(pss(pid) for pid in family(zygote)) / len(sessions)
        alone = pss(zygote)
    with ipython() as one, ipython() as two, ipython() as three:
        kernels = (one, two, three)
        for kernel in kernels:
            kernel.run("1 + 1")
        theirs = sum(pss(kernel.pid) for kernel in kernels) / len(kernels)
    yield Row("memory of a session", "MiB", ours / 2**20, theirs / 2**20)
    yield Row("memory of the zygote, once", "MiB", alone / 2**20, None)


def measure_scripts(rounds: int) -> Iterator[Row]:
    """Time one-shot runs, for which IPython has no counterpart."""
    with open_sandbox() as sandbox:
        session = sandbox.open_session(stateful=False)
        for name, code in (("nothing", "pass"), ("print", "print('x')")):
            times = [timed(run, session, code) for _ in range(rounds)]
            yield Row(f"one-shot: {name}", "ms", statistics.median(times), None)
            yield Row(f"one-shot: {name}, least", "ms", min(times), None)


def row(measure: str, pairs: list[tuple[float, float]]) -> Row:
    """Return the medians of pairs of times, ours first."""
    ours, theirs = zip(*pairs, strict=True)
    return Row(measure, "ms", statistics.median(ours), statistics.median(theirs))


def main() -> None:
    """Measure, print a table, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="starts; cells are 20 times as many")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here too")
    args = parser.parse_args()
    rows = [
        *measure_cells(20 * args.rounds),
        *measure_starts(args.rounds),
        *measure_memory(),
        *measure_scripts(20 * args.rounds),
    ]
    print(f"{'measure':32} {'ours':>10} {'ipykernel':>10} {'ratio':>7}")
    for each in rows:
        theirs = "" if each.ipykernel is None else f"{each.ipykernel:.2f}"
        ratio = "" if each.ratio is None else f"{each.ratio:.3f}"
        print(f"{each.measure:32} {each.ours:7.2f} {each.unit:3} {theirs:>9} {ratio:>7}")
    if args.json:
        records: list[dict[str, Any]] = [asdict(each) | {"ratio": each.ratio} for each in rows]
        args.json.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
