"""The records of a dataset, each a line of JSON: queries, exercises, and the examples made of them.

A file of them is read to its end whatever it holds: a line that is no record comes as `Malformed`.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from codeloop.core.dialogue import Dialogue
from codeloop.core.errors import DataError
from codeloop.core.files import whole_file
from codeloop.core.problem import Problem
from codeloop.core.records import as_line, from_json, from_line, to_json
from codeloop.dataset.keys import digest

SCHEMA_VERSION = 1

_ROW_BYTES = 64 << 20  # of one line; more is no row of a dataset


@dataclass(frozen=True, slots=True)
class Query:
    """A raw request of one turn, and the answer that it came with, if any.

    `language` is normalised as in code fences, "" if not known. `meta` is what else the source
    says of it, as pairs of key and value.
    """

    query: str
    answer: str = ""
    source: str = ""
    licence: str = ""
    language: str = ""
    meta: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        """The key of its normalised content: equal rows of two sources share it."""
        return digest([normalised(self.query), normalised(self.answer)])


class Way(StrEnum):
    """How a dialogue was made."""

    PACKING = "packing"  # similar queries put together
    SIMULATION = "simulation"  # a writer, real runs, a fixer, a simulated user
    CORRECTION = "correction"  # code with a wanted error, which its run mends
    SIMILAR = "similar"  # exercises that are related
    FOLLOW_UP = "follow_up"  # solutions of one exercise, one after the other
    MUTATION = "mutation"  # a bug planted in a right solution, which is the repair
    RATED_CHAT = "rated_chat"  # a chat that a person rated
    PUBLISHED = "published"  # read from a data set that others made


class VerifiedStatus(StrEnum):
    """What becomes of an example that was run again."""

    KEPT = "kept"
    DROPPED = "dropped"


class VerifiedReason(StrEnum):
    """Why an example was kept or dropped."""

    CONFIRMED = "confirmed"  # its runs gave again what it quotes, and its last code ended well
    NOTHING_RAN = "nothing_ran"  # it quotes no run, and its way needs none
    OUTPUT_DIFFERS = "output_differs"  # what it quotes was not obtained
    FINAL_FAILS = "final_fails"  # its last code does not end well
    TESTS_FAIL = "tests_fail"  # its last code does not pass its problem's tests
    FLAKY = "flaky"  # the runs again do not agree with each other
    NO_CODE = "no_code"  # its last turn has no code, though its query asks for some
    NO_RUN = "no_run"  # it quotes a run whose key is not known
    NOT_RUNNABLE = "not_runnable"  # no runner here for its language, files or network
    LEAK = "leak"  # it solves a problem of a benchmark


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of running an example again; `note` says where, for a person."""

    status: VerifiedStatus
    reason: VerifiedReason
    runs: int = 0  # how often each of its runs was run again
    note: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One training example: a dialogue, and where it came from.

    `runs` are the keys of its executions, in their order. `problem_id` names the problem whose
    tests its last code should pass.
    """

    dialogue: Dialogue
    way: Way
    query_ids: tuple[str, ...]
    source: str
    licence: str
    language: str
    models: tuple[str, ...]
    runs: tuple[str, ...] = ()
    problem_id: str = ""
    verified: Verified | None = None


@dataclass(frozen=True, slots=True)
class Solution:
    """Code that solves an exercise; `time` and `space` are its complexity, as in `O(n log n)`."""

    language: str
    code: str
    time: str = ""
    space: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Exercise:
    """A problem as sites for practice have it: a statement, several solutions, related ones."""

    id: str
    title: str
    statement: str
    difficulty: str = ""
    tags: tuple[str, ...] = ()
    related: tuple[str, ...] = ()  # ids
    solutions: tuple[Solution, ...] = ()
    problem: Problem | None = None  # its tests
    source: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A row that is no record: its place as `file:line`, and why."""

    where: str
    why: str


_R = TypeVar("_R", Query, Example)


def normalised(text: str) -> str:
    """Return a text as it counts for equality.

    Unicode is composed (NFC), lines end in one way and not in spaces, and there are no blank
    lines before and after. Letter case and indentation count, since they do in code.
    """
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def encode(record: Query | Example) -> str:
    """Return a record as one line of JSON, without the line's end. A query's id stands in it."""
    row: dict[str, Any] = {"schema": SCHEMA_VERSION}
    if isinstance(record, Query):
        row["id"] = record.id
    row |= to_json(record)
    return as_line(row)


def decode(kind: type[_R], line: str) -> _R:
    """Return the record that a line holds; an id in it is not read but worked out.

    Raises:
        ValueError: it holds none; the text says why.
    """
    row = from_line(line)
    version = row.pop("schema", None)
    if version != SCHEMA_VERSION:
        msg = f"schema version {version!r}; this codeloop reads {SCHEMA_VERSION}"
        raise ValueError(msg)
    row.pop("id", None)
    return from_json(kind, row)


def read(kind: type[_R], path: Path) -> Iterator[_R | Malformed]:
    """Yield the records of a JSON Lines file, and what is none with its place.

    Blank lines are passed over.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_ROW_BYTES):
                number += 1
                if line.strip():
                    yield _row(kind, line, f"{path}:{number}")
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise DataError(msg) from error


def kind_of(path: Path) -> type[Query] | type[Example] | None:
    """Return what the first row of a file is by its fields; None if it is neither.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            row = from_line(file.readline(_ROW_BYTES).decode())
    except ValueError:
        return None
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise DataError(msg) from error
    if "dialogue" in row:
        return Example
    return Query if "query" in row else None


def write(path: Path, records: Iterable[Query | Example]) -> int:
    """Write records to a file, which is there whole or not at all; return how many.

    Raises:
        DataError: the file cannot be written.
    """
    count = 0
    with whole_file(path) as file:
        for record in records:
            file.write(encode(record).encode() + b"\n")
            count += 1
    return count


def _row(kind: type[_R], line: bytes, where: str) -> _R | Malformed:
    try:
        return decode(kind, line.decode())
    except ValueError as error:
        return Malformed(where, f"not {_NAMES[kind]}: {error}")


_NAMES: dict[type, str] = {Query: "a query", Example: "an example"}
