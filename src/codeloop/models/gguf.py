"""Reads the header of a GGUF file, so that native code never sees a broken one.

Source: the format's specification, ggml/docs/gguf.md, versions 2 and 3.
"""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloop.core.errors import DataError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT = 32
SMALLEST_ROW_BYTES = 13  # of a key and value: less cannot be
DIMENSIONS = 4
STRING, ARRAY = 8, 9
SCALARS: Mapping[int, str] = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
# tensor type -> (values in a block, bytes of a block), of ggml's type table
BLOCKS: Mapping[int, tuple[int, int]] = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    9: (32, 36), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
    21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8),
    28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says of itself."""

    architecture: str
    context_tokens: int | None
    has_template: bool
    needed_bytes: int  # the smallest size that holds all tensors


def read_header(path: Path) -> Header:
    """Return the header of a whole GGUF file.

    Raises:
        DataError: there is none, or it is broken, or the file is too short for its tensors.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if file.read(len(MAGIC)) != MAGIC:
                msg = f"{path}: not a GGUF file"
                raise DataError(msg)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                header = _parse(data)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise DataError(msg) from error
    except (struct.error, ValueError, OverflowError) as error:
        msg = f"{path}: a broken or truncated GGUF file ({error})"
        raise DataError(msg) from error
    if size < header.needed_bytes:
        msg = f"{path}: truncated: it has {size} of at least {header.needed_bytes} bytes"
        raise DataError(msg)
    return header


@dataclass(slots=True)
class _Cursor:
    """A place in the file; reading moves it on."""

    data: mmap.mmap
    at: int = len(MAGIC)

    def scalar(self, code: str) -> Any:
        (value,) = struct.unpack_from("<" + code, self.data, self.at)
        self.at += struct.calcsize("<" + code)
        return value

    def text(self) -> str:
        start = self.at + 8
        self.skip_text()
        return self.data[start : self.at].decode("utf-8", "replace")

    def skip_text(self) -> None:
        self.skip(self.scalar("Q"), 1)

    def skip(self, count: int, size: int) -> None:
        self.at += count * size
        if self.at > len(self.data):
            msg = "a length points behind the end of the file"
            raise ValueError(msg)

    def value(self, kind: int) -> Any:
        """Return a scalar or a text; of an array nothing but that it was there."""
        if kind == STRING:
            return self.text()
        if kind != ARRAY:
            return self.scalar(_scalar_code(kind))
        inner, count = self.scalar("I"), self.scalar("Q")
        if inner == STRING:
            self.check_count(count, 8)
            for _ in range(count):
                self.skip_text()
        else:
            self.skip(count, struct.calcsize("<" + _scalar_code(inner)))
        return None

    def check_count(self, count: int, size: int) -> None:
        if count * size > len(self.data) - self.at:
            msg = f"it cannot hold {count} entries"
            raise ValueError(msg)


def _scalar_code(kind: int) -> str:
    if kind not in SCALARS:
        msg = f"no value type {kind}"
        raise ValueError(msg)
    return SCALARS[kind]


def _parse(data: mmap.mmap) -> Header:
    cursor = _Cursor(data)
    version = cursor.scalar("I")
    if version not in VERSIONS:
        msg = f"version {version} is not known"
        raise ValueError(msg)
    tensors, rows = cursor.scalar("Q"), cursor.scalar("Q")
    cursor.check_count(rows, SMALLEST_ROW_BYTES)
    values: dict[str, Any] = {}
    for _ in range(rows):
        key = cursor.text()
        values[key] = cursor.value(cursor.scalar("I"))
    end = _tensors_end(cursor, tensors)
    alignment = values.get("general.alignment") or ALIGNMENT
    start = -(-cursor.at // alignment) * alignment
    architecture = values.get("general.architecture")
    if not isinstance(architecture, str) or tensors == 0:
        msg = "it names no architecture, or holds no tensors"
        raise ValueError(msg)
    return Header(
        architecture,
        values.get(f"{architecture}.context_length"),
        "tokenizer.chat_template" in values,
        start + end,
    )


def _tensors_end(cursor: _Cursor, count: int) -> int:
    """Return where the last tensor ends, from the start of the tensors' data."""
    cursor.check_count(count, SMALLEST_ROW_BYTES)
    end = 0
    for _ in range(count):
        cursor.skip_text()
        dimensions = cursor.scalar("I")
        if dimensions > DIMENSIONS:
            msg = f"a tensor of {dimensions} dimensions"
            raise ValueError(msg)
        values = 1
        for _ in range(dimensions):
            values *= cursor.scalar("Q")
        per_block, block_bytes = BLOCKS.get(cursor.scalar("I"), (1, 0))
        end = max(end, cursor.scalar("Q") + values // per_block * block_bytes)
    return end
