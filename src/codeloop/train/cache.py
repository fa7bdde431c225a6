"""Tokenised rows in files by content: a shard that was made once is never made again.

A shard is a thousand lines of a file. Its key is that of the lines and of all that decides which
tokens they become, so that a row which is added makes one shard anew.
"""

import json
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from codeloop.core.errors import DataError
from codeloop.core.files import open_packed, whole_file
from codeloop.core.records import from_json, to_json
from codeloop.train.facts import RowFacts, row_of
from codeloop.train.rendering import with_mask
from codeloop.train.rows import Malformed, as_sample
from codeloop.train.shaping import Shaping, digest
from codeloop.train.tokens import TokenRow

SHARD_ROWS = 1000
_ALONE = 3  # so few shards are made by this process, since others take seconds to start

Line = tuple[int, bytes]
_Task = tuple[str, list[Line]]  # a shard to be made: its name and lines


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard: its rows as Arrow, in order, and what was seen of each."""

    arrow: Path
    facts: tuple[RowFacts, ...]


def shards(
    path: Path,
    shaping: Shaping,
    folder: Path,
    *,
    workers: int,
    see: Callable[[int], object] = lambda _: None,
) -> list[Shard]:
    """Return the shards of a JSON Lines file, those made that are not there; `see` counts rows.

    Raises:
        DataError: the file cannot be read, or the cache cannot be written.
    """
    made: list[Shard] = []
    with ExitStack() as stack:
        work = _Work(shaping, folder, workers, stack)
        for lines in _chunks(path):
            for shard in work.take(lines):
                made.append(shard)
                see(len(shard.facts))
        for shard in work.rest():
            made.append(shard)
            see(len(shard.facts))
    return made


class _Work:
    """Makes shards in the order in which lines come, in other processes if there are many.

    No more lines are held than those that are being worked on.
    """

    def __init__(self, shaping: Shaping, folder: Path, workers: int, stack: ExitStack) -> None:
        self._shaping = shaping
        self._key = shaping.key.encode()
        self._folder = folder
        self._workers = workers
        self._stack = stack
        self._pool: ProcessPoolExecutor | None = None
        self._waiting: deque[Shard | Future[Shard] | _Task] = deque()

    def take(self, lines: list[Line]) -> Iterator[Shard]:
        """Take the lines of a shard; yield those shards that are due."""
        name = digest(b"\0".join([self._key, *(line for _, line in lines)]))
        shard = _stored(self._folder, name, lines)
        self._waiting.append(shard or (name, lines))
        tasks = sum(isinstance(each, tuple) for each in self._waiting)
        if self._workers > 1 and (self._pool is not None or tasks > _ALONE):
            self._send()
        while self._waiting and len(self._waiting) > _ALONE + 2 * self._workers:
            yield self._due()

    def rest(self) -> Iterator[Shard]:
        """Yield the shards that are left."""
        while self._waiting:
            yield self._due()

    def _send(self) -> None:
        """Give what waits to other processes, which are started if there are none."""
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")  # tokenizers' threads survive no fork
            given = (self._shaping, self._folder)
            self._pool = self._stack.enter_context(
                ProcessPoolExecutor(self._workers, spawn, _begin, given)
            )
        pool = self._pool
        self._waiting = deque(
            pool.submit(_make, *each) if isinstance(each, tuple) else each for each in self._waiting
        )

    def _due(self) -> Shard:
        first = self._waiting.popleft()
        if isinstance(first, tuple):
            return make(self._shaping, self._folder, *first)
        return first.result() if isinstance(first, Future) else first


def rows_of(shard: Shard) -> Iterator[TokenRow]:
    """Yield the rows of a shard as tokens."""
    import pyarrow as pa  # noqa: PLC0415  of the extra

    with pa.memory_map(str(shard.arrow)) as source:
        table = pa.ipc.open_stream(source).read_all()
        columns = zip(shard.facts, table["input_ids"], table["kinds"], strict=True)
        for facts, ids, kinds in columns:
            yield TokenRow(facts.id, tuple(ids.as_py()), tuple(kinds.as_py()))


def _chunks(path: Path) -> Iterator[list[Line]]:
    try:
        with open_packed(path) as file:
            numbered = ((at, line) for at, line in enumerate(file, start=1) if line.strip())
            while chunk := list(islice(numbered, SHARD_ROWS)):
                yield chunk
    except (OSError, EOFError) as error:
        msg = f"{path}: cannot be read ({error})"
        raise DataError(msg) from error


def _stored(folder: Path, name: str, lines: list[Line]) -> Shard | None:
    arrow, told = _places(folder, name)
    try:
        rows = json.loads(told.read_bytes())
        facts = [from_json(RowFacts, row) for row in rows]
    except (OSError, ValueError):
        return None
    if not arrow.exists() or len(facts) != len(lines):
        return None
    return Shard(arrow, _numbered(facts, lines))


class _Worker:
    """What a process for shards was given when it began."""

    given: tuple[Shaping, Path]


def _begin(shaping: Shaping, folder: Path) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes are the parallel part
    _Worker.given = shaping, folder


def _make(name: str, lines: list[Line]) -> Shard:
    return make(*_Worker.given, name, lines)


def make(shaping: Shaping, folder: Path, name: str, lines: list[Line]) -> Shard:
    """Make a shard of lines and store it; return it.

    Raises:
        DataError: it cannot be written.
    """
    facts, rows = [], []
    for number, line in lines:
        sample = as_sample(line, "")
        masked = sample if isinstance(sample, Malformed) else with_mask(sample, shaping.mask)
        seen, row = row_of(shaping, number, masked)
        facts.append(seen)
        rows.append(row)
    arrow, told = _places(folder, name)
    _write(arrow, rows)
    with whole_file(told) as file:  # last: without it the shard is not there
        file.write(json.dumps([to_json(each) for each in facts]).encode())
    return Shard(arrow, tuple(facts))


def _write(path: Path, rows: Iterable[TokenRow]) -> None:
    """Write rows as an Arrow stream, which `datasets` maps into memory as it is."""
    import pyarrow as pa  # noqa: PLC0415  of the extra

    columns = [row.columns() for row in rows]
    kinds: dict[str, Any] = {"input_ids": pa.int32(), "labels": pa.int32(), "kinds": pa.int8()}
    arrays = [
        pa.array([each[name] for each in columns], pa.list_(kind)) for name, kind in kinds.items()
    ]
    table = pa.table(arrays, names=list(kinds))
    with whole_file(path) as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)


def _numbered(facts: list[RowFacts], lines: list[Line]) -> tuple[RowFacts, ...]:
    """Return facts with the lines of this file: the same rows may stand elsewhere in another."""
    pairs = zip(facts, lines, strict=True)
    return tuple(replace(each, line=number) for each, (number, _) in pairs)


def _places(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / name[:2] / f"{name}.arrow", folder / name[:2] / f"{name}.json"
