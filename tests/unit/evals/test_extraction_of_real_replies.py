"""Which rule finds the solution in real models' replies: what is found must not become less."""

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codeloop.evals.benchmarks import benchmark
from codeloop.evals.extraction import extract

DATA = os.environ.get("CODELOOP_DATA")
pytestmark = [
    pytest.mark.filterwarnings("ignore:invalid escape sequence"),  # in the code of models
    pytest.mark.data,
    pytest.mark.skipif(not DATA, reason="CODELOOP_DATA names no folder with the data"),
]


def rows(name: str) -> Iterator[Any]:
    with gzip.open(Path(DATA or "") / name) as lines:
        yield from map(json.loads, lines)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("OpenCodeInterpreter-DS-6.7B", {"defines": 151, "bare": 44, "none": 30}),
        ("gpt-4-0613", {"tagged": 129, "first": 15}),
    ],
)
def test_in_dialogues_of_mint(name: str, counts: dict[str, int]) -> None:
    known = list(benchmark("humaneval").problems(Path(DATA or "")))
    found: Counter[str] = Counter()
    for row in rows(f"mint_trajectories/{name}_humaneval.jsonl.gz"):
        problem = next(each for each in known if each.prompt.strip() in row["task"]["prompt"])
        for message in row["state"]["history"]:
            if message["role"] == "assistant":
                found[extract(message["content"], problem).rule.value] += 1
    assert found == counts


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("gpt4", {"bare": 163, "bare_continues": 1}),
        ("gpt3", {"bare": 161, "bare_continues": 1, "none": 2}),
    ],
)
def test_in_completions_without_a_fence(name: str, counts: dict[str, int]) -> None:
    known = {each.id: each for each in benchmark("humaneval").problems(Path(DATA or ""))}
    found: Counter[str] = Counter()
    for row in rows(f"real_samples/{name}_final_500c_long.jsonl.gz"):
        found[extract(row["completion"], known[row["task_id"]]).rule.value] += 1
    assert found == counts
