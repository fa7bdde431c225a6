"""The candidate's side: loads a solution and answers calls of its function, and knows no more.

It holds inputs only. What it sends is data from an enemy as far as the tester is concerned, so
nothing here needs protecting from the solution but its own honest answers.
"""

import builtins
import os
import sys
from collections.abc import Callable
from marshal import loads
from struct import Struct
from time import perf_counter
from types import ModuleType
from typing import Any, Never

from codeloop.judge.guest.marks import VALUE, on_wire, said
from codeloop.judge.guest.wire import WireError, decode, encode

HEADER = Struct("=IIc")  # length of the body, number of the (first) call, kind
# To the candidate: one call, or one that wants changed arguments back, or many, as marks; of the
# answers to the last kind the long ones may be digests.
CALL, CALL_KEEPING, CALLS, CALLS_TERSE = b"c", b"k", b"s", b"t"
LOADED, NOT_LOADED, CHANGED, RAISED = b"l", b"n", b"m", b"e"  # from it; or VALUE, MARK, DIGEST

_MODULE = "solution"
_FILE = "<solution>"
_READ_BYTES = 1 << 18
_HOLD_BYTES = 1 << 16
_HOLD_S = 0.01
_TEXT_CHARS = 2000
_NO_KEYWORDS = encode({})
_MANY = frozenset({CALLS, CALLS_TERSE})

# A solution may replace what is in the real one: we keep what we need by name.
__builtins__ = dict(vars(builtins))  # type: ignore[assignment]
_EXCEPTIONS = frozenset(
    value
    for value in vars(builtins).values()
    if isinstance(value, type) and issubclass(value, BaseException)
)


def start() -> Callable[[bytes, int], object]:
    """Return what runs a request: a solution, its function's name, whether to answer at once."""
    return _run


def _run(request: bytes, peer: int) -> Never:
    preamble, source, entry_point, eager = decode(request, 4)
    answers = _Answers(peer, eager=eager)
    try:
        function = _load(preamble, source, entry_point)
    except BaseException as error:  # noqa: BLE001  a solution may raise what it likes
        answers.add(0, NOT_LOADED, _described(error))
    else:
        if not callable(function):
            answers.add(0, NOT_LOADED, encode("", "", "", None))
        else:
            answers.add(0, LOADED, b"")
            _serve(peer, function, answers)
    answers.flush()
    os._exit(0)


def _load(preamble: str, source: str, entry_point: str) -> object:
    module = ModuleType(_MODULE)
    sys.modules[_MODULE] = module
    code = compile(source, _FILE, "exec", dont_inherit=True)
    if preamble:
        exec(compile(preamble, "<preamble>", "exec", dont_inherit=True), vars(module))  # noqa: S102
    exec(code, vars(module))  # noqa: S102  this is the product
    if entry_point.isidentifier():
        return vars(module).get(entry_point)
    return eval(entry_point, vars(module))  # noqa: S307  the problem's own: Solution().method


def _serve(peer: int, function: Any, answers: "_Answers") -> None:
    """Answer calls until the tester goes; what is ready waits a moment for more."""
    here = os.getpid()
    incoming, at = b"", 0
    while True:
        end = at + HEADER.size
        if end <= len(incoming):
            size, number, kind = HEADER.unpack_from(incoming, at)
            end += size
        if end > len(incoming):
            answers.flush()
            piece = os.read(peer, max(_READ_BYTES, end - len(incoming)))
            if not piece:
                return
            incoming, at = incoming[at:] + piece, 0
            continue
        body = incoming[end - size : end]
        at = end
        if kind in _MANY:
            calls = loads(body)  # noqa: S302  of the tester, whom we trust
            _answer_all(function, calls, answers, number, terse=kind == CALLS_TERSE)
            continue
        answer, data = _answer(function, body, keeping=kind == CALL_KEEPING)
        if os.getpid() != here:  # a fork that the solution made, which must not go on as us
            os._exit(0)
        answers.add(number, answer, data)


def _answer_all(
    function: Any, calls: list[bytes], answers: "_Answers", number: int, *, terse: bool
) -> None:
    """Call the function with each of the arguments, which are the tester's own."""
    here, add, pid = os.getpid(), answers.add, os.getpid
    for at, call in enumerate(calls, start=number):
        try:
            kind, data = said(function(*loads(call)), terse=terse)  # noqa: S302
        except BaseException as error:  # noqa: BLE001  a solution may raise what it likes
            kind, data = RAISED, _described(error)
        if pid() != here:
            os._exit(0)
        add(at, kind, data)


def _answer(function: Any, body: bytes, *, keeping: bool) -> tuple[bytes, bytes]:
    """Call the function; return the kind and the body of what is to be said of it."""
    try:
        arguments, keywords = _arguments(body)
        value = function(*arguments, **keywords)
        if not keeping:
            return said(value, terse=False)
        changed = on_wire(arguments, keywords)
        if changed != body:
            return CHANGED, on_wire(value, arguments, keywords)
        return VALUE, on_wire(value)
    except BaseException as error:  # noqa: BLE001  a solution may raise what it likes
        return RAISED, _described(error)


def _arguments(body: bytes) -> tuple[Any, dict[str, Any]]:
    """Return what a call passes; mostly no keywords, which need not be decoded then."""
    if body.endswith(_NO_KEYWORDS):
        try:
            return decode(body[: -len(_NO_KEYWORDS)])[0], {}
        except WireError:  # it was the end of a keyword's value
            pass
    arguments, keywords = decode(body, 2)
    return arguments, keywords


def _described(error: BaseException) -> bytes:
    """Return an exception as bytes: its name, the built-in class it is one of, text, line."""
    kind = type(error)
    built_in = next((each for each in kind.__mro__ if each in _EXCEPTIONS), BaseException)
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001  the solution's own __str__
        text = ""
    name = kind.__name__
    return encode(name[:_TEXT_CHARS], built_in.__name__, text[:_TEXT_CHARS], _line(error))


def _line(error: BaseException) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == _FILE:
        return error.lineno
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _FILE:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


class _Answers:
    """What is to be sent, together where calls follow each other quickly."""

    def __init__(self, peer: int, *, eager: bool) -> None:
        self._peer = peer
        self._hold_s = 0.0 if eager else _HOLD_S
        self._parts: list[bytes] = []
        self._size = 0
        self._sent_at = perf_counter()

    def add(self, number: int, kind: bytes, data: bytes) -> None:
        self._parts += (HEADER.pack(len(data), number, kind), data)
        self._size += len(data)
        if self._size > _HOLD_BYTES or perf_counter() - self._sent_at > self._hold_s:
            self.flush()

    def flush(self) -> None:
        rest = memoryview(b"".join(self._parts))
        self._parts.clear()
        self._size = 0
        while rest:
            rest = rest[os.write(self._peer, rest) :]
        self._sent_at = perf_counter()
