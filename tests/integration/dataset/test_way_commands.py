"""The verbs of single ways, as a user types them, with scripted models and the real jail."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from codeloop.core.dialogue import Dialogue
from codeloop.dataset.records import Example, Query, Way, read, write


def command(*args: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "codeloop", "dataset", *map(str, args)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=110)


def script(path: Path, *replies: str) -> str:
    path.write_text(json.dumps(replies), encoding="utf-8")
    return f"scripted:{path}"


def made(path: Path) -> list[Example]:
    return [each for each in read(Example, path) if isinstance(each, Example)]


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    path = tmp_path / "queries.jsonl"
    texts = ["Reverse a list.", "Reverse a list of words.", "Parse a date.", "Parse two dates."]
    rows = [Query(each, f"{each} Done.", "own", "MIT", "python") for each in texts]
    write(path, rows)
    return path


def test_score_keeps_what_is_complex_and_counts_what_has_no_score(
    tmp_path: Path, queries: Path
) -> None:
    judge = script(tmp_path / "judge.json", *["Score: 5"] * 2, *["Score: 3"] * 2, "Hm", "Score: 4",
                   "Score: 4")  # fmt: skip
    out, scores = tmp_path / "kept.jsonl", tmp_path / "scores.jsonl"
    done = command(
        "score", queries, "--model", judge, "--out", out, "--scores", scores, "--in-flight", 1
    )
    assert done.returncode == 0, done.stderr
    assert "4 queries: 2 kept, 1 unreadable" in done.stderr
    kept = [each for each in read(Query, out) if isinstance(each, Query)]
    assert [each.query for each in kept] == ["Reverse a list.", "Parse two dates."]
    rows = [json.loads(line) for line in scores.read_text(encoding="utf-8").splitlines()]
    assert [row["value"] for row in rows] == [5.0, 3.0, None, 4.0]


def test_judge_check_prints_a_table_and_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    rows = [
        Query(f"{level} {n}", meta=(("difficulty", level),))
        for level in ("Easy", "Medium", "Hard")
        for n in range(2)
    ]
    write(path, rows)
    judge, noted = script(tmp_path / "j.json", *["Score: 4"] * 24), tmp_path / "noted.jsonl"
    asked = ("judge-check", path, "--per-level", 2, "--in-flight", 1, "--out", noted)
    done = command(*asked, "--model", judge)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 2 + 6
    again = command(*asked, "--model", script(tmp_path / "none.json", "unused"))
    assert again.stdout.splitlines()[0] == done.stdout.splitlines()[0]
    assert again.returncode == 0, again.stderr


def test_pack_makes_dialogues_of_similar_queries(tmp_path: Path, queries: Path) -> None:
    done = command("pack", queries, "--out", tmp_path / "packed")
    assert done.returncode == 0, done.stderr
    examples = made(tmp_path / "packed" / "made.jsonl")
    assert examples
    assert {each.way for each in examples} == {Way.PACKING}
    first = next(each for each in examples if "Reverse" in each.dialogue.opening[0].content)
    assert len(first.query_ids) > 1


@pytest.mark.jail
def test_simulate_and_correct_keep_their_runs(tmp_path: Path, queries: Path) -> None:
    writer = script(tmp_path / "writer.json", "```python\nprint(no)\n```")
    fixer = script(tmp_path / "fixer.json", "```python\nprint(1)\n```")
    user = script(tmp_path / "user.json", '{"satisfied": true, "feedback": ""}')
    common = ("--writer", writer, "--fixer", fixer, "--limit", 1, "--in-flight", 1)
    done = command("simulate", queries, "--out", tmp_path / "s", *common, "--user", user)
    assert done.returncode == 0, done.stderr
    (example,) = made(tmp_path / "s" / "made.jsonl")
    assert (len(example.dialogue.turns), len(example.runs)) == (2, 2)
    done = command("correct", queries, "--out", tmp_path / "c", *common, "--wanted", "name")
    assert done.returncode == 0, done.stderr
    (example,) = made(tmp_path / "c" / "made.jsonl")
    assert (example.way, len(example.runs)) == (Way.CORRECTION, 2)


@pytest.mark.parametrize("way", ["similar", "follow-up"])
def test_leetcode_makes_dialogues_of_exercises(tmp_path: Path, way: str) -> None:
    path = tmp_path / "exercises.jsonl"
    python, java = "class Solution:\n    pass\n", "class Solution {}\n"
    rows = [
        {
            "id": f"{n}",
            "title": f"Path Sum {'I' * n}",
            "slug": f"path-sum-{n}",
            "difficulty": "Easy",
            "tags": "['Tree']",
            "statement": f"Sum {n} paths.",
            "solutions": str({"python": python, "java": java}),
        }
        for n in (1, 2)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    said = [f"It sums them up, for the {n}th time." for n in range(4)]
    model = script(tmp_path / "m.json", *said)
    out = tmp_path / "made.jsonl"
    done = command("leetcode", path, "--way", way, "--out", out, "--model", model, "--form",
                   "leetcode-solutions", "--in-flight", 1)  # fmt: skip
    assert done.returncode == 0, done.stderr
    examples = made(out)
    assert len(examples) == (1 if way == "similar" else 2)
    assert python in examples[0].dialogue.turns[0].reply
    text = out.read_bytes()
    script(tmp_path / "m.json", "nothing more is asked")
    short = command("leetcode", path, "--way", way, "--out", tmp_path / "short.jsonl", "--model",
                    model, "--form", "leetcode-solutions", "--longest", 11)  # fmt: skip
    assert "0 groups: 0 dialogues" in short.stderr
    command("leetcode", path, "--way", way, "--out", out, "--model", model, "--form",
            "leetcode-solutions", "--in-flight", 1)  # fmt: skip
    assert out.read_bytes() == text


def test_leetcode_looks_for_known_sets_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODELOOP_DATA", str(tmp_path / "sets"))
    done = command("leetcode", "leetcode-solutions", "--way", "similar", "--out", tmp_path / "o")
    assert done.returncode == 2
    assert f"{tmp_path / 'sets'}" in done.stderr


def test_dialogues_of_no_problem_are_verified_without_any_set_of_problems(
    tmp_path: Path, queries: Path
) -> None:
    """It once read all problems first, and so needed files that the dialogues do not name."""
    assert command("pack", queries, "--out", tmp_path / "packed").returncode == 0
    nowhere, out = tmp_path / "nowhere", tmp_path / "main.jsonl"
    done = command("verify", tmp_path / "packed/made.jsonl", "--out", out, "--data", nowhere)
    assert done.returncode == 0, done.stderr
    assert made(out)


def test_dialogues_of_a_problem_name_the_set_that_is_missing(tmp_path: Path) -> None:
    opening = Dialogue.ask("Add.")
    names = ("own", "MIT", "python")
    example = Example(opening, Way.MUTATION, (), *names, (), problem_id="LeetCode/1")
    write(tmp_path / "made.jsonl", [example])
    nowhere, out = tmp_path / "nowhere", tmp_path / "main.jsonl"
    done = command("verify", tmp_path / "made.jsonl", "--out", out, "--data", nowhere)
    assert done.returncode != 0
    assert str(nowhere) in done.stderr
    assert not out.exists()
