"""The guest's side of screening: calls each function with each problem's arguments.

It is sent into the jail as source and reads one marshalled value: the code, the places of its
functions, and for each problem its number and calls. For each function and problem whose calls
all come back right it prints a line of two numbers. Nothing rests on that: who passes is judged.
"""

# ruff: noqa: S102, S110, S302, BLE001  it runs foreign code, in a jail

import contextlib
import copy
import inspect
import io
import marshal
import math
import signal
import sys
import time
from typing import Any

_CALL_S = 0.05
_FUNCTION_S = 2.0


class _TooLong(BaseException):
    """A call took its time."""


def _ring(_signal: int, _frame: object) -> None:
    raise _TooLong


def _same(answer: Any, wanted: Any) -> bool:
    if type(answer) is bool or type(wanted) is bool:
        return answer is wanted
    if isinstance(wanted, float) and isinstance(answer, float | int):
        return math.isclose(answer, wanted, rel_tol=1e-6, abs_tol=1e-6)
    if isinstance(wanted, list | tuple) and isinstance(answer, list | tuple):
        return len(answer) == len(wanted) and all(map(_same, answer, wanted))
    return bool(answer == wanted)


def _right(function: Any, arguments: tuple[Any, ...], wanted: Any) -> bool:
    """Whether a call comes back in time with what is wanted."""
    given = copy.deepcopy(arguments)
    signal.setitimer(signal.ITIMER_REAL, _CALL_S, _CALL_S)
    try:
        return _same(function(*given), wanted)
    except (Exception, _TooLong, SystemExit):
        return False
    finally:
        with contextlib.suppress(_TooLong):
            signal.setitimer(signal.ITIMER_REAL, 0)


def _functions(names: dict[str, Any], places: list[str]) -> list[Any]:
    """Return what each place names: a function, or a method of a class made without arguments."""
    found: list[Any] = []
    for place in places:
        name, _, method = place.partition(".")
        try:
            made = names[name]
            found.append(getattr(made(), method) if method else made)
        except Exception:
            found.append(None)
    return found


def _takes(function: Any, count: int) -> bool:
    try:
        inspect.signature(function).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


def start() -> None:
    """Screen the functions that stdin describes."""
    code, places, problems = marshal.loads(sys.stdin.buffer.read())
    out = sys.stdout
    sys.stdin = io.StringIO()
    sys.stdout = sys.stderr = io.StringIO()
    signal.signal(signal.SIGALRM, _ring)
    names: dict[str, Any] = {"__name__": "row"}
    signal.setitimer(signal.ITIMER_REAL, _FUNCTION_S, _CALL_S)
    try:
        exec(compile(code, "<row>", "exec", dont_inherit=True), names)
    except (Exception, _TooLong, SystemExit):
        pass
    finally:
        with contextlib.suppress(_TooLong):
            signal.setitimer(signal.ITIMER_REAL, 0)
    for number, function in enumerate(_functions(names, places)):
        until = time.monotonic() + _FUNCTION_S
        counts = {len(calls[0][0]) for _, calls in problems if calls}
        fits = {count for count in counts if callable(function) and _takes(function, count)}
        for problem, calls in problems:
            if time.monotonic() > until:
                break
            if (
                calls
                and len(calls[0][0]) in fits
                and all(_right(function, *each) for each in calls)
            ):
                print(number, problem, file=out, flush=True)


start()
