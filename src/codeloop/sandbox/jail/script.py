"""A one-shot run: the code as `python main.py` would run it, and a report of how it failed."""

# ruff: noqa: PTH123  (pathlib is slow to import)

import contextlib
import os
import sys
from collections.abc import Callable
from functools import partial
from types import TracebackType

from codeloop.sandbox.jail import report, root, wire

_PATH = f"{root.WORK}/main.py"


def prepare(code: bytes, link: int, *, asks: bool) -> Callable[[], object]:
    """Return the program that runs the code as the main module, with no frame of ours above it."""
    with contextlib.suppress(OSError), open(_PATH, "xb") as file:  # a file put there stays
        file.write(code)
    sys.argv = [_PATH]
    sys.orig_argv = [sys.executable, _PATH]
    main = vars(sys.modules["__main__"])
    main["__file__"] = _PATH
    main["__cached__"] = None
    sys.excepthook = partial(_excepthook, link)
    if asks:
        report.install_input(link)
    try:
        compiled = compile(code, _PATH, "exec", dont_inherit=True)
    except Exception as error:  # noqa: BLE001  whatever a compiler raises, the code did not start
        _tell(link, error, started=False)
        sys.__excepthook__(type(error), error.with_traceback(None), None)
        return partial(sys.exit, 1)
    return partial(exec, compiled, main)


def _excepthook(
    link: int, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Report an uncaught exception, then print it without the frame that started the code."""
    shown = trace.tb_next if trace is not None else None
    _tell(link, error.with_traceback(shown), started=True)
    sys.__excepthook__(kind, error, shown)


def _tell(link: int, error: BaseException, *, started: bool) -> None:
    with contextlib.suppress(Exception):  # the code may have closed the link, or used up its memory
        described = report.describe(error, _PATH, started=started)
        wire.write_frame(link, {"seq": 0, "error": described})
        os.close(link)
