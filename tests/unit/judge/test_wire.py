import contextlib
import marshal
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeloop.judge.guest import wire
from codeloop.judge.guest.candidate import _arguments
from codeloop.judge.guest.marks import VERSION, read_mark
from codeloop.judge.guest.wire import Opaque, WireError, decode, encode

TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(1 << 300), 1 << 300)
    | st.floats()
    | st.complex_numbers()
    | TEXT
    | st.binary()
)
KEYS = st.recursive(
    SCALARS,
    lambda keys: st.lists(keys, max_size=4).map(tuple) | st.frozensets(keys, max_size=4),
    max_leaves=8,
)
VALUES = st.recursive(
    SCALARS
    | st.lists(st.integers(-9, 9) | st.floats())
    | st.lists(st.integers())
    | st.lists(st.floats())
    | st.lists(TEXT),
    lambda values: (
        st.lists(values, max_size=6)
        | st.lists(values, max_size=6).map(tuple)
        | st.dictionaries(KEYS, values, max_size=6)
        | st.sets(KEYS, max_size=6)
    ),
    max_leaves=20,
)


def marked(value: Any) -> bytes:
    return marshal.dumps(value, VERSION)


def spell(value: Any) -> str:
    """Return a text that two values share only if they are alike, down to types and zero's sign."""
    match value:
        case list() | tuple():
            inner = ", ".join(map(spell, value))
        case set() | frozenset():
            inner = ", ".join(sorted(map(spell, value)))
        case dict():
            inner = ", ".join(f"{spell(key)}: {spell(item)}" for key, item in value.items())
        case int():
            inner = hex(value)
        case _:
            inner = repr(value)
    return f"{type(value).__name__}({inner})"


def same(one: Any, other: Any) -> bool:
    return spell(one) == spell(other)


@given(VALUES)
def test_plain_data_survives_the_round_trip(value: Any) -> None:
    assert same(decode(encode(value)), [value])


@given(st.lists(VALUES, max_size=4))
def test_many_values_travel_at_once(values: list[Any]) -> None:
    assert same(decode(encode(*values), len(values)), values)


def test_what_is_shared_stays_shared() -> None:
    row: list[object] = [1, "a"]
    first, second, third = decode(encode([row, row], {"k": row}, row), 3)
    assert first[0] is first[1] is second["k"] is third
    assert first[0] == row


@pytest.mark.parametrize("nest", [lambda x: x.append(x), lambda x: x.append((1, [x]))])
def test_a_value_that_holds_itself_is_refused(nest: Any) -> None:
    value: list[object] = []
    nest(value)
    with pytest.raises(WireError, match="itself"):
        encode(value)


class Sly(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__

    def __add__(self, other: object) -> int:
        return 42


class SlyList(list[object]):
    def __eq__(self, other: object) -> bool:
        return True

    def __iter__(self) -> Any:
        return iter([1, 2, 3])

    __hash__ = None


def test_a_subclass_travels_as_what_it_is_underneath() -> None:
    assert same(decode(encode(Sly(7), SlyList([9]), True), 3), [7, [9], True])


@pytest.mark.parametrize("value", [object(), iter([1]), len, ValueError("x"), range(3)])
def test_what_cannot_travel_equals_nothing(value: object) -> None:
    (arrived,) = decode(encode(value))
    assert type(arrived) is Opaque
    assert arrived.type_name == type(value).__name__
    assert arrived != value
    assert arrived not in {1: 1, "a": 2}


def test_depth_and_size_are_bounded() -> None:
    deep: list[object] = []
    for _ in range(wire.MAX_DEPTH + 2):
        deep = [deep]
    with pytest.raises(WireError, match="deep"):
        encode(deep)
    with pytest.raises(WireError, match="large"):
        encode(1 << 8 * wire.MAX_INT_BYTES)


def test_a_small_message_cannot_become_a_large_value() -> None:
    value: list[object] = ["x"] * 10
    for _ in range(40):
        value = [value] * 10
    with pytest.raises(WireError):
        decode(encode(value))


def test_keys_of_one_hash_are_refused_in_number() -> None:
    keys = [i * ((1 << 61) - 1) for i in range(1, 20_000)]
    data = bytearray(encode(keys))
    data[0] = ord("e")
    hostile = b"e" + len(keys).to_bytes(4, "little") + b"".join(encode(key) for key in keys)
    with pytest.raises(WireError):
        decode(hostile)


@pytest.mark.parametrize("read", [decode, read_mark])
@given(data=st.binary(max_size=400))
@settings(max_examples=300)
def test_hostile_bytes_are_a_value_or_an_error(read: Callable[[bytes], Any], data: bytes) -> None:
    with contextlib.suppress(WireError):
        read(data)


@pytest.mark.parametrize(("write", "read"), [(encode, decode), (marked, read_mark)])
@given(value=VALUES, data=st.data())
@settings(max_examples=300)
def test_a_damaged_message_is_a_value_or_an_error(
    write: Callable[[Any], bytes], read: Callable[[bytes], Any], value: Any, data: st.DataObject
) -> None:
    message = bytearray(write(value))
    at = data.draw(st.integers(0, len(message) - 1))
    message[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        read(bytes(message))


@pytest.mark.parametrize("read", [decode, read_mark])
def test_a_claimed_size_allocates_nothing(read: Callable[[bytes], Any]) -> None:
    sizes = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x0f", b"\x00\x12\x7a\x00", b"\x01\x00\x00\x80")
    messages = [
        bytes([tag]) + size + rest
        for tag in range(256)
        for size in sizes
        for rest in (b"", b"N", bytes(64))
    ]
    tracemalloc.start()
    try:
        for message in messages:
            with contextlib.suppress(WireError):
                read(message)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        ((1, "a"), {}),
        (({},), {}),
        (({},), {"a": {}}),
        ((), {"a": [{}]}),
        ((), {}),
        (({1: {}},), {}),
    ],
)
def test_arguments_are_read_the_same_with_keywords_and_without(
    arguments: tuple[object, ...], keywords: dict[str, object]
) -> None:
    assert _arguments(encode(arguments, keywords)) == (arguments, keywords)


def test_one_text_that_fills_a_message_is_as_large_as_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "FRAME_BYTES", 1000)
    with pytest.raises(WireError, match="too large"):
        encode("x" * 998)
    assert type(decode(encode("x" * 998, digest=True))[0]) is Opaque
    assert decode(encode("x" * 995)) == ["x" * 995]
