"""Evaluations with models that say what they were told to say, and real verdicts."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codeloop.core.dialogue import Message
from codeloop.core.errors import ConfigError, ModelError
from codeloop.evals.benchmarks import benchmark
from codeloop.evals.prepared import Prepared, prepare, prepared_path
from codeloop.evals.reports.comparison import Run, compare
from codeloop.evals.reports.figures import outcome, summarise
from codeloop.evals.reports.markdown import markdown
from codeloop.evals.rows import Row
from codeloop.evals.run import Evaluation, open_run, read_records
from codeloop.evals.settings import FeedbackKind, Settings, Stop, Visible, checked
from codeloop.judge.many import RigPool
from codeloop.models.scripted import ScriptedModel

pytestmark = pytest.mark.jail

RIGHT = "return abs(x)"
WRONG = "return x"
PROBLEMS = [
    {
        "task_id": name,
        "prompt": f"Write {name}(x): the absolute value.",
        "entry_point": name,
        "visible_asserts": [f"assert {name}(-3) == 3"],
        "inputs": [[-3], [5]],
        "hidden_inputs": [[-123456789], [7]],
        "reference": f"def {name}(x): return abs(x)",
    }
    for name in ("first", "second", "third")
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, pool: RigPool) -> Prepared:
    folder = tmp_path_factory.mktemp("own")
    path = folder / "absolute.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS), encoding="utf-8")
    own = benchmark(str(path))
    list(prepare(own, folder, folder, pool, threads=1))
    return Prepared(prepared_path(folder, own), own)


def replies(**bodies: Sequence[str]) -> Callable[[Sequence[Message]], str]:
    """Return a model's script: the body that it gives each function, turn by turn."""

    def reply(messages: Sequence[Message]) -> str:
        name = next(name for name in bodies if f"Write {name}(" in messages[0].content)
        turn = sum(message.role == "assistant" for message in messages)
        body = bodies[name][min(turn, len(bodies[name]) - 1)]
        return f"```python\ndef {name}(x):\n    {body}\n```" if "return" in body else body

    return reply


ALL_RIGHT: dict[str, Sequence[str]] = {each["task_id"]: [RIGHT] for each in PROBLEMS}  # type: ignore[misc]
MENDED: dict[str, Sequence[str]] = ALL_RIGHT | {"first": [WRONG, RIGHT], "third": [WRONG, WRONG]}


def settings(prepared: Prepared, **changes: Any) -> Settings:
    return checked(replace(Settings(str(prepared.benchmark), "scripted"), **changes))


def run(
    prepared: Prepared,
    pool: RigPool,
    script: Callable[[Sequence[Message]], Any],
    chosen: Settings,
    folder: Path,
    person: ScriptedModel | None = None,
) -> tuple[list[Row], ScriptedModel]:
    """Return the records of a whole run by problem, and the model with what it was shown."""
    model = ScriptedModel(script)
    evaluation = Evaluation(prepared, model, pool, chosen, person=person)
    log, records = open_run(folder, chosen)
    with log:
        records += evaluation.run(log, records, prepared.ids, in_flight=2)  # type: ignore[arg-type]
    return sorted(records, key=lambda row: str(row["problem"])), model


def test_one_turn_is_judged_and_counted(prepared: Prepared, pool: RigPool, tmp_path: Path) -> None:
    records, model = run(prepared, pool, replies(**MENDED), settings(prepared), tmp_path)
    assert [row["turns"][0]["plus"] for row in records] == [False, True, False]
    assert len(model.calls) == 3
    summary = summarise(records)
    assert summary.rates["plus"][Stop.VISIBLE].passed == 1
    assert (summary.leaks, summary.errors) == (0, 0)


def test_feedback_mends_and_the_course_is_known(
    prepared: Prepared, pool: RigPool, tmp_path: Path
) -> None:
    chosen = settings(prepared, feedback=FeedbackKind.EXECUTION, turns=3)
    records, model = run(prepared, pool, replies(**MENDED), chosen, tmp_path)
    assert [len(row["turns"]) for row in records] == [2, 1, 3]
    summary = summarise(records)
    assert summary.course.solved == pytest.approx((1 / 3, 2 / 3, 2 / 3))
    assert summary.course.recovery == pytest.approx(1 / 3)
    assert records[2]["turns"][1]["same_code"]
    shown = "".join(message.content for call in model.calls for message in call.messages)
    assert "assert first(-3) == 3" in shown
    assert "123456789" not in shown
    assert summary.leaks == 0
    page = markdown(chosen, summary)
    assert "2/3 = 66.7 %" in page
    assert "LEAKING" not in page


def test_the_published_protocol_leaks_and_its_page_says_so(
    prepared: Prepared, pool: RigPool, tmp_path: Path
) -> None:
    chosen = settings(prepared, feedback=FeedbackKind.EXECUTION, turns=2, visible=Visible.ALL)
    script = replies(**(ALL_RIGHT | {"first": ["return 3 if x == -3 else x", RIGHT]}))
    records, model = run(prepared, pool, script, chosen, tmp_path)
    shown = "".join(message.content for call in model.calls for message in call.messages)
    assert "-123456789" in shown
    assert "**LEAKING**" in markdown(chosen, summarise(records))


def test_a_hidden_byte_in_a_prompt_is_found(
    prepared: Prepared, pool: RigPool, tmp_path: Path
) -> None:
    chosen = settings(prepared, feedback=FeedbackKind.HUMAN, turns=2, person="gossip")
    gossip = ScriptedModel(lambda _: "Try it with -123456789. It fails.")
    records, _ = run(prepared, pool, replies(**MENDED), chosen, tmp_path, gossip)
    hidden = ["-123456789", "123456789"]
    assert [row["leaks"] for row in records] == [hidden, [], hidden]
    assert "**2 dialogues showed" in markdown(chosen, summarise(records))


