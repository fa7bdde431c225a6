"""Tests that are inputs: all calls are sent at once, each answer is compared as it comes."""

from collections.abc import Iterator
from itertools import accumulate
from marshal import dumps
from time import process_time
from typing import Any

from codeloop.judge.guest.compare import Comparison, shown, shown_call
from codeloop.judge.guest.expected import (
    FLOATS,
    UNTOLD,
    Answers,
    Expected,
    answers_of,
    expected_of,
    value_of,
)
from codeloop.judge.guest.marks import DIGEST, MARK, VERSION, read_mark
from codeloop.judge.guest.proxy import (
    FailedError,
    GoneError,
    Link,
    ProtocolError,
    RaisedError,
)
from codeloop.judge.guest.wire import Opaque, WireError, decode, encode

UNSEEN = "unseen"  # a reason: the digest of an answer says no more than that it is another

_KEPT_BYTES = 1 << 26  # of what a reference has told; more is worked out each time
_PACK_BYTES = 1 << 18  # of calls that are sent as one

Packs = list[tuple[int, bytes]]


class Calls:
    """The arguments of each call: many as one, where `marshal` keeps them as they are."""

    def __init__(self, packs: Packs, single: list[bytes]) -> None:
        self.packs = packs
        self.single = single  # else: as bytes of the wire, with no keywords
        self._marks: list[bytes] = []  # of each call, once somebody asks
        self.bytes = sum(len(pack) for _, pack in packs) + sum(map(len, single))

    def __len__(self) -> int:
        return len(self.single) + sum(count for count, _ in self.packs)

    def ask(self, link: Link, *, terse: bool, last: bool) -> None:
        """Send all of them."""
        if self.single:
            link.ask(self.single, last=last)
        else:
            link.ask_many(self.packs, terse=terse, last=last)

    def arguments(self, at: int) -> tuple[Any, ...]:
        """Return those of one call, anew."""
        if self.single:
            return tuple(decode(self.single[at], 2)[0])
        if not self._marks:
            self._marks = [mark for _, pack in self.packs for mark in read_mark(pack)]
        return tuple(read_mark(self._marks[at]))


def calls_of(inputs: list[tuple[Any, ...]]) -> Calls:
    """Return calls ready to be sent."""
    single = [encode(tuple(each), {}) for each in inputs]
    packs: Packs = []
    marks: list[bytes] = []
    size = 0
    try:
        for each, alone in zip(inputs, single, strict=True):
            mark = dumps(tuple(each), VERSION)
            if encode(read_mark(mark), {}) != alone:  # it shares parts, or holds arrays
                return Calls([], single)
            if marks and size + len(mark) > _PACK_BYTES:
                packs.append((len(marks), dumps(marks, VERSION)))
                marks, size = [], 0
            marks.append(mark)
            size += len(mark)
    except (ValueError, TypeError, WireError):
        return Calls([], single)
    packs.append((len(marks), dumps(marks, VERSION)))
    return Calls(packs, [])


