"""JSON Lines files, packed or not: objects with the place that each is from."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from codeloop.core.errors import DataError

Row = dict[str, Any]

_READ_BYTES = 1 << 20


def read_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield each object with its place as `file:line`; blank lines are passed over.

    Raises:
        DataError: the file cannot be read, or a line holds no object; names file:line.
    """
    number = 0
    try:
        with open_file(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield f"{path}:{number}", _row(line, f"{path}:{number}")
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise DataError(msg) from error
    except (EOFError, zlib.error) as error:
        msg = f"{path}:{number + 1}: the packed file is damaged ({error})"
        raise DataError(msg) from error


def open_file(path: Path) -> IO[bytes]:
    """Open a file for reading; what is packed by gzip is unpacked as it is read."""
    file = path.open("rb")
    if file.read(2) != b"\x1f\x8b":
        file.seek(0)
        return file
    file.close()
    return gzip.open(path)  # type: ignore[return-value]


def digest(path: Path) -> str:
    """Return the SHA-256 of what a file holds, unpacked.

    Raises:
        DataError: it cannot be read.
    """
    whole = hashlib.sha256()
    try:
        with open_file(path) as file:
            while piece := file.read(_READ_BYTES):
                whole.update(piece)
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path}: cannot be read ({error})"
        raise DataError(msg) from error
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
