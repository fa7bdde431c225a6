import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.jail

Run = Callable[..., subprocess.CompletedProcess[str]]

PROBLEMS = [
    {
        "task_id": "add",
        "prompt": "def add(a, b):\n",
        "entry_point": "add",
        "inputs": [[1, 2], [3, 4]],
        "hidden_inputs": [[-1, 1]],
        "reference": "def add(a, b): return a + b",
    },
    {
        "task_id": "echo",
        "prompt": "Print the input.",
        "cases": [{"stdin": "hi\n", "stdout": "hi\n"}],
    },
]
SAMPLES = [
    {"task_id": "add", "completion": "    return a + b\n"},
    {"task_id": "add", "solution": "def add(a, b): return abs(a) + b"},
    {"task_id": "echo", "solution": "print(input())"},
]


def lines(path: Path, rows: list[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_solutions_are_judged_and_rows_written_and_kept(codeloop: Run, tmp_path: Path) -> None:
    problems = lines(tmp_path / "mine.jsonl", PROBLEMS)
    samples = lines(tmp_path / "samples.jsonl", SAMPLES)
    out = tmp_path / "verdicts.jsonl"
    words = ("judge", problems, samples, "--out", str(out), "--workers", "1")
    done = codeloop(*words, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["base"] == {"passed": 3, "pass@1": 1.0}
    assert json.loads(done.stdout)["plus"] == {"passed": 2, "pass@1": 0.75}
    written = out.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in written.splitlines()]
    assert [(row["task_id"], row["sample"], row["plus"]) for row in rows] == [
        ("add", 0, True),
        ("add", 1, False),
        ("echo", 0, None),
    ]
    assert (rows[1]["input"], rows[1]["expected"], rows[1]["actual"]) == ("-1, 1", "0", "2")
    out.write_text("".join(written.splitlines(keepends=True)[:1]) + '{"torn', encoding="utf-8")
    again = codeloop(*words)
    assert "3 samples of 2 problems" in again.stdout
    assert len(out.read_text(encoding="utf-8").splitlines()) == 3


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [([{"task_id": "sub", "solution": ""}], "samples.jsonl:1: "), ([{}], "no problem None")],
)
def test_a_mistake_in_a_file_is_one_line_with_its_place(
    codeloop: Run, tmp_path: Path, rows: list[Any], complaint: str
) -> None:
    problems = lines(tmp_path / "mine.jsonl", PROBLEMS)
    done = codeloop("judge", problems, lines(tmp_path / "samples.jsonl", rows))
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_benchmark_without_its_file_says_where_to_put_it(codeloop: Run, tmp_path: Path) -> None:
    done = codeloop("judge", "humaneval", lines(tmp_path / "s.jsonl", []))
    assert done.returncode == 2
    assert "CODELOOP_DATA" in done.stderr
