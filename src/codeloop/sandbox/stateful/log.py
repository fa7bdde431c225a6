"""What a session has run, so that it can be built again, and what was different the second time."""

import hashlib
import re
from dataclasses import dataclass

from codeloop.core.execution import ExecutionLimits, ExecutionResult, Status

_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
_HEAD_CHARS = 400

# What an interrupted or killed cell has done is unknown, and one that never started did nothing.
REPEATABLE = frozenset({Status.OK, Status.ERROR})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a session was asked to run."""

    code: str
    language: str
    limits: ExecutionLimits
    stdin: bytes
    files: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class LoggedCell:
    """What a session has run to its end, and how it went.

    What raised is among it: it may have set names before it did. `lines` are what was typed when
    it asked.
    """

    asked: Asked
    lines: tuple[str | None, ...]
    status: Status
    shown: str  # the head of what it said
    digest: str  # of all that it said

    def says(self) -> str:
        """Return how it went, in one line for a person."""
        return f"{self.status}: {self.shown}"


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell (by its number, from 1) that did not go as before."""

    cell: int
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class Replay:
    """How many cells ran again, whether those were all, and which of them went otherwise."""

    cells: int
    complete: bool
    differences: tuple[Difference, ...]


def logged(asked: Asked, lines: tuple[str | None, ...], result: ExecutionResult) -> LoggedCell:
    """Return the entry of a run that has ended."""
    said = "\n".join([result.stdout.text, *(each.text() for each in result.displays)]).strip()
    if result.error is not None:
        said += f"{result.error.name}: {result.error.message}"
    said = _ADDRESS.sub("0x…", said)  # where an object lies is no difference
    digest = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()
    return LoggedCell(asked, lines, result.status, said[:_HEAD_CHARS], digest)


def compare(number: int, before: LoggedCell, now: LoggedCell) -> Difference | None:
    """Return how a cell differs from what it was, or None."""
    if (before.status, before.digest) == (now.status, now.digest):
        return None
    return Difference(number, before.says(), now.says())
