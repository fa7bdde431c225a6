"""A judge is measured against labels: every combination and order, and goes on after a stop."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from codeloop.core.dialogue import Message
from codeloop.core.errors import DataError
from codeloop.dataset.records import Query
from codeloop.dataset.scoring import judge_check as check
from codeloop.dataset.scoring.complexity import Combination, Order
from codeloop.models.scripted import ScriptedModel

LEVEL = ("easy", "medium", "hard")


def queries(per_level: int) -> list[Query]:
    return [
        Query(f"{name} number {n}", meta=(("difficulty", name.title()),))
        for name in LEVEL
        for n in range(per_level)
    ]


def knowing(messages: Sequence[Message]) -> str:
    """Answer as a judge who sees the level, but sees nothing where the number is 7."""
    text = messages[-1].content
    if "number 7" in text:
        return "it depends"
    return f"Score: {2 + next(n for n, name in enumerate(LEVEL) if f'{name} number' in text)}"


def asked(cases: list[check.Labelled], done: Sequence[check.Noted] = ()) -> list[check.Asked]:
    return check.still_to_ask(cases, tuple(Order), done)


def test_a_judge_who_knows_is_found_to_know() -> None:
    cases = check.labelled(queries(8))
    noted = list(check.measure(asked(cases), ScriptedModel(knowing), in_flight=3))
    rows = check.agreements(noted, in_flight=3)
    assert [(row.order, row.combination) for row in rows] == [
        (order, combination) for order in Order for combination in Combination
    ]
    mean = rows[0]
    assert mean.correlation.value == pytest.approx(1.0)
    assert mean.area.value == 1.0
    assert mean.kept == pytest.approx((0, 0, 7 / 8))
    assert mean.failures == (("unreadable", 3),)
    both = rows[1]
    assert both.calls == pytest.approx((24 + 7) / 24), "the second is asked where the first passed"
    expected = rows[2]
    assert expected.correlation.value is None
    assert dict(expected.failures) == {"no_logprobs": 21, "unreadable": 3}
    assert check.page(rows).count("\n") == 2 + len(rows)


def test_a_draw_takes_as_many_of_each_level_and_the_same_again() -> None:
    cases = check.labelled(queries(9))
    drawn = check.draw(cases, 4, seed=1)
    assert [case.level for case in drawn].count(2) == 4
    assert drawn == check.draw(list(reversed(cases)), 4, seed=1)
    assert drawn != check.draw(cases, 4, seed=2)
    with pytest.raises(DataError, match="9 queries of level 0; 10 were asked for"):
        check.draw(cases, 10, seed=1)


def test_a_measurement_that_was_stopped_asks_for_the_rest_alone(tmp_path: Path) -> None:
    cases = check.labelled(queries(2))
    whole = list(check.measure(asked(cases), ScriptedModel(knowing), in_flight=1))
    path = tmp_path / "noted.jsonl"
    check.write_noted(path, whole[:11])
    path.write_bytes(path.read_bytes()[:-20])  # killed as it wrote
    done = check.read_noted(path)
    assert done == whole[:10]
    check.write_noted(path, done, anew=True)
    check.write_noted(path, whole[10:11])
    assert check.read_noted(path) == whole[:11]
    model = ScriptedModel(knowing)
    rest = list(check.measure(asked(cases, done), model, in_flight=1))
    assert len(model.calls) == len(whole) - 10
    assert {(each.query_id, each.rating.scale, each.rating.order) for each in done + rest} == {
        (each.query_id, each.rating.scale, each.rating.order) for each in whole
    }


def test_what_another_model_said_or_of_other_queries_does_not_count() -> None:
    cases = check.labelled(queries(2))
    strong, weak = ScriptedModel(knowing, name="strong"), ScriptedModel(knowing, name="weak")
    noted = [*check.measure(asked(cases), strong, in_flight=1)]
    noted += check.measure(asked(cases), weak, in_flight=1)
    found = check.of_cases(noted, cases[:1], "weak")
    assert {(each.query_id, each.model) for each in found} == {(cases[0].query.id, "weak")}
    assert len(found) == len(Order) * 2


def test_a_line_that_is_no_rating_is_named(tmp_path: Path) -> None:
    path = tmp_path / "noted.jsonl"
    path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"noted.jsonl:1: not a rating"):
        check.read_noted(path)
