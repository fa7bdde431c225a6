import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.jail

Run = Callable[..., subprocess.CompletedProcess[str]]
Scripted = Callable[[Sequence[str]], str]

PROBLEM = {
    "task_id": "add",
    "prompt": "Write add(a, b): the sum.",
    "entry_point": "add",
    "visible_asserts": ["assert add(1, 2) == 3"],
    "asserts": ["assert add(10, -20) == -10"],
    "hidden_asserts": ["assert add(1000000001, 1) == 1000000002"],
}
WRONG = "```python\ndef add(a, b):\n    return a\n```"
RIGHT = "```python\ndef add(a, b):\n    return a + b\n```"


def test_a_model_is_measured_its_page_written_and_two_runs_compared(
    codeloop: Run, scripted: Scripted, tmp_path: Path
) -> None:
    problems = tmp_path / "mine.jsonl"
    problems.write_text(json.dumps(PROBLEM) + "\n", encoding="utf-8")
    model = scripted([WRONG, RIGHT])
    words = ("eval", str(problems), "--model", model, "--workers", "1", "--in-flight", "1")
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    done = codeloop(*words, "--out", one)
    assert done.returncode == 0, done.stderr
    assert "0/1 = 0.0 %" in done.stdout
    done = codeloop(*words, "--out", two, "--feedback", "execution")
    assert "1/1 = 100.0 %" in done.stdout
    assert (tmp_path / "two" / "report.md").read_text(encoding="utf-8") in done.stdout
    again = codeloop(*words, "--out", two, "--feedback", "execution")  # nothing is left to do
    assert again.stdout == done.stdout
    assert codeloop("eval", "report", two).stdout in done.stdout
    compared = json.loads(codeloop("eval", "compare", one, two, "--json").stdout)
    (pair,) = compared["against_first"]
    assert (pair["only_first"], pair["only_second"], pair["adjusted"]) == (0, 1, 1.0)
    assert compared["over_sampling"][0]["figures"]["exhausted"] == 1
    assert "two - one" in codeloop("eval", "compare", one, two).stdout
    refused = codeloop(*words, "--out", two)
    assert refused.returncode == 2
    assert "other settings" in refused.stderr


def test_a_run_is_one_page_and_is_handed_on_in_other_forms(
    codeloop: Run, scripted: Scripted, tmp_path: Path
) -> None:
    problems = tmp_path / "mine.jsonl"
    problems.write_text(json.dumps(PROBLEM) + "\n", encoding="utf-8")
    run, page = tmp_path / "run", tmp_path / "run" / "report.html"
    words = ("eval", str(problems), "--model", scripted([RIGHT]), "--workers", "1")
    codeloop(*words, "--out", str(run))
    whole = page.read_text(encoding="utf-8")
    assert "return a + b" in whole
    page.unlink()
    codeloop("eval", "report", str(run))
    assert not page.exists()
    codeloop("eval", "report", str(run), "--html")
    assert page.read_text(encoding="utf-8") == whole
    samples, log = tmp_path / "samples.jsonl", tmp_path / "log.json"
    assert not codeloop(
        "eval", "export", str(run), "--form", "samples", "--out", str(samples)
    ).stderr
    judged = codeloop("judge", str(problems), str(samples), "--workers", "1", "--json")
    assert json.loads(judged.stdout)["plus"]["passed"] == 1
    assert not codeloop("eval", "export", str(run), "--form", "inspect", "--out", str(log)).stderr
    assert json.loads(log.read_bytes())["samples"][0]["scores"]["plus"]["value"] == "C"
    refused = codeloop("eval", "export", str(run), "--form", "evalplus", "--out", str(log))
    assert (refused.returncode, "HumanEval and MBPP alone" in refused.stderr) == (2, True)
    refused = codeloop("eval", "published", str(run), "--row")
    assert (refused.returncode, "HumanEval or MBPP" in refused.stderr) == (2, True)
    assert "| OCI-DS 33B + exec | 82.9 (80.5) |" in codeloop("eval", "published").stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["humanevil"], "did you mean humaneval?"),
        (["humaneval", "--feedback", "human", "--model", "x"], "x"),
        (["report"], "takes 1 folders"),
        (["report", "/no/such"], "/no/such"),
        (["compare", "/no/such"], "takes 2 or more folders"),
        (["export", "/no/such"], "--form and --out"),
        (["humaneval", "--preset", "paper-exec", "--feedback", "none"], "--preset paper-exec"),
    ],
)
def test_a_mistake_of_the_user_is_one_clear_line(
    codeloop: Run, scripted: Scripted, words: list[str], complaint: str
) -> None:
    named = words if "--model" in words else [*words, "--model", scripted([RIGHT])]
    done = codeloop("eval", *named)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_the_benchmarks_are_listed(codeloop: Run) -> None:
    listed = codeloop("eval", "list").stdout
    assert "mbpp+@0.1.0" in listed
