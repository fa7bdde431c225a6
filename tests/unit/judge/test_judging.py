"""How verdicts come of trials, with a rig that says what it was told to say."""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest

from codeloop.core.errors import SandboxError
from codeloop.core.execution import (
    ExecutionLimits,
    ExecutionResult,
    GuestError,
    InputRequested,
    OutputChunk,
    Status,
    TrialLimits,
    TrialResult,
)
from codeloop.core.problem import FunctionTests, Problem, Reason
from codeloop.judge.guest.wire import decode, encode
from codeloop.judge.judging import judge
from codeloop.judge.many import Quiet, RigPool, judge_many

PROBLEM = Problem("p", "", (FunctionTests(((1,),), (2,)),), "f")


def report(reason: str, **facts: Any) -> TrialResult:
    return TrialResult(encode({"reason": reason, "tests_passed": 0} | facts), Status.OK)


PASSED = report("passed")
GONE = TrialResult(encode({"reason": "gone"}), Status.CPU_LIMIT)
OUT_OF_MEMORY = TrialResult(encode({"reason": "gone"}), Status.MEMORY_LIMIT)


@dataclass
class ScriptedRig:
    """Gives its results in order, one a trial; an exception among them is raised."""

    results: list[TrialResult | Exception]
    asked: list[str] = field(default_factory=list)
    eager: list[bool] = field(default_factory=list)
    limits: list[TrialLimits] = field(default_factory=list)
    closed: bool = False

    def trial(self, solution: bytes, request: bytes, limits: TrialLimits) -> TrialResult:
        self.asked.append(decode(request, 3)[2])
        self.eager.append(decode(solution, 4)[3])
        self.limits.append(limits)
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def run(
        self,
        code: str,
        *,
        language: str = "python",
        limits: ExecutionLimits | None = None,
        stdin: bytes = b"",
    ) -> Generator[OutputChunk | InputRequested | ExecutionResult, None, None]:
        yield ExecutionResult(Status.OK)

    def close(self) -> None:
        self.closed = True


def test_a_broken_rig_is_asked_once_more_and_is_no_verdict() -> None:
    assert judge(PROBLEM, "", ScriptedRig([SandboxError("x"), PASSED])).passed
    with pytest.raises(SandboxError, match="twice"):
        judge(PROBLEM, "", ScriptedRig([SandboxError("once"), SandboxError("twice")]))


@pytest.mark.parametrize("second", [PASSED, GONE])
@pytest.mark.parametrize("has_processor", [True, False])
@pytest.mark.parametrize("first", [GONE, OUT_OF_MEMORY])
def test_a_limit_counts_only_if_it_is_met_again_alone(
    first: TrialResult, second: TrialResult, *, has_processor: bool
) -> None:
    rig = ScriptedRig([first, second])
    entered = []

    @contextmanager
    def alone() -> Iterator[None]:
        entered.append(len(rig.results))
        yield

    own = {Status.CPU_LIMIT: nullcontext} if has_processor else {}
    verdict = judge(PROBLEM, "", rig, alone=alone, own=own)
    assert verdict.passed is (second is PASSED)
    assert verdict.limit is (None if verdict.passed else Status.CPU_LIMIT)
    assert entered == ([] if has_processor and first is GONE else [1])
    assert rig.eager == [False, True]
    given = [each.step_cpu_s for each in rig.limits]
    assert given == [PROBLEM.limits.step_cpu_s / 3, PROBLEM.limits.step_cpu_s]


@pytest.mark.parametrize(("number", "waits"), [(None, False), (11, False), (9, True), (7, True)])
def test_who_left_by_itself_is_tried_again_beside_others(
    number: int | None, *, waits: bool
) -> None:
    code = 0 if number is None else None
    end = TrialResult(encode({"reason": "gone"}), Status.OK, exit_code=code, signal=number)
    rig = ScriptedRig([end, end])
    entered = []

    @contextmanager
    def alone() -> Iterator[None]:
        entered.append(1)
        yield

    assert judge(PROBLEM, "", rig, alone=alone).reason is Reason.DIED
    assert bool(entered) is waits
    assert rig.eager == [False, True]


def test_a_wrong_answer_is_not_asked_for_again() -> None:
    facts = {"input": "1", "expected": "2", "actual": "3"}
    verdict = judge(PROBLEM, "", ScriptedRig([report("wrong_answer", **facts)]))
    assert (verdict.reason, verdict.input, verdict.expected, verdict.actual) == (
        Reason.WRONG_ANSWER, "1", "2", "3",
    )  # fmt: skip


def test_an_answer_of_which_only_a_digest_came_is_asked_for_whole() -> None:
    facts = {"input": "1", "expected": "2", "actual": "3"}
    rig = ScriptedRig([report("unseen"), report("wrong_answer", **facts)])
    assert judge(PROBLEM, "", rig).actual == "3"
    assert rig.asked == ["terse", "whole"]
    assert rig.eager == [False, False]


def test_a_process_that_died_is_named_by_how_it_ended() -> None:
    left = TrialResult(encode({"reason": "gone"}), Status.OK, exit_code=0)
    killed = TrialResult(encode({"reason": "gone"}), Status.SIGNAL, signal=11)
    errors = [judge(PROBLEM, "", ScriptedRig([end, end])).error for end in (left, killed)]
    assert errors == [GuestError("SystemExit", "exit code 0"), GuestError("Signal", "signal 11")]