def test_a_person_keeps_to_three_sentences_without_code(
    prepared: Prepared, pool: RigPool, tmp_path: Path
) -> None:
    chosen = settings(prepared, feedback=FeedbackKind.ORACLE, turns=2, person="teacher")
    words = "One. Two!\n```python\nreturn abs(x)\n```\nThree. Four."
    teacher = ScriptedModel(lambda _: words)
    records, model = run(prepared, pool, replies(**MENDED), chosen, tmp_path, teacher)
    asked = [call.messages[0].content for call in teacher.calls]  # in any order
    assert sum("def first(x): return abs(x)" in each for each in asked) == 1
    seen = [call.messages[-1].content for call in model.calls if len(call.messages) > 1]
    assert set(seen) == {"One. Two! Three."}
    assert records[0]["person_tokens"] > 0


@pytest.mark.parametrize("kind", [FeedbackKind.RETRY, FeedbackKind.SHUFFLED])
def test_controls_say_nothing_of_the_problem(
    prepared: Prepared, pool: RigPool, tmp_path: Path, kind: FeedbackKind
) -> None:
    chosen = settings(prepared, feedback=kind, turns=2)
    _, model = run(prepared, pool, replies(**MENDED), chosen, tmp_path)
    told = [call.messages[-1].content for call in model.calls if len(call.messages) > 1]
    assert len(told) == 2
    for text, name in zip(sorted(told), ("first", "third"), strict=True):
        assert f"{name}(" not in text or kind is FeedbackKind.SHUFFLED
    assert all(("second(" in text or "first(" in text) for text in told) == (
        kind is FeedbackKind.SHUFFLED
    )


def test_stopping_is_told_apart_from_being_right(
    prepared: Prepared, pool: RigPool, tmp_path: Path
) -> None:
    spoilt = ALL_RIGHT | {"first": [RIGHT, WRONG, "I am done."], "second": [RIGHT, "I am done."]}
    chosen = settings(prepared, feedback=FeedbackKind.EXECUTION, turns=3, stop=Stop.SELF)
    records, _ = run(prepared, pool, replies(**spoilt), chosen, tmp_path)
    first, second, _ = records
    assert [outcome(first, "plus", stop) for stop in Stop] == [True, False, True]
    assert [outcome(second, "plus", stop) for stop in Stop] == [True, True, True]


def test_a_failed_call_is_counted_and_tried_again(
    prepared: Prepared, pool: RigPool, tmp_path: Path
) -> None:
    def failing(messages: Sequence[Message]) -> Any:
        if "Write second(" in messages[0].content:
            return ModelError("gone")
        return replies(**ALL_RIGHT)(messages)

    chosen = settings(prepared)
    records, _ = run(prepared, pool, failing, chosen, tmp_path)
    assert summarise(records).errors == 1
    again, model = run(prepared, pool, replies(**ALL_RIGHT), chosen, tmp_path)
    assert len(model.calls) == 1
    latest = {row["problem"]: row for row in again}
    assert summarise(list(latest.values())).rates["plus"][Stop.VISIBLE].passed == 3


def test_a_run_goes_on_where_it_was_cut_off_and_takes_no_other_settings(
    prepared: Prepared, pool: RigPool, tmp_path: Path
) -> None:
    chosen = settings(prepared)
    whole, _ = run(prepared, pool, replies(**MENDED), chosen, tmp_path / "whole")
    run(prepared, pool, replies(**MENDED), chosen, tmp_path / "cut")
    path = tmp_path / "cut" / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    rest, model = run(prepared, pool, replies(**MENDED), chosen, tmp_path / "cut")
    assert len(model.calls) == 1
    assert markdown(chosen, summarise(rest)) == markdown(chosen, summarise(whole))
    with pytest.raises(ConfigError, match="other settings"):
        open_run(tmp_path / "cut", replace(chosen, temperature=0.5))


def test_records_come_in_the_order_of_names_whatever_that_of_their_ends(tmp_path: Path) -> None:
    names = ["t/10", "t/9", "t/10", "s/1"]
    rows = [{"problem": name, "sample": at // 2, "at": at} for at, name in enumerate(names)]
    lines = [*rows, {"problem": "t/9", "sample": 0, "at": 9}]  # tried again
    (tmp_path / "records.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in lines))
    assert [row["at"] for row in read_records(tmp_path)] == [3, 9, 0, 2]


def test_settings_that_somebody_was_killed_in_the_middle_of_are_written_again(
    prepared: Prepared, tmp_path: Path
) -> None:
    chosen = settings(prepared)
    (tmp_path / "settings.json.tmp").write_text('{"benchm', encoding="utf-8")
    for _ in range(2):
        log, _records = open_run(tmp_path, chosen)
        log.close()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["records.jsonl", "settings.json"]


def test_two_runs_are_compared_by_problem(
    prepared: Prepared, pool: RigPool, tmp_path: Path
) -> None:
    first, _ = run(prepared, pool, replies(**MENDED), settings(prepared), tmp_path / "a")
    second, _ = run(prepared, pool, replies(**ALL_RIGHT), settings(prepared), tmp_path / "b")
    one, two = Run("a", settings(prepared), first), Run("b", settings(prepared), second)
    figures = compare(one, two, "plus", Stop.VISIBLE)
    assert (figures.only_first, figures.only_second, figures.p) == (0, 2, 0.5)
    assert figures.difference == pytest.approx(2 / 3)
    with pytest.raises(ConfigError, match="no problem in common"):
        compare(one, replace(two, rows=[]), "plus", Stop.VISIBLE)
