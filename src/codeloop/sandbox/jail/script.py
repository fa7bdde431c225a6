"""A one-shot run: the code as `python main.py` would run it, and a report of how it failed."""

# ruff: noqa: PTH123  (pathlib is slow to import)

import atexit
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

from codeloop.sandbox.jail import report, root, wire

_FLUSH_FAILED = 120  # Python's own exit status for that


def prepare(code: bytes, link: int, starter: dict[str, Any], *, asks: bool) -> Callable[[], object]:
    """Return the program that runs the code as the main module, with no frame of ours above it.

    `starter` is the namespace of what runs the program: it notes there how the program ended.
    """
    path = f"{root.work()}/main.py"
    with contextlib.suppress(OSError), open(path, "xb") as file:  # a file put there stays
        file.write(code)
    sys.argv = [path]
    sys.orig_argv = [sys.executable, path]
    main = vars(sys.modules["__main__"])
    main["__file__"] = path
    main["__cached__"] = None
    sys.excepthook = partial(_excepthook, link, path)
    atexit.register(_hasten_exit, starter, main)
    if asks:
        report.install_input(link)
    try:
        compiled = compile(code, path, "exec", dont_inherit=True)
    except Exception as error:  # noqa: BLE001  whatever a compiler raises, the code did not start
        _tell(link, path, error, started=False)
        sys.__excepthook__(type(error), error.with_traceback(None), None)
        return partial(sys.exit, 1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return partial(exec, compiled, main)


def _excepthook(
    link: int,
    path: str,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
) -> None:
    """Report an uncaught exception, then print it without the frame that started the code."""
    shown = trace.tb_next if trace is not None else None
    _tell(link, path, error.with_traceback(shown), started=True)
    sys.__excepthook__(kind, error, shown)


def _hasten_exit(starter: dict[str, Any], main: dict[str, Any]) -> None:
    """Leave without taking the interpreter apart, which takes longer than most programs.

    Runs after all that the code registered to run at exit. What the code can see of the rest is
    done here: finalizers of its global objects run, and its output is written.
    """
    if "ending" not in starter:  # an interrupt, which has to end the process by a signal
        return
    code = starter["ending"]
    status = 0 if code is None else code & 0xFF if isinstance(code, int) else 1
    for name in sorted(main, key=lambda name: not name.startswith("_")):
        if name != "__builtins__":
            main[name] = None
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except Exception:  # noqa: BLE001  the code's own stream, or nobody reads
        status = status or _FLUSH_FAILED
    os._exit(status)


def _tell(link: int, path: str, error: BaseException, *, started: bool) -> None:
    with contextlib.suppress(Exception):  # the code may have closed the link, or used up its memory
        described = report.describe(error, path, started=started)
        wire.write_frame(link, {"seq": 0, "error": described})
        os.close(link)
