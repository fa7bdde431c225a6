"""Plain data as bytes between a candidate and a tester: built-in types by exact type, no more.

A value is a tag and what the tag needs. A list, dict or set that occurs again is a reference to
the first, so that sharing survives; a value that holds itself is refused. Longer lists and tuples
of one simple type are packed. What cannot travel becomes an `Opaque`, which equals nothing. The
decoder reads bytes that an enemy may have written: it is bounded in depth, items and sizes, and
creates plain data only. Of what is too large a digest may travel, which takes knowing it all.
"""

import builtins
import struct
from collections.abc import Callable, Iterable
from hashlib import sha256
from itertools import accumulate, chain
from typing import Any

from codeloop.judge.guest import arrays

FRAME_BYTES = 64 * 1024 * 1024  # the longest message
MAX_DEPTH = 100
MAX_ITEMS = 8_000_000  # in one value; what is shared counts each time it occurs
MAX_INT_BYTES = 1024 * 1024

_SIZE = struct.Struct("<I")
_INT = struct.Struct("<q")
_FLOAT = struct.Struct("<d")
_COMPLEX = struct.Struct("<dd")
_INT64 = 1 << 63
_DRAIN_PARTS = 1 << 16
_PACKED_FROM = 3  # items
_CROWDED_FROM = 4096  # keys; fewer are quick to store whatever their hashes
_INTS, _FLOATS, _STRINGS, _NUMBERS = {int}, {float}, {str}, {int, float}
_UTF8 = ("utf-8", "surrogatepass")

_DEEP = "nested too deep"
_LARGE = "too large"
_CYCLE = "a value that holds itself"
_FOREIGN = "not plain data"
_MALFORMED = "malformed"

# A solution may replace what is in the real one: we keep what we need by name.
__builtins__ = dict(vars(builtins))  # type: ignore[assignment]


class WireError(Exception):
    """Bytes that hold no value, or a value that is past a limit."""


