"""A run of another program than our interpreter: the code saved in a file, then exec."""

# ruff: noqa: PTH108, PTH123  (pathlib is slow to import)

import contextlib
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Never

from codeloop.sandbox.jail import root, wire

_CANNOT_START = 126  # as shells say it


def prepare(code: bytes, request: wire.Message) -> Callable[[], object]:
    """Save the code, if it is to be saved, and return what starts the program."""
    name = request["source"]
    if name is not None:
        _save(code, f"{root.work()}/{name}")
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    environment = {key: root.here(value) for key, value in request["environment"].items()}
    return partial(_start, _words(request), {**os.environ, **environment})


def make_runnable(request: wire.Message) -> None:
    """See to it that what a compiler has made can be run, where compilers cannot.

    The filter of a guest beside others keeps it from changing a file's mode.
    """
    path = _words(request)[0]
    if path.startswith(f"{os.environ['TMPDIR']}/"):
        with contextlib.suppress(OSError):  # it is not there, or is a link
            binary = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            os.fchmod(binary, 0o700)
            os.close(binary)


def _words(request: wire.Message) -> list[str]:
    return [root.here(str(word)) for word in request["argv"]]


def _save(code: bytes, path: str) -> None:
    """Write a file anew, whatever was there under its name."""
    with contextlib.suppress(OSError):
        os.unlink(path)
    try:
        with open(path, "xb") as file:
            file.write(code)
    except OSError as error:
        _fail(f"{path}: {error.strerror}")


def _start(words: list[str], environment: dict[str, str]) -> Never:
    try:
        os.execve(words[0], words, environment)  # noqa: S606  no shell is wanted
    except OSError as error:
        _fail(f"{words[0]}: {error.strerror}")


def _fail(why: str) -> Never:
    os.write(2, f"cannot be run: {why}\n".encode("utf-8", "replace"))
    os._exit(_CANNOT_START)
