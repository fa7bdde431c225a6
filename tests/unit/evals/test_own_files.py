"""Whatever a file of one's own problems holds, it is problems, or one line that names the place."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeloop.core.errors import DataError
from codeloop.core.problem import Problem
from codeloop.evals.benchmarks import benchmark

KEYS = (
    *("task_id", "prompt", "entry_point", "inputs", "hidden_inputs", "asserts", "hidden_asserts"),
    *(
        "visible_asserts",
        "cases",
        "hidden_cases",
        "reference",
        "preamble",
        "setup",
        "atol",
        "other",
    ),
)
GOOD = {"task_id": "add", "entry_point": "add", "asserts": ["assert add(1, 2) == 3"]}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
code = st.sampled_from(["assert add(1) == 1", "def add(a): return a", "assert (", "\0", "'\ud800'"])
case = st.fixed_dictionaries({"stdin": st.text(max_size=5)}, optional={"stdout": code | scalars})
values = st.recursive(
    scalars | code | case, lambda inner: st.lists(inner, max_size=3), max_leaves=6
)
changes = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)


def read(rows: list[dict[str, Any]], folder: Path) -> list[Problem]:
    path = folder / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return list(benchmark(str(path)).problems(folder))


@settings(deadline=None)
@given(changes)
def test_a_row_is_a_problem_or_is_named_by_its_line(
    tmp_path_factory: pytest.TempPathFactory, change: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("own")
    problems, complaint = [], f"{folder / 'own.jsonl'}:2: "
    try:
        problems = read([GOOD, {**GOOD, "task_id": "second", **change}], folder)
    except DataError as error:
        complaint = str(error)
    assert len(problems) in {0, 2}
    assert complaint.startswith(f"{folder / 'own.jsonl'}:2: ")
    assert "\n" not in complaint
    assert all(each.tests and each.id.isprintable() for each in problems)


def test_two_problems_of_one_name_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"own\.jsonl:2: a second problem .* see .*own\.jsonl:1$"):
        read([GOOD, GOOD], tmp_path)


@pytest.mark.parametrize("name", ["", "a\nb", "a\0", "\ud800"])
def test_a_name_is_a_line_of_text(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"own\.jsonl:1: 'task_id' should be a line of text"):
        read([{**GOOD, "task_id": name}], tmp_path)
