"""Files of rows in whatever format they are published: each row with the place that it is from."""

import codecs
import csv
import io
import itertools
import json
import re
import zlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from codeloop.core.errors import DataError, MissingExtraError
from codeloop.core.files import open_packed
from codeloop.dataset.records import Malformed

Row = dict[str, Any]
Placed = tuple[str, Row]

_ROW_BYTES = 64 << 20  # of one row; more is no row of a dataset
_READ_BYTES = 1 << 20
_BATCH_ROWS = 512


class Format(StrEnum):
    """How rows are written in a file."""

    LINES = "jsonl"  # an object a line
    ARRAY = "json"  # one array of objects
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"


_SUFFIXES = {
    ".jsonl": Format.LINES,
    ".ndjson": Format.LINES,
    ".json": None,  # either of two: the first character tells
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".parquet": Format.PARQUET,
}


def read_rows(path: Path) -> Iterator[Placed | Malformed]:
    """Yield each row of a file, or of all files of a folder, and what is none with its place.

    What is packed by gzip is unpacked as it is read. One batch of rows is held at a time.

    Raises:
        DataError: a file cannot be read, or a folder holds none that could be.
        MissingExtraError: Parquet needs the extra `dataset`.
    """
    for each in files_of(path):
        yield from _rows(each)


def files_of(path: Path) -> list[Path]:
    """Return the files of rows in a folder, at any depth, by name; or the file itself.

    Raises:
        DataError: there is none.
    """
    if not path.is_dir():
        return [path]
    found = [
        each
        for each in sorted(path.rglob("*"))
        if each.is_file() and _suffix(each) in _SUFFIXES and not each.name.startswith(".")
    ]
    if not found:
        msg = f"{path}: no file of rows in this folder ({', '.join(_SUFFIXES)})"
        raise DataError(msg)
    return found


def _suffix(path: Path) -> str:
    bare = path.with_suffix("") if path.suffix == ".gz" else path
    return bare.suffix.lower()


def _rows(path: Path) -> Iterator[Placed | Malformed]:
    try:
        with open_packed(path) as file:
            match _SUFFIXES.get(_suffix(path)) or _sniffed(file):
                case Format.LINES:
                    yield from _lines(file, path)
                case Format.ARRAY:
                    yield from _array(file, path)
                case Format.CSV:
                    yield from _csv(file, path, ",")
                case Format.TSV:
                    yield from _csv(file, path, "\t")
                case Format.PARQUET:
                    yield from _parquet(path)
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise DataError(msg) from error
    except (EOFError, zlib.error) as error:
        yield Malformed(str(path), f"the packed file is damaged from here on ({error})")


def _sniffed(file: IO[bytes]) -> Format:
    head: bytes = file.peek(4096)  # type: ignore[attr-defined]
    return Format.ARRAY if head.lstrip()[:1] == b"[" else Format.LINES


def _lines(file: IO[bytes], path: Path) -> Iterator[Placed | Malformed]:
    for number in itertools.count(1):
        line = file.readline(_ROW_BYTES)
        if not line:
            return
        if line.strip():
            yield _object(line, f"{path}:{number}")


def _object(text: str | bytes, where: str) -> Placed | Malformed:
    try:
        if isinstance(text, str):
            text.encode()  # what was no UTF-8 is a surrogate by now
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Malformed(where, f"not JSON ({error})")
    return (where, row) if isinstance(row, dict) else Malformed(where, "not a JSON object")


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_NEXT = re.compile(r"[\s,]*")


class _Text:
    """The characters of a file, a piece of them at a time; counts the lines that are done."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self.held = ""
        self.at = 0  # in what is held
        self._line = 1
        self._counted = 0

    def more(self) -> bool:
        """Hold as many characters again, without those that are done; return if there were any."""
        self.line()
        self.held, self.at, self._counted = self.held[self.at :], 0, 0
        data = self._file.read(max(_READ_BYTES, len(self.held)))
        piece = self._decoder.decode(data, final=not data)
        self.held += piece
        return bool(data)

    def line(self) -> int:
        """Return the number of the line that is reached."""
        self._line += self.held.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def peek(self) -> str:
        """Pass over white space and commas; return the next character, "" at the end."""
        while True:
            self.at = _NEXT.match(self.held, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.held):
                return self.held[self.at]
            if not self.more():
                return ""


def _array(file: IO[bytes], path: Path) -> Iterator[Placed | Malformed]:
    """Yield the objects of one array, which is never held whole."""
    text = _Text(file)
    if text.peek() != "[":
        yield Malformed(f"{path}:{text.line()}", "not a JSON array")
        return
    text.at += 1
    while (first := text.peek()) != "]":
        where = f"{path}:{text.line()}"
        if not first:
            yield Malformed(where, "the array does not end: the file is cut off")
            return
        end = _element_end(text)
        if end is None:
            yield Malformed(where, "this row does not end; what follows it is not read")
            return
        yield _object(text.held[text.at : end], where)
        text.at = end


def _element_end(text: _Text) -> int | None:
    """Return where the next element ends by its brackets and texts, None if it does not."""
    while True:
        end = _balanced(text.held, text.at)
        if end is not None:
            return end
        if len(text.held) - text.at > _ROW_BYTES or not text.more():
            return None


def _balanced(held: str, start: int) -> int | None:
    if held[start] not in '[{"':  # a number or a word: no row, and passed over
        found = re.compile(r"[,\]\n]").search(held, start + 1)
        return found.start() if found else None
    depth = 0
    for token in _TOKEN.finditer(held, start):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth <= 0:
            return token.end()
    return None


def _csv(file: IO[bytes], path: Path, delimiter: str) -> Iterator[Placed | Malformed]:
    csv.field_size_limit(_ROW_BYTES)  # its own limit is shorter than an answer may be
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    rows = csv.reader(text, delimiter=delimiter)
    try:
        names: list[str] = next(rows, [])
        while True:
            where = f"{path}:{rows.line_num + 1}"
            try:
                values = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Malformed(where, f"not CSV ({error})")
                continue
            if values:
                yield _record(names, values, where)
    finally:
        text.detach()


def _record(names: list[str], values: list[str], where: str) -> Placed | Malformed:
    if len(names) != len(values):
        return Malformed(where, f"{len(values)} fields under {len(names)} names")
    try:
        "".join(values).encode()
    except UnicodeEncodeError as error:
        return Malformed(where, f"not UTF-8 ({error.reason})")
    return where, dict(zip(names, values, strict=True))


def _parquet(path: Path) -> Iterator[Placed | Malformed]:
    try:
        import pyarrow as pa  # noqa: PLC0415  an extra
        import pyarrow.parquet as pq  # noqa: PLC0415  an extra
    except ImportError as error:
        msg = "Parquet needs pyarrow: install codeloop[dataset]"
        raise MissingExtraError(msg) from error
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}:{number}", row
    except (pa.ArrowException, OSError) as error:
        first_line = str(error).partition("\n")[0]
        yield Malformed(f"{path}:{number + 1}", f"damaged from here on ({first_line})")
