"""What becomes of programs when the node that runs them is lost, or has to leave."""

import signal
import threading
import time
from pathlib import Path

import pytest
from node_process import StartNode

from codeloop.core.execution import Status
from codeloop.sandbox import Program
from codeloop.sandbox.remote import RemotePool, open_nodes

pytestmark = pytest.mark.jail
COUNT = 200
PROGRAM = """
import time
print({number})
end = time.process_time() + 0.02
while time.process_time() < end:
    pass
"""


class Reading(threading.Thread):
    """Runs many programs, and keeps what comes back, in the order in which it does."""

    def __init__(self, pool: RemotePool) -> None:
        super().__init__()
        self._pool = pool
        self.seen: list[tuple[Status, str]] = []

    def run(self) -> None:
        programs = (Program(PROGRAM.format(number=number)) for number in range(COUNT))
        for result in self._pool.run_many(programs):
            self.seen.append((result.status, result.stdout.text))

    def wait_for(self, count: int) -> None:
        while len(self.seen) < count and self.is_alive():
            time.sleep(0.01)


def expected() -> list[tuple[Status, str]]:
    return [(Status.OK, f"{number}\n") for number in range(COUNT)]


@pytest.mark.timeout(600)
def test_when_a_node_is_killed_under_load_no_result_is_lost_and_none_is_doubled(
    start_node: StartNode,
) -> None:
    dying, living = start_node("--slots", "2"), start_node("--slots", "2")
    with open_nodes([dying.url, living.url]) as pool:
        reading = Reading(pool)
        reading.start()
        reading.wait_for(COUNT // 4)
        family = dying.family()
        dying.process.kill()
        reading.join()
        assert reading.seen == expected()
        assert pool.slots == 2
    assert len(family) > 1
    end = time.monotonic() + 60
    while left := [pid for pid in family if _is_alive(pid)]:
        assert time.monotonic() < end, left
        time.sleep(0.05)


@pytest.mark.timeout(600)
def test_a_node_that_is_told_to_end_drains_and_its_work_goes_elsewhere(
    start_node: StartNode,
) -> None:
    leaving, staying = start_node("--slots", "2"), start_node("--slots", "2")
    with open_nodes([leaving.url, staying.url]) as pool:
        reading = Reading(pool)
        reading.start()
        reading.wait_for(COUNT // 4)
        leaving.process.send_signal(signal.SIGTERM)
        assert leaving.process.wait() == 0
        reading.join()
        assert reading.seen == expected()


@pytest.mark.timeout(600)
def test_a_node_that_comes_back_is_used_again(start_node: StartNode) -> None:
    first = start_node("--slots", "1")
    port = first.url.rpartition(":")[2]
    with open_nodes([first.url, start_node("--slots", "1").url]) as pool:
        first.process.kill()
        first.process.wait()
        reading = Reading(pool)
        reading.start()
        reading.wait_for(10)
        assert pool.slots == 1
        start_node("--slots", "1", "--port", port)
        reading.join()
        assert reading.seen == expected()
        while pool.slots == 1:
            time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
