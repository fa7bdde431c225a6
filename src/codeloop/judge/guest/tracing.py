"""Runs one test with a trace of the solution, and prints which values its lines saw, in few words.

A whole program of its own, which knows visible tests alone. What it prints tells a model something
and decides nothing, so that nothing here needs protecting from the solution.
"""

import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, ItemsView, Iterable, Iterator
from time import process_time
from types import FrameType, ModuleType
from typing import Any

FIRST, LAST = 5, 5  # blocks that are told, as in LDB (arXiv 2402.16906, section 3.2)
STEPS = 100_000
SECONDS = 2.0  # of the processor
SHOWN_CHARS = 60
MOST_NAMES = 8
MOST_LINES = 6
_DEPTH = 3
_LONG_INT_BITS = 200
_FILE = "<solution>"
_GENERATOR = 0x20  # of a code's flags

Tracing = Callable[[FrameType, str, Any], Any]


# What holds values: how to go through it by none of its own code, its brackets, and an empty one.
_HOLDERS: tuple[tuple[Any, Callable[[Any], Iterable[Any]], str, str], ...] = (
    (list, list.__iter__, "[]", "[]"),
    (tuple, tuple.__iter__, "()", "()"),
    (deque, deque.__iter__, "[]", "[]"),
    (dict, dict.items, "{}", "{}"),
    (set, set.__iter__, "{}", "set()"),
    (frozenset, frozenset.__iter__, "{}", "set()"),
)


def short(value: Any, room: int = SHOWN_CHARS, depth: int = _DEPTH) -> str:
    """Return a value in few words, without running code of its own."""
    kind = type(value)
    if kind in {str, bytes, bytearray}:
        return f"{value[:room]!r}... ({len(value)} in all)" if len(value) > room else repr(value)
    if kind is int and value.bit_length() > _LONG_INT_BITS:
        return f"<an integer of {value.bit_length()} bits>"
    if value is None or kind in {int, bool, float, complex, range}:
        return repr(value)
    for base, items, brackets, empty in _HOLDERS:
        if isinstance(value, base):
            count = base.__len__(value)
            return _several(items(value), count, brackets, room, depth) if count else empty
    return _named(value, room, depth)


def _several(items: Iterable[Any], count: int, brackets: str, room: int, depth: int) -> str:
    if depth == 0:
        return f"{brackets[0]}... ({count} in all){brackets[1]}"
    parts: list[str] = []
    paired = isinstance(items, ItemsView)
    for item in items:
        if room <= 0:
            parts.append(f"... ({count} in all)")
            break
        if paired:
            part = ": ".join(short(each, room, depth - 1) for each in item)
        else:
            part = short(item, room, depth - 1)
        parts.append(part)
        room -= len(part) + 2
    comma = "," if brackets == "()" and count == 1 else ""
    return f"{brackets[0]}{', '.join(parts)}{comma}{brackets[1]}"


def _named(value: Any, room: int, depth: int) -> str:
    """Return an object by its class and its attributes."""
    name = type.__getattribute__(type(value), "__name__")
    try:
        held = object.__getattribute__(value, "__dict__")
    except AttributeError:
        held = None
    if depth == 0 or type(held) is not dict or isinstance(value, type | ModuleType | BaseException):
        return f"<{name}>"
    parts = [f"<{name}"]
    for key, each in held.items():
        if room <= 0:
            parts.append("...")
            break
        parts.append(f"{key}={short(each, room, depth - 1)}")
        room -= len(parts[-1]) + 1
    return " ".join(parts) + ">"


