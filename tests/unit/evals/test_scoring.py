import json
from pathlib import Path
from typing import Any

import pytest
from unit.judge.test_judging import PASSED, ScriptedRig, report

from codeloop.core.errors import ConfigError, DataError, SandboxError
from codeloop.evals.benchmarks import Benchmark, benchmark, benchmarks
from codeloop.evals.prepared import Prepared, prepare, prepared_path
from codeloop.evals.scoring import (
    Failure,
    Sample,
    code_digest,
    pass_rates,
    read_samples,
    score,
    still_to_judge,
)
from codeloop.judge.many import RigPool

ROWS = [
    {"task_id": name, "prompt": f"def {name}(x):\n", "entry_point": name, "asserts": ["assert f"]}
    | ({"hidden_asserts": ["assert g"]} if name == "f" else {})
    for name in ("f", "g")
]
RIGHT = report("passed", sets_passed=2)
HALF = report("wrong_answer", sets_passed=1, input="1", expected="2", actual="3")


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    """Return a benchmark of one's own with the problems f and g."""
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    own = benchmark(str(path))
    with RigPool(lambda: ScriptedRig([]), 1) as pool:
        assert list(prepare(own, tmp_path, tmp_path / "made", pool, threads=1)) == [1, 2]
    return Prepared(prepared_path(tmp_path / "made", own), own)


def samples(tmp_path: Path, rows: list[Any], prepared: Prepared) -> list[Sample]:
    path = tmp_path / "samples.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_samples(path, prepared)


def row(name: str, text: str = "x", key: str = "solution") -> dict[str, str]:
    return {"task_id": name, key: text}


def test_a_prepared_problem_is_what_was_read(prepared: Prepared) -> None:
    assert prepared.ids == ("f", "g")
    assert len(prepared.problem("f").hidden) == 1
    assert [problem.entry_point for problem in prepared.problems()] == ["f", "g"]
    assert prepared.reference_s("f") == 0.0


def test_samples_come_by_problem_and_are_counted(tmp_path: Path, prepared: Prepared) -> None:
    read = samples(tmp_path, [row("g"), row("f", "1", "completion"), row("g", "2")], prepared)
    assert [(each.problem_id, each.number) for each in read] == [("f", 0), ("g", 0), ("g", 1)]
    assert [each.is_completion for each in read] == [True, False, False]


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [({"task_id": "h"}, "no problem 'h'"), ({"task_id": "f"}, "neither 'solution' nor")],
)
def test_a_line_that_is_no_sample_is_named(
    tmp_path: Path, prepared: Prepared, bad: Any, complaint: str
) -> None:
    with pytest.raises(DataError, match=r"samples.jsonl:2: .*" + complaint):
        samples(tmp_path, [row("f"), bad], prepared)


def test_base_and_plus_are_told_apart_and_our_faults_are_no_verdicts(
    tmp_path: Path, prepared: Prepared
) -> None:
    read = samples(tmp_path, [row("f"), row("f"), row("f"), row("g")], prepared)
    broken = SandboxError("broken")
    rig = ScriptedRig([RIGHT, HALF, broken, broken, PASSED])
    with RigPool(lambda: rig, 1) as pool:
        first, second, third, fourth = score(read, prepared, pool)
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert (first["base"], first["plus"]) == (True, True)
    assert (second["base"], second["plus"], second["reason"]) == (True, False, "wrong_answer")
    assert (second["input"], second["expected"], second["actual"]) == ("1", "2", "3")
    assert third == Failure(read[2], broken)
    assert isinstance(fourth, dict)
    assert fourth["plus"] is None  # g has no hidden tests


def test_what_was_judged_is_not_judged_again(tmp_path: Path, prepared: Prepared) -> None:
    read = samples(tmp_path, [row("f", "1"), row("f", "2"), row("g", "3")], prepared)
    name = str(prepared.benchmark)
    done = {"task_id": "f", "sample": 1, "benchmark": name, "code": code_digest(read[1])}
    left = still_to_judge(read, [("v:1", done)], name)
    assert left == [read[0], read[2]]
    with pytest.raises(DataError, match="v:1: a verdict of other"):
        still_to_judge(read, [("v:1", done | {"benchmark": "other"})], name)
    with pytest.raises(DataError, match="v:1: a verdict on another solution"):
        still_to_judge(read, [("v:1", done | {"code": "0"})], name)


def test_rates_are_of_the_k_that_every_problem_has() -> None:
    rows = [
        {"task_id": "f", "base": True, "plus": False},
        {"task_id": "f", "base": True, "plus": True},
        {"task_id": "g", "base": False, "plus": None},
        {"task_id": "g", "base": True, "plus": None},
    ]
    rates = pass_rates(rows, (1, 2, 10))
    assert rates["base"] == {"passed": 3, "pass@1": 0.75, "pass@2": 1.0}
    assert rates["plus"] == {"passed": 2, "pass@1": 0.5, "pass@2": 1.0}
    assert pass_rates([], (1,)) == {}


def test_every_benchmark_has_a_name_of_its_own_and_the_newest_version_first() -> None:
    known = [str(each) for each in benchmarks()]
    assert len(set(known)) == len(known)
    assert benchmark("mbpp+").version == "0.2.0"
    assert benchmark("mbpp+@0.1.0").rows == 399
    with pytest.raises(ConfigError, match=r"did you mean humaneval\+"):
        benchmark("humaneval+x")


def test_a_file_that_is_not_the_benchmark_is_refused(tmp_path: Path) -> None:
    known = benchmark("humaneval")
    (tmp_path / "humaneval").mkdir()
    (tmp_path / known.file).write_text("{}\n", encoding="utf-8")
    with pytest.raises(DataError, match="the SHA-256 of its rows is"):
        list(known.problems(tmp_path))


def test_a_damaged_file_says_what_to_do(tmp_path: Path, prepared: Prepared) -> None:
    path = tmp_path / "damaged.zip"
    path.write_bytes(b"no zip")
    with pytest.raises(DataError, match="remove it"):
        Prepared(path, Benchmark("b", "1", "own", "python", "", "", 0, "", ""))
