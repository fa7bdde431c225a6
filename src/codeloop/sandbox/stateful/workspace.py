"""The host's way to a session's files: into the work directory and out of it."""

import json
import os
import stat
from pathlib import Path

from codeloop.core.errors import DataError
from codeloop.core.execution import WorkFile
from codeloop.sandbox.link import Slot

_TIMEOUT_S = 60.0
_MOST_DEPTH = 32
_MOST_NAME_BYTES = 1024


def open_regular(path: Path) -> int:
    """Return a descriptor of a file of the host.

    Raises:
        DataError: it cannot be read, or is no regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise DataError(msg) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        msg = f"{path}: not a regular file"
        raise DataError(msg)
    return descriptor


def checked(name: str) -> str:
    """Return a path that can only lead to what is in the work directory.

    Raises:
        DataError: it could lead elsewhere, or is too long.
    """
    parts = name.split("/")
    plain = len(parts) <= _MOST_DEPTH and not any(part in {"", ".", ".."} for part in parts)
    if not plain or "\0" in name or len(os.fsencode(name)) > _MOST_NAME_BYTES:
        msg = f"{name!r}: not a path in the work directory"
        raise DataError(msg)
    return name


def put(slot: Slot, name: str, descriptor: int) -> None:
    """Copy an open file of the host into the work directory.

    Raises:
        DataError: it does not fit, or something is in its way.
        SandboxError: the slot has gone.
    """
    answer, _ = slot.ask({"op": "put", "name": name}, "put", (descriptor,), timeout_s=_TIMEOUT_S)
    if answer["error"] is not None:
        msg = f"{name}: cannot be put into the work directory: {answer['error']}"
        raise DataError(msg)


def read(slot: Slot, name: str, most_bytes: int) -> bytes:
    """Return what is in a file of the work directory.

    Raises:
        DataError: there is no such regular file, or it is longer than `most_bytes`.
        SandboxError: the slot has gone.
    """
    answer, descriptors = slot.ask({"op": "take", "name": checked(name)}, "taken")
    if answer["error"] is not None:
        msg = f"{name}: cannot be taken out of the work directory: {answer['error']}"
        raise DataError(msg)
    with open(descriptors[0], "rb") as file:  # noqa: PTH123  a descriptor, not a path
        data = file.read(most_bytes + 1)  # a guest may write on, or may have made it sparse
    if len(data) > most_bytes:
        msg = f"{name}: longer than {most_bytes} bytes"
        raise DataError(msg)
    return data


def listing(slot: Slot) -> tuple[WorkFile, ...]:
    """Return the regular files of the work directory, by their paths: the first 2000.

    Raises:
        SandboxError: the slot has gone.
    """
    _, descriptors = slot.ask({"op": "list"}, "listed")
    with open(descriptors[0], "rb") as file:  # noqa: PTH123  a descriptor, not a path
        file.seek(0)
        files = json.load(file)["files"]
    return tuple(WorkFile(path, size, changed) for path, size, changed in files)


def usage(slot: Slot) -> tuple[int, int]:
    """Return how many bytes of memory and of disk a session has taken.

    Raises:
        SandboxError: the slot has gone, or does not answer.
    """
    answer, _ = slot.ask({"op": "usage"}, "usage")
    return int(answer["memory_bytes"]), int(answer["disk_bytes"])
