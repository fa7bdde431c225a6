# /// script
# requires-python = ">=3.11"
# ///
"""Many live sessions with pandas on one machine, some of them at work: waits, memory; JSON out.

    scripts/bench live_sessions --sessions 200 --running 20 --json out.json

Every session imports pandas and makes a table. A small cell takes the mean of a column. It is timed
in three ways: one after another in sessions that rest; in as many at once as are to run, each
asking for its next cell when the last is done; and in sessions that rest while the others compute
without a pause. Then a spare is taken and asked for `1 + 1`, and one running session after another
is interrupted, as timed from the call to the result. All times are wall times in milliseconds.
"""

import argparse
import json
import random
import resource
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from codeloop.cli.wiring import guest_packages
from codeloop.core.execution import MIB, ExecutionLimits, ExecutionResult, Status
from codeloop.sandbox import SandboxSession, open_sandbox
from codeloop.sandbox.stateful.pool import PoolLimits, SessionPool

FILL = """\
import pandas as pd
table = pd.DataFrame({"key": [n % 7 for n in range(1000)], "value": range(1000)})
"""
SMALL = "table['value'].mean()"
BUSY = "while True: table.groupby('key')['value'].sum()"
DAY_S = 86_400.0
SETTLE_S = 2.0
SPARES = 2

Pool = SessionPool[SandboxSession]


@dataclass(frozen=True)
class Row:
    """One measure, its spread, and what it should stay under."""

    measure: str
    unit: str
    count: int
    median: float
    p95: float
    most: float
    target_p95: float | None = None


def run(session: SandboxSession, code: str) -> ExecutionResult:
    """Run code to its end and return the result alone."""
    *_, result = session.run(code)
    assert isinstance(result, ExecutionResult)
    return result


def small(session: SandboxSession) -> float:
    """Return how long a small cell took."""
    started = time.perf_counter()
    result = run(session, SMALL)
    took = time.perf_counter() - started
    assert result.status is Status.OK, result
    assert result.displays[0].text() == "np.float64(499.5)", result
    return 1000 * took


def fill(pool: Pool, count: int) -> tuple[list[SandboxSession], list[float]]:
    """Return live sessions that hold a table, and how long each took from `take` to the table."""
    sessions, times = [], []
    for _ in range(count):
        started = time.perf_counter()
        session = pool.take()
        assert run(session, FILL).status is Status.OK
        times.append(1000 * (time.perf_counter() - started))
        sessions.append(session)
    return sessions, times


def in_turn(sessions: Sequence[SandboxSession], cells: int) -> list[float]:
    """Time small cells, one at a time, in sessions drawn by chance."""
    draw = random.Random(0)
    return [small(draw.choice(sessions)) for _ in range(cells)]


def at_once(sessions: Sequence[SandboxSession], cells: int) -> list[float]:
    """Time small cells, all sessions at once, each without a pause."""

    def work(session: SandboxSession) -> list[float]:
        return [small(session) for _ in range(cells)]

    with ThreadPoolExecutor(len(sessions)) as threads:
        return [each for times in threads.map(work, sessions) for each in times]


@contextmanager
def computing(sessions: Sequence[SandboxSession]) -> Iterator[Callable[[], list[float]]]:
    """Have sessions compute; yield what interrupts them in turn and returns how long each took."""
    ended: list[float] = [0.0] * len(sessions)

    def compute(at: int) -> None:
        assert run(sessions[at], BUSY).status is Status.INTERRUPTED
        ended[at] = time.perf_counter()

    threads = [threading.Thread(target=compute, args=(at,)) for at in range(len(sessions))]
    for thread in threads:
        thread.start()
    time.sleep(SETTLE_S)

    def interrupt() -> list[float]:
        times = []
        for at, session in enumerate(sessions):
            started = time.perf_counter()
            session.interrupt()
            threads[at].join()
            times.append(1000 * (ended[at] - started))
        return times

    try:
        yield interrupt
    finally:
        for session in sessions:
            session.interrupt()


def taken(pool: Pool, count: int) -> tuple[list[float], list[float]]:
    """Time `take` where a spare is ready, and `take` with a first cell, giving each back."""
    takes, firsts = [], []
    for _ in range(count):
        started = time.perf_counter()
        session = pool.take()
        takes.append(1000 * (time.perf_counter() - started))
        assert run(session, "1 + 1").status is Status.OK
        firsts.append(1000 * (time.perf_counter() - started))
        pool.give_back(session)
        pool.tend()  # the next spare is there before the next is timed
    return takes, firsts


def row(measure: str, times: list[float], target: float | None = None, unit: str = "ms") -> Row:
    """Return the row of a list of figures."""
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    median = statistics.median(ordered)
    return Row(measure, unit, len(times), median, p95, ordered[-1], target)


def measure(count: int, running: int, cells: int) -> Iterator[Row]:
    """Open sessions and yield one row after another."""
    limits = ExecutionLimits(cpu_s=DAY_S, wall_s=DAY_S)
    bounds = PoolLimits(sessions=count + SPARES + 1, of_one_owner=count + 1, spares=SPARES)
    preload = ("numpy", "pandas")
    with (
        open_sandbox(guest_packages=guest_packages(), preload=preload) as sandbox,
        SessionPool(
            lambda: sandbox.open_session(stateful=True, limits=limits), limits=bounds, tends=False
        ) as pool,
    ):
        sessions, times = fill(pool, count)
        yield row("opened, with its table", times)
        own = [session.memory_bytes() / MIB for session in sessions]
        yield row("memory of a session (PSS and files)", own, unit="MiB")
        pool.tend()
        busy, resting = sessions[:running], sessions[running:]
        yield row("small cell, all else at rest", in_turn(resting, cells))
        yield row(f"small cell, {running} at once", at_once(busy, max(1, cells // 10)), 250)
        with computing(busy) as interrupt:
            yield row(f"small cell, {running} computing", in_turn(resting, cells), 250)
            takes, firsts = taken(pool, max(5, cells // 20))
            yield row(f"spare taken, {running} computing", takes, 50)
            yield row(f"spare's first result, {running} computing", firsts)
            yield row("interrupt, the others computing on", interrupt(), 1000)
        takes, firsts = taken(pool, max(5, cells // 20))
        yield row("spare taken, all else at rest", takes, 50)
        yield row("spare's first result, all else at rest", firsts, 50)
        yield row("small cell after the interrupts", [small(session) for session in busy])


def main() -> None:
    """Measure, print a table, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=200, help="live (default: 200)")
    parser.add_argument("--running", type=int, default=20, help="of them at work (default: 20)")
    parser.add_argument("--cells", type=int, default=400, help="timed in turn (default: 400)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here too")
    args = parser.parse_args()
    if guest_packages() is None:
        parser.error("pandas is missing: run scripts/guest-packages")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(f"{'measure':44} {'count':>6} {'median':>9} {'p95':>9} {'most':>9} {'target':>7}")
    rows = []
    for each in measure(args.sessions, args.running, args.cells):
        rows.append(asdict(each))
        target = "" if each.target_p95 is None else f"{each.target_p95:.0f}"
        figures = f"{each.median:9.2f} {each.p95:9.2f} {each.most:9.2f} {target:>7}"
        print(f"{each.measure:44} {each.count:6} {figures} {each.unit}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
