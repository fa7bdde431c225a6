"""What calls should return, as bytes that an answer is compared with before any value is read."""

from hashlib import sha256
from typing import Any, NamedTuple

from codeloop.judge.guest.candidate import HEADER
from codeloop.judge.guest.compare import is_floats
from codeloop.judge.guest.marks import DIGEST, MARK, TERSE_FROM, VALUE, marked, read_mark
from codeloop.judge.guest.wire import Opaque, WireError, decode, encode

FLOATS, EXACT, HASHED, UNTOLD, MARKED = 1, 2, 4, 8, 16  # of what is packed


class Expected(NamedTuple):
    """What a call should return: as it would be said if it can travel as it is, else the value.

    `data` is a mark, or bytes of the wire, or their digest. A tuple: there are many, quickly made.
    """

    kind: bytes  # MARK or VALUE; none of them if it cannot travel
    data: bytes
    value: Any
    floats: bool
    exact: bool  # whether equal bytes are equal values: not so with a nan
    hashed: bool = False

    def digest(self) -> bytes:
        return self.data if self.hashed else sha256(self.data).digest()

    def is_met_by(self, kind: bytes, data: bytes) -> bool:
        """Whether an answer is this to the byte."""
        if not self.exact:
            return False
        if kind == DIGEST:
            return self.kind == MARK and data == self.digest()
        return kind == self.kind and (sha256(data).digest() if self.hashed else data) == self.data

    def packed(self) -> tuple[int, bytes]:
        """Return it as flags and bytes, long ones as their digest."""
        if not self.kind:
            return UNTOLD, b""
        flags = FLOATS * self.floats + EXACT * self.exact + MARKED * (self.kind == MARK)
        if self.hashed or len(self.data) >= TERSE_FROM:
            return flags + HASHED, self.digest()
        return flags, self.data


def unpacked(flags: int, data: bytes) -> Expected | None:
    """Return what was packed; None for what the reference has to tell."""
    if flags & UNTOLD:
        return None
    kind = MARK if flags & MARKED else VALUE
    floats, exact, hashed = bool(flags & FLOATS), bool(flags & EXACT), bool(flags & HASHED)
    return Expected(kind, data, None, floats, exact, hashed)


def expected_of(value: Any) -> Expected:
    """Return a value as what is expected."""
    floats = is_floats(value)
    try:
        wire = encode(value, strict=True, digest=True)
    except WireError:
        return Expected(b"", b"", value, floats, exact=False)
    kind, data = marked(value, terse=False) or (VALUE, wire)
    if kind == DIGEST:
        return Expected(MARK, data, None, floats, exact=True, hashed=True)
    try:
        back = value_of(kind, data)
        exact = type(back) is Opaque or bool(back == value)  # an opaque one holds a digest
    except (ValueError, WireError):  # numpy's arrays, or too much to decode
        exact = False
    return Expected(kind, data, None, floats, exact)


def value_of(kind: bytes, data: bytes) -> Any:
    """Return the value of what a reference told."""
    return read_mark(data) if kind == MARK else decode(data)[0]


class Answers:
    """What is expected of each call of a group: packed, and read where it is needed."""

    def __init__(self, flags: bytes, data: list[bytes], told: dict[int, Expected]) -> None:
        self.flags = flags
        self._data = data
        self._told = told  # whole, where more is known than is packed

    @property
    def are_told(self) -> bool:
        """Whether all are known, and each long one can be known by its digest."""
        left = (flags for flags in set(self.flags) if not _frame_kind(flags))
        return not any(flags & (UNTOLD | HASHED) for flags in left)

    def get(self, at: int) -> Expected | None:
        """Return what is expected of a call; None for what the reference has to tell."""
        return self._told.get(at) or unpacked(self.flags[at], self._data[at])

    def keep(self, at: int, expected: Expected) -> None:
        """Keep what the reference has told."""
        self._told[at] = expected

    def frames(self, first: int) -> list[bytes]:
        """Return the very bytes of a right answer to each call, from that number; else b""."""
        kinds = {flags: _frame_kind(flags) for flags in set(self.flags)}
        pack = HEADER.pack
        return [
            pack(len(data), number, kind) + data if (kind := kinds[flags]) else b""
            for number, (flags, data) in enumerate(
                zip(self.flags, self._data, strict=True), start=first
            )
        ]


def answers_of(values: list[Any]) -> Answers:
    """Return values as what is expected."""
    told = [expected_of(each) for each in values]
    facts = [each.packed() for each in told]
    return Answers(
        bytes(flags for flags, _ in facts), [data for _, data in facts], dict(enumerate(told))
    )


def _frame_kind(flags: int) -> bytes:
    """Return the kind of the one frame that is right; b"" if there may be several."""
    if not flags & EXACT:
        return b""
    if flags & HASHED:
        return DIGEST if flags & MARKED else b""
    return MARK if flags & MARKED else VALUE
