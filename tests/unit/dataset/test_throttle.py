import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from codeloop.core.dialogue import Message, Role, Usage
from codeloop.core.errors import ModelError, UnavailableError
from codeloop.core.protocols import Reply, Sampling
from codeloop.dataset.throttle import Allowance, Clock, Throttle, ThrottledModel

BUSY = UnavailableError("busy", 0.0)
TOO_MANY = UnavailableError("too many", 0.0, too_many=True)


class Now:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.s = 100.0

    def clock(self) -> Clock:
        return Clock(lambda: self.s)


class Flaky:
    """Raises what is in its list, in order, then answers; knows the most that were in it at once.

    An exception after a text is raised in the middle of the reply.
    """

    name = "flaky"
    context_tokens = None

    def __init__(self, *script: str | Exception) -> None:
        self.script = list(script)
        self.lock = threading.Lock()
        self.inside = self.most = self.asked = 0

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return 10

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        timeout_s: float | None = None,
    ) -> Generator[str | Reply, None, None]:
        with self.lock:
            self.asked += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
            step = self.script.pop(0) if self.script else "fine"
        try:
            time.sleep(0.001)
            if isinstance(step, Exception):
                raise step
            yield step
            if step == "half":
                msg = "broke off"
                raise UnavailableError(msg)
            yield Reply(step, usage=Usage(10, 5))
        finally:
            with self.lock:
                self.inside -= 1

    def close(self) -> None: ...


def asked(model: ThrottledModel, *, timeout_s: float | None = None) -> str:
    *_, reply = model.stream([Message(Role.USER, "hi")], Sampling(), timeout_s=timeout_s)
    assert isinstance(reply, Reply)
    return reply.text


def test_no_more_calls_are_in_flight_than_allowed() -> None:
    model, throttle = Flaky(), Throttle(Allowance(4))
    throttled = ThrottledModel(model, throttle)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: asked(throttled), range(100)))
    assert model.most <= 4
    assert throttle.in_flight == 0


def test_a_call_is_tried_again_and_holds_no_place_meanwhile() -> None:
    model, throttle = Flaky(BUSY, TOO_MANY), Throttle()
    assert asked(ThrottledModel(model, throttle)) == "fine"
    assert (model.asked, throttle.failed, throttle.refused) == (3, 2, 1)
    assert throttle.in_flight == 0


def test_a_call_is_given_up_after_its_tries() -> None:
    model = Flaky(*[BUSY] * 9)
    with pytest.raises(UnavailableError):
        asked(ThrottledModel(model, Throttle(), tries=3))
    assert model.asked == 3


def test_a_reply_that_broke_off_is_not_tried_again() -> None:
    model, throttle = Flaky("half"), Throttle()
    with pytest.raises(UnavailableError, match="broke off"):
        asked(ThrottledModel(model, throttle))
    assert (model.asked, throttle.in_flight) == (1, 0)


def test_a_failure_for_good_is_not_tried_again() -> None:
    model = Flaky(ModelError("no such model"))
    with pytest.raises(ModelError, match="no such model"):
        asked(ThrottledModel(model, Throttle()))
    assert model.asked == 1


def test_a_wait_that_the_time_does_not_allow_is_not_begun() -> None:
    model = Flaky(UnavailableError("busy", 3600.0))
    with pytest.raises(UnavailableError):
        asked(ThrottledModel(model, Throttle()), timeout_s=60)


def test_failures_halve_what_is_in_flight_once_for_all_that_were_under_way() -> None:
    now = Now()
    throttle = Throttle(Allowance(64), now.clock())
    throttle._wait_s(now.s)
    now.s += 10
    went = [throttle.enter(0) for _ in range(8)]
    assert throttle._limit == 64
    now.s += 1
    for each in went:
        throttle.failed_at(each, BUSY)
        throttle.leave()
    assert throttle._limit == pytest.approx(64 * 0.7)
    throttle.failed_at(throttle.enter(0), BUSY)
    assert throttle._limit == pytest.approx(64 * 0.7)  # it went at the time of the cut
    before = throttle._limit
    throttle.succeeded(0, 0)
    assert before < throttle._limit < before + 1


