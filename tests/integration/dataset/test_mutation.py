"""Dialogues about planted bugs, made and run again in the jail; fakes among them are found."""

import gzip
import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from integration.dataset.conftest import Opener

from codeloop.cli import main
from codeloop.cli.dataset.mutate import FILES
from codeloop.core.dialogue import Cell, Dialogue, Source, Turn
from codeloop.core.execution import ExecutionResult, Output
from codeloop.core.problem import Problem, Verdict
from codeloop.core.protocols import Session
from codeloop.dataset.mutation.making import Made, make_examples
from codeloop.dataset.mutation.planning import Settings
from codeloop.dataset.mutation.tasks import Task, mbpp_task
from codeloop.dataset.mutation.trying import RUN_LIMITS, Trying, stripped
from codeloop.dataset.records import Example, VerifiedReason, VerifiedStatus, Way, read
from codeloop.dataset.verification import Means, verify
from codeloop.judge.many import RigPool
from codeloop.loop.prompts import render

pytestmark = [pytest.mark.jail, pytest.mark.slow]

ROWS: list[dict[str, Any]] = [
    {
        "task_id": 701,
        "text": "Write a function to find the equilibrium index of the given array.",
        "code": "def equilibrium_index(arr):\n    total_sum = sum(arr)\n    left_sum = 0\n"
        "    for i, num in enumerate(arr):\n        total_sum -= num\n"
        "        if left_sum == total_sum:\n            return i\n        left_sum += num\n"
        "    return -1\n",
        "test_list": [
            "assert equilibrium_index([1, 2, 3, 4, 1, 2, 3]) == 3",
            "assert equilibrium_index([1, 2, 3]) == -1",
        ],
    },
    {
        "task_id": 702,
        "text": "Write a function to sort words by how often they occur, the most frequent first.",
        "code": "from collections import Counter\n\n\ndef by_count(words, least):\n"
        "    counts = Counter(words)\n    found = []\n    for word in sorted(counts):\n"
        "        if counts[word] >= least:\n            found.append(word)\n"
        "    found.sort(key=lambda word: counts[word], reverse=True)\n    return found\n",
        "test_list": [
            "assert by_count(['b', 'a', 'b', 'c'], 1) == ['b', 'a', 'c']",
            "assert by_count(['b', 'a', 'b', 'c'], 2) == ['b']",
        ],
    },
    {
        "task_id": 703,
        "text": "Write a function to find the greatest common divisor by subtraction.",
        "code": "def divisor(a, b):\n    while b != 0:\n        a, b = b, a % b\n    return a\n",
        "test_list": ["assert divisor(12, 18) == 6", "assert divisor(7, 3) == 1"],
    },
]
REST: dict[str, Any] = {"test_setup_code": "", "challenge_test_list": []}
FLAKY = [
    "import random\nprint(random.random())\n",
    "import time\nprint(time.time_ns())\n",
    "print(id(object()) % 1000003, hash('a'))\n",
    "print({'apple', 'pear', 'plum', 'fig', 'kiwi', 'lime', 'date', 'nut'})\n",
    "import os\nprint(int.from_bytes(os.urandom(4), 'big'))\n",
    "import uuid\nprint(uuid.uuid4().int)\n",
    "class A:\n    pass\nprint(A())\n",
    "import tempfile\nprint(tempfile.mkdtemp())\n",
    "import time\nstart = time.perf_counter()\nprint(f'{time.perf_counter() - start:.9f} s')\n",
]


def tasks() -> list[Task]:
    made = [mbpp_task(row | REST) for row in ROWS]
    return [each for each in made if isinstance(each, Task)]


@pytest.fixture(scope="session")
def made(rigs: RigPool, openers: tuple[Opener, ...]) -> list[Made]:
    trying = Trying(rigs, openers[0], identity="here")
    settings = Settings(seed=5, of_each=12, tries=20, double=0.2)
    return list(make_examples(tasks(), settings, trying, threads=2))


@pytest.fixture(scope="session")
def examples(made: list[Made]) -> list[Example]:
    return [example for each in made for example in each.examples]


@pytest.fixture(scope="session")
def means(rigs: RigPool, openers: tuple[Opener, ...]) -> Means:
    problems = {each.problem.id: each.problem for each in tasks()}

    def judged(problem: Problem, code: str, shown: bool) -> Verdict:
        return rigs.judge(problem, code, tests=problem.visible if shown else None)

    return Means(openers, judged, problems.get, lambda _: RUN_LIMITS)


def test_the_same_settings_make_the_same_examples(
    made: list[Made], rigs: RigPool, openers: tuple[Opener, ...]
) -> None:
    trying = Trying(rigs, openers[1], identity="here")
    settings = Settings(seed=5, of_each=12, tries=20, double=0.2)
    again = list(make_examples(tasks()[:1], settings, trying, threads=1))
    assert again == made[:1]


def test_all_that_is_made_is_confirmed(examples: list[Example], means: Means) -> None:
    assert len(examples) >= 20
    reasons = {example.dialogue.id: verify(example, means).verified for example in examples}
    assert {each.reason for each in reasons.values() if each} == {VerifiedReason.CONFIRMED}


def test_every_manner_is_there_and_ends_with_code_that_passes(examples: list[Example]) -> None:
    sources = {
        feedback.source
        for example in examples
        for turn in example.dialogue.turns
        for feedback in turn.feedback
    }
    assert sources == {Source.JUDGE, Source.EXECUTION, Source.PERSON}
    assert {len(example.dialogue.turns) for example in examples} >= {2, 3}
    right = {each.problem.id: each.problem.reference for each in tasks()}
    for example in examples:
        with_code = [turn for turn in example.dialogue.turns if turn.cells]
        assert right[example.problem_id].rstrip() in with_code[-1].reply


