"""`codeloop dataset export`, `card` and `view`: what they write, and what a bad row does."""

import json
from pathlib import Path

import pytest
from unit.publishing.test_forms import example

from codeloop.cli import main
from codeloop.dataset.records import write


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    path = tmp_path / "main.jsonl"
    write(path, [example(), example("mutation/p/index/2")])
    return path


def test_export_writes_rows_and_says_how_many(
    examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "pairs.jsonl"
    assert main(["dataset", "export", str(examples), "--form", "pairs", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: 2 rows\n"
    assert set(json.loads(out.read_text(encoding="utf-8").splitlines()[0])) >= {
        "chosen",
        "rejected",
    }


def test_a_malformed_row_is_named_and_stops_nothing(
    examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with examples.open("a", encoding="utf-8") as file:
        file.write("{}\n")
    out = tmp_path / "rows.jsonl"
    assert main(["dataset", "export", str(examples), "--out", str(out)]) == 1
    assert f"{examples}:3: not an example" in capsys.readouterr().err
    assert len(out.read_text(encoding="utf-8").splitlines()) == 2


def test_card_makes_a_folder_that_a_hub_takes(examples: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("matplotlib")
    report = tmp_path / "report.json"
    report.write_text('{"kinds": {"index": {"tried": 1, "kept": 1, "failures": {}}}}')
    out = tmp_path / "published"
    args = ["dataset", "card", str(examples), "--out", str(out), "--mutation", str(report)]
    assert main([*args, "--name", "Bugs"]) == 0
    assert (out / "data" / "train.parquet").is_file()
    assert (out / "plots" / "faults.svg").is_file()
    assert "| index | 1 | 1 |" in (out / "README.md").read_text(encoding="utf-8")


def test_a_report_that_is_no_json_is_one_line(
    examples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    report.write_text("no")
    args = ["dataset", "card", str(examples), "--out", str(tmp_path / "p"), "--cost", str(report)]
    assert main(args) == 2
    assert capsys.readouterr().err == f"codeloop: {report}:1: not JSON: Expecting value\n"


def test_view_makes_a_page(examples: Path, tmp_path: Path) -> None:
    out = tmp_path / "page"
    assert main(["dataset", "view", str(examples), "--out", str(out), "--title", "Bugs"]) == 0
    assert "<title>Bugs</title>" in (out / "index.html").read_text(encoding="utf-8")
    assert (out / "page-0.js").is_file()
