"""A stateful session's kernel: runs cells in one namespace and answers the host for each."""

import builtins
import contextlib
import signal
import sys
from _ast import Expr, Expression, Module, PyCF_ONLY_AST
from collections.abc import Callable
from functools import partial
from linecache import cache
from os import _exit, getpid, write
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from signal import SIG_UNBLOCK, SIGINT, default_int_handler
from traceback import format_exception
from types import CodeType, TracebackType
from typing import Any, Never

from codeloop.sandbox.jail import displays, report, streams, variables, wire

_KIB = 1024

# A cell may replace what is in the real one, or in a module: we keep what we need by name.
__builtins__ = dict(vars(builtins))  # type: ignore[assignment]
_PARSE: Callable[..., Any] = compile
_SET_SIGNAL = signal.signal
_HERE = __file__


def prepare(link: int, *, asks: bool) -> Callable[[], object]:
    """Return the program that serves cells."""
    sys.argv = [""]
    sys.orig_argv = [sys.executable]
    if asks:
        report.install_input(link)
    interrupts = _Interrupts()
    interrupts.hold()
    signal.pthread_sigmask(SIG_UNBLOCK, {SIGINT})
    restore_streams = streams.keeper(link - 3)
    return partial(_serve, link, vars(sys.modules["__main__"]), restore_streams, interrupts)


class _Interrupts:
    """Interrupts: raised in a cell; held while none runs, for one that the host has sent already.

    The host has a cell that does nothing take what was meant for the cell before.
    """

    def __init__(self) -> None:
        self.held = False

    def hold(self) -> None:
        """Hold what comes from now on."""
        _SET_SIGNAL(SIGINT, self._note)

    def let_in(self) -> None:
        """Raise what comes from now on, and what is held."""
        _SET_SIGNAL(SIGINT, default_int_handler)
        if self.held:
            self.held = False
            raise KeyboardInterrupt

    def _note(self, _number: int, _frame: object) -> None:
        self.held = True


def _serve(
    link: int,
    namespace: dict[str, Any],
    restore_streams: Callable[[], None],
    interrupts: _Interrupts,
) -> Never:
    kernel = getpid()
    while True:
        try:
            request = wire.read_frame(link)
            if "seq" not in request:  # a line of input that came too late
                continue
            restore_streams()
            if "names" in request:
                known = variables.describe(namespace)
                wire.write_frame(link, {"seq": request["seq"], "variables": known})
                continue
            answer = _run(request["code"], f"<cell {request['number']}>", namespace, interrupts)
            if getpid() != kernel:  # a fork made by the cell, which must not go on as a kernel
                _exit(1 if "error" in answer else answer.get("exit", 0))
            wire.write_frame(link, {"seq": request["seq"], **answer})
        except (EOFError, OSError):
            _exit(0)


def _run(
    code: str, filename: str, namespace: dict[str, Any], interrupts: _Interrupts
) -> wire.Message:
    """Run one cell; return its answer."""
    before = _cpu_s()
    answer: wire.Message = {}
    try:
        try:
            interrupts.let_in()
            answer = _execute(code, filename, namespace)
        finally:
            interrupts.hold()
            streams.flush()
    except (
        KeyboardInterrupt
    ) as error:  # came before the cell's first instruction, or after its last
        answer = {"error": report.describe(error, filename, started=True)}
        interrupts.hold()
        streams.flush()
    memory_bytes = getrusage(RUSAGE_SELF).ru_maxrss * _KIB
    return {**answer, "cpu_s": _cpu_s() - before, "memory_bytes": memory_bytes}


def _execute(code: str, filename: str, namespace: dict[str, Any]) -> wire.Message:
    lines = [line + "\n" for line in code.split("\n")]
    cache[filename] = (len(code), None, lines, filename)
    try:
        body, last = _compile(code, filename)
    except Exception as error:  # noqa: BLE001  whatever a compiler raises, the code did not start
        return _failed(error, filename, started=False)
    try:
        value = _evaluate(body, last, namespace)
        shown = [] if value is None else [displays.of_value(value)]
        shown += displays.of_figures()
    except SystemExit as error:
        return _exited(error)
    except BaseException as error:  # noqa: BLE001  a cell may raise what it likes
        return _failed(error, filename, started=True)
    return {"displays": displays.fitting(shown)} if shown else {}


def _compile(code: str, filename: str) -> tuple[CodeType | None, CodeType | None]:
    """Return the cell's statements, and its last one apart if that is an expression."""
    tree: Module = _PARSE(code, filename, "exec", PyCF_ONLY_AST, dont_inherit=True)
    end = tree.body[-1] if tree.body else None
    last = None
    if isinstance(end, Expr):
        tree.body.pop()
        last = compile(Expression(end.value), filename, "eval", dont_inherit=True)
    body = compile(tree, filename, "exec", dont_inherit=True) if tree.body else None
    return body, last


def _evaluate(body: CodeType | None, last: CodeType | None, namespace: dict[str, Any]) -> object:
    if body is not None:
        exec(body, namespace)  # noqa: S102  this is the product
    return None if last is None else eval(last, namespace)  # noqa: S307


def _exited(error: SystemExit) -> wire.Message:
    """Answer for `sys.exit()`: the session lives on, and the code tells how it went."""
    code = error.code
    if code is None or code == 0:
        return {"exit": 0}
    if isinstance(code, int):
        return {"exit": code & 0xFF}
    with contextlib.suppress(Exception):
        _say(f"{code}\n")
    return {"exit": 1}


def _failed(error: BaseException, filename: str, *, started: bool) -> wire.Message:
    answer = {"error": report.describe(error, filename, started=started)}
    error.__traceback__ = _trimmed(error.__traceback__) if started else None
    try:
        text = "".join(format_exception(type(error), error, error.__traceback__))
    except Exception:  # noqa: BLE001  the cell may have taken `traceback` apart
        text = f"{answer['error']['name']}: {answer['error']['message']}\n"
    _say(text)
    return answer


def _trimmed(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback from the first frame on that is not ours."""
    while trace is not None and trace.tb_frame.f_code.co_filename == _HERE:
        trace = trace.tb_next
    return trace


def _say(text: str) -> None:
    """Write to stderr itself, whatever `sys.stderr` may be by now."""
    streams.flush()
    data = text.encode("utf-8", "backslashreplace")
    with contextlib.suppress(OSError):
        while data:
            data = data[write(2, data) :]


def _cpu_s() -> float:
    own, children = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
    return own[0] + own[1] + children[0] + children[1]
