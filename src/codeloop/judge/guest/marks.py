"""What a call returned, as the bytes that the interpreter itself writes most quickly.

Both sides write a value by `marshal`, version 2, which has no references: equal bytes are equal
values of equal types. The tester never hands such bytes to `marshal.loads`, which is not safe on
those of an enemy: it compares them with the bytes that it expects, and reads them, where they
differ, by the bounded decoder below.
"""

import builtins
import struct
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import chain
from marshal import dumps
from sys import modules
from typing import Any

from codeloop.judge.guest.wire import (
    FRAME_BYTES,
    MAX_DEPTH,
    MAX_INT_BYTES,
    MAX_ITEMS,
    Opaque,
    WireError,
    encode,
    storable,
)

VALUE, MARK, DIGEST = b"v", b"p", b"d"  # how a value is said: on the wire, as a mark, as its digest
VERSION = 2  # of marshal: the last without references
TERSE_FROM = 4096  # bytes of a mark, of which a digest is as good where the value is known

_SLICE_ITEMS = 1 << 16  # of a list, whose mark is made by slices if it has more
_SIZE = struct.Struct("<i")
_NUMBERS = ((b"g", struct.Struct("<xd")), (b"i", struct.Struct("<xi")))
_DIGIT_BITS = 15
_MALFORMED, _LARGE = "malformed", "too large"
_SCALARS = frozenset({type(None), bool, int, float, complex, str, bytes})

# A solution may replace what is in the real one: we keep what we need by name.
__builtins__ = dict(vars(builtins))  # type: ignore[assignment]


def said(value: Any, *, terse: bool) -> tuple[bytes, bytes]:
    """Return how a value is said, and the bytes of that; if `terse`, a long mark by its digest."""
    return marked(value, terse=terse) or (VALUE, on_wire(value, digest=True))


def marked(value: Any, *, terse: bool) -> tuple[bytes, bytes] | None:
    """Return a value as a mark or its digest; None where the wire has to tell it."""
    kind = type(value)
    try:
        if kind not in _SCALARS and "numpy" in modules and _has_arrays(value):
            return None  # numpy's values look like bytes
        if (kind is list or kind is tuple) and len(value) > _SLICE_ITEMS:
            return _marked_by_slices(value, terse=terse)
        mark = dumps(value, VERSION)
    except (ValueError, TypeError, MemoryError, RecursionError):  # not plain, or it holds itself
        return None
    if len(mark) > FRAME_BYTES or (terse and len(mark) >= TERSE_FROM):
        return DIGEST, sha256(mark).digest()
    return MARK, mark


def _marked_by_slices(value: Any, *, terse: bool) -> tuple[bytes, bytes]:
    """Return the same of a list or tuple whose mark may be too long to hold."""
    parts = [dumps(type(value)(), VERSION)[:1] + _SIZE.pack(len(value))]
    size, digest = len(parts[0]), sha256()
    for start in range(0, len(value), _SLICE_ITEMS):
        parts.append(dumps(value[start : start + _SLICE_ITEMS], VERSION)[1 + _SIZE.size :])
        size += len(parts[-1])
        if terse or size > FRAME_BYTES:
            for part in parts:
                digest.update(part)
            parts.clear()
    if terse or size > FRAME_BYTES:
        return DIGEST, digest.digest()
    return MARK, b"".join(parts)


def on_wire(*values: object, digest: bool = False) -> bytes:
    """Return values as bytes of the wire; those that cannot travel as what stands for them."""
    try:
        return encode(*values, digest=digest)
    except WireError:
        return b"".join(map(_encoded_or_opaque, values))


def read_mark(mark: bytes) -> Any:
    """Return the value of a mark, which an enemy may have written.

    Raises:
        WireError: it is none, or past a limit.
    """
    reader = _Reader(mark)
    try:
        value = reader.take(0)
    except (struct.error, LookupError, ValueError, TypeError, OverflowError, RecursionError) as e:
        raise WireError(_MALFORMED) from e
    if reader.at != len(mark):
        raise WireError(_MALFORMED)
    return value


