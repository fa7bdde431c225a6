import gzip
import json
import os
from pathlib import Path

import pytest

from codeloop.core.problem import Problem
from codeloop.evals.extraction import Rule, extract

PROMPT = 'from math import pi\n\ndef f(x):\n    """Do it."""\n'
PROBLEM = Problem("p", PROMPT, (), "f")
DEF = "def f(x):\n    return x\n"


def fenced(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}```\n"


@pytest.mark.parametrize(
    ("reply", "rule", "code"),
    [
        (fenced(DEF), Rule.DEFINES, DEF),
        (fenced("f(1)\n") + fenced(DEF) + fenced(DEF + "# again\n"), Rule.DEFINES, DEF),
        (fenced(DEF, ""), Rule.DEFINES, DEF),
        ("Sure.\n" + fenced("f = abs\n"), Rule.DEFINES, "f = abs\n"),
        (fenced("echo f\n", "bash") + fenced(DEF), Rule.DEFINES, DEF),
        (f"<solution>\n{DEF}</solution>", Rule.TAGGED, DEF),
        (fenced("    return x\n"), Rule.CONTINUES, PROMPT + "    return x\n"),
        (fenced("print(1)\n") + fenced("def f(x:\n"), Rule.FIRST, "print(1)\n"),
        (f"Here:\n\n{DEF}\nThat is all of it.\n", Rule.BARE, DEF + "\n"),
        ("    return x\n", Rule.BARE_CONTINUES, PROMPT + "    return x\n"),
        ("I cannot.", Rule.NONE, ""),
        ("", Rule.NONE, ""),
    ],
)
def test_the_surest_rule_applies(reply: str, rule: Rule, code: str) -> None:
    found = extract(reply, PROBLEM)
    assert (found.rule, found.code) == (rule, code)


def test_a_method_is_found_by_its_class() -> None:
    problem = Problem("p", "", (), "Solution().f")
    code = "class Solution:\n    def f(self): pass\n"
    assert extract(fenced("def f(): pass\n") + fenced(code), problem).code == code


def test_a_program_is_the_first_block() -> None:
    assert extract("See:\n" + fenced("print(1)\n"), Problem("p", "", ())).code == "print(1)\n"


def test_another_language_is_told_by_its_fence_and_name() -> None:
    problem = Problem("p", "", (), "f", language="javascript")
    reply = fenced("print(1)\n") + fenced("let a;\n", "js") + fenced("const f = 1;\n", "js")
    assert extract(reply, problem).code == "const f = 1;\n"


@pytest.mark.parametrize("piece", ["```\n", "def f(x):\n", "<solution>", "x = '''\n", "(((\n"])
def test_a_long_reply_without_sense_does_not_take_for_ever(piece: str) -> None:
    assert extract(piece * 50_000, PROBLEM).rule in Rule


DATA = os.environ.get("CODELOOP_DATA")


@pytest.mark.data
@pytest.mark.skipif(not DATA, reason="CODELOOP_DATA names no folder with the data")
@pytest.mark.parametrize("name", ["gpt4", "gpt3"])
def test_real_solutions_are_found_without_a_fence(name: str) -> None:
    path = Path(DATA or "") / "real_samples" / f"{name}_final_500c_long.jsonl.gz"
    prompts = {}
    with gzip.open(Path(DATA or "") / "humaneval" / "HumanEval.jsonl.gz") as lines:
        for line in lines:
            row = json.loads(line)
            prompts[row["task_id"]] = Problem("p", row["prompt"], (), row["entry_point"])
    found = []
    with gzip.open(path) as lines:
        for line in lines:
            row = json.loads(line)
            found.append(extract(row["completion"], prompts[row["task_id"]]).rule)
    assert found.count(Rule.BARE) + found.count(Rule.BARE_CONTINUES) >= 160
