"""Real models' answers, found and judged: what is found must not become less."""

import gzip
import json
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from codeloop.core.ordered import in_order
from codeloop.core.problem import Problem
from codeloop.evals.benchmarks import benchmark
from codeloop.evals.extraction import Rule, extract
from codeloop.judge.many import RigPool

DATA = os.environ.get("CODELOOP_DATA")
pytestmark = [
    pytest.mark.filterwarnings("ignore:invalid escape sequence"),  # in the code of models
    pytest.mark.jail,
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not DATA, reason="CODELOOP_DATA names no folder with the data"),
]


def rows(name: str) -> Iterator[Any]:
    with gzip.open(Path(DATA or "") / name) as lines:
        yield from map(json.loads, lines)


def problems() -> list[Problem]:
    return list(benchmark("humaneval").problems(Path(DATA or "")))


def test_solutions_of_gpt_4_pass(pool: RigPool) -> None:
    by_id = {each.id: each for each in problems()}

    def passes(row: Any) -> bool:
        problem = by_id[row["task_id"]]
        return pool.judge(problem, extract(row["completion"], problem).code).passed

    found = in_order(passes, rows("real_samples/gpt4_final_500c_long.jsonl.gz"), threads=2)
    assert sum(found) == 141  # published: 140, of prompt and completion together


@pytest.mark.parametrize(
    ("name", "first", "last", "ever", "regressed"),
    [("OpenCodeInterpreter-DS-6.7B", 29, 27, 29, 2), ("gpt-4-0613", 29, 39, 41, 4)],
)
def test_dialogues_of_mint_are_scored_by_the_solution_that_stands(
    name: str, first: int, last: int, ever: int, regressed: int, pool: RigPool
) -> None:
    known = problems()

    def passes(row: Any) -> list[bool]:
        asked = row["task"]["prompt"]
        problem = next(each for each in known if each.prompt.strip() in asked)
        replies = [
            message["content"]
            for message in row["state"]["history"]
            if message["role"] == "assistant"
        ]
        codes = [""]
        for found in (extract(each, problem) for each in replies):
            kept = found.rule in {Rule.NONE, Rule.FIRST}  # code that only tries things out
            codes.append(codes[-1] if kept else found.code)
        return [bool(code) and pool.judge(problem, code).passed for code in codes[1:]]

    dialogues = list(
        in_order(passes, rows(f"mint_trajectories/{name}_humaneval.jsonl.gz"), threads=2)
    )
    assert len(dialogues) == 45
    figures = (
        sum(each[:1] == [True] for each in dialogues),
        sum(each[-1:] == [True] for each in dialogues),
        sum(any(each) for each in dialogues),
        sum(any(a and not b for a, b in pairwise(each)) for each in dialogues),
    )
    assert figures == (first, last, ever, regressed)