class Opaque:
    """What is left of a value that cannot travel: the name of its type."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name

    def __repr__(self) -> str:
        return f"<{self.type_name} object>"


def encode(*values: object, strict: bool = False, digest: bool = False) -> bytes:
    """Return values as bytes; what they share stays shared.

    With `digest`, values of more than `FRAME_BYTES` become an `Opaque` with their digest.

    Raises:
        WireError: one holds itself, or they are past a limit; or, if `strict`, one of them would
            not arrive as what it is.
    """
    encoder = _Encoder(strict=strict)
    try:
        for value in values:
            encoder.add(value, 0)
    except RecursionError as error:
        raise WireError(_DEEP) from error
    encoder.drain()
    if encoder.hash is None:
        return b"".join(encoder.chunks)
    if digest:
        return encode(Opaque(f"large, {encoder.hash.hexdigest()}"))
    raise WireError(_LARGE)


def decode(data: bytes, count: int = 1) -> list[Any]:
    """Return the values that bytes hold, of which there must be `count`.

    Raises:
        WireError: they do not hold that, or values past a limit.
    """
    decoder = _Decoder(data)
    try:
        values = [decoder.take(0) for _ in range(count)]
    except (struct.error, LookupError, ValueError, TypeError, OverflowError, RecursionError) as e:
        raise WireError(_MALFORMED) from e
    if decoder.at != len(data):
        raise WireError(_MALFORMED)
    return values


def _int(value: int) -> bytes:
    if -_INT64 <= value < _INT64:
        return b"i" + _INT.pack(value)
    size = value.bit_length() // 8 + 1
    if size > MAX_INT_BYTES:
        raise WireError(_LARGE)
    return b"I" + _SIZE.pack(size) + value.to_bytes(size, "little", signed=True)


def _sized(tag: bytes, data: bytes) -> bytes:
    if len(data) > FRAME_BYTES:
        raise WireError(_LARGE)
    return tag + _SIZE.pack(len(data)) + data


_WRITERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"N",
    bool: lambda value: b"T" if value else b"F",
    int: _int,
    float: lambda value: b"f" + _FLOAT.pack(value),
    complex: lambda value: b"c" + _COMPLEX.pack(value.real, value.imag),
    str: lambda value: _sized(b"s", value.encode(*_UTF8)),
    bytes: lambda value: _sized(b"y", value),
}
# Values of a subclass travel as what they are underneath, by the methods of the real class.
_BENEATH: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, lambda value: int.__add__(value, 0)),
    (float, lambda value: float.__mul__(value, 1.0)),
    (str, lambda value: str.__getitem__(value, slice(None))),
    (tuple, lambda value: tuple.__getitem__(value, slice(None))),
    (list, lambda value: list.__getitem__(value, slice(None))),
    (dict, lambda value: dict(dict.items(value))),
    (set, lambda value: set(set.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
    (bytearray, bytes),
)


class _Encoder:
    """Turns values into parts; remembers the containers that it has met."""

    __slots__ = ("chunks", "complete", "hash", "kept", "known", "parts", "size", "strict")

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.parts: list[bytes] = []
        self.chunks: list[bytes] = []  # of what came before the parts
        self.size = 0  # bytes of the chunks, and of those that are no more than hashed
        self.hash: Any = None  # of all so far, once that is too much to keep
        self.known: dict[int, int] = {}  # id -> number, -1 while it is open
        self.complete = 0
        self.kept: list[object] = []  # what we made ourselves: its id must stay its own

    def add(self, value: Any, depth: int) -> None:
        kind = type(value)
        writer = _WRITERS.get(kind)
        if writer is not None:
            self.parts.append(writer(value))
        elif depth > MAX_DEPTH:
            raise WireError(_DEEP)
        elif kind is tuple:
            self._sequence(b"tPGWM", value, depth)
        elif kind is list or kind is dict or kind is set:
            self._shared(value, kind, depth)
        elif kind is frozenset:
            self._all(b"z", value, len(value), depth)
        else:
            self._other(value, depth)

    def _shared(self, value: Any, kind: type, depth: int) -> None:
        number = self.known.get(id(value))
        if number is not None:
            if number < 0:
                raise WireError(_CYCLE)
            self.parts.append(b"r" + _SIZE.pack(number))
            return
        self.known[id(value)] = -1
        if kind is list:
            self._sequence(b"lpgwm", value, depth)
        elif kind is dict:
            self._all(b"d", chain.from_iterable(value.items()), len(value), depth)
        else:
            self._all(b"e", value, len(value), depth)
        self.known[id(value)] = self.complete
        self.complete += 1

    def _all(self, tag: bytes, values: Iterable[object], count: int, depth: int) -> None:
        self.parts.append(tag + _SIZE.pack(count))
        for value in values:
            self.add(value, depth + 1)
            if len(self.parts) > _DRAIN_PARTS:
                self.drain()

    def drain(self) -> None:
        """Join the parts so far; past the limit keep no more than a digest of all."""
        chunk = b"".join(self.parts)
        self.parts.clear()
        self.chunks.append(chunk)
        self.size += len(chunk)
        if self.size > FRAME_BYTES:
            self.hash = self.hash or sha256()
            for each in self.chunks:
                self.hash.update(each)
            self.chunks.clear()

    def _sequence(self, tags: bytes, values: Any, depth: int) -> None:
        """Add a list or tuple: packed if its items are all small ints, floats, or strings."""
        count = len(values)
        if count >= _PACKED_FROM:
            packed = self._packed(tags, values, set(map(type, values)), count)
            if packed:
                self.parts.append(packed)
                return
        self._all(tags[:1], values, count, depth)

    def _packed(self, tags: bytes, values: Any, kinds: set[type], count: int) -> bytes:
        """Return the items in few bytes, or none if they are of no such kind."""
        try:
            if kinds == _INTS:
                return tags[1:2] + _SIZE.pack(count) + struct.pack(f"<{count}q", *values)
            if kinds == _FLOATS:
                return tags[2:3] + _SIZE.pack(count) + struct.pack(f"<{count}d", *values)
            if kinds == _STRINGS:
                head = tags[3:4] + _SIZE.pack(count) + struct.pack(f"<{count}I", *map(len, values))
                return _sized(head, "".join(values).encode(*_UTF8))
            if kinds == _NUMBERS:
                mask = bytes([type(value) is float for value in values])
                both = [value for value in values if type(value) is float]
                form = f"<{len(both)}d{count - len(both)}q"
                both += [value for value in values if type(value) is int]
                return tags[4:] + _SIZE.pack(count) + mask + struct.pack(form, *both)
        except struct.error:  # an int is too large
            pass
        return b""

    def _other(self, value: Any, depth: int) -> None:
        array = arrays.take_apart(value)
        if array is not None:
            self.parts.append(b"a")
            self.add(array, depth)
            return
        if self.strict:
            raise WireError(_FOREIGN)
        if type(value) is Opaque:
            self.parts.append(_sized(b"o", value.type_name.encode(*_UTF8)))
            return
        for kind, plain in _BENEATH:
            if isinstance(value, kind):
                beneath = plain(value)
                self.kept.append(beneath)
                self.add(beneath, depth)
                return
        self.parts.append(_sized(b"o", type(value).__name__.encode(*_UTF8)))


class _Decoder:
    """Reads values from hostile bytes."""

    __slots__ = ("at", "data", "items", "shared")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.items = 0
        self.shared: list[tuple[Any, int]] = []  # complete containers, and the items in each

    def take(self, depth: int) -> Any:
        tag = self.data[self.at]
        self.at += 1
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise WireError(_LARGE)
        return _READERS[tag](self, depth + 1)

    def fixed(self, form: struct.Struct) -> tuple[Any, ...]:
        start = self.at
        self.at += form.size
        return form.unpack_from(self.data, start)

    def size(self) -> int:
        (count,) = self.fixed(_SIZE)
        return int(count)

    def raw(self) -> bytes:
        count = self.size()
        start = self.at
        self.at += count
        if self.at > len(self.data):
            raise WireError(_MALFORMED)
        return self.data[start : self.at]

    def counted(self) -> int:
        count = self.size()
        self.items += count
        if count > len(self.data) - self.at or self.items > MAX_ITEMS:
            raise WireError(_LARGE)
        return count

    def all(self, depth: int) -> list[Any]:
        count = self.counted()
        self.items -= count  # each counts itself
        return [self.take(depth) for _ in range(count)]

    def numbers(self, form: str) -> tuple[Any, ...]:
        count = self.counted()
        start = self.at
        self.at += 8 * count
        return struct.unpack_from(f"<{count}{form}", self.data, start)

    def mixed(self) -> list[Any]:
        count = self.counted()
        mask = self.data[self.at : self.at + count]
        floats = mask.count(1)
        if floats + mask.count(0) != count:
            raise WireError(_MALFORMED)
        start = self.at + count
        self.at = start + 8 * count
        numbers = struct.unpack_from(f"<{floats}d{count - floats}q", self.data, start)
        first, second = iter(numbers[:floats]), iter(numbers[floats:])
        return [next(first) if each else next(second) for each in mask]

    def strings(self) -> list[str]:
        count = self.counted()
        lengths = struct.unpack_from(f"<{count}I", self.data, self.at)
        self.at += 4 * count
        text = self.raw().decode(*_UTF8)
        ends = list(accumulate(lengths))
        if (ends[-1] if ends else 0) != len(text):
            raise WireError(_MALFORMED)
        return [text[end - size : end] for end, size in zip(ends, lengths, strict=True)]

    def container(self, depth: int, make: Callable[["_Decoder", int], Any]) -> Any:
        before = self.items
        value = make(self, depth)
        self.shared.append((value, self.items - before))
        return value

    def again(self) -> Any:
        value, items = self.shared[self.size()]
        self.items += items
        if self.items > MAX_ITEMS:
            raise WireError(_LARGE)
        return value

    def pairs(self, depth: int) -> dict[Any, Any]:
        count = self.counted()
        self.items -= count
        flat = [self.take(depth) for _ in range(2 * count)]
        keys = storable(flat[::2])
        return dict(zip(keys, flat[1::2], strict=True))


def storable(keys: list[Any]) -> list[Any]:
    """Return the keys of a dict or set, unless so many share a hash that storing takes for ever."""
    if len(keys) > _CROWDED_FROM and len(set(map(hash, keys))) < len(keys) // 2:
        raise WireError(_LARGE)
    return keys


def _big(decoder: _Decoder) -> int:
    raw = decoder.raw()
    if len(raw) > MAX_INT_BYTES:
        raise WireError(_LARGE)
    return int.from_bytes(raw, "little", signed=True)


def _array(decoder: _Decoder, depth: int) -> Any:
    value = arrays.put_together(decoder.take(depth))
    return Opaque("ndarray") if value is None else value


_READERS: dict[int, Callable[[_Decoder, int], Any]] = {
    ord("N"): lambda decoder, _: None,
    ord("T"): lambda decoder, _: True,
    ord("F"): lambda decoder, _: False,
    ord("i"): lambda decoder, _: decoder.fixed(_INT)[0],
    ord("I"): lambda decoder, _: _big(decoder),
    ord("f"): lambda decoder, _: decoder.fixed(_FLOAT)[0],
    ord("c"): lambda decoder, _: complex(*decoder.fixed(_COMPLEX)),
    ord("s"): lambda decoder, _: decoder.raw().decode(*_UTF8),
    ord("y"): lambda decoder, _: decoder.raw(),
    ord("o"): lambda decoder, _: Opaque(decoder.raw().decode(*_UTF8)),
    ord("a"): _array,
    ord("t"): lambda decoder, depth: tuple(decoder.all(depth)),
    ord("P"): lambda decoder, _: decoder.numbers("q"),
    ord("G"): lambda decoder, _: decoder.numbers("d"),
    ord("W"): lambda decoder, _: tuple(decoder.strings()),
    ord("M"): lambda decoder, _: tuple(decoder.mixed()),
    ord("z"): lambda decoder, depth: frozenset(storable(decoder.all(depth))),
    ord("l"): lambda decoder, depth: decoder.container(depth, _Decoder.all),
    ord("p"): lambda decoder, depth: decoder.container(depth, lambda d, _: list(d.numbers("q"))),
    ord("g"): lambda decoder, depth: decoder.container(depth, lambda d, _: list(d.numbers("d"))),
    ord("w"): lambda decoder, depth: decoder.container(depth, lambda d, _: d.strings()),
    ord("m"): lambda decoder, depth: decoder.container(depth, lambda d, _: d.mixed()),
    ord("d"): lambda decoder, depth: decoder.container(depth, _Decoder.pairs),
    ord("e"): lambda decoder, depth: decoder.container(
        depth, lambda d, at: set(storable(d.all(at)))
    ),
    ord("r"): lambda decoder, _: decoder.again(),
}
