"""The tester's side: holds the tests, calls the candidate, and reports how it went.

It is trusted, lives on over many trials, and runs in a jail of its own all the same. Groups of
tests are worked out once and kept, and run for each candidate.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from time import process_time
from typing import Any, NamedTuple

from codeloop.judge.guest import checks
from codeloop.judge.guest.compare import Comparison, is_floats, shown, shown_call
from codeloop.judge.guest.proxy import (
    ArgumentError,
    GoneError,
    Link,
    ProtocolError,
    Proxy,
    RaisedError,
)
from codeloop.judge.guest.wire import Opaque, WireError, decode, encode

FUNCTION, PACKED, CHECK = "function", "packed", "check"

_KEPT_BYTES = 1 << 26  # of calls and of what references have told; more is worked out each time
_KEPT_GROUPS = 64
_DIGEST_FROM = 256  # bytes of what is expected; a digest stands for more where it is packed
FLOATS, EXACT, HASHED, UNTOLD = 1, 2, 4, 8  # of what is packed


class FailedError(Exception):
    """A test failed; `report` says how."""

    def __init__(self, **report: Any) -> None:
        super().__init__(report)
        self.report = report


class Expected(NamedTuple):
    """What a call should return: as bytes if it can travel as what it is, else as a value.

    Of long bytes no more than their digest may be known. A tuple: there are many, and quickly made.
    """

    data: bytes | None
    value: Any
    floats: bool
    exact: bool  # whether equal bytes are equal values: not so with a nan
    hashed: bool = False

    def is_met_by(self, data: bytes) -> bool:
        """Whether an answer is this to the byte."""
        if not self.exact:
            return False
        return (sha256(data).digest() if self.hashed else data) == self.data


def expected_of(value: Any) -> Expected:
    """Return a value as what is expected."""
    try:
        data = encode(value, strict=True, digest=True)
    except WireError:
        return Expected(None, value, is_floats(value), exact=False)
    try:
        back = decode(data)[0]
        exact = type(back) is Opaque or bool(back == value)  # an opaque one holds a digest
    except (ValueError, WireError):  # numpy's arrays, or too much to decode
        exact = False
    return Expected(data, None, is_floats(value), exact)


class FunctionGroup:
    """Inputs, and what is expected or the reference that tells."""

    def __init__(
        self, entry_point: str, calls: list[bytes], expected: list[Expected | None], rest: Any
    ) -> None:
        self._name = entry_point
        self._calls = calls
        self._expected = expected
        self._reference, self._oracle, self._atol = rest
        self._function: Any = None
        self.kept_bytes = sum(map(len, calls))

    def ask(self, link: Link, *, last: bool) -> None:
        """Make all calls at once; `last` if nothing will be asked after them."""
        link.ask(self._calls, last=last)

    def run(self, link: Link) -> Iterator[None]:
        """Yield for each test that passes.

        Raises:
            FailedError: one does not.
        """
        comparison = Comparison(self._oracle, self._atol)
        for at in range(len(self._calls)):
            try:
                _, data = link.answer()
            except RaisedError as error:
                raise FailedError(
                    reason="exception", **self._shown(at), error=error.described()
                ) from error
            except (GoneError, ProtocolError) as error:
                raise FailedError(reason=error.reason, **self._shown(at)) from error
            expected = self._expect(at)
            if expected.is_met_by(data):
                comparison.note(floats=expected.floats)
            else:
                self._compare(comparison, at, data)
            yield

    def pack(self) -> dict[str, Any]:
        """Return all of it worked out, and the processor seconds of the slowest call and of all."""
        facts, took = [], [0.0]
        for at in range(len(self._calls)):
            before = process_time()
            facts.append(_packed(self._tell(at)))
            took.append(process_time() - before)
        flags, answers = bytes(each[0] for each in facts), [each[1] for each in facts]
        rest = self._reference, self._oracle, self._atol
        data = encode((PACKED, self._calls, flags, answers, rest))
        return {"packed": data, "slowest_cpu_s": max(took), "cpu_s": sum(took)}

    def _compare(self, comparison: Comparison, at: int, data: bytes) -> None:
        try:
            (actual,) = decode(data)
        except WireError as error:
            raise ProtocolError from error
        arguments, _ = decode(self._calls[at], 2)
        if not comparison.accepts(arguments, actual, self._value(at)):
            raise FailedError(reason="wrong_answer", **self._shown(at), actual=shown(actual))

    def _expect(self, at: int) -> Expected:
        known = self._expected[at]
        if known is not None:
            return known
        expected = self._tell(at)
        size = len(expected.data or b"")
        if self.kept_bytes + size <= _KEPT_BYTES:
            self.kept_bytes += size
            self._expected[at] = expected
        return expected

    def _tell(self, at: int) -> Expected:
        """Return what the reference tells."""
        if self._function is None:
            namespace: dict[str, Any] = {"__name__": "reference"}
            exec(self._reference, namespace)  # noqa: S102  the data set's own
            self._function = eval(self._name, namespace)  # noqa: S307
        arguments, _ = decode(self._calls[at], 2)
        value = self._function(*arguments)
        return expected_of(value is not None if self._oracle == "not_none" else value)

    def _value(self, at: int) -> Any:
        expected = self._expect(at)
        if expected.hashed:
            expected = self._tell(at)
        return expected.value if expected.data is None else decode(expected.data)[0]

    def _shown(self, at: int) -> dict[str, str]:
        call = shown_call(*decode(self._calls[at], 2))
        return {"input": call, "expected": shown(self._value(at))}


def function_group(entry_point: str, group: tuple[Any, ...]) -> FunctionGroup:
    """Return the group of inputs as they are given."""
    inputs, expected, *rest = group
    calls = [encode(tuple(each), {}) for each in inputs]
    told: list[Expected | None] = [None] * len(calls)
    if expected is not None:
        told = [expected_of(each) for each in expected]
    return FunctionGroup(entry_point, calls, told, rest)


def packed_group(entry_point: str, group: tuple[Any, ...]) -> FunctionGroup:
    """Return the group that `FunctionGroup.pack` has packed."""
    calls, flags, answers, rest = group
    return FunctionGroup(entry_point, calls, list(map(_unpacked, flags, answers)), rest)


def _packed(expected: Expected) -> tuple[int, bytes]:
    if expected.data is None:
        return UNTOLD, b""
    flags = FLOATS * expected.floats + EXACT * expected.exact
    if len(expected.data) < _DIGEST_FROM:
        return flags, expected.data
    return flags + HASHED, sha256(expected.data).digest()


def _unpacked(flags: int, data: bytes) -> Expected | None:
    if flags & UNTOLD:
        return None
    hashed = bool(flags & HASHED)
    return Expected(data, None, bool(flags & FLOATS), bool(flags & EXACT), hashed)


class CheckGroup:
    """Tests that are code."""

    kept_bytes = 0

    def __init__(self, entry_point: str, group: tuple[Any, ...]) -> None:
        source, setup = group
        self._name = entry_point
        self._code = checks.compiled(source)
        self._setup = compile(setup, "<setup>", "exec", dont_inherit=True)

    def ask(self, link: Link, *, last: bool) -> None:
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
            entry_point, groups, packing = decode(request, 3)
            if packing:
                return _pack(entry_point, groups[0])
            for number, data in enumerate(groups, start=1):
                group = self._group(entry_point, data)
                group.ask(link, last=number == len(groups))
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


def _pack(entry_point: str, group: bytes) -> bytes:
    _, *rest = decode(group)[0]
    return encode(function_group(entry_point, tuple(rest)).pack())


def _load(link: Link) -> None:
    try:
        link.load()
    except RaisedError as error:
        if not error.name:
            raise FailedError(reason="undefined") from error
        kinds = {"SyntaxError", "IndentationError", "TabError"}
        reason = "compile_error" if error.name in kinds else "exception"
        raise FailedError(reason=reason, error=error.described()) from error