class FunctionGroup:
    """Inputs, and what is expected or the reference that tells."""

    def __init__(self, entry_point: str, calls: Calls, answers: Answers, rest: Any) -> None:
        self._name = entry_point
        self._calls = calls
        self._answers = answers
        self._reference, self._oracle, self._atol = rest
        self._function: Any = None
        self._frames: tuple[int, list[bytes]] = (0, [])
        self._first = 0  # in the trial in progress: the number of the first call,
        self._terse = False  # and whether long answers are digests
        self.kept_bytes = calls.bytes
        self._are_told = answers.are_told

    def ask(self, link: Link, *, terse: bool, last: bool) -> None:
        """Make all calls at once; `last` if nothing will be asked after them."""
        self._first = link.next
        self._terse = terse and self._are_told
        self._calls.ask(link, terse=self._terse, last=last)

    def run(self, link: Link) -> Iterator[None]:
        """Yield for each test that passes.

        Raises:
            FailedError: one does not.
        """
        comparison = Comparison(self._oracle, self._atol)
        flags = self._answers.flags
        for at, frame in enumerate(self._right_frames()):
            try:
                if frame and link.is_next(frame):
                    if flags[at] & FLOATS:
                        comparison.note(floats=True)
                else:
                    self._examine(comparison, at, *link.answer())
            except RaisedError as error:
                raise FailedError(
                    reason="exception", **self._shown(at), error=error.described()
                ) from error
            except (GoneError, ProtocolError) as error:
                raise FailedError(reason=error.reason, **self._shown(at)) from error
            yield

    def packed(self) -> tuple[tuple[Any, ...], list[float]]:
        """Return all of it worked out, and the processor seconds of each call."""
        facts, took = [], []
        for at in range(len(self._calls)):
            before = process_time()
            facts.append(self._tell(at).packed())
            took.append(process_time() - before)
        flags, answers = bytes(each[0] for each in facts), [each[1] for each in facts]
        rest = self._reference, self._oracle, self._atol
        calls = self._calls.packs, self._calls.single
        return (*calls, flags, list(map(len, answers)), b"".join(answers), rest), took

    def _right_frames(self) -> list[bytes]:
        """Return for each call the very bytes of a right answer, as far as they are known."""
        first, frames = self._frames
        if first != self._first:
            frames = self._answers.frames(self._first)
            self._frames = self._first, frames
        return frames

    def _examine(self, comparison: Comparison, at: int, kind: bytes, data: bytes) -> None:
        expected = self._expect(at)
        if expected.is_met_by(kind, data):
            comparison.note(floats=expected.floats)
            return
        actual = self._read(kind, data)
        if not comparison.accepts(self._calls.arguments(at), actual, self._value(at)):
            raise FailedError(reason="wrong_answer", **self._shown(at), actual=shown(actual))

    def _read(self, kind: bytes, data: bytes) -> Any:
        """Return an answer as a value.

        Raises:
            FailedError: it is not there, but could be had.
        """
        if kind == DIGEST:
            if self._terse:
                raise FailedError(reason=UNSEEN)
            return Opaque(f"large, {data.hex()}")
        if kind == MARK:
            try:
                return read_mark(data)
            except WireError as error:
                return Opaque(str(error))
        try:
            return decode(data)[0]
        except WireError as error:
            raise ProtocolError from error

    def _expect(self, at: int) -> Expected:
        expected = self._answers.get(at)
        if expected is None:
            expected = self._tell(at)
            if self.kept_bytes + len(expected.data) <= _KEPT_BYTES:
                self.kept_bytes += len(expected.data)
                self._answers.keep(at, expected)
        return expected

    def _tell(self, at: int) -> Expected:
        return expected_of(self._told(at))

    def _told(self, at: int) -> Any:
        """Return what the reference tells."""
        if self._function is None:
            namespace: dict[str, Any] = {"__name__": "reference"}
            exec(self._reference, namespace)  # noqa: S102  the data set's own
            self._function = eval(self._name, namespace)  # noqa: S307
        value = self._function(*self._calls.arguments(at))
        return value is not None if self._oracle == "not_none" else value

    def _value(self, at: int) -> Any:
        expected = self._expect(at)
        if expected.hashed and self._reference:
            return self._told(at)
        return value_of(expected.kind, expected.data) if expected.kind else expected.value

    def _shown(self, at: int) -> dict[str, str]:
        call = shown_call(self._calls.arguments(at), {})
        return {"input": call, "expected": shown(self._value(at))}


def function_group(entry_point: str, group: tuple[Any, ...]) -> FunctionGroup:
    """Return the group of inputs as they are given."""
    inputs, expected, *rest = group
    answers = Answers(bytes([UNTOLD]) * len(inputs), [b""] * len(inputs), {})
    if expected is not None:
        answers = answers_of(expected)
    return FunctionGroup(entry_point, calls_of(inputs), answers, rest)


def packed_group(entry_point: str, group: tuple[Any, ...]) -> FunctionGroup:
    """Return the group that `FunctionGroup.packed` has packed."""
    packs, single, flags, _, _, rest = group
    answers = Answers(flags, packed_answers(group), {})
    return FunctionGroup(entry_point, Calls(packs, single), answers, rest)


def packed_answers(group: tuple[Any, ...]) -> list[bytes]:
    """Return what is packed of each answer."""
    _, _, _, sizes, data, _ = group
    ends = list(accumulate(sizes))
    return [data[end - size : end] for size, end in zip(sizes, ends, strict=True)]
