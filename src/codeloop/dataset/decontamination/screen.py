"""The guest's side of behaviour: calls the functions of a row with a problem's arguments.

It is sent into the jail as source and reads one marshalled value: what to do, and with what. It
prints lines of two numbers. The code that it runs could print them too; it has no reason to, and
a line that says too much costs no more than a trial by the judge.
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


def _answer(function: Any, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """Return whether a call comes back in time, and with what."""
    given = copy.deepcopy(arguments)
    signal.setitimer(signal.ITIMER_REAL, _CALL_S, _CALL_S)
    try:
        return True, function(*given)
    except (Exception, _TooLong, SystemExit):
        return False, None
    finally:
        with contextlib.suppress(_TooLong):
            signal.setitimer(signal.ITIMER_REAL, 0)


def _right(function: Any, arguments: tuple[Any, ...], wanted: Any) -> bool:
    """Whether a call comes back in time with what is wanted."""
    came, answer = _answer(function, arguments)
    try:
        return came and _same(answer, wanted)
    except Exception:
        return False


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


def _run(code: str) -> dict[str, Any]:
    """Return what a piece of code defines, as far as it comes."""
    names: dict[str, Any] = {"__name__": "row"}
    signal.setitimer(signal.ITIMER_REAL, _FUNCTION_S, _CALL_S)
    try:
        exec(compile(code, "<row>", "exec", dont_inherit=True), names)
    except (Exception, _TooLong, SystemExit):
        pass
    finally:
        with contextlib.suppress(_TooLong):
            signal.setitimer(signal.ITIMER_REAL, 0)
    return names


def _screen(out: Any, code: str, places: list[str], problems: list[Any]) -> None:
    """Print which function answers the calls of which problem."""
    for number, function in enumerate(_functions(_run(code), places)):
        until = time.monotonic() + _FUNCTION_S
        counts = {len(calls[0][0]) for _, calls in problems}
        fits = {count for count in counts if callable(function) and _takes(function, count)}
        for problem, calls in problems:
            if time.monotonic() > until:
                break
            if len(calls[0][0]) in fits and all(_right(function, *each) for each in calls):
                print(number, problem, file=out, flush=True)


def _compare(out: Any, code: str, place: str, reference: str, entry: str, inputs: Any) -> None:
    """Print to how many inputs a function and a reference give the same, and of how many.

    Those to which the reference says yes are counted apart from those to which it says no.
    """
    (function,) = _functions(_run(code), [place])
    (wanted,) = _functions(_run(reference), [entry])
    counts: dict[object, list[int]] = {}
    until = time.monotonic() + _FUNCTION_S
    for arguments in inputs:
        came, answer = _answer(wanted, arguments)
        if came and time.monotonic() < until:
            agreed = counts.setdefault(answer if isinstance(answer, bool) else None, [0, 0])
            agreed[0] += _right(function, arguments, answer)
            agreed[1] += 1
    for pair in counts.values():
        print(*pair, file=out, flush=True)


def start() -> None:
    """Do what stdin asks for."""
    asked, *given = marshal.loads(sys.stdin.buffer.read())
    out = sys.stdout
    sys.stdin = io.StringIO()
    sys.stdout = sys.stderr = io.StringIO()
    signal.signal(signal.SIGALRM, _ring)
    if asked == "screen":
        _screen(out, *given)
    else:
        _compare(out, *given)


start()
