"""Models whose figures are known beforehand: what is counted is exactly that."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from codeloop.core.dialogue import Message, Usage
from codeloop.core.protocols import Reply
from codeloop.evals.benchmarks import benchmark
from codeloop.evals.prepared import Prepared, prepare, prepared_path
from codeloop.evals.reports.figures import Summary, summarise
from codeloop.evals.rows import Row
from codeloop.evals.run import Evaluation, open_run, read_records
from codeloop.evals.settings import FeedbackKind, Settings, Stop, checked
from codeloop.judge.many import RigPool
from codeloop.models.scripted import ScriptedModel

pytestmark = pytest.mark.jail

NAMES = ("one", "two", "three", "four")
RIGHT, WRONG, REFUSAL = "return abs(x)", "return x", "I would rather not."
BY_HEART = "return {-3: 3, 5: 5, -123456789: 123456789, 7: 7}[x]"
SLIPS = "raise ValueError(str(-(123456788 + 1)))"  # says a hidden input that stands nowhere
PROMPT_TOKENS, REPLY_TOKENS = 100, 7  # of a call, the first as often as there are replies so far


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, pool: RigPool) -> Prepared:
    folder = tmp_path_factory.mktemp("known")
    path = folder / "absolute.jsonl"
    rows = [
        {
            "task_id": name,
            "prompt": f"Write {name}(x): the absolute value.",
            "entry_point": name,
            "visible_asserts": [f"assert {name}(-3) == 3"],
            "inputs": [[-3], [5]],
            "hidden_inputs": [[-123456789], [7]],
            "reference": f"def {name}(x): return abs(x)",
        }
        for name in NAMES
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    own = benchmark(str(path))
    list(prepare(own, folder, folder, pool, threads=1))
    return Prepared(prepared_path(folder, own), own)


def saying(bodies: Callable[[str], Sequence[str]]) -> Callable[[Sequence[Message]], Reply]:
    """Return a model's script: what it says of each problem turn by turn, the last again."""

    def reply(messages: Sequence[Message]) -> Reply:
        name = messages[0].content.partition("Write ")[2].partition("(")[0]
        turn = sum(message.role == "assistant" for message in messages)
        body = bodies(name)[min(turn, len(bodies(name)) - 1)]
        code = f"```python\ndef {name}(x):\n    {body}\n```"
        usage = Usage(PROMPT_TOKENS * (turn + 1), REPLY_TOKENS)
        return Reply(body if body == REFUSAL else code, usage=usage)

    return reply


def run(
    prepared: Prepared,
    pool: RigPool,
    bodies: Callable[[str], Sequence[str]],
    folder: Path,
    person: ScriptedModel | None = None,
) -> tuple[list[Row], Summary]:
    feedback = FeedbackKind.EXECUTION if person is None else FeedbackKind.HUMAN
    chosen = checked(
        Settings(
            str(prepared.benchmark),
            "scripted",
            feedback=feedback,
            turns=3,
            stop=Stop.SELF,
            person=person.name if person else "",
        )
    )
    evaluation = Evaluation(prepared, ScriptedModel(saying(bodies)), pool, chosen, person=person)
    log, done = open_run(folder, chosen)
    with log:
        list(evaluation.run(log, done, prepared.ids, in_flight=2))
    rows = read_records(folder)
    return rows, summarise(rows)


@dataclass(frozen=True)
class Known:
    """A model, and its figures; `passed` is by where a dialogue stops: visible, self, oracle."""

    bodies: tuple[str, ...]
    solved: tuple[float, ...]
    ever: tuple[float, ...]
    recovery: float | None
    regression: float | None
    passed: tuple[int, int, int]
    reason: str = "passed"  # of the last verdict
    rules: tuple[str, ...] = ("defines",)
    repeats: tuple[bool, ...] = ()  # from turn to turn, whether the code is the same


