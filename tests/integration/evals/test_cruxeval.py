"""CRUXEval, all of it: what is right passes, what is wrong or computed does not."""

import ast
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from codeloop.core.ordered import in_order
from codeloop.core.problem import AnswerTests, Problem, Reason, Verdict
from codeloop.evals.benchmarks import benchmark
from codeloop.evals.cruxeval import cruxeval_input, cruxeval_output
from codeloop.evals.extraction import extract
from codeloop.evals.prepared import Prepared, prepare, prepared_path
from codeloop.evals.rows import digest
from codeloop.evals.run import Evaluation
from codeloop.evals.settings import FeedbackKind, Settings
from codeloop.judge.many import RigPool
from codeloop.models.scripted import ScriptedModel

DATA = os.environ.get("CODELOOP_DATA")
given = [
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not DATA, reason="CODELOOP_DATA names no folder with the data"),
]
pytestmark = pytest.mark.jail

ROW = {"id": "sample_0", "code": "def f(a, b):\n    return a + b", "input": "[1], [2]"}
OUTPUT = cruxeval_output(ROW | {"output": "[1, 2]"}, "f:1")
INPUT = cruxeval_input(ROW | {"output": "[1, 2]"}, "f:1")


def every(name: str) -> list[Problem]:
    return list(benchmark(name).problems(Path(DATA or "")))


def judged(pairs: list[tuple[Problem, str]], pool: RigPool) -> list[Verdict]:
    return list(in_order(lambda pair: pool.judge(*pair), pairs, threads=2))


@pytest.mark.parametrize(
    ("problem", "answer", "reason"),
    [
        (OUTPUT, "[1, 2]", Reason.PASSED),
        (OUTPUT, "[1, 2.0]", Reason.PASSED),
        (OUTPUT, "(1, 2)", Reason.WRONG_ANSWER),
        (OUTPUT, "f([1], [2])", Reason.COMPUTED),
        (OUTPUT, "[1, 2", Reason.COMPILE_ERROR),
        (INPUT, "[1], [2]", Reason.PASSED),
        (INPUT, "f([], [1, 2])", Reason.PASSED),
        (INPUT, "b=[2], a=[1]", Reason.PASSED),
        (INPUT, "[2], [1]", Reason.WRONG_ANSWER),
        (INPUT, "[1]", Reason.EXCEPTION),
        (INPUT, "[1], sorted([2])", Reason.COMPUTED),
    ],
)
def test_an_answer_is_judged_by_what_it_says(
    problem: Problem, answer: str, reason: Reason, pool: RigPool
) -> None:
    assert pool.judge(problem, answer).reason is reason


def test_a_wrong_input_is_told_as_a_person_would_write_it(pool: RigPool) -> None:
    verdict = pool.judge(INPUT, "[2], [1]")
    assert (verdict.test, verdict.actual) == ("assert f([2], [1]) == [1, 2]", "[2, 1]")


def test_an_endless_call_is_a_limit(pool: RigPool) -> None:
    row = {"id": "s", "code": "def f(n):\n    while n: pass", "input": "0", "output": "None"}
    problem = cruxeval_input(row, "f:1")
    assert pool.judge(problem, "0").passed
    assert pool.judge(problem, "1").reason is Reason.LIMIT


@pytest.mark.parametrize(
    ("name", "replies", "passed", "told"),
    [
        (
            "cruxeval-i",
            ["```python\n[2], [1]\n```", "No:\n```python\nassert f([1], [2]) == [1, 2]\n```"],
            [False, True],
            "assert f([2], [1]) == [1, 2]",
        ),
        (
            "cruxeval-o",
            ["```python\nf([1], [2])\n```", "It is `[1, 2]`.\n```python\n[1, 2]\n```"],
            [False, True],
            "may not call or name anything",
        ),
        ("cruxeval-o", ["```python\n[2, 1]\n```", "never asked"], [False], ""),
    ],
)
def test_a_dialogue_tells_what_the_prompt_lets_a_model_know(
    name: str, replies: list[str], passed: list[bool], told: str, tmp_path: Path, pool: RigPool
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW | {"output": "[1, 2]"}) + "\n", encoding="utf-8")
    some = replace(benchmark(name), file="rows.jsonl", sha256=digest(path))
    list(prepare(some, tmp_path, tmp_path, pool, threads=1))
    prepared = Prepared(prepared_path(tmp_path, some), some)
    assert prepared.problem("sample_0").visible
    chosen = Settings(str(some), "scripted", FeedbackKind.EXECUTION, turns=2)
    model = ScriptedModel(replies)
    record = Evaluation(prepared, model, pool, chosen).dialogue("sample_0", 0)
    assert [turn["base"] for turn in record["turns"]] == passed
    assert record["leaks"] == []
    assert model.calls[0].messages[0].content.count("assert f(") == 1
    if told:
        assert told in model.calls[1].messages[-1].content


def called(arguments: str) -> str:
    """Return what a call with these arguments is, however it is written."""
    return ast.dump(ast.parse(f"f({arguments})"))


@pytest.mark.parametrize("name", ["cruxeval", "cruxeval-i"])
@pytest.mark.usefixtures("pool")
class TestAllOfIt:
    pytestmark = given

    def test_every_canonical_answer_passes(self, name: str, pool: RigPool) -> None:
        problems = every(name)
        verdicts = judged([(each, each.reference) for each in problems], pool)
        assert len(verdicts) == 800
        assert [v for v in verdicts if not v.passed] == []
        assert not any(verdict.forgeable for verdict in verdicts)

    def test_no_wrong_or_computed_answer_passes(self, name: str, pool: RigPool) -> None:
        problems = every(name)
        # Of inputs many are right: that many arguments no function takes.
        answer = "{'wrong': ['wrong', -77]}" if name == "cruxeval" else "1, 2, 3, 4, 5, 6, 7, 8, 9"
        wrong = [(each, answer) for each in problems]
        computed = [(each, f"[*f({each.reference})][0]") for each in problems]
        assert not any(verdict.passed for verdict in judged(wrong, pool))
        reasons = {verdict.reason for verdict in judged(computed, pool)}
        assert reasons <= {Reason.COMPUTED, Reason.COMPILE_ERROR}

    def test_an_answer_is_found_in_the_words_around_it(self, name: str, pool: RigPool) -> None:
        for problem in every(name):
            asked = problem.prompt.rpartition("assert ")[2]
            place = "== ?" if name == "cruxeval" else "f(?"  # other question marks are data
            assert place in asked
            shown = asked.replace(place, place.replace("?", problem.reference), 1)
            for reply in (
                f"First I think.\n```python\n1 + 1\n```\nSo:\n```python\n{problem.reference}\n```",
                f"```python\nassert {shown}\n```",
                f"It is\n`{problem.reference}`",
            ):
                found = extract(reply, problem).code
                tests = problem.tests[0]
                assert isinstance(tests, AnswerTests)
                said = {called(problem.reference), called(f"f({problem.reference})")}
                assert called(found) in said, reply