def test_a_lack_of_memory_is_a_limit() -> None:
    raised = report("exception", error=("MemoryError", "", 3))
    verdict = judge(PROBLEM, "", ScriptedRig([raised, raised]))
    assert (verdict.reason, verdict.limit) == (Reason.LIMIT, Status.MEMORY_LIMIT)


def test_a_tester_past_its_limits_fails_the_answer_and_one_that_dies_is_no_verdict() -> None:
    large = TrialResult(None, Status.OK, Status.MEMORY_LIMIT)
    assert judge(PROBLEM, "", ScriptedRig([large, large])).reason is Reason.UNJUDGED
    dead = TrialResult(None, Status.OK, Status.SIGNAL)
    with pytest.raises(SandboxError, match="tester"):
        judge(PROBLEM, "", ScriptedRig([dead, dead]))


def test_many_verdicts_come_in_order_and_rigs_are_closed() -> None:
    rigs: list[ScriptedRig] = []

    def open_rig() -> ScriptedRig:
        rigs.append(EchoRig([]))
        return rigs[-1]

    pairs = [(PROBLEM, str(number)) for number in range(50)]
    verdicts = list(judge_many(pairs, open_rig, rigs=3))
    assert [verdict.tests_passed for verdict in verdicts] == list(range(50))
    assert len(rigs) == 3
    assert all(rig.closed for rig in rigs)


def test_no_more_solutions_are_taken_than_are_needed() -> None:
    taken = []

    def pairs() -> Iterator[tuple[Problem, str]]:
        for number in range(1000):
            taken.append(number)
            yield PROBLEM, str(number)

    verdicts = judge_many(pairs(), lambda: EchoRig([]), rigs=2)
    next(verdicts)
    verdicts.close()  # type: ignore[attr-defined]
    assert len(taken) < 20


def test_a_rig_that_fails_twice_ends_it() -> None:
    rig = ScriptedRig([SandboxError("a"), SandboxError("b")])
    with pytest.raises(SandboxError, match="b"):
        list(judge_many([(PROBLEM, "x")], lambda: rig, rigs=1))
    assert rig.closed


def test_alone_is_alone() -> None:
    quiet = Quiet()
    beside = []
    busy = threading.Semaphore(0)

    def work() -> None:
        with quiet.shared():
            busy.release()
            with quiet.alone():
                beside.append(1)
                assert len(beside) == 1
                beside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


ASLEEP = TrialResult(encode({"reason": "gone"}), Status.WALL_LIMIT)


def test_while_one_sleeps_again_another_works_in_a_spare_rig() -> None:
    woken = threading.Event()

    class Sleeper(ScriptedRig):
        def trial(self, solution: bytes, request: bytes, limits: TrialLimits) -> TrialResult:
            result = super().trial(solution, request, limits)
            assert len(self.asked) != 2 or woken.wait(20)
            return result

    rigs = [Sleeper([ASLEEP, ASLEEP, PASSED]), ScriptedRig([PASSED])]
    left = list(rigs)
    found = []
    with RigPool(lambda: left.pop(0), 1, spare=1) as pool:
        sleeping = threading.Thread(target=lambda: found.append(pool.judge(PROBLEM, "")))
        sleeping.start()
        while len(rigs[0].asked) < 2:
            time.sleep(0.001)
        assert pool.judge(PROBLEM, "").passed
        assert not found
        woken.set()
        sleeping.join(20)
        assert found[0].limit is Status.WALL_LIMIT
        assert pool.judge(PROBLEM, "").passed  # its place was given up once, and not twice
    assert all(rig.closed for rig in rigs)


def test_who_waits_for_a_rig_has_it_before_who_comes_again() -> None:
    order = []

    def wait() -> None:
        with pool.lend():
            order.append("who waited")

    with RigPool(lambda: ScriptedRig([]), 1, spare=1) as pool:
        waiting = threading.Thread(target=wait)
        with pool.lend():
            waiting.start()
            while not pool._places._asking:
                time.sleep(0.001)
        with pool.lend():
            order.append("who came again")
        waiting.join(20)
    assert order == ["who waited", "who came again"]


@pytest.mark.parametrize(("memory_bytes", "waits"), [(1, False), (1 << 60, True), (0, True)])
def test_memory_is_a_candidates_own_if_the_machine_has_it_for_all(
    memory_bytes: int, monkeypatch: pytest.MonkeyPatch, *, waits: bool
) -> None:
    rig = ScriptedRig([OUT_OF_MEMORY, OUT_OF_MEMORY])
    with RigPool(lambda: rig, 1, memory_bytes=memory_bytes) as pool:
        entered = []

        @contextmanager
        def alone() -> Iterator[None]:
            entered.append(1)
            yield

        monkeypatch.setattr(pool._quiet, "alone", alone)
        assert pool.judge(PROBLEM, "").limit is Status.MEMORY_LIMIT
    assert bool(entered) is waits


class EchoRig(ScriptedRig):
    """Passes as many tests as the solution says."""

    def trial(self, solution: bytes, request: bytes, limits: TrialLimits) -> TrialResult:
        return report("passed", tests_passed=int(decode(solution, 4)[1]))
