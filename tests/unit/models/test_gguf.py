"""A broken GGUF file is refused in one line, before native code sees it."""

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeloop.core.errors import DataError
from codeloop.models.gguf import read_header


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def row(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: str, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    head = text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return head + struct.pack("<IQ", kind, offset)


ROWS = (
    row("general.architecture", 8, text("llama")),
    row("llama.context_length", 4, struct.pack("<I", 2048)),
    row("tokens", 9, struct.pack("<IQ", 8, 2) + text("a") + text("b")),
    row("scores", 9, struct.pack("<IQ", 6, 3) + struct.pack("<3f", 0, 1, 2)),
    row("flag", 7, b"\x01"),
)
TENSORS = (tensor("a", (64, 2), 0, 0), tensor("b", (256,), 12, 512))  # F32, then Q4_K


def file_of(rows: tuple[bytes, ...] = ROWS, tensors: tuple[bytes, ...] = TENSORS) -> bytes:
    counts = struct.pack("<IQQ", 3, len(tensors), len(rows))
    head = b"GGUF" + counts + b"".join(rows) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + bytes(512 + 144)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.gguf"


def test_a_whole_file_says_what_it_is(path: Path) -> None:
    path.write_bytes(file_of())
    header = read_header(path)
    assert (header.architecture, header.context_tokens) == ("llama", 2048)
    assert header.needed_bytes == path.stat().st_size
    assert not header.has_template


@pytest.mark.parametrize("lost", [1, 100, 600])
def test_a_file_cut_in_its_tensors_is_truncated(path: Path, lost: int) -> None:
    data = file_of()
    path.write_bytes(data[:-lost])
    with pytest.raises(DataError, match=f"truncated: it has {len(data) - lost} of at least"):
        read_header(path)


def test_a_file_cut_in_its_header_is_truncated(path: Path) -> None:
    data = file_of()
    for size in range(4, len(data) - 656 - 32, 7):
        path.write_bytes(data[:size])
        with pytest.raises(DataError, match="broken or truncated"):
            read_header(path)


@pytest.mark.parametrize("data", [b"", b"GG", b"PK\x03\x04", b"<html>not found</html>", b"FUGG"])
def test_what_is_no_gguf_is_said_to_be_none(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(DataError, match="not a GGUF file"):
        read_header(path)


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.gguf", tmp_path):
        with pytest.raises(DataError):
            read_header(path)


@pytest.mark.parametrize(
    "data",
    [
        b"GGUF" + struct.pack("<IQQ", 1, 1, 1),
        b"GGUF" + struct.pack("<IQQ", 3, 1, 2**63),
        b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + struct.pack("<Q", 2**64 - 1) + bytes(99),
        file_of(rows=(row("x", 99, b""), *ROWS)),
        file_of(rows=(row("x", 9, struct.pack("<IQ", 8, 2**62)), *ROWS)),
        file_of(rows=ROWS[1:]),
        file_of(tensors=()),
        file_of(tensors=(tensor("a", (1,) * 5, 0, 0),)),
    ],
)
def test_numbers_that_cannot_be_are_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(DataError, match="broken or truncated"):
        read_header(path)


@settings(deadline=None)
@given(st.integers(0, len(file_of()) - 1), st.binary(min_size=1, max_size=8))
def test_no_damage_leads_to_anything_but_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, damage: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.gguf"
    data = file_of()
    path.write_bytes(data[:at] + damage + data[at + len(damage) :])
    with suppress(DataError):
        read_header(path)
