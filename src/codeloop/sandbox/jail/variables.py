"""What a session's names stand for, found out by a fork, which whatever it runs cannot harm."""

import builtins
import contextlib
import signal
from collections.abc import Iterator
from os import _exit, close, fork, getpid, kill, pipe, waitpid
from os import read as read_some
from reprlib import Repr
from select import POLLIN, poll
from sys import getsizeof
from time import monotonic
from types import ModuleType
from typing import Any, Never

from codeloop.sandbox.jail import wire

_MOST_NAMES = 200
_ALL_BYTES = 256 * 1024
_ALL_S = 1.0
_EACH_S = 0.2
_NAME_CHARS = 200
_VALUE_CHARS = 120
_MOST_AXES = 8

# The cells may replace what is in the real one: we keep what we need by name.
__builtins__ = dict(vars(builtins))  # type: ignore[assignment]


def describe(namespace: dict[str, Any]) -> list[wire.Message]:
    """Return what is known of the names in one second; of the rest, their names alone."""
    names = [
        name
        for name, value in namespace.copy().items()
        if type(name) is str and not name.startswith("_") and not isinstance(value, ModuleType)
    ][:_MOST_NAMES]
    known = {str(each["name"]): each for each in _from_fork(names, namespace)}
    return [known.get(name, {"name": name[:_NAME_CHARS]}) for name in names]


def _from_fork(names: list[str], namespace: dict[str, Any]) -> list[wire.Message]:
    ours, theirs = pipe()
    try:
        child = fork()
    except OSError:  # the guest has as many processes as it may have
        close(ours)
        close(theirs)
        return []
    if child == 0:
        _tell(theirs, names, namespace)
    close(theirs)
    try:
        return list(_read(ours))
    finally:
        close(ours)
        with contextlib.suppress(OSError):
            kill(child, signal.SIGKILL)
            waitpid(child, 0)


def _read(descriptor: int) -> Iterator[wire.Message]:
    """Yield the messages that come in time, as far as they are complete."""
    data = b""
    deadline = monotonic() + _ALL_S
    events = poll()
    events.register(descriptor, POLLIN)
    while len(data) < _ALL_BYTES and events.poll(max(0, int(1000 * (deadline - monotonic())))):
        piece = read_some(descriptor, _ALL_BYTES)
        if not piece:
            break
        data += piece
    while len(data) >= wire.HEADER.size:
        (size,) = wire.HEADER.unpack_from(data)
        end = wire.HEADER.size + size
        if len(data) < end:
            break
        yield wire.decode(data[wire.HEADER.size : end])
        data = data[end:]


def _tell(descriptor: int, names: list[str], namespace: dict[str, Any]) -> Never:
    """Describe one name after another, as a process that ends in any case."""
    me = getpid()
    try:
        signal.signal(signal.SIGALRM, _give_up)
        for name in names:
            message = _described(name, namespace.get(name))
            if getpid() != me:
                break
            wire.write_frame(descriptor, message)
    finally:
        _exit(0)


def _described(name: str, value: object) -> wire.Message:
    """Return what a value says of itself, as far as it does so in time."""
    message: wire.Message = {"name": name[:_NAME_CHARS]}
    signal.setitimer(signal.ITIMER_REAL, _EACH_S, _EACH_S)  # again and again: one may be swallowed
    try:
        message["type"] = str(type(value).__name__)[:_NAME_CHARS]
        message["size"] = int(getsizeof(value, 0))
        message["shape"] = _shape(value)
        short = " ".join(_short().repr(value).split())
        message["value"] = short[:_VALUE_CHARS]
    except BaseException:  # noqa: BLE001, S110  whatever its methods raise, the rest is told
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return message


def _shape(value: object) -> list[int]:
    shape = getattr(value, "shape", None)
    if type(shape) is tuple:
        return [int(axis) for axis in shape[:_MOST_AXES]]
    if isinstance(value, str | bytes) or not hasattr(value, "__len__"):
        return []
    return [] if isinstance(value, type) else [len(value)]


def _short() -> Repr:
    short = Repr()
    short.maxstring = short.maxlong = short.maxother = _VALUE_CHARS
    return short


def _give_up(_signal: int, _frame: object) -> Never:
    raise TimeoutError