KNOWN = {
    "always right": Known((RIGHT,), (1, 1), (1, 1), None, 0.0, (4, 4, 4), repeats=(False, True)),
    "repairs on turn 2": Known(
        (WRONG, RIGHT), (0, 1, 1), (0, 1, 1), 1.0, 0.0, (4, 4, 4), repeats=(False, False, True)
    ),
    "breaks on turn 2": Known(
        (RIGHT, WRONG),
        (1, 0, 0),
        (1, 1, 1),
        0.0,
        1.0,
        (4, 0, 4),
        reason="wrong_answer",
        repeats=(False, False, True),
    ),
    "repeats itself": Known(
        (WRONG,),
        (0, 0, 0),
        (0, 0, 0),
        0.0,
        None,
        (0, 0, 0),
        reason="wrong_answer",
        repeats=(False, True, True),
    ),
    "bad format": Known(
        (REFUSAL,),
        (0, 0, 0),
        (0, 0, 0),
        0.0,
        None,
        (0, 0, 0),
        reason="undefined",
        rules=("none",),
        repeats=(False, True, True),
    ),
    "knows the hidden tests by heart": Known(
        (BY_HEART,), (1, 1), (1, 1), None, 0.0, (4, 4, 4), repeats=(False, True)
    ),
    "slips, then knows them by heart": Known(
        (SLIPS, BY_HEART),
        (0, 1, 1),
        (0, 1, 1),
        1.0,
        0.0,
        (4, 4, 4),
        repeats=(False, False, True),
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_model_that_is_known_has_exactly_its_figures(
    prepared: Prepared, pool: RigPool, tmp_path: Path, name: str
) -> None:
    known = KNOWN[name]
    rows, summary = run(prepared, pool, lambda _: known.bodies, tmp_path)
    turns = len(known.solved)
    assert [len(row["turns"]) for row in rows] == [turns] * len(NAMES)
    assert summary.course.solved == known.solved
    assert summary.course.ever == known.ever
    assert (summary.course.recovery, summary.course.regression) == (
        known.recovery,
        known.regression,
    )
    for rates in summary.rates.values():
        assert tuple(rates[stop].passed for stop in Stop) == known.passed
    assert summary.reasons == {known.reason: len(NAMES)}
    assert summary.rules == dict.fromkeys(known.rules, turns * len(NAMES))
    for row in rows:
        assert tuple(turn["same_code"] for turn in row["turns"]) == known.repeats
    assert summary.prompt_tokens == len(NAMES) * PROMPT_TOKENS * turns * (turns + 1) // 2
    assert summary.completion_tokens == len(NAMES) * REPLY_TOKENS * turns
    assert (summary.leaks, summary.errors, summary.forgeable) == (0, 0, 0)


def test_figures_of_a_mixed_model_are_those_of_its_parts(
    prepared: Prepared, pool: RigPool, tmp_path: Path
) -> None:
    bodies = {
        "one": (RIGHT,),  # right, right
        "two": (WRONG, RIGHT),  # wrong, right, right
        "three": (RIGHT, WRONG, RIGHT),  # right, wrong, right
        "four": (WRONG, REFUSAL),  # wrong, kept, kept
    }
    rows, summary = run(prepared, pool, bodies.__getitem__, tmp_path)
    assert [row["problem"] for row in rows] == sorted(NAMES)
    assert summary.course.solved == (0.5, 0.5, 0.75)
    assert summary.course.ever == (0.5, 0.75, 0.75)
    assert summary.course.recovery == 0.5  # of four wrong ones that went on, two
    assert summary.course.regression == pytest.approx(1 / 3)
    assert [summary.rates["plus"][stop].passed for stop in Stop] == [3, 3, 3]
    assert summary.rules == {"defines": 9, "kept": 2}
    assert summary.prompt_tokens == PROMPT_TOKENS * (3 + 6 + 6 + 6)


def test_hidden_bytes_that_a_model_is_shown_are_named_even_if_it_says_them_afterwards(
    prepared: Prepared, pool: RigPool, tmp_path: Path
) -> None:
    gossip = ScriptedModel(lambda _: "Try it with -123456789. It fails.", name="gossip")
    rows, summary = run(prepared, pool, lambda _: (WRONG, BY_HEART), tmp_path, gossip)
    assert [row["leaks"] for row in rows] == [["-123456789", "123456789"]] * len(NAMES)
    assert summary.leaks == len(NAMES)
