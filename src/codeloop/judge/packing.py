"""Works out once what a problem's reference tells, so that no later trial has to."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from codeloop.core.errors import SandboxError
from codeloop.core.execution import TrialLimits
from codeloop.core.problem import FunctionTests, PackedTests
from codeloop.core.protocols import Rig
from codeloop.judge.guest.expected import HASHED, MARKED, UNTOLD
from codeloop.judge.guest.functions import packed_answers
from codeloop.judge.guest.marks import read_mark
from codeloop.judge.guest.tester import TELL
from codeloop.judge.guest.wire import decode, encode
from codeloop.judge.judging import group_data, read_report

_UNTIL_DONE = TrialLimits(cpu_s=600.0, wall_s=3600.0)


@dataclass(frozen=True, slots=True)
class Packing:
    """Packed tests, and what the reference took for its slowest call and for all of them."""

    tests: PackedTests
    slowest_cpu_s: float
    cpu_s: float


def pack(tests: FunctionTests, entry_point: str, rig: Rig) -> Packing:
    """Return tests with what their reference tells, long values as digests.

    Raises:
        SandboxError: the rig failed, or the reference took the tester past a limit.
    """
    request = encode(entry_point, [group_data(tests)], TELL)
    nobody = encode("", "", "", False)
    report = read_report(rig.trial(nobody, request, _UNTIL_DONE))
    if "packed" not in report:
        msg = "the reference took the tester past a limit"
        raise SandboxError(msg)
    packed = PackedTests(report["packed"], len(tests.inputs))
    return Packing(packed, report["slowest_cpu_s"], report["cpu_s"])


def inputs(tests: PackedTests) -> list[tuple[Any, ...]]:
    """Return the arguments of each call of packed tests."""
    _, packs, single, *_ = decode(tests.data)[0]
    marked = [read_mark(call) for _, pack in packs for call in read_mark(pack)]
    return marked or [decode(call, 2)[0] for call in single]


def answers(tests: PackedTests) -> list[Any]:
    """Return what is expected, where packed tests hold more of it than a digest."""
    return [value for known, value in _answers(tests) if known]


def examples(tests: PackedTests) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the arguments of a call and what is expected, where more than a digest is known."""
    for call, (known, value) in zip(inputs(tests), _answers(tests), strict=True):
        if known:
            yield call, value


def _answers(tests: PackedTests) -> Iterator[tuple[bool, Any]]:
    """Yield for each call whether more than a digest is known, and what is expected."""
    _, *group = decode(tests.data)[0]
    for flags, data in zip(group[2], packed_answers(tuple(group)), strict=True):
        if flags & (HASHED | UNTOLD):
            yield False, None
        else:
            yield True, read_mark(data) if flags & MARKED else decode(data)[0]
