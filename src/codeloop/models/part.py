"""A file on its way: locked while it grows, it knows its SHA-256 and lands whole or not at all."""

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

READ_BYTES = 1 << 20


class PartFile:
    """A file that is locked while it is open; what it holds survives for the next try.

    The lock is on the file itself, so that nothing else is left behind. Whoever comes second
    calls `on_wait` and waits.
    """

    def __init__(self, path: Path, *, on_wait: Callable[[], None] = lambda: None) -> None:
        self.path = path
        self._descriptor = _open_locked(path, on_wait)
        self._hash = hashlib.sha256()
        self.size = 0
        self._read_to(os.fstat(self._descriptor).st_size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def sha256(self) -> str:
        """The hash of all that the file holds."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Append the data."""
        view = memoryview(data)
        while view:
            done = os.write(self._descriptor, view)
            self._hash.update(view[:done])
            self.size += done
            view = view[done:]

    def rewind(self, size: int) -> None:
        """Keep no more than the first `size` bytes."""
        if size < self.size:
            os.ftruncate(self._descriptor, size)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            self._hash = hashlib.sha256()
            self.size = 0
            self._read_to(size)

    def land(self, path: Path) -> None:
        """Become the file at `path` (of the same folder) in one step, and safe from a crash."""
        os.fsync(self._descriptor)
        self.path.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Remove the file."""
        self.rewind(0)
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file; an empty one is removed."""
        if self._descriptor < 0:
            return
        if self.size == 0:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = -1

    def _read_to(self, size: int) -> None:
        while self.size < size:
            data = os.read(self._descriptor, min(READ_BYTES, size - self.size))
            if not data:
                break
            self._hash.update(data)
            self.size += len(data)


def _open_locked(path: Path, on_wait: Callable[[], None]) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            _lock(descriptor, on_wait)
            if _is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # it landed or was removed while we waited


def _lock(descriptor: int, on_wait: Callable[[], None]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        on_wait()
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)
