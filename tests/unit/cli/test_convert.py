import json
from pathlib import Path

import pytest

from codeloop.cli import main
from codeloop.core import records
from codeloop.core.dialogue import Dialogue, Turn


def lines(path: Path, count: int) -> list[Dialogue]:
    dialogues = [Dialogue.ask(f"q{at}").with_turn(Turn("```python\n1\n```")) for at in range(count)]
    records.append(path, dialogues)
    return dialogues


@pytest.mark.parametrize("ending", ["ipynb", "py", "md", "html", "zip", "jsonl"])
def test_a_dialogue_is_written_as_the_ending_of_the_file_says(tmp_path: Path, ending: str) -> None:
    lines(tmp_path / "d.jsonl", 1)
    out = tmp_path / f"out.{ending}"
    assert main(["convert", str(tmp_path / "d.jsonl"), str(out)]) == 0
    assert out.stat().st_size > 0


def test_a_notebook_becomes_lines_again(tmp_path: Path) -> None:
    (dialogue,) = lines(tmp_path / "d.jsonl", 1)
    main(["convert", str(tmp_path / "d.jsonl"), str(tmp_path / "n.ipynb")])
    main(["convert", str(tmp_path / "n.ipynb"), str(tmp_path / "e.jsonl")])
    assert list(records.read(tmp_path / "e.jsonl")) == [dialogue]


def test_one_of_many_is_chosen_by_its_number(tmp_path: Path) -> None:
    lines(tmp_path / "d.jsonl", 3)
    main(["convert", str(tmp_path / "d.jsonl"), str(tmp_path / "n.ipynb"), "--number", "2"])
    cells = json.loads((tmp_path / "n.ipynb").read_text())["cells"]
    assert cells[0]["source"] == "q1"


def test_code_feedback_is_written_when_it_is_asked_for(tmp_path: Path) -> None:
    lines(tmp_path / "d.jsonl", 2)
    out = tmp_path / "c.jsonl"
    main(["convert", str(tmp_path / "d.jsonl"), str(out), "--form", "code-feedback"])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["messages"][0]["content"] for row in rows] == ["q0", "q1"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["d.jsonl", "n.docx"], "no form ends so"),
        (["d.jsonl", "n.ipynb"], "holds 2 dialogues; say which with --number"),
        (["d.jsonl", "n.ipynb", "--number", "3"], "holds 2 dialogues, not 3"),
        (["d.jsonl", "n.ipynb", "--form", "code-feedback"], "is written as .jsonl"),
        (["bad.jsonl", "n.ipynb"], "bad.jsonl:2: not a dialogue"),
    ],
)
def test_what_cannot_be_written_gets_one_line_and_leaves_no_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    lines(Path("d.jsonl"), 2)
    Path("bad.jsonl").write_text(Path("d.jsonl").read_text().splitlines()[0] + "\n{}\n")
    assert main(["convert", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("n.*"))