class Trace:
    """The blocks that have run: lines of one call, one after the other, without a jump back."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self.begin()

    def begin(self) -> None:
        """Forget what was: a new test begins."""
        self._first: list[list[Any]] = []
        self._last: deque[list[Any]] = deque(maxlen=LAST)
        self._count = self._steps = 0
        self._until = process_time() + SECONDS
        self._frame: FrameType | None = None
        self._lines: list[int] = []
        self._raised = ""
        self._seen: dict[int, dict[str, str]] = {}  # what was told of each call's names

    def enter(self, frame: FrameType, event: str, _: Any) -> Tracing | None:
        """Trace a call, if it is one of a function of the solution."""
        code = frame.f_code
        if code.co_filename != _FILE or code.co_name.startswith("<"):
            return None
        self._end()
        self._seen.setdefault(id(frame), {})
        self._frame = frame
        return self._step

    def _step(self, frame: FrameType, event: str, value: Any) -> Tracing:
        self._steps += 1
        if self._steps > STEPS or process_time() > self._until:
            self.tell(whole=False)
        if event == "line":
            back = self._lines and frame.f_lineno <= self._lines[-1]
            if frame is not self._frame or back:
                self._end()
                self._frame = frame
            self._lines.append(frame.f_lineno)
            self._raised = ""
        elif event == "exception":
            self._raised = raised(value[1])
        elif event == "return":
            self._frame = frame
            self._end(returned="" if self._raised else short(value))
            if not frame.f_code.co_flags & _GENERATOR:
                self._seen.pop(id(frame), None)
        return self._step

    def _end(self, returned: str = "") -> None:
        """End the block that runs, if there is one."""
        frame, lines = self._frame, self._lines
        if frame is not None and (lines or returned or self._raised):
            values = dict(self._changes(frame))
            half = MOST_LINES // 2
            shown = lines if len(lines) <= MOST_LINES else [*lines[:half], *lines[-half:]]
            block = [frame.f_code.co_name, shown, values, returned, self._raised]
            self._count += 1
            (self._first if self._count <= FIRST else self._last).append(block)
        self._frame, self._lines = None, []

    def _changes(self, frame: FrameType) -> Iterator[tuple[str, str]]:
        before = self._seen.setdefault(id(frame), {})
        for name, value in frame.f_locals.items():
            text = short(value)
            if before.get(name) != text:
                before[name] = text
                yield name, text

    def tell(self, *, whole: bool) -> None:
        """Say what there was; nothing runs after that."""
        sys.settrace(None)
        self._end()
        blocks = [*self._first, *self._last]
        for block in blocks:
            block[2] = dict(list(block[2].items())[:MOST_NAMES])
        self._tell({"blocks": blocks, "count": self._count, "whole": whole})


def raised(error: object) -> str:
    """Return an exception in few words; its text only if it is plain."""
    texts = [short(each) for each in getattr(error, "args", ()) if type(each) in {str, int}]
    return f"{type(error).__name__}: {', '.join(texts[:2])}".removesuffix(": ")


def run(request: str) -> None:
    """Load a solution, run a test that calls it, and tell how the last call went."""
    given = json.loads(request)
    told = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)

    def tell(report: dict[str, Any]) -> None:
        data = memoryview(f"\n{given['mark']}{json.dumps(report)}\n".encode())
        while data:
            data = data[os.write(told, data) :]
        os._exit(0)

    trace = Trace(tell)
    # For a loop that is no new line each time. It comes where a solution could not catch it.
    signal.signal(signal.SIGPROF, lambda *_: trace.tell(whole=False))
    signal.setitimer(signal.ITIMER_PROF, 2 * SECONDS)
    try:
        _test(given, trace)
    except BaseException:  # noqa: BLE001, S110  it is why the test fails
        pass
    finally:
        trace.tell(whole=True)


def _test(given: dict[str, str], trace: Trace) -> None:
    module = ModuleType("solution")
    sys.modules["solution"] = module
    exec(compile(given["preamble"], "<preamble>", "exec", dont_inherit=True), vars(module))  # noqa: S102
    exec(compile(given["solution"], _FILE, "exec", dont_inherit=True), vars(module))  # noqa: S102
    function = eval(given["entry_point"], vars(module))  # noqa: S307

    def called(*arguments: Any, **named: Any) -> Any:
        trace.begin()
        sys.settrace(trace.enter)
        return function(*arguments, **named)

    namespace: dict[str, Any] = {"__name__": "tests", "nan": float("nan"), "inf": float("inf")}
    exec(given["setup"], namespace)  # noqa: S102
    namespace.pop("check", None)
    if given["entry_point"].isidentifier():
        namespace[given["entry_point"]] = called
    exec(given["test"], namespace)  # noqa: S102
    if callable(namespace.get("check")):
        namespace["check"](called)
