"""Say on stderr how far work of many parts has come: one line that changes, or one now and then."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")

LINE_S = 10.0  # between two lines, where there is no terminal
CHANGE_S = 0.2


class Progress:
    """Shows `WHAT DONE of TOTAL` and a note; nothing if the work is quick."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic()
        self._shown = False

    def show(self, done: int, note: str = "") -> None:
        """Show how far it has come, if it is time to."""
        now = time.monotonic()
        if now - self._last < (CHANGE_S if self._terminal else LINE_S):
            return
        self._last = now
        line = f"{self._what} {done} of {self._total}{', ' if note else ''}{note}"
        print(
            f"\r{line}\x1b[K" if self._terminal else line,
            end="" if self._terminal else "\n",
            file=sys.stderr,
            flush=True,
        )
        self._shown = True

    def clear(self) -> None:
        """Take the line away."""
        if self._terminal and self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def followed(items: Iterable[_T], what: str, total: int) -> Iterator[_T]:
    """Yield the items, and show how many there were."""
    progress = Progress(what, total)
    for count, item in enumerate(items, start=1):
        progress.show(count)
        yield item
    progress.clear()
