"""A pool of live sessions, with sessions that are none and a clock that is set by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from codeloop.core.errors import SandboxError
from codeloop.sandbox.stateful.pool import PoolLimits, SessionPool


@dataclass(eq=False)
class FakeSession:
    """Is idle or not, takes what memory it is told to, and remembers that it was closed."""

    idle_since: float | None = 0.0
    memory: int = 1
    alive: bool = True
    closed: bool = False
    measured: int = 0
    ready: bool = False
    breaks: bool = False

    def await_ready(self) -> None:
        if self.breaks:
            raise SandboxError
        self.ready = True

    def memory_bytes(self) -> int:
        self.measured += 1
        if not self.alive:
            raise SandboxError
        return self.memory

    def close(self) -> None:
        self.closed = True


@dataclass
class Bench:
    """What a test of the pool holds."""

    now: float = 0.0
    opened: list[FakeSession] = field(default_factory=list)
    reaped: list[FakeSession] = field(default_factory=list)
    broken: bool = False
    breaks: bool = False
    opening: Callable[[], None] = lambda: None

    def open(self) -> FakeSession:
        if self.broken:
            raise SandboxError
        self.opening()
        self.opened.append(FakeSession(idle_since=self.now, breaks=self.breaks))
        return self.opened[-1]

    def pool(self, limits: PoolLimits, *, tends: bool = False) -> SessionPool[FakeSession]:
        return SessionPool(
            self.open,
            limits=limits,
            on_reap=self.reaped.append,
            clock=lambda: self.now,
            tends=tends,
        )


@pytest.fixture
def bench() -> Bench:
    return Bench()


LIMITS = PoolLimits(spares=0)


def test_a_spare_is_ready_before_it_is_asked_for(bench: Bench) -> None:
    with bench.pool(replace(LIMITS, spares=2)) as pool:
        pool.tend()
        assert len(bench.opened) == 2
        assert all(session.ready for session in bench.opened)
        assert pool.take() in bench.opened[:2]
        assert len(bench.opened) == 2
        pool.tend()
        assert len(bench.opened) == 3
        assert len(pool) == 1
    assert all(session.closed for session in bench.opened)
    assert not bench.reaped


def test_a_spare_that_died_is_not_handed_out(bench: Bench) -> None:
    pool = bench.pool(replace(LIMITS, spares=1))
    pool.tend()
    bench.opened[0].alive = False
    assert pool.take() is bench.opened[1]


def test_there_is_a_bound_on_the_number(bench: Bench) -> None:
    pool = bench.pool(replace(LIMITS, sessions=2, spares=5))
    first = pool.take()
    pool.tend()
    assert len(bench.opened) == 2
    pool.take()
    with pytest.raises(SandboxError, match="2 sessions are live"):
        pool.take()
    pool.give_back(first)
    assert first.closed
    assert pool.take() is bench.opened[2]


def test_no_owner_takes_all(bench: Bench) -> None:
    pool = bench.pool(replace(LIMITS, of_one_owner=1))
    pool.take("ada")
    with pytest.raises(SandboxError, match="1 sessions of one owner"):
        pool.take("ada")
    assert pool.take("eve") is bench.opened[1]


def test_what_is_idle_for_long_is_closed_and_told(bench: Bench) -> None:
    pool = bench.pool(replace(LIMITS, idle_s=100))
    old, busy, young = pool.take(), pool.take(), pool.take()
    old.idle_since, busy.idle_since, young.idle_since = 10.0, None, 50.0
    bench.now = 111.0
    pool.tend()
    assert (old.closed, busy.closed, young.closed) == (True, False, False)
    assert bench.reaped == [old]
    assert len(pool) == 2


def test_a_spare_that_waited_long_is_new_to_who_takes_it(bench: Bench) -> None:
    pool = bench.pool(replace(LIMITS, idle_s=100, spares=1))
    pool.tend()
    bench.now = 1000.0
    session = pool.take()
    pool.tend()
    assert not session.closed
    bench.now = 1101.0
    pool.tend()
    assert session.closed


def test_memory_is_bounded_by_closing_the_longest_idle(bench: Bench) -> None:
    pool = bench.pool(replace(LIMITS, memory_bytes=100))
    sessions = [pool.take() for _ in range(4)]
    for session, since in zip(sessions, (3.0, 2.0, 1.0, None), strict=True):
        session.memory, session.idle_since = 40, since
    pool.tend()
    assert [session.closed for session in sessions] == [False, False, True, False]
    sessions[3].idle_since = 4.0
    pool.tend()
    assert [session.closed for session in sessions] == [False, True, True, False]


def test_memory_is_measured_only_after_a_run(bench: Bench) -> None:
    pool = bench.pool(LIMITS)
    session = pool.take()
    for _ in range(3):
        pool.tend()
    assert session.measured == 1
    session.idle_since = 5.0
    pool.tend()
    assert session.measured == 2


def test_a_session_that_broke_is_no_reason_to_stop(bench: Bench) -> None:
    pool = bench.pool(replace(LIMITS, spares=1, idle_s=10))
    broken = pool.take()
    broken.alive = False
    bench.now = 20.0
    pool.tend()
    assert broken.closed
    assert len(bench.opened) == 2


def test_a_place_is_not_lost_when_a_session_cannot_be_had(bench: Bench) -> None:
    pool = bench.pool(replace(LIMITS, sessions=1))
    bench.broken = True
    for _ in range(3):
        with pytest.raises(SandboxError):
            pool.take()
    bench.broken = False
    assert pool.take() is bench.opened[0]


def test_a_closed_pool_hands_nothing_out(bench: Bench) -> None:
    pool = bench.pool(replace(LIMITS, spares=1), tends=True)
    pool.close()
    pool.close()
    with pytest.raises(SandboxError, match="closed"):
        pool.take()
    assert all(session.closed for session in bench.opened)


def test_a_spare_that_does_not_get_ready_is_closed_and_takes_no_place(bench: Bench) -> None:
    pool = bench.pool(replace(LIMITS, sessions=1, spares=1))
    bench.breaks = True
    with pytest.raises(SandboxError):
        pool.tend()
    assert bench.opened[0].closed
    bench.breaks = False
    assert pool.take() is bench.opened[1]


def test_a_session_that_opens_while_its_pool_closes_is_closed_too(bench: Bench) -> None:
    pool = bench.pool(LIMITS)
    bench.opening = pool.close
    with pytest.raises(SandboxError, match="closed"):
        pool.take()
    assert bench.opened[0].closed
