"""Files: written whole or not at all, and read as they are or unpacked."""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from codeloop.core.errors import DataError

_GZIP = b"\x1f\x8b"


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing; it takes its place, on disk, once the block has ended well.

    Until then it has another name beside it, of which nothing stays if the block fails. Its folder
    is made.

    Raises:
        DataError: it cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException as error:
        with suppress(OSError):
            unfinished.unlink()
        if isinstance(error, OSError):
            msg = f"{path}: cannot be written ({error.strerror})"
            raise DataError(msg) from error
        raise


@contextmanager
def open_packed(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading; what is packed by gzip is unpacked as it is read.

    Raises:
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        if file.peek(2)[:2] != _GZIP:  # peeked at, so that a pipe will do
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield unpacked  # type: ignore[misc]
