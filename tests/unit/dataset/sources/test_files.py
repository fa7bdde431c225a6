"""Rows come out of a file whole, and what is none is named with its place and stops nothing."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.errors import DataError
from codeloop.dataset.records import Malformed
from codeloop.dataset.sources import files
from codeloop.dataset.sources.files import read_rows

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ROWS = st.lists(st.dictionaries(TEXTS, TEXTS | st.integers() | st.none() | st.lists(TEXTS)))
BAD = st.sampled_from(['{"a": 1,}', '{"a": nul}', "[1]", '"text"', "7"])


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [each[1] for each in read_rows(path) if not isinstance(each, Malformed)]


def bad_of(path: Path) -> list[Malformed]:
    return [each for each in read_rows(path) if isinstance(each, Malformed)]


@given(ROWS, st.sampled_from(["lines", "array", "pretty"]), st.booleans())
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], how: str, packed: bool
) -> None:
    path = tmp_path_factory.mktemp("rows") / ("rows.jsonl" if how == "lines" else "rows.json")
    if how == "lines":
        text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    else:
        text = json.dumps(rows, ensure_ascii=False, indent=2 if how == "pretty" else None)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    assert rows_of(path) == rows
    assert not bad_of(path)


@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_csv_that_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("query", "answer"), *rows])
    assert rows_of(path) == [{"query": query, "answer": answer} for query, answer in rows]


@given(st.lists(st.integers(0, 9) | BAD, max_size=12), st.booleans())
def test_a_malformed_row_is_named_wherever_it_stands_and_the_rest_is_read(
    tmp_path_factory: pytest.TempPathFactory, items: list[int | str], as_array: bool
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.json"
    texts = [json.dumps({"n": each}) if isinstance(each, int) else each for each in items]
    path.write_text(
        "[" + ",\n".join(texts) + "\n]" if as_array else "\n".join(texts), encoding="utf-8"
    )
    if not as_array and texts and texts[0].startswith("["):
        path = path.rename(path.with_suffix(".jsonl"))  # its name says what its start does not
    assert [row["n"] for row in rows_of(path)] == [each for each in items if isinstance(each, int)]
    places = [number for number, each in enumerate(items, 1) if not isinstance(each, int)]
    assert [each.where for each in bad_of(path)] == [f"{path}:{number}" for number in places]


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.json", b'[{"n": 1},\n{"n": "\xff"},\n{"n": 3}]', ":2: not JSON"),
        ("a.jsonl", b'{"n": 1}\n{"n": "\xff"}\n{"n": 3}\n', ":2: not JSON"),
        ("a.json", b'[{"n": 1},\n{"n": 3},\n{"n": "cut of', ":3: this row does not end"),
        ("a.json", b'[{"n": 1},\n{"n": 3}\n', ":3: the array does not end"),
        ("a.json", b'[{"n": 1},\n {"m" 2},\n{"n": 3}]', ":2: not JSON"),
        ("a.csv", b"n\n1\n2,2\n3\n", ":3: 2 fields under 1 names"),
        ("a.csv", b"n\n1\n\xff\n3\n", ":3: not UTF-8"),
        ("a.jsonl", b'{"n": 1}\n{"n": 3}\n' + b"[" * 99_999, ":3: not JSON"),
    ],
)
def test_damage_is_told_with_its_place(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert [int(row["n"]) for row in rows_of(path)] == [1, 3]
    (bad,) = bad_of(path)
    assert f"{bad.where}: {bad.why}".startswith(f"{path}{why}")


def test_a_packed_file_that_is_cut_off_gives_what_comes_before(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    data = b"".join(b'{"n": %d}\n' % number for number in range(200_000))
    path.write_bytes(gzip.compress(data, mtime=0)[:-2000])
    rows = list(read_rows(path))
    assert isinstance(rows[-1], Malformed)
    assert "damaged from here on" in rows[-1].why
    assert len(rows) > 1000


def test_an_array_longer_than_a_piece_is_read_a_piece_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_READ_BYTES", 7)
    path = tmp_path / "rows.json"
    rows = [{"text": 'a "quoted" \\ brace } ä', "n": number} for number in range(20)]
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    assert rows_of(path) == rows


def test_a_folder_gives_the_rows_of_its_files_by_name(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "b.jsonl").write_text('{"n": 2}\n', encoding="utf-8")
    (tmp_path / "deep" / "c.json").write_text('[{"n": 3}]', encoding="utf-8")
    (tmp_path / "a.csv").write_text("n\n1\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("no rows", encoding="utf-8")
    assert [int(row["n"]) for row in rows_of(tmp_path)] == [1, 2, 3]


def test_a_folder_without_rows_and_a_file_that_is_not_there_are_data_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file of rows"):
        list(read_rows(tmp_path))
    with pytest.raises(DataError, match="No such file"):
        list(read_rows(tmp_path / "no.jsonl"))


def test_parquet_is_read(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    rows = [{"query": f"q{number}", "tags": ["a", "b"]} for number in range(1500)]
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert rows_of(path) == rows
    data = path.read_bytes()
    path.write_bytes(data[:20] + b"\xff" * 200 + data[220:])
    assert bad_of(path)
    path.write_bytes(b"no parquet")
    assert bad_of(path)
