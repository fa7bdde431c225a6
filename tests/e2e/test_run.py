import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from codeloop.core import records

pytestmark = pytest.mark.jail

Run = Callable[..., subprocess.CompletedProcess[str]]
Scripted = Callable[[Sequence[str]], str]

WRONG = "First try:\n```python\nprint('before')\nprint(1 / 0)\n```\n"
RIGHT = "Mended:\n```python\nprint(6 * 7)\n```\n"


def test_a_failing_program_is_repaired_and_its_output_shown(
    codeloop: Run, scripted: Scripted
) -> None:
    done = codeloop("run", "What is 6 * 7?", "--model", scripted([WRONG, RIGHT]))
    assert done.returncode == 0, done.stderr
    for shown in ("before", "ZeroDivisionError", "Mended:", "42", "[answered; 2 turns"):
        assert shown in done.stdout
    assert done.stderr == ""


def test_json_is_one_object_with_the_whole_record(codeloop: Run, scripted: Scripted) -> None:
    done = codeloop("run", "q", "--json", "--model", scripted([WRONG, RIGHT]))
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer["reason"], answer["turns"]) == (True, "answered", 2)
    dialogue = records.decode(json.dumps(answer["dialogue"]))
    results = [turn.results[0] for turn in dialogue.turns]
    assert [result.status.value for result in results] == ["error", "ok"]
    assert results[0].error is not None
    assert (results[0].error.name, results[0].error.line) == ("ZeroDivisionError", 2)
    assert [result.stdout.text for result in results] == ["before\n", "42\n"]


def test_an_end_that_is_not_well_has_its_own_status_and_says_why(
    codeloop: Run, scripted: Scripted
) -> None:
    done = codeloop("run", "q", "--model", scripted([WRONG, "I give up."]))
    assert done.returncode == 1
    assert "gave up" in done.stdout.splitlines()[-1]


def test_the_query_can_come_from_stdin(codeloop: Run, scripted: Scripted) -> None:
    done = codeloop("run", "-", "--model", scripted(["Fine."]), given="How are you?")
    assert done.returncode == 0
    assert "Fine." in done.stdout


def test_a_kernel_that_cannot_be_had_is_told_in_one_line(codeloop: Run, scripted: Scripted) -> None:
    done = codeloop("run", "q", "--kernel", "python3", "--model", scripted([RIGHT]))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "a Jupyter kernel needs pyzmq" in done.stderr


def test_files_lie_in_the_work_directory(codeloop: Run, scripted: Scripted, tmp_path: Path) -> None:
    table = tmp_path / "my table.csv"
    table.write_text("x\n1\n2\n", encoding="utf-8")
    reply = "```python\nprint(sum(int(x) for x in list(open('my table.csv'))[1:]))\n```"
    done = codeloop("run", "Sum x.", "--file", str(table), "--model", scripted([reply]))
    assert done.returncode == 0, done.stdout
    assert "\n3\n" in done.stdout


def test_variables_live_on_from_block_to_block_and_turn_to_turn(
    codeloop: Run, scripted: Scripted
) -> None:
    replies = [
        "```python\na = 20\n```\nand\n```python\nb = a + 1\nboom\n```",
        "```python\nprint(a + b + 1)\n```",
    ]
    done = codeloop("run", "q", "--model", scripted(replies))
    assert "\n42\n" in done.stdout


def test_the_dialogue_can_be_saved_and_grows(
    codeloop: Run, scripted: Scripted, tmp_path: Path
) -> None:
    path = tmp_path / "d.jsonl"
    for _ in range(2):
        codeloop("run", "q", "--save", str(path), "--model", scripted([RIGHT]))
    assert [len(dialogue.turns) for dialogue in records.read(path)] == [1, 1]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["run"], "QUERY"),
        (["run", " "], "the query is empty"),
        (["run", "q", "--file", "/no/such"], "no such file: /no/such"),
        (["run", "q", "--turns", "0"], "should be 1 or more"),
        (["run", "q", "--model", "no-such-model"], "no-such-model"),
        (["run", "q", "--model", "/no/such.gguf"], "/no/such.gguf"),
        (["run", "q", "--base-url", "http://127.0.0.1:1/v1"], "--model"),
        (["no-such-command"], "no-such-command"),
        ([], "COMMAND"),
    ],
)
def test_a_mistake_of_the_user_is_one_clear_line(
    codeloop: Run, words: list[str], complaint: str
) -> None:
    done = codeloop(*words)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_is_not_pulled_says_how_to_get_it(codeloop: Run) -> None:
    done = codeloop("run", "q")
    assert done.returncode == 2
    assert "codeloop model pull" in done.stderr


def test_an_endpoint_that_is_down_is_one_clear_line(codeloop: Run) -> None:
    done = codeloop(
        "run", "q", "--base-url", "http://127.0.0.1:1/v1", "--model", "m", "--seconds", "1"
    )
    assert done.returncode in {1, 3}
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("codeloop: ")


def test_escape_sequences_of_model_and_guest_never_reach_the_terminal(
    codeloop: Run, scripted: Scripted
) -> None:
    reply = "\x1b]0;x\x07Hi\n```python\nprint('\\x1b[2Jgone')\n```"
    done = codeloop("run", "q", "--model", scripted([reply]))
    assert "\x1b" not in done.stdout
    assert "gone" in done.stdout


@pytest.mark.parametrize("command", ["", "run", "chat", "exec", "judge", "eval", "doctor", "model"])
def test_help_is_there_with_examples(codeloop: Run, command: str) -> None:
    done = codeloop(*command.split(), "--help")
    assert done.returncode == 0
    assert "example" in done.stdout


def test_the_version_is_told(codeloop: Run) -> None:
    assert codeloop("--version").stdout.startswith("codeloop 0.")


MAKES = """```python
import os
os.makedirs('deep/er')
open('deep/er/a.txt', 'w').write('made')
open('given.txt', 'a').write('!')
{more}
```"""


def test_what_the_code_made_is_saved(codeloop: Run, scripted: Scripted, tmp_path: Path) -> None:
    for name in ("given.txt", "left.txt"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    given = [f"--file={tmp_path / name}" for name in ("given.txt", "left.txt")]
    out = tmp_path / "out"
    model = scripted([MAKES.format(more="")])
    done = codeloop("run", "q", "--out", str(out), *given, "--model", model)
    assert done.returncode == 0, done.stderr
    found = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert found == {"deep/er/a.txt", "given.txt"}
    assert (out / "given.txt").read_text(encoding="utf-8") == "given.txt!"
    assert f"saved {out}/deep/er/a.txt" in done.stderr


def test_code_chooses_no_file_that_is_overwritten_or_hidden(
    codeloop: Run, scripted: Scripted, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    hostile = """
os.symlink('/etc/passwd', 'link')
os.makedirs('.git/hooks')
open('.git/hooks/pre-commit', 'w').write('x')
open('bad\\x1b[2J', 'w').write('x')
for n in range(40):
    open(f'hole{n}', 'wb').truncate(200 << 20)
"""
    words = ("run", "q", "--out", str(out), "--model", scripted([MAKES.format(more=hostile)]))
    done = codeloop(*words)
    assert done.returncode == 0, done.stderr
    found = {path.name for path in out.rglob("*") if path.is_file()}
    assert (
        {"a.txt", "given.txt"} <= found <= {"a.txt", "given.txt", *(f"hole{n}" for n in range(40))}
    )
    assert sum(path.stat().st_size for path in out.rglob("*")) <= 300 << 20
    assert "\x1b" not in done.stderr
    again = codeloop(*words)
    assert again.returncode == 2
    assert "not empty" in again.stderr
