from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fakes import ok
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codeloop.core.errors import SandboxError
from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    InputRequested,
    OutputChunk,
    Status,
)
from codeloop.dataset.runs import Place, Ran, StoredSession, run_key
from codeloop.dataset.store import Store, Table

PLACE = Place("fake 1", frozenset({"python"}), ExecutionLimits(wall_s=60))


@dataclass
class Summing:
    """A session whose state is all code that it ran; `lose` empties it, `break` breaks it."""

    log: list[str] = field(default_factory=list)
    state: str = ""
    closed: bool = False
    languages: frozenset[str] = frozenset({"python"})

    def run(
        self, code: str, *, language: str = "python", limits: ExecutionLimits | None = None
    ) -> Generator[OutputChunk | InputRequested | ExecutionResult, None, None]:
        self.log.append(code)
        if code == "break" and self.log.count("break") == 1:
            msg = "broken"
            raise SandboxError(msg)
        self.state += code
        if code == "lose":
            self.state = ""
            yield ExecutionResult(Status.CPU_LIMIT, state_lost=True)
            return
        if code == "ask":
            yield InputRequested("?")
        if code == "slow" and limits is not None and limits.wall_s < 60:
            yield ExecutionResult(Status.WALL_LIMIT)
            return
        yield OutputChunk("stdout", self.state)
        yield ok(self.state)

    def interrupt(self) -> bool:
        return True

    def send_input(self, line: str | None) -> None: ...

    def restart(self) -> None:
        self.state = ""

    def close(self) -> None:
        self.closed = True


@dataclass
class Opened:
    """Opens sessions that share a log of what really ran."""

    log: list[str] = field(default_factory=list)
    sessions: list[Summing] = field(default_factory=list)

    def __call__(self) -> Summing:
        self.sessions.append(Summing(self.log))
        return self.sessions[-1]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.db") as opened:
        yield opened


def result_of(
    session: StoredSession, code: str, limits: ExecutionLimits | None = None
) -> ExecutionResult:
    *chunks, result = session.run(code, limits=limits)
    assert isinstance(result, ExecutionResult)
    shown = "".join(each.text for each in chunks if isinstance(each, OutputChunk))
    assert shown == result.stdout.text
    return result


CODES = st.lists(st.sampled_from(["a", "b", "lose"]), min_size=1, max_size=5)


@given(codes=CODES, known=st.integers(0, 5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_session_that_goes_on_says_what_one_in_one_piece_says(
    store: Store, codes: list[str], known: int
) -> None:
    plain = Summing()
    expected = [list(plain.run(code))[-1] for code in codes]
    first = StoredSession(PLACE, Opened(), store)
    assert [result_of(first, code) for code in codes[:known]] == expected[:known]
    opened = Opened()
    second = StoredSession(PLACE, opened, store)
    assert [result_of(second, code) for code in codes] == expected
    assert len(opened.log) <= len(codes)
    third = StoredSession(PLACE, opened, store)
    before = len(opened.log)
    assert [result_of(third, code) for code in codes] == expected
    assert len(opened.log) == before
    assert third.keys == second.keys


def test_no_session_is_opened_before_it_is_needed_and_each_is_closed(store: Store) -> None:
    opened = Opened()
    session = StoredSession(PLACE, opened, store)
    assert session.languages == {"python"}
    assert not opened.sessions
    assert not session.interrupt()
    result_of(session, "a")
    assert session.interrupt()
    session.close()
    assert [each.closed for each in opened.sessions] == [True]


def test_a_session_is_brought_to_its_state_before_it_goes_on(store: Store) -> None:
    result_of(StoredSession(PLACE, Opened(), store), "a")
    opened = Opened()
    session = StoredSession(PLACE, opened, store)
    assert result_of(session, "a").stdout.text == "a"
    assert result_of(session, "b").stdout.text == "ab"
    assert opened.log == ["a", "b"]


def test_what_came_before_state_was_lost_is_not_run_again(store: Store) -> None:
    session = StoredSession(PLACE, Opened(), store)
    for code in ("a", "lose"):
        result_of(session, code)
    opened = Opened()
    again = StoredSession(PLACE, opened, store)
    for code in ("a", "lose", "b"):
        result_of(again, code)
    assert opened.log == ["b"]


def test_a_sandbox_that_breaks_is_replaced_once_and_the_state_made_anew(store: Store) -> None:
    opened = Opened()
    session = StoredSession(PLACE, opened, store)
    result_of(session, "a")
    assert result_of(session, "break").stdout.text == "abreak"
    assert opened.log == ["a", "break", "a", "break"]
    assert [each.closed for each in opened.sessions] == [True, False]


def test_what_was_measured_is_no_part_of_a_result(store: Store) -> None:
    class Measured(Summing):
        def run(
            self, code: str, *, language: str = "python", limits: ExecutionLimits | None = None
        ) -> Generator[OutputChunk | InputRequested | ExecutionResult, None, None]:
            yield ExecutionResult(Status.OK, cpu_s=1.5, wall_s=2.5, peak_memory_bytes=99)

    session = StoredSession(PLACE, Measured, store)
    assert result_of(session, "a") == ExecutionResult(Status.OK)
    assert store.get(Table.RUNS, session.keys[0])["cpu_s"] == 1.5


def test_a_restart_forgets_all(store: Store) -> None:
    session = StoredSession(PLACE, Opened(), store)
    key = [result_of(session, "a"), *session.keys][1]
    session.restart()
    assert result_of(session, "b").stdout.text == "b"
    assert session.keys[1] == run_key("fake 1", [Ran("python", "b", PLACE.limits)]) != key


def test_a_time_that_was_cut_short_changes_no_key_and_its_limit_is_not_kept(store: Store) -> None:
    short = ExecutionLimits(wall_s=3)
    opened = Opened()
    session = StoredSession(PLACE, opened, store)
    assert result_of(session, "slow", limits=short).status is Status.WALL_LIMIT
    assert result_of(StoredSession(PLACE, opened, store), "slow").status is Status.OK
    assert result_of(StoredSession(PLACE, opened, store), "slow", limits=short).stdout.text
    assert opened.log == ["slow", "slow"]


def test_a_run_that_asked_for_input_is_not_kept(store: Store) -> None:
    opened = Opened()
    for _ in range(2):
        list(StoredSession(PLACE, opened, store).run("ask"))
    assert opened.log == ["ask", "ask"]


@pytest.mark.parametrize(
    "other",
    [
        ("fake 2", [Ran("python", "a", PLACE.limits)]),
        ("fake 1", [Ran("c", "a", PLACE.limits)]),
        ("fake 1", [Ran("python", "a", ExecutionLimits(cpu_s=1))]),
        ("fake 1", [Ran("python", "a", PLACE.limits)] * 2),
    ],
)
def test_a_key_depends_on_place_language_limits_and_what_came_before(
    other: tuple[str, list[Ran]],
) -> None:
    assert run_key(*other) != run_key("fake 1", [Ran("python", "a", PLACE.limits)])
