"""The files of a run: there whole at its end, or not at all, and in the order of the input."""

import heapq
import json
import os
import pickle
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Protocol, Self, overload

from codeloop.core.errors import ConfigError, DataError
from codeloop.core.files import whole_file
from codeloop.core.records import to_json
from codeloop.dataset.keys import digest
from codeloop.dataset.records import Example, Query, encode

MADE, LEFT, FAILED, FUNNEL = "made.jsonl", "left.jsonl", "failed.jsonl", "funnel.json"
_LISTS = (MADE, LEFT, FAILED)
_TABS = "\t"


class Placed(Protocol):
    """A row and its place in the input."""

    @property
    def row(self) -> Any: ...


class Outputs:
    """Writes the files of one run; use it in a `with` statement.

    `made.jsonl` are the records, `left.jsonl` the rows that stages took out and `failed.jsonl`
    those that had no outcome, each with stage and reason; `funnel.json` counts them. With
    `numbered`, the lines begin with their place in the input, so that shards can be merged.
    """

    def __init__(self, folder: Path, *, numbered: bool = False) -> None:
        self._folder = folder
        self._numbered = numbered
        self._files: dict[str, IO[bytes]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for name in _LISTS:
                path = _unfinished(self._folder / name)
                self._files[name] = self._stack.enter_context(path.open("wb"))
        except OSError as error:
            raise _failure(self._folder, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        for name in _LISTS:
            _unfinished(self._folder / name).unlink(missing_ok=True)

    def made(self, place: int, record: Any) -> None:
        """Write a record that went through all stages."""
        self._write(MADE, place, line_of(record))

    def left(self, place: int, stage: str, row: str, why: str, note: str) -> None:
        """Write that a stage took a row out."""
        self._write(LEFT, place, _reason(stage, row, why, note))

    def lost(self, place: int, stage: str, row: str, why: str, note: str) -> None:
        """Write that a row has no outcome."""
        self._write(FAILED, place, _reason(stage, row, why, note))

    def finish(self, summary: dict[str, Any]) -> None:
        """Put all files in their place, those of the counts last.

        Raises:
            DataError: one cannot be written.
        """
        try:
            for file in self._files.values():
                file.flush()
                os.fsync(file.fileno())
            for name in _LISTS:
                _unfinished(self._folder / name).replace(self._folder / name)
            _write_funnel(self._folder, summary)
            _sync_folder(self._folder)
        except OSError as error:
            raise _failure(self._folder, error) from error

    def _write(self, name: str, place: int, line: str) -> None:
        start = f"{place}{_TABS}" if self._numbered else ""
        try:
            self._files[name].write(f"{start}{line}\n".encode())
        except OSError as error:
            raise _failure(self._folder, error) from error


class Spool(Sequence[Any]):
    """Rows in a file of their own, read as often as a stage likes, one at a time; then deleted."""

    def __init__(self, folder: Path, number: int) -> None:
        self._path = folder / f"spool-{number}.tmp"
        self._starts = array("q")
        self._file: IO[bytes] | None = None

    def fill(self, rows: Iterable[Placed]) -> None:
        """Write the rows.

        Raises:
            DataError: the file cannot be written.
        """
        try:
            with self._path.open("wb") as file:
                for each in rows:
                    self._starts.append(file.tell())
                    pickle.dump(each.row, file, protocol=pickle.HIGHEST_PROTOCOL)
            self._file = self._path.open("rb")
        except OSError as error:
            raise _failure(self._path, error) from error

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, at: int) -> Any: ...
    @overload
    def __getitem__(self, at: slice) -> list[Any]: ...
    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        if self._file is None:
            msg = "a spool that nothing was written to"
            raise IndexError(msg)
        self._file.seek(self._starts[at])
        return pickle.load(self._file)  # noqa: S301  our own file, of this very run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        self._path.unlink(missing_ok=True)


def line_of(record: Any) -> str:
    """Return a record as a line of JSON."""
    if isinstance(record, Query | Example):
        return encode(record)
    return json.dumps(to_json(record), ensure_ascii=True)


def name_of(record: Any) -> str:
    """Return what names a record in a list of those that are not there."""
    match record:
        case Query():
            return record.id
        case Example():
            return record.dialogue.id
        case _:
            return digest(to_json(record))


def merge(shards: Sequence[Path], folder: Path) -> None:
    """Merge the files of all shards of a run, as if it had been one.

    Raises:
        DataError: one is missing or damaged.
        ConfigError: no shard is named.
    """
    if not shards:
        msg = "which shards are to be merged?"
        raise ConfigError(msg)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _LISTS:
            _merge_lists([shard / name for shard in shards], folder / name)
        funnels = [json.loads((shard / FUNNEL).read_text(encoding="utf-8")) for shard in shards]
        _write_funnel(folder, _summed(funnels))
        _sync_folder(folder)
    except OSError as error:
        raise _failure(Path(str(error.filename or folder)), error) from error


def _merge_lists(sources: Sequence[Path], target: Path) -> None:
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("rb")) for path in sources]
        numbered = [_numbered(file, path) for file, path in zip(files, sources, strict=True)]
        with whole_file(target) as out:
            for _, line in heapq.merge(*numbered, key=lambda pair: pair[0]):
                out.write(line)


def _numbered(file: IO[bytes], path: Path) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(file, start=1):
        place, tab, rest = line.partition(_TABS.encode())
        if not tab or not place.isdigit():
            msg = f"{path}:{number}: not a line of a shard"
            raise DataError(msg)
        yield int(place), rest


def _summed(funnels: Sequence[Any]) -> Any:
    """Return funnels added up: numbers are, lists item by item, names stay."""
    first = funnels[0]
    if isinstance(first, dict):
        names = dict.fromkeys(name for each in funnels for name in each)
        parts = {n: [each[n] for each in funnels if n in each] for n in names}
        return {name: _summed(values) for name, values in parts.items()}
    if isinstance(first, list):
        return [_summed(each) for each in zip(*funnels, strict=True)]
    return sum(funnels) if isinstance(first, int) else first


def _reason(stage: str, row: str, why: str, note: str) -> str:
    return json.dumps({"stage": stage, "row": row, "why": why, "note": note}, ensure_ascii=True)


def _write_funnel(folder: Path, counts: Any) -> None:
    with whole_file(folder / FUNNEL) as file:
        file.write((json.dumps(counts, indent=2) + "\n").encode())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.tmp")


def _failure(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be written or read ({error.strerror})")
