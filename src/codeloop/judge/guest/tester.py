"""The tester's side: holds the tests, calls the candidate, and reports how it went.

It is trusted, lives on over many trials, and runs in a jail of its own all the same. Groups of
tests are worked out once and kept, and run for each candidate.
"""

from collections.abc import Callable, Iterator
from typing import Any

from codeloop.judge.guest import checks
from codeloop.judge.guest.compare import shown, shown_call
from codeloop.judge.guest.functions import (
    FunctionGroup,
    function_group,
    packed_group,
)
from codeloop.judge.guest.proxy import (
    ArgumentError,
    FailedError,
    GoneError,
    Link,
    ProtocolError,
    Proxy,
    RaisedError,
)
from codeloop.judge.guest.wire import decode, encode

FUNCTION, PACKED, CHECK = "function", "packed", "check"
# What is to be done: judge; judge with all of a long answer, should its digest have been another
# than the one expected; say what the reference tells.
TERSE, WHOLE, TELL = "terse", "whole", "tell"

_KEPT_BYTES = 1 << 26  # of calls and of what references have told; more is worked out each time
_KEPT_GROUPS = 64


class CheckGroup:
    """Tests that are code."""

    kept_bytes = 0

    def __init__(self, entry_point: str, group: tuple[Any, ...]) -> None:
        source, setup = group
        self._name = entry_point
        self._code = checks.compiled(source)
        self._setup = compile(setup, "<setup>", "exec", dont_inherit=True)

    def ask(self, link: Link, *, terse: bool, last: bool) -> None:
        """Make no call before the asserts do."""

    def run(self, link: Link) -> Iterator[None]:
        """Yield for each assert that holds, when all do.

        Raises:
            FailedError: one does not, or the tests need the solution in their own process.
        """
        proxy = Proxy(link)
        noted = checks.Noted()
        try:
            checks.run(self._code, self._setup, self._name, proxy, noted)
        except BaseException as error:
            if proxy.broken is None:
                if not proxy.asked:
                    raise
                raise _failure(error, proxy, noted) from error
        if isinstance(proxy.broken, ArgumentError):
            raise FailedError(reason="unsplittable") from proxy.broken
        if isinstance(proxy.broken, GoneError | ProtocolError):
            raise FailedError(reason=proxy.broken.reason, **_where(proxy, noted)) from proxy.broken
        yield from [None] * noted.count


def _failure(error: BaseException, proxy: Proxy, noted: checks.Noted) -> FailedError:
    """Return what failed, in the words of the assert and of the last call."""
    facts = _where(proxy, noted)
    raised = proxy.result
    if isinstance(raised, RaisedError):
        if error.__cause__ is raised or error is raised:
            return FailedError(reason="exception", **facts, error=raised.described())
        return FailedError(reason="wrong_answer", **facts, actual=str(raised))
    if noted.sides is None:
        return FailedError(reason="wrong_answer", **facts, actual=shown(proxy.result))
    actual, expected = noted.sides
    if expected is proxy.result and actual is not proxy.result:
        actual, expected = expected, actual
    return FailedError(
        reason="wrong_answer", **facts, expected=shown(expected), actual=shown(actual)
    )


def _where(proxy: Proxy, noted: checks.Noted) -> dict[str, str]:
    return {"test": noted.source, "input": shown_call(*decode(proxy.asked, 2))}


def start() -> Callable[[bytes, int, Callable[[bytes], None]], bytes]:
    """Return what judges a request."""
    return Tester().judge


class Tester:
    """Judges candidates one after the other; keeps what it has worked out of recent tests."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes], FunctionGroup | CheckGroup] = {}

    def judge(self, request: bytes, descriptor: int, tell: Callable[[bytes], None]) -> bytes:
        """Return the report on a candidate: a dict of plain data."""
        link = Link(descriptor, tell)
        passed = sets = 0
        report: dict[str, Any] = {"reason": "passed"}
        try:
            entry_point, groups, what = decode(request, 3)
            if what == TELL:
                return _pack(entry_point, groups[0])
            for number, data in enumerate(groups, start=1):
                group = self._group(entry_point, data)
                group.ask(link, terse=what == TERSE, last=number == len(groups))
                if number == 1:  # the calls are there when it has loaded: it need not wait for them
                    _load(link)
                for _ in group.run(link):
                    passed += 1
                sets += 1
        except FailedError as failure:
            report = failure.report
        except (GoneError, ProtocolError) as error:  # before it had loaded
            report = {"reason": error.reason}
        finally:
            link.close()
        return encode({"tests_passed": passed, "sets_passed": sets, **report})

    def _group(self, entry_point: str, data: bytes) -> FunctionGroup | CheckGroup:
        key = entry_point, data
        group = self._kept.pop(key, None)
        if group is None:
            kind, *rest = decode(data)[0]
            make = _GROUPS[kind]
            group = make(entry_point, tuple(rest))
        self._kept[key] = group  # the latest comes last
        while len(self._kept) > 1 and self._is_full():
            del self._kept[next(iter(self._kept))]
        return group

    def _is_full(self) -> bool:
        kept = sum(group.kept_bytes for group in self._kept.values())
        return len(self._kept) > _KEPT_GROUPS or kept > _KEPT_BYTES


_GROUPS: dict[str, Callable[[str, tuple[Any, ...]], FunctionGroup | CheckGroup]] = {
    FUNCTION: function_group,
    PACKED: packed_group,
    CHECK: CheckGroup,
}


def _pack(entry_point: str, data: bytes) -> bytes:
    _, *rest = decode(data)[0]
    group, took = function_group(entry_point, tuple(rest)).packed()
    packed = encode((PACKED, *group))
    return encode({"packed": packed, "slowest_cpu_s": max(took, default=0.0), "cpu_s": sum(took)})


def _load(link: Link) -> None:
    try:
        link.load()
    except RaisedError as error:
        if not error.name:
            raise FailedError(reason="undefined") from error
        kinds = {"SyntaxError", "IndentationError", "TabError"}
        reason = "compile_error" if error.name in kinds else "exception"
        raise FailedError(reason=reason, error=error.described()) from error
