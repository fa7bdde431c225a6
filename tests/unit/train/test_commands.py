"""`codeloop train check` and `estimate`, from the command line, on a model made here."""

import json
from pathlib import Path

import pytest
from tiny import tiny_folder
from unit.train.dialogues import dialogues, sources

from codeloop.cli import EXIT_NOT_WELL, EXIT_OK, EXIT_USAGE, main
from codeloop.core.records import encode


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("model"), sources(30))


def config(folder: Path, model: Path, *, more: str = "", bad: str = "") -> Path:
    lines = [encode(each) for each in dialogues(6)]
    (folder / "rows.jsonl").write_text("\n".join([*lines, bad]), encoding="utf-8")
    path = folder / "train.yaml"
    text = f"{{model: {model}, data: [rows.jsonl], cache: {folder / 'cache'}, {more}}}"
    path.write_text(text, encoding="utf-8")
    return path


def test_check_prints_figures_and_writes_a_page(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config(tmp_path, model)
    page = tmp_path / "check.html"
    assert main(["train", "check", str(path), "--json", "--html", str(page)]) == EXIT_OK
    facts = json.loads(capsys.readouterr().out)
    assert facts["files"][0]["rows"] == 6
    assert not facts["refuses"]
    assert "<pre>" in page.read_text(encoding="utf-8")
    assert main(["train", "check", str(path)]) == EXIT_OK
    said = capsys.readouterr().out
    assert "nothing forbids to train on it" in said
    assert "<|im_end|>" in said


def test_check_names_what_forbids_to_train(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config(tmp_path, model, bad="{broken")
    assert main(["train", "check", str(path)]) == EXIT_NOT_WELL
    said = capsys.readouterr().out
    assert "refuses: 1 lines that are no row" in said
    assert "rows.jsonl:7" in said


def test_a_key_that_trl_does_not_know_is_named_before_anything_is_read(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config(tmp_path, model, more="trl: {learning_rat: 1}")
    assert main(["train", "check", str(path)]) == EXIT_USAGE
    assert "trl has no key 'learning_rat'; nearest is 'learning_rate'" in capsys.readouterr().err


def test_estimate_prints_a_row_for_each_number_of_gpus(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config(tmp_path, model)
    command = ["train", "estimate", str(path), "--json", "--price", "2"]
    assert main(command) == EXIT_OK
    small = json.loads(capsys.readouterr().out)
    assert [row["gpus"] for row in small["table"]] == [1, 2, 4, 8, 16, 32, 64]
    assert small["table"][0]["plan"] == "replicated"
    assert main([*command, "--as", "codellama-70b"]) == EXIT_OK
    big = json.loads(capsys.readouterr().out)
    assert big["work"] == small["work"]
    assert big["table"][0]["hours"] is None
    assert big["table"][-1]["cost"] > small["table"][-1]["cost"]


@pytest.mark.slow
def test_a_probe_says_what_a_step_takes_here(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config(tmp_path, model, more="trl: {gradient_accumulation_steps: 1, bf16: false}")
    assert main(["train", "estimate", str(path), "--json", "--probe"]) == EXIT_OK
    facts = json.loads(capsys.readouterr().out)
    measured = facts["probe"]
    assert 0 < measured["cpu_s"] < 60
    assert measured["memory_bytes"] > 100e6
    assert measured["hours"] == pytest.approx(
        facts["work"]["tokens"] / measured["tokens"] * measured["wall_s"] / 3600
    )