def _has_arrays(value: Any) -> bool:
    """Whether there is anything in it but plain data."""
    kind = type(value)
    if kind in _SCALARS:
        return False
    if kind is dict:
        return any(map(_has_arrays, chain.from_iterable(value.items())))
    if kind in {list, tuple, set, frozenset}:
        return not set(map(type, value)) <= _SCALARS and any(map(_has_arrays, value))
    return True


def _encoded_or_opaque(value: object) -> bytes:
    try:
        return encode(value)
    except WireError as error:
        return encode(Opaque(f"{type(value).__name__} ({error})"))


class _Reader:
    """Reads a value from hostile bytes."""

    __slots__ = ("at", "items", "mark")

    def __init__(self, mark: bytes) -> None:
        self.mark = mark
        self.at = 0
        self.items = 0

    def take(self, depth: int) -> Any:
        tag = self.mark[self.at]
        self.at += 1
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise WireError(_LARGE)
        return _READERS[tag](self, depth + 1)

    def fixed(self, form: str) -> tuple[Any, ...]:
        start = self.at
        self.at += struct.calcsize(form)
        return struct.unpack_from(form, self.mark, start)

    def size(self) -> int:
        (count,) = _SIZE.unpack_from(self.mark, self.at)
        self.at += _SIZE.size
        if not 0 <= count <= len(self.mark) - self.at:
            raise WireError(_MALFORMED)
        return int(count)

    def raw(self) -> bytes:
        count = self.size()
        self.at += count
        return self.mark[self.at - count : self.at]

    def all(self, depth: int) -> list[Any]:
        count = self.size()
        if self.items + count > MAX_ITEMS:
            raise WireError(_LARGE)
        for tag, form in _NUMBERS:  # many of a kind are read at once
            start, end = self.at, self.at + form.size * count
            if end <= len(self.mark) and self.mark[start : end : form.size] == tag * count:
                self.at = end
                self.items += count
                return [number for (number,) in form.iter_unpack(self.mark[start:end])]
        return [self.take(depth) for _ in range(count)]

    def pairs(self, depth: int) -> Iterator[Any]:
        while self.mark[self.at] != ord("0"):
            yield self.take(depth)
            yield self.take(depth)
        self.at += 1

    def dict(self, depth: int) -> dict[Any, Any]:
        flat = list(self.pairs(depth))
        return dict(zip(storable(flat[::2]), flat[1::2], strict=True))

    def long(self) -> int:
        (count,) = self.fixed("<i")
        if 2 * abs(count) > min(len(self.mark) - self.at, 2 * MAX_INT_BYTES):
            raise WireError(_LARGE)
        digits = self.fixed(f"<{abs(count)}H")
        bits = "".join(f"{digit:0{_DIGIT_BITS}b}" for digit in reversed(digits))
        number = int(bits or "0", 2)
        return number if count >= 0 else -number


_READERS: dict[int, Callable[[_Reader, int], Any]] = {
    ord("N"): lambda reader, _: None,
    ord("T"): lambda reader, _: True,
    ord("F"): lambda reader, _: False,
    ord("."): lambda *_: Opaque("ellipsis"),
    ord("S"): lambda *_: Opaque("type"),  # StopIteration, which marshal knows
    ord("i"): lambda reader, _: reader.fixed("<i")[0],
    ord("l"): lambda reader, _: reader.long(),
    ord("g"): lambda reader, _: reader.fixed("<d")[0],
    ord("y"): lambda reader, _: complex(*reader.fixed("<dd")),
    ord("u"): lambda reader, _: reader.raw().decode("utf-8", "surrogatepass"),
    ord("s"): lambda reader, _: reader.raw(),
    ord("("): lambda reader, depth: tuple(reader.all(depth)),
    ord("["): lambda reader, depth: reader.all(depth),
    ord("{"): lambda reader, depth: reader.dict(depth),
    ord("<"): lambda reader, depth: set(storable(reader.all(depth))),
    ord(">"): lambda reader, depth: frozenset(storable(reader.all(depth))),
}
