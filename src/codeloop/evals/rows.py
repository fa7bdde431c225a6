"""JSON Lines files: rows read with the place that each is from, and rows added one by one."""

import fcntl
import hashlib
import json
import os
import threading
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from codeloop.core.errors import ConfigError, DataError
from codeloop.core.files import open_packed

Row = dict[str, Any]


def read_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield each object with its place as `file:line`; blank lines are passed over.

    Raises:
        DataError: the file cannot be read, or a line holds no object; names file:line.
    """
    number = 0
    try:
        with open_packed(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield f"{path}:{number}", _row(line, f"{path}:{number}")
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise DataError(msg) from error
    except (EOFError, zlib.error) as error:
        msg = f"{path}:{number + 1}: the packed file is damaged ({error})"
        raise DataError(msg) from error


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's rows, written as JSON of one form, a line each.

    It is the same for all copies that hold the same rows, packed or not, however they write them.

    Raises:
        DataError: the file cannot be read, or a line holds no object; names file:line.
    """
    whole = hashlib.sha256()
    for _, row in read_rows(path):
        whole.update(json.dumps(row, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return whole.hexdigest()


def text_of(row: Row, key: str, where: str) -> str:
    """Return a text field of a row.

    Raises:
        DataError: it is missing, or no text.
    """
    value = row.get(key)
    if not isinstance(value, str):
        msg = f"{where}: {key!r} should be a text, not {type(value).__name__}"
        raise DataError(msg)
    return value


def _row(line: bytes, where: str) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        msg = f"{where}: not JSON ({error})"
        raise DataError(msg) from error
    if not isinstance(row, dict):
        msg = f"{where}: not a JSON object"
        raise DataError(msg)
    return row


class Log:
    """Adds rows to a JSON Lines file, each in one write; threads may share it, processes not.

    A last line that somebody was killed in the middle of is cut off when the file is opened.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            ConfigError: another process writes to it.
            DataError: it cannot be written.
        """
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DataError(_complaint(path, error)) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            msg = f"{path}: another process writes to it"
            raise ConfigError(msg) from error
        _cut_torn_line(self._file)

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row.

        Raises:
            DataError: it cannot be written.
        """
        line = json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        rest = memoryview(line)
        with self._lock:
            try:
                while rest:
                    rest = rest[os.write(self._file, rest) :]
            except OSError as error:
                raise DataError(_complaint(self._path, error)) from error

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _cut_torn_line(file: int) -> None:
    end = os.fstat(file).st_size
    while end and os.pread(file, 1, end - 1) != b"\n":
        start = max(0, end - 4096)
        newline = os.pread(file, end - start, start).rfind(b"\n")
        end = start if newline < 0 else start + newline + 1
    os.ftruncate(file, end)


def _complaint(path: Path, error: OSError) -> str:
    return f"{path}: cannot be written ({error.strerror})"
