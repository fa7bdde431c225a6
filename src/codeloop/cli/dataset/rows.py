"""Rows of a file on the command line: the good ones come through, the others are named."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from codeloop.dataset.records import Example, Malformed, Query

_R = TypeVar("_R", bound="Query | Example")
_Kind = TypeVar("_Kind", "Query", "Example")

SHOWN = 20  # malformed rows that are named


class GoodRows:
    """Lets good rows through; names the first malformed ones on stderr, and counts all."""

    def __init__(self) -> None:
        self.good = 0
        self.malformed = 0

    def of(self, rows: "Iterator[_R | Malformed]") -> "Iterator[_R]":
        from codeloop.dataset.records import Malformed

        for each in rows:
            if isinstance(each, Malformed):
                self.malformed += 1
                if self.malformed <= SHOWN:
                    print(f"codeloop: {each.where}: {each.why}", file=sys.stderr)
            else:
                self.good += 1
                yield each


def again(kind: "type[_Kind]", path: Path) -> "Iterator[_Kind]":
    """Yield the good rows of a file that was read before, so that nothing need be named."""
    from codeloop.dataset.records import Malformed, read

    return (each for each in read(kind, path) if not isinstance(each, Malformed))


def examples(paths: Iterable[Path], good: GoodRows) -> "Iterator[Example]":
    """Yield the good examples of files, one after the other."""
    from codeloop.dataset.records import Example, read

    for path in paths:
        yield from good.of(read(Example, path))


def again_examples(paths: Iterable[Path]) -> "Iterator[Example]":
    """Yield the good examples of files that were read before."""
    from codeloop.dataset.records import Example

    for path in paths:
        yield from again(Example, path)
