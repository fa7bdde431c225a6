"""`codeloop dataset ingest` and `dedup` from outside: files in, files out, exit status."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codeloop.cli import main
from codeloop.dataset.records import Example, Malformed, Query, read


def rows(path: Path, *objects: Any) -> Path:
    path.write_text("".join(f"{json.dumps(each)}\n" for each in objects), encoding="utf-8")
    return path


def good(path: Path) -> list[Query]:
    return [each for each in read(Query, path) if not isinstance(each, Malformed)]


def test_ingest_writes_queries_names_what_is_malformed_and_says_so_by_its_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alpaca = {"instruction": "Add", "input": "1 2", "output": "3"}
    source = rows(tmp_path / "mine.jsonl", alpaca, alpaca | {"instruction": ""}, alpaca)
    out = tmp_path / "out" / "queries.jsonl"
    assert main(["dataset", "ingest", str(source), "--licence", "MIT", "--out", str(out)]) == 1
    assert [(each.query, each.source, each.licence) for each in good(out)] == [
        ("Add\n\n1 2", "mine", "MIT")
    ] * 2
    printed = capsys.readouterr()
    assert f"{source}:2: not of the form alpaca" in printed.err
    assert "2 rows      1 malformed" in printed.out


def test_ingest_writes_examples_of_dialogues_alone(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    source = rows(tmp_path / "cf.jsonl", {"id": 1, "messages": messages})
    out = tmp_path / "examples.jsonl"
    assert main(["dataset", "ingest", str(source), "--as", "examples", "--out", str(out)]) == 0
    (example,) = read(Example, out)
    assert isinstance(example, Example)
    assert example.dialogue.turns[0].reply == "A"
    queries = rows(tmp_path / "queries.jsonl", {"query": "Q"})
    assert main(["dataset", "ingest", str(queries), "--as", "examples", "--out", str(out)]) == 2


def test_ingest_lists_its_sets_and_wants_a_source(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["dataset", "ingest", "--list"]) == 0
    assert "nl2bash" in capsys.readouterr().out
    assert main(["dataset", "ingest"]) == 2
    assert main(["dataset", "ingest", "no-such-set", "--out", str(tmp_path / "x")]) == 2
    assert not list(tmp_path.iterdir())


def test_dedup_keeps_the_longest_answer_and_writes_the_clusters(tmp_path: Path) -> None:
    source = rows(
        tmp_path / "in.jsonl",
        {"schema": 1, "query": "Sort a list", "answer": "short"},
        {"schema": 1, "query": "sort a  LIST", "answer": "a longer one"},
        {"schema": 1, "query": "Reverse a text"},
    )
    out = tmp_path / "out.jsonl"
    assert main(["dataset", "dedup", str(source), "--out", str(out)]) == 0
    assert [each.query for each in good(out)] == ["sort a  LIST", "Reverse a text"]
    (line,) = (tmp_path / "out.jsonl.clusters.jsonl").read_text(encoding="utf-8").splitlines()
    member = json.loads(line)
    assert (member["row"], member["kept_row"], member["why"]) == (0, 1, "exact")
    assert (member["id"], member["kept"]) == (
        Query("Sort a list", "short").id,
        Query("sort a  LIST", "a longer one").id,
    )


def test_dedup_takes_vectors_and_refuses_what_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = rows(tmp_path / "in.jsonl", *({"schema": 1, "query": text} for text in ("one", "two")))
    vectors, out = tmp_path / "v.npy", tmp_path / "out.jsonl"
    command = ["dataset", "dedup", str(source), "--out", str(out), "--vectors", str(vectors)]
    np.save(vectors, np.array([[1, 0], [1, 0]], np.float32))
    assert main(command) == 0
    assert len(good(out)) == 1
    for bad in (np.array([[3, 0], [1, 0]], np.float32), np.array([1.0])):
        np.save(vectors, bad)
        assert main(command) == 2
    vectors.write_bytes(b"no array")
    assert main(command) == 2
    np.save(vectors, np.array([[1, 0]], np.float32))
    assert main(command) == 2
    assert "1 vectors for 2 rows" in capsys.readouterr().err
