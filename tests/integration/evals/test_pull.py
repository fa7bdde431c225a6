"""Benchmarks brought over real HTTP: whole and found right, or not at all."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from integration.models.hostile import Answer, Server, status

from codeloop.cli.pulling import chosen, pull
from codeloop.core.errors import ConfigError, DataError, ModelError
from codeloop.evals.benchmarks import Benchmark, benchmark, benchmarks
from codeloop.evals.rows import digest
from codeloop.models.fetch import fetch

ROWS = [{"task_id": f"own/{number}", "text": "é", "n": 1.5} for number in range(300)]
PLAIN = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
ANEW = "\n".join(json.dumps(row, ensure_ascii=False, indent=None) for row in ROWS).encode()


def rows_at(server: Server, folder: Path) -> Benchmark:
    """Return a benchmark whose file that server has."""
    source = folder / "source.jsonl"
    source.write_bytes(PLAIN)
    url = f"http://127.0.0.1:{server.port}/rows.jsonl"
    some = benchmark("humaneval")
    return replace(some, file="rows/rows.jsonl.gz", sha256=digest(source), url=url)


@pytest.mark.parametrize("data", [PLAIN, ANEW, gzip.compress(PLAIN)], ids=["plain", "anew", "gzip"])
def test_the_same_rows_are_taken_however_they_are_written(data: bytes, tmp_path: Path) -> None:
    with Server(status(200, data)) as server:
        known = rows_at(server, tmp_path)
        (line,) = pull([known], tmp_path)
        assert "brought" in line
        known.check(tmp_path / known.file)
        (again,) = pull([known], tmp_path)
        assert "here" in again
        assert len(server.requests) == 1
    assert [path.name for path in (tmp_path / "rows").iterdir()] == ["rows.jsonl.gz"]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (status(200, PLAIN.replace(b"own/7", b"own/x")), "SHA-256"),
        (status(200, gzip.compress(PLAIN)[:-20]), "damaged"),
        (status(200, b"<html>"), "not JSON"),
        (status(404), "it answers 404"),
    ],
    ids=["other", "damaged", "page", "missing"],
)
def test_nothing_is_kept_of_what_is_wrong(answer: Answer, complaint: str, tmp_path: Path) -> None:
    with Server(answer) as server, pytest.raises(DataError, match=complaint):
        list(pull([rows_at(server, tmp_path)], tmp_path))
    assert list((tmp_path / "rows").iterdir()) == []


def test_one_that_fails_keeps_no_other_back(tmp_path: Path) -> None:
    with Server(status(404), status(200, PLAIN)) as server:
        known = rows_at(server, tmp_path)
        lines = pull([known, replace(known, name="other", file="other.jsonl")], tmp_path)
        assert "other" in next(lines)
        with pytest.raises(DataError, match=r"^humaneval@1: it answers 404$"):
            next(lines)


def test_what_an_earlier_try_left_is_gone_on_from_or_thrown_away(tmp_path: Path) -> None:
    part = tmp_path / "rows" / "rows.jsonl.gz.part"
    part.parent.mkdir()
    part.write_bytes(b"x" * 100)
    rest = f"bytes 100-{len(PLAIN) - 1}/{len(PLAIN)}"
    answers = status(206, PLAIN[100:], Content_Range=rest), status(200, PLAIN)
    with Server(*answers) as server:
        assert "brought" in next(pull([rows_at(server, tmp_path)], tmp_path))


def test_a_file_that_is_too_long_is_cut_off(tmp_path: Path) -> None:
    with Server(status(200, PLAIN)) as server:
        url = f"http://127.0.0.1:{server.port}/"
        with pytest.raises(ModelError, match="more than 1000 bytes"):
            fetch(url, tmp_path / "f", lambda _: None, most_bytes=1000)
    assert list(tmp_path.iterdir()) == []


def test_all_means_every_file_once_and_names_are_looked_up() -> None:
    every = chosen("all")
    assert len({each.file for each in every}) == len(every)
    assert {each.file for each in every} == {each.file for each in benchmarks()}
    assert [str(each) for each in chosen("cruxeval")] == ["cruxeval-o@1"]
    with pytest.raises(ConfigError, match="did you mean cruxeval-i"):
        chosen("cruxeval-input")


def test_every_benchmark_has_a_public_address_that_cannot_change() -> None:
    for each in benchmarks():
        *_, host, owner, name, commit, path = each.url.split("/", 6)
        assert (host, len(commit)) == ("raw.githubusercontent.com", 40), each
        assert owner
        assert name
        assert path


def test_problems_of_ones_own_are_public_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes(PLAIN)
    with pytest.raises(ConfigError, match="public nowhere"):
        list(pull(chosen(str(path)), tmp_path))
