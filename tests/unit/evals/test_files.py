"""Rows are read with their place, and written so that a kill costs no more than one."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.errors import ConfigError, DataError
from codeloop.evals.rows import Log, digest, read_rows


def test_rows_come_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2}\n', encoding="utf-8")
    assert list(read_rows(path)) == [(f"{path}:1", {"a": 1}), (f"{path}:3", {"a": 2})]


def test_what_is_packed_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(b'{"a": 1}\n')
    packed.write_bytes(gzip.compress(b'{"a": 1}\n'))
    assert [row for _, row in read_rows(packed)] == [{"a": 1}]
    assert digest(plain) == digest(packed)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b'{"a": 1}\n{"a": \n', ":2: not JSON"),
        (b"[1]\n", ":1: not a JSON object"),
        (b'{"a": 1}\n\xff\n', ":2: not JSON"),
        (gzip.compress(b'{"a": 1}\n' * 99, mtime=0)[:-9], ": the packed file is damaged"),
        (b"[" * 100_000, ":1: not JSON"),
    ],
    ids=["torn", "list", "bytes", "packed", "deep"],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "rows"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        list(read_rows(path))
    assert complaint in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_a_file_that_is_not_there_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        list(read_rows(tmp_path / "no"))
    with pytest.raises(DataError):
        digest(tmp_path / "no")


@given(st.integers(0, 60), st.integers(0, 9000))
def test_a_torn_line_is_cut_off_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, cut: int, padding: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "rows.jsonl"
    with Log(path) as log:
        log.append({"n": 1})
        log.append({"n": 2, "text": "x" * padding})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - min(cut, len(data))])
    whole = path.read_bytes().count(b"\n")
    with Log(path) as log:
        log.append({"n": 3})
    numbers = [json.loads(line)["n"] for line in path.read_text(encoding="utf-8").splitlines()]
    assert numbers == [*[1, 2][:whole], 3]


def test_two_processes_cannot_write_one_log(tmp_path: Path) -> None:
    with Log(tmp_path / "log"), pytest.raises(ConfigError, match="another process"):
        Log(tmp_path / "log")


def test_a_log_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be written"):
        Log(tmp_path / "file" / "log")
