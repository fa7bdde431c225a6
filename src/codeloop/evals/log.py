"""A file that rows are only ever added to: whoever is killed loses no more than the row in hand."""

import fcntl
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from codeloop.core.errors import ConfigError, DataError


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
