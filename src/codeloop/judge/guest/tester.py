"""The tester's side: holds the tests, calls the candidate, and reports how it went.

It is trusted, lives on over many trials, and runs in a jail of its own all the same.
"""

from collections.abc import Callable
from typing import Any

from codeloop.judge.guest.groups import FUNCTION, CheckGroup, FailedError, FunctionGroup
from codeloop.judge.guest.proxy import GoneError, Link, ProtocolError, RaisedError
from codeloop.judge.guest.wire import decode, encode

_KEPT_GROUPS = 16


def start() -> Callable[[bytes, int, Callable[[bytes], None]], bytes]:
    """Return what judges a request."""
    return Tester().judge


class Tester:
    """Judges candidates one after the other; keeps what it has worked out of recent tests."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes], FunctionGroup | CheckGroup] = {}

    def judge(self, request: bytes, descriptor: int, tell: Callable[[bytes], None]) -> bytes:
        """Return the report on a candidate: a dict of plain data."""
        link = Link(descriptor, tell)
        passed = 0
        report: dict[str, Any] = {"reason": "passed"}
        try:
            entry_point, groups = decode(request, 2)
            _load(link)
            for data in groups:
                for _ in self._group(entry_point, data).run(link):
                    passed += 1
        except FailedError as failure:
            report = failure.report
        except (GoneError, ProtocolError) as error:  # before it had loaded
            report = {"reason": error.reason}
        finally:
            link.close()
        return encode({"tests_passed": passed, **report})

    def _group(self, entry_point: str, data: bytes) -> FunctionGroup | CheckGroup:
        key = entry_point, data
        group = self._kept.pop(key, None)
        if group is None:
            kind, *rest = decode(data)[0]
            make = FunctionGroup if kind == FUNCTION else CheckGroup
            group = make(entry_point, tuple(rest))
            while len(self._kept) >= _KEPT_GROUPS:
                del self._kept[next(iter(self._kept))]
        self._kept[key] = group  # the latest comes last
        return group


def _load(link: Link) -> None:
    try:
        link.load()
    except RaisedError as error:
        if not error.name:
            raise FailedError(reason="undefined") from error
        kinds = {"SyntaxError", "IndentationError", "TabError"}
        reason = "compile_error" if error.name in kinds else "exception"
        raise FailedError(reason=reason, error=error.described()) from error
