import json
from pathlib import Path

import pytest

from codeloop.cli import main
from codeloop.core.errors import ConfigError, DataError
from codeloop.dataset.keys import digest
from codeloop.dataset.outputs import merge
from codeloop.dataset.store import Entry, Store, Table


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    with Store(path) as store:
        store.put(Entry(Table.CALLS, digest(1), "m", {"text": "hi"}, 10, 5)).wait()
        store.put(Entry(Table.RUNS, digest(2), "jail", [])).wait()
    return path


def test_stats_say_what_there_is(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "store", "stats", str(path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("calls: m: 1, ")
    assert said[0].endswith(" bytes, 10 + 5 tokens")
    assert said[1].startswith("runs: jail: 1, ")
    assert main(["dataset", "store", "stats", str(path), "--json"]) == 0
    assert [row["owner"] for row in json.loads(capsys.readouterr().out)] == ["m", "jail"]


def test_gc_removes_an_owner_and_knows_no_other(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gc = ["dataset", "store", "gc", str(path), "--table", "calls", "--owner"]
    assert main([*gc, "jail"]) == 2
    assert "calls has nothing of 'jail'" in capsys.readouterr().err
    assert main([*gc, "m"]) == 0
    assert capsys.readouterr().out == "1 entries removed\n"
    with Store(path) as store:
        assert [each.owner for each in store.held()] == ["jail"]


def test_export_writes_a_table(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "store", "export", str(path), "--table", "calls"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row == {"key": digest(1), "owner": "m", "value": {"text": "hi"}}


def test_a_shard_that_is_missing_or_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"made\.jsonl"):
        merge([tmp_path / "no"], tmp_path / "out")
    with pytest.raises(ConfigError, match="which shards"):
        merge([], tmp_path / "out")
    for name in ("made.jsonl", "left.jsonl", "failed.jsonl"):
        (tmp_path / name).write_text("no number here\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"made\.jsonl:1: not a line of a shard"):
        merge([tmp_path], tmp_path / "out")
