"""Reads what a guest says about itself, trusting none of it."""

import re
from dataclasses import dataclass
from typing import Any

from codeloop.core.execution import Display, GuestError, Variable
from codeloop.sandbox.jail import wire

_TEXT_CHARS = 256 * 1024
_MAX_DISPLAYS = 64
_MIME = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_MAX_LINE = 10_000_000
_MAX_EXIT_CODE = 255
_MAX_BYTES = 1 << 50
_MAX_NAMES = 200
_NAME_CHARS = 200
_MAX_AXES = 8
_VARIABLE_TEXTS = ("name", "type", "value")


class MalformedError(Exception):
    """The guest sent what its kernel never sends."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a run went by the guest's own account."""

    error: GuestError | None = None
    kind: str = ""  # what sort of error: memory, disk, process, interrupt, compile, exception
    displays: tuple[Display, ...] = ()
    variables: tuple[Variable, ...] = ()
    exit_code: int | None = None
    cpu_s: float = 0.0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """The guest asks for a line of input."""

    prompt: str


class Frames:
    """Cuts a guest's stream into messages."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[wire.Message]:
        """Take in more of the stream; return the messages that are complete.

        Raises:
            MalformedError: a message is too long, or no message.
        """
        self._data += data
        messages = []
        while len(self._data) >= wire.HEADER.size:
            (size,) = wire.HEADER.unpack_from(self._data)
            if size > wire.FRAME_BYTES:
                raise MalformedError
            end = wire.HEADER.size + size
            if len(self._data) < end:
                break
            try:
                messages.append(wire.decode(bytes(self._data[wire.HEADER.size : end])))
            except ValueError as error:
                raise MalformedError from error
            del self._data[:end]
        return messages


def parse(message: wire.Message, sequence: int) -> Answer | Question | None:
    """Return what a message says, or None if it belongs to a run before this one.

    Raises:
        MalformedError: it says nothing that a kernel would say.
    """
    if "input" in message:
        return Question(_text(message["input"]))
    number = message.get("seq")
    if type(number) is not int or number > sequence:
        raise MalformedError
    if number < sequence:
        return None
    described = message.get("error")
    return Answer(
        error=None if described is None else _error(described),
        kind="" if described is None else _text(described.get("kind")),
        displays=tuple(_display(parts) for parts in _list(message.get("displays"), _MAX_DISPLAYS)),
        variables=tuple(_variable(each) for each in _list(message.get("variables"), _MAX_NAMES)),
        exit_code=_number(message.get("exit"), _MAX_EXIT_CODE),
        cpu_s=_seconds(message.get("cpu_s", 0.0)),
        memory_bytes=_number(message.get("memory_bytes", 0), _MAX_BYTES) or 0,
    )


def _error(described: Any) -> GuestError:
    if type(described) is not dict:
        raise MalformedError
    return GuestError(
        _text(described.get("name")),
        _text(described.get("message")),
        _number(described.get("line"), _MAX_LINE),
    )


def _variable(described: Any) -> Variable:
    if type(described) is not dict:
        raise MalformedError
    name, type_, value = (_text(described.get(key, ""), _NAME_CHARS) for key in _VARIABLE_TEXTS)
    shape = [_number(axis, _MAX_BYTES) or 0 for axis in _list(described.get("shape"), _MAX_AXES)]
    size = _number(described.get("size", 0), _MAX_BYTES) or 0
    return Variable(name, type_, value, tuple(shape), size)


def _list(value: object, most: int) -> list[object]:
    if value is None:
        return []
    if type(value) is not list or len(value) > most:
        raise MalformedError
    return value


def _display(parts: object) -> Display:
    if type(parts) is not dict or not all(_MIME.fullmatch(mime) for mime in parts):
        raise MalformedError
    return Display(tuple((mime, _text(data, wire.FRAME_BYTES)) for mime, data in parts.items()))


def _text(value: object, most: int = _TEXT_CHARS) -> str:
    """Return a text that is one: no half of a surrogate pair, and not too long."""
    if type(value) is not str:
        raise MalformedError
    return value[:most].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _number(value: object, most: int) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= most:
        raise MalformedError
    return value


def _seconds(value: object) -> float:
    if type(value) not in {int, float}:
        raise MalformedError
    seconds = float(value)  # type: ignore[arg-type]
    return seconds if 0.0 <= seconds < float("inf") else 0.0
