"""The work directory, served to the host: no link that a guest has planted there is followed."""

# ruff: noqa: PTH  (pathlib is slow to import)

import contextlib
import os
import stat
from typing import Any

from codeloop.sandbox.jail import root, syscalls

MOST_FILES = 2000  # of a list
_MOST_ENTRIES = 20_000  # looked at for a list
_DIRECTORY = os.O_DIRECTORY | os.O_CLOEXEC
_COPY_BYTES = 1 << 24


def put(path: str, source: int) -> str | None:
    """Copy an open file into the work directory; return what went wrong, if anything.

    Folders of the path are made where they are missing. What lies under the name is removed.
    """
    folders, _, name = path.rpartition("/")
    try:
        directory = _make_folders(folders)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=directory)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            target = os.open(name, flags, 0o644, dir_fd=directory)
        finally:
            os.close(directory)
        try:
            offset = 0
            while sent := os.sendfile(target, source, offset, _COPY_BYTES):
                offset += sent
        except OSError:
            os.ftruncate(target, 0)  # what did not fit is not to fill the disk
            raise
        finally:
            os.close(target)
    except OSError as error:
        return str(error)
    return None


def take(path: str) -> tuple[int | None, str | None]:
    """Return a descriptor of a regular file to read from, or why there is none.

    It is opened without waiting: nobody need be at the other end of a pipe, and a lease that the
    guest holds is not waited for.
    """
    directory = _open_work()
    try:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        descriptor = syscalls.open_beneath(directory, path, flags)
    except OSError as error:
        return None, error.strerror
    finally:
        os.close(directory)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None, "not a regular file"
    return descriptor, None


def listing() -> dict[str, Any]:
    """Return the regular files, as path, size and time of change, and whether there are more."""
    found: list[tuple[str, int, float]] = []
    folders = [""]
    seen = 0
    directory = _open_work()
    try:
        while folders:
            folder = folders.pop()
            for path, about in _entries(directory, folder):
                seen += 1
                if stat.S_ISDIR(about.st_mode):
                    folders.append(path)
                elif stat.S_ISREG(about.st_mode):
                    found.append((path, about.st_size, about.st_mtime))
                if len(found) > MOST_FILES or seen > _MOST_ENTRIES:
                    return {"files": sorted(found[:MOST_FILES]), "more": True}
    finally:
        os.close(directory)
    return {"files": sorted(found), "more": False}


def _entries(directory: int, folder: str) -> list[tuple[str, os.stat_result]]:
    """Return what is in a folder; nothing if that has gone, or cannot be read."""
    try:
        descriptor = syscalls.open_beneath(directory, folder or ".", os.O_RDONLY | _DIRECTORY)
    except OSError:
        return []
    found = []
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    found.append((path, entry.stat(follow_symlinks=False)))
                if len(found) > _MOST_ENTRIES:
                    break
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return found


def _make_folders(folders: str) -> int:
    """Return a descriptor of the innermost folder, having made those that are missing."""
    directory = _open_work()
    for name in folders.split("/") if folders else []:
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=directory)
            below = syscalls.open_beneath(directory, name, os.O_PATH | _DIRECTORY)
        finally:
            os.close(directory)
        directory = below
    return directory


def _open_work() -> int:
    return os.open(root.work(), os.O_PATH | os.O_NOFOLLOW | _DIRECTORY)
