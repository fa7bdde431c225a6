"""Dialogues as JSON Lines: one dialogue a line, UTF-8, each with its schema version."""

import dataclasses
import json
import os
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from codeloop.core.dialogue import Dialogue
from codeloop.core.errors import DataError

SCHEMA_VERSION = 1

# From the version that a file has to the next one; a file is upgraded step by step when read.
_UPGRADES: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = types.MappingProxyType({})

_LINES = json.JSONEncoder(ensure_ascii=False)
_PLAIN = frozenset({str, int, float, bool, type(None)})  # most of what a record holds

_T = TypeVar("_T")


def to_json(record: object) -> Any:
    """Return a record as plain JSON values: dataclasses as objects, enums by value."""
    kind: type = type(record)
    if kind in _PLAIN:
        return record
    if (names := _field_names(kind)) is not None:
        row = {}
        for name in names:  # written out: this is most of what a row of a dataset costs
            value = getattr(record, name)
            row[name] = value if type(value) in _PLAIN else to_json(value)
        return row
    if isinstance(record, Enum):
        return record.value
    if isinstance(record, tuple):
        return [to_json(item) for item in record]
    return record


def from_json(kind: type[_T], data: object) -> _T:
    """Return the record of a kind that plain JSON values describe.

    Fields that are missing get their defaults; fields that are not known are an error.

    Raises:
        ValueError: the values do not fit; the text says which field and why.
    """
    return _decode(kind, data, kind.__name__)  # type: ignore[no-any-return]


def encode(dialogue: Dialogue) -> str:
    """Return a dialogue as one line of JSON, without the line's end."""
    return as_line({"schema": SCHEMA_VERSION, **to_json(dialogue)})


def as_line(row: Mapping[str, Any]) -> str:
    """Return an object as one line of JSON that UTF-8 can hold, without the line's end."""
    try:
        line = _LINES.encode(row)
        line.encode()
    except UnicodeEncodeError:  # a lone surrogate: only an escape can hold it
        line = json.dumps(row)
    return line


def from_line(line: str) -> dict[str, Any]:
    """Return the object of a line.

    Raises:
        ValueError: it holds none; the text says why.
    """
    try:
        row = json.loads(line)
    except RecursionError as error:
        msg = "nested too deep"
        raise ValueError(msg) from error
    if not isinstance(row, dict):
        msg = "not a JSON object"
        raise ValueError(msg)  # noqa: TRY004  the caller learns of one kind of error
    return row


def decode(line: str) -> Dialogue:
    """Return the dialogue that a line holds.

    Raises:
        ValueError: it holds none; the text says why.
    """
    row = from_line(line)
    version = row.pop("schema", None)
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        msg = f"schema version {version!r}; this codeloop reads 1 to {SCHEMA_VERSION}"
        raise ValueError(msg)
    for step in range(version, SCHEMA_VERSION):
        row = _UPGRADES[step](row)
    return from_json(Dialogue, row)


def read(path: Path) -> Iterator[Dialogue]:
    """Yield the dialogues of a JSON Lines file; blank lines are passed over.

    Raises:
        DataError: the file cannot be read, or a line holds no dialogue; names file:line.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    yield decode(line.decode())
                except ValueError as error:
                    msg = f"{path}:{number}: not a dialogue: {error}"
                    raise DataError(msg) from error
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise DataError(msg) from error


def append(path: Path, dialogues: Iterable[Dialogue]) -> None:
    """Add dialogues to the end of a JSON Lines file, each in one write.

    Raises:
        DataError: the file cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123  a descriptor has no path
            file.writelines(encode(dialogue).encode() + b"\n" for dialogue in dialogues)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise DataError(msg) from error


def _decode(kind: Any, data: object, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _decode_record(kind, data, where)
    if get_origin(kind) is tuple:
        return _decode_tuple(get_args(kind), data, where)
    if get_origin(kind) in {Union, types.UnionType}:
        options = [option for option in get_args(kind) if option is not type(None)]
        return None if data is None else _decode(options[0], data, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _decode_enum(kind, data, where)
    if kind is float and type(data) is int:
        return float(data)
    if type(data) is not kind:
        msg = f"{where} should be {kind.__name__}, not {type(data).__name__}"
        raise ValueError(msg)
    return data


def _decode_record(kind: Any, data: object, where: str) -> Any:
    if not isinstance(data, dict):
        msg = f"{where} should be an object, not {type(data).__name__}"
        raise ValueError(msg)  # noqa: TRY004  the caller learns of one kind of error
    hints = _hints(kind)
    unknown = data.keys() - hints.keys()
    if unknown:
        msg = f"{where} has no field {min(unknown)!r}"
        raise ValueError(msg)
    values = {name: _decode(hints[name], value, f"{where}.{name}") for name, value in data.items()}
    try:
        return kind(**values)
    except TypeError as error:
        msg = f"{where}: {error}"
        raise ValueError(msg) from error


def _decode_tuple(kinds: tuple[Any, ...], data: object, where: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        msg = f"{where} should be a list, not {type(data).__name__}"
        raise ValueError(msg)  # noqa: TRY004  the caller learns of one kind of error
    if len(kinds) == 2 and kinds[1] is Ellipsis:  # noqa: PLR2004  tuple[X, ...]
        kinds = (kinds[0],) * len(data)
    if len(kinds) != len(data):
        msg = f"{where} should have {len(kinds)} items, not {len(data)}"
        raise ValueError(msg)
    pairs = enumerate(zip(kinds, data, strict=True))
    return tuple(_decode(kind, item, f"{where}[{index}]") for index, (kind, item) in pairs)


def _decode_enum(kind: type[Enum], data: object, where: str) -> Enum:
    try:
        return kind(data)
    except ValueError as error:
        known = ", ".join(str(member.value) for member in kind)
        msg = f"{where} is {data!r}; known are {known}"
        raise ValueError(msg) from error


@cache
def _field_names(kind: Any) -> tuple[str, ...] | None:
    """Return the fields of a dataclass; None of any other kind."""
    if not dataclasses.is_dataclass(kind):
        return None
    return tuple(field.name for field in dataclasses.fields(kind))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