def test_a_reply_quotes_no_value_that_no_run_has_shown(examples: list[Example]) -> None:
    for example in examples:
        messages = render(example.dialogue)
        for at, message in enumerate(messages):
            words = message.content.partition("```")[0]
            for value in re.findall(r"(?:returns|gives|got|Got|printed|is) `(-?\d+)`", words):
                before = "".join(each.content for each in messages[:at])
                assert value in before


def _edited(result: ExecutionResult, chance: random.Random) -> ExecutionResult | None:
    """Return a result with one number, or else one letter, of its output changed."""
    text = result.stdout.text or result.stderr.text
    places = [at for at, sign in enumerate(text) if sign.isdigit()] or [
        at for at, sign in enumerate(text) if sign.isalpha()
    ]
    if not places:
        return replace(result, stdout=Output("done\n", 5))
    at = chance.choice(places)
    other = str((int(text[at]) + 1) % 10) if text[at].isdigit() else "_"
    changed = f"{text[:at]}{other}{text[at + 1 :]}"
    if result.stdout.text:
        return replace(result, stdout=replace(result.stdout, text=changed))
    return replace(result, stderr=replace(result.stderr, text=changed))


def _fakes(example: Example, other: ExecutionResult, chance: random.Random) -> list[Example]:
    """Return an example with each kind of fake in each of its runs and verdicts."""
    fakes = []
    turns = example.dialogue.turns
    for at, turn in enumerate(turns):
        changed: list[Turn] = []
        if turn.results:
            result = turn.results[0]
            invented = replace(result, stdout=Output("All tests passed.\n", 18))
            for fake in (_edited(result, chance), invented, other):
                if fake is not None and fake != result:
                    cells = tuple(
                        replace(cell, result=fake) if cell.result else cell for cell in turn.cells
                    )
                    changed.append(replace(turn, cells=cells))
        if turn.verdict is not None and turn.verdict.actual:
            fake_verdict = replace(turn.verdict, actual=f"{turn.verdict.actual}1")
            changed.append(replace(turn, verdict=fake_verdict))
        for fake_turn in changed:
            dialogue = replace(example.dialogue, turns=(*turns[:at], fake_turn, *turns[at + 1 :]))
            fakes.append(replace(example, dialogue=dialogue))
    return fakes


def test_planted_fake_outputs_are_all_caught(examples: list[Example], means: Means) -> None:
    chance = random.Random(7)
    ran = [each for each in examples if any(turn.results for turn in each.dialogue.turns)]
    other = replace(ran[0].dialogue.turns[0].results[0], stdout=Output("other\n", 6))
    fakes = [fake for example in examples for fake in _fakes(example, other, chance)]
    assert len(fakes) >= 30
    missed = [
        fake.dialogue.id
        for fake in fakes
        if (done := verify(fake, means).verified) is None or done.status is VerifiedStatus.KEPT
    ]
    assert not missed


def _quoting(code: str, session: Session) -> Example:
    *_, result = session.run(code)
    assert isinstance(result, ExecutionResult)
    reply = f"This program does it.\n\n```python\n{code}```"
    turn = Turn(reply, (Cell("python", code, stripped(result)),))
    dialogue = Dialogue.ask("Write a program.").with_turn(turn)
    return Example(dialogue, Way.SIMULATION, (), "", "", "python", (), ("key",))


@pytest.mark.parametrize("code", FLAKY, ids=[code.split("\n")[0] for code in FLAKY])
def test_a_flaky_program_is_never_called_fake(
    code: str, means: Means, openers: tuple[Opener, ...]
) -> None:
    with openers[0]() as session:
        example = _quoting(code, session)
    verified = verify(example, means).verified
    assert verified is not None
    assert verified.reason in {VerifiedReason.FLAKY, VerifiedReason.CONFIRMED}


def test_a_problem_that_gives_a_benchmark_away_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODELOOP_HOME", str(tmp_path / "home"))
    for name, rows in ((FILES["leetcode"], []), (FILES["mbpp"], ROWS)):
        (tmp_path / name).parent.mkdir()
        with gzip.open(tmp_path / name, "wt", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(row | REST)}\n" for row in rows)
    own = tmp_path / "own.jsonl"
    kept = {
        "task_id": "own/1",
        "prompt": '"""How often does it go into both?"""\n',
        "asserts": [
            "assert common(12, 18) == 6",
            "assert common(7, 3) == 1",
            "assert common(9, 6) == 3",
        ],
        "entry_point": "common",
        "reference": "def common(x, y):\n    return x if not y else common(y, x % y)\n",
    }
    own.write_text(f"{json.dumps(kept)}\n", encoding="utf-8")
    out = tmp_path / "out.jsonl"
    command = ["dataset", "mutate", "--data", str(tmp_path), "--out", str(out), "--workers", "1"]
    assert main([*command, "--of-each", "1", "--against", str(own)]) == 0
    used = {each.problem_id for each in read(Example, out) if isinstance(each, Example)}
    assert used == {"Mbpp/701", "Mbpp/702"}
    report = json.loads((tmp_path / "out.jsonl.report.json").read_text(encoding="utf-8"))
    assert report["left_out"] == {"gives away a problem (behaviour)": 1}
    (tmp_path / FILES["leetcode"]).unlink()
    assert main([*command, "--of-each", "1", "--leaking", "--limit", "1"]) == 2
    assert main([*command, "--of-each", "1", "--leaking", "--limit", "1", "--from", "mbpp"]) == 0
    (example,) = read(Example, out)
    assert isinstance(example, Example)
    assert example.problem_id == "Mbpp/701"