def test_a_refusal_sets_the_pace_to_what_was_taken() -> None:
    now = Now()
    throttle = Throttle(Allowance(64), now.clock())
    for _ in range(50):  # 50 a second
        now.s += 0.02
        throttle.enter(0)
        throttle.leave()
    now.s += 0.001
    went = throttle.enter(0)
    throttle.leave()
    now.s += 0.001
    throttle.failed_at(went, TOO_MANY)
    assert throttle._pace == pytest.approx(0.92 * 50, rel=0.05)
    assert throttle._wait_s(now.s) == pytest.approx(1 / 46, rel=0.1)


def test_refusals_that_follow_one_another_slow_down_by_much() -> None:
    now = Now()
    throttle = Throttle(Allowance(64), now.clock())
    for _ in range(40):
        now.s += 0.01
        throttle.enter(0)
        throttle.leave()
    paces = []
    for _ in range(3):
        went = throttle.enter(0)
        throttle.leave()
        now.s += 0.001
        throttle.failed_at(went, TOO_MANY)
        assert throttle._pace is not None
        paces.append(throttle._pace)
        now.s += 1 / throttle._pace
    assert paces[1] == pytest.approx(0.7 * paces[0], rel=0.05)
    assert paces[2] == pytest.approx(0.7 * paces[1], rel=0.05)


def test_a_refusal_bounds_the_pace_and_not_what_is_in_flight() -> None:
    now = Now()
    throttle = Throttle(Allowance(64), now.clock())
    went = [throttle.enter(0) for _ in range(8)]
    now.s += 0.001
    throttle.failed_at(went[-1], TOO_MANY)
    now.s += 1
    throttle._wait_s(now.s)
    assert throttle._limit == 64  # a slow endpoint needs many in flight for its pace


def test_an_endpoint_that_asks_for_long_is_left_in_peace_by_all() -> None:
    now = Now()
    throttle = Throttle(Allowance(64), now.clock())
    now.s += 1
    went = throttle.enter(0)
    throttle.leave()
    throttle.failed_at(went, UnavailableError("later", 30.0, too_many=True))
    assert throttle._wait_s(now.s + 1) >= 29.0


def test_calls_in_flight_grow_from_few_while_none_fails() -> None:
    now = Now()
    throttle = Throttle(Allowance(64), now.clock())
    now.s += 3600
    assert throttle._wait_s(now.s) <= 0
    assert throttle._limit == 8
    now.s += 0.021
    throttle._wait_s(now.s)
    assert throttle._limit == 16


def test_tokens_and_requests_a_minute_are_kept_to() -> None:
    now = Now()
    throttle = Throttle(Allowance(64, requests_per_minute=60), now.clock())
    throttle.enter(0)
    throttle.leave()
    assert 0.9 < throttle._wait_s(now.s) <= 1.0
    throttle = Throttle(Allowance(64, tokens_per_minute=600), now.clock())
    throttle.enter(100)
    assert throttle.counts_tokens
    assert throttle._wait_s(now.s) == pytest.approx(10.0)
    throttle.succeeded(100, 50)
    assert throttle._wait_s(now.s) == pytest.approx(5.0)


def test_who_waits_is_let_go_when_the_throttle_closes() -> None:
    throttle = Throttle(Allowance(1))
    throttle.enter(0)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(throttle.enter, 0) for _ in range(4)]
        throttle.close()
        for each in waiting:
            with pytest.raises(ModelError, match="closed"):
                each.result(60)


def test_a_place_that_does_not_come_free_in_time_is_an_error() -> None:
    throttle = Throttle(Allowance(1))
    throttle.enter(0)
    with pytest.raises(UnavailableError, match="no place"):
        throttle.enter(0, 0.01)
