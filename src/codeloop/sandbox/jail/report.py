"""What a guest tells the host: how its code failed, and what it asks to be typed."""

import builtins
import errno
import sys

from codeloop.sandbox.jail import wire

_MESSAGE_CHARS = 4096
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# Ours to keep: the guest may replace what is in the real one.
__builtins__ = dict(vars(builtins))  # type: ignore[assignment]


def describe(error: BaseException, filename: str, *, started: bool) -> wire.Message:
    """Return an exception's name, message, line in the guest's code, and kind."""
    try:
        message = str(error)
    except BaseException:  # noqa: BLE001  the guest's own __str__
        message = "<no message: __str__ failed>"
    return {
        "name": type(error).__name__[:_MESSAGE_CHARS],
        "message": message[:_MESSAGE_CHARS],
        "line": _line(error, filename),
        "kind": _kind(error) if started else "compile",
    }


def _line(error: BaseException, filename: str) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == filename:
        return error.lineno if type(error.lineno) is int else None
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _kind(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, KeyboardInterrupt):
        return "interrupt"
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        return "disk"
    if isinstance(error, BlockingIOError) or "can't start new thread" in str(error.args):
        return "process"
    return "exception"


def install_input(link: int) -> None:
    """Make `input()` ask the host, which asks a person."""

    def read_line(prompt: object = "", /) -> str:
        """Read a line that a person types; EOFError if there is none to come."""
        text = str(prompt)
        with_stdout = sys.stdout
        if with_stdout is not None:
            with_stdout.flush()
        wire.write_frame(link, {"seq": 0, "input": text[:_MESSAGE_CHARS]})
        while True:
            answer = wire.read_frame(link)
            if "line" in answer:
                break
        line = answer["line"]
        if line is None:
            msg = "EOF when reading a line"
            raise EOFError(msg)
        return str(line)

    read_line.__name__ = read_line.__qualname__ = "input"
    builtins.input = read_line
