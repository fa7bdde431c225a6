import marshal
import math
from collections import Counter, namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.judge.test_wire import VALUES, Sly, SlyList, same

from codeloop.judge.guest import marks
from codeloop.judge.guest.marks import DIGEST, MARK, TERSE_FROM, VALUE, read_mark, said
from codeloop.judge.guest.wire import Opaque, WireError, decode

Pair = namedtuple("Pair", "a b")  # noqa: PYI024  an ordinary one, as solutions have it


def arrived(value: Any) -> Any:
    """Return a value as the tester has it, however it was said."""
    kind, data = said(value, terse=False)
    return read_mark(data) if kind == MARK else decode(data)[0]


@given(VALUES)
def test_plain_data_survives_the_round_trip(value: Any) -> None:
    assert same(arrived(value), value)


@given(VALUES)
def test_a_mark_is_read_as_marshal_reads_it(value: Any) -> None:
    mark = marshal.dumps(value, 2)
    assert same(read_mark(mark), marshal.loads(mark))


@given(VALUES)
def test_equal_marks_are_equal_values(value: Any) -> None:
    mark = marshal.dumps(value, 2)
    assert marshal.dumps(read_mark(mark), 2) == mark or "set" in repr(value) or "{" in repr(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Sly(7), 7),
        (SlyList([9]), [9]),
        (Counter("aab"), {"a": 2, "b": 1}),
        (Pair(1, [2]), (1, [2])),
        (bytearray(b"ab"), b"ab"),
    ],
)
def test_a_subclass_is_told_as_what_it_is_underneath(value: object, told: object) -> None:
    assert same(arrived([value]), [told])


@pytest.mark.parametrize(
    "value", [object(), len, ..., StopIteration, test_a_mark_is_read_as_marshal_reads_it.__code__]
)
def test_what_is_not_plain_equals_nothing(value: object) -> None:
    kind, data = said(value, terse=False)
    if value is test_a_mark_is_read_as_marshal_reads_it.__code__:  # which has a mark
        with pytest.raises(WireError):
            read_mark(data)
        return
    told = decode(data)[0] if kind == VALUE else read_mark(data)
    assert type(told) is Opaque
    assert told.type_name == type(value).__name__


@pytest.mark.parametrize("value", [np.float64(2.5), [np.int64(3)], {"a": np.ones(3)}])
def test_numpys_values_do_not_pass_for_bytes(value: Any) -> None:
    told = arrived(value)
    assert repr(told) == repr(value)


def test_what_shares_its_parts_or_holds_itself_is_told_or_opaque() -> None:
    row = [1, 2]
    assert arrived([row, row]) == [[1, 2], [1, 2]]
    row.append(row)  # type: ignore[arg-type]
    assert type(arrived(row)) is Opaque


@given(items=st.lists(st.integers() | st.text() | st.lists(st.integers())), terse=st.booleans())
def test_the_mark_of_slices_is_that_of_the_whole(items: list[Any], *, terse: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marks, "FRAME_BYTES", 60)
        patch.setattr(marks, "TERSE_FROM", 0)
        for value in (items, tuple(items)):
            whole = said(value, terse=terse)
            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(marks, "_SLICE_ITEMS", 2)
                assert said(value, terse=terse) == whole


def test_a_long_answer_is_terse_as_a_digest() -> None:
    long = "x" * TERSE_FROM
    kind, digest = said(long, terse=True)
    assert (kind, len(digest)) == (DIGEST, 32)
    assert said(long, terse=False)[0] == MARK
    assert said(long[:-1] + "y", terse=True)[1] != digest


def test_what_no_frame_can_hold_is_a_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "FRAME_BYTES", 1000)
    assert said("x" * 1000, terse=False)[0] == DIGEST


def test_depth_is_bounded_and_so_are_keys_of_one_hash() -> None:
    with pytest.raises(WireError):
        read_mark(b"[\x01\x00\x00\x00" * 5000 + b"N")
    keys = [i * ((1 << 61) - 1) for i in range(1, 20_000)]
    hostile = b"<" + len(keys).to_bytes(4, "little") + marshal.dumps(keys, 2)[5:]
    with pytest.raises(WireError):
        read_mark(hostile)


def test_references_and_code_are_never_made() -> None:
    flagged = marshal.dumps([[1], 2])  # of the newest version: with references
    for mark in (flagged, marshal.dumps(compile("1", "", "eval")), b"r\x00\x00\x00\x00"):
        with pytest.raises(WireError):
            read_mark(mark)


def test_numbers_of_one_kind_are_read_at_once() -> None:
    floats = [1.5, math.inf, -0.0]
    assert same(read_mark(marshal.dumps(floats, 2)), floats)
    assert same(read_mark(marshal.dumps((1, -2, 3), 2)), (1, -2, 3))
