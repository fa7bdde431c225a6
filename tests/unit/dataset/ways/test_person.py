"""A simulated user speaks when it is their turn, says little, and is read with care."""

import json
from collections import Counter

import pytest
from fakes import failed, ok
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.dialogue import Cell, Dialogue, Feedback, Source, Turn
from codeloop.dataset.failure import FailureKind
from codeloop.dataset.ways.person import QUOTAS, SimulatedUser, Wish, draw_wish, read_opinion
from codeloop.loop.prompts import sections
from codeloop.models.scripted import ScriptedModel

ASKS = '{"satisfied": false, "feedback": "Handle an empty list."}'
CONTENT = '{"satisfied": true, "feedback": ""}'


@pytest.mark.parametrize(
    "reply",
    [
        ASKS,
        f"```json\n{ASKS}\n```",
        f"Here is what I think: {ASKS} Thanks!",
        '{"satisfied": "no", "feedback": "Handle an empty list."}',
        "{'satisfied': False, 'feedback': 'Handle an empty list.'}",
        '{"Satisfied": false, "feedback": "Handle an empty list.\n"}',
        f'{{"note": 1}} {ASKS}',
    ],
)
def test_an_opinion_is_read_however_it_is_wrapped(reply: str) -> None:
    opinion = read_opinion(reply)
    assert opinion is not None
    assert (opinion.satisfied, opinion.feedback) == (False, "Handle an empty list.")


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "It is fine.",
        '{"satisfied": false}',
        '{"satisfied": false, "feedback": ""}',
        '{"satisfied": "maybe", "feedback": "Hm."}',
        '{"satisfied": false, "feedback": ["a"]}',
        '{"satisfied": false, "feedback": "' + "long " * 100 + '"}',
        "{'satisfied': False, 'feedback': __import__('os')}",
        '{"satisfied": false, "feedback": "cut o',
        '{"satisfied": false, "feedback": "```python\\nprint(1)\\n```"}',
    ],
)
def test_what_says_neither_is_no_opinion(reply: str) -> None:
    assert read_opinion(reply) is None


@given(st.text(max_size=80))
def test_no_reply_breaks_it(reply: str) -> None:
    read_opinion(reply)
    read_opinion('{"satisfied": false, "feedback": ' + reply)


@given(st.text(max_size=200), st.booleans())
def test_feedback_has_at_most_two_sentences_and_no_code(text: str, satisfied: bool) -> None:
    opinion = read_opinion(json.dumps({"satisfied": satisfied, "feedback": text}))
    if satisfied:
        assert opinion is not None
        assert opinion.satisfied
    elif opinion is not None:
        assert 0 < len(opinion.feedback) <= 400
        assert "```" not in opinion.feedback


def test_more_sentences_than_two_are_cut() -> None:
    opinion = read_opinion('{"satisfied": false, "feedback": "One. Two! Three?"}')
    assert opinion is not None
    assert opinion.feedback == "One. Two!"


def test_there_are_ten_categories_and_each_has_its_words() -> None:
    assert len(Wish) == 10
    assert all(sections("user")[wish.value].substitute() for wish in Wish)


def test_quotas_hold_over_many_rows_and_a_row_keeps_its_category() -> None:
    drawn = Counter(draw_wish(str(n)) for n in range(4000))
    total = sum(QUOTAS.values())
    for wish in Wish:
        assert drawn[wish] / 4000 == pytest.approx(QUOTAS[wish] / total, abs=0.03)
    assert draw_wish("row") == draw_wish("row")
    assert {draw_wish(str(n), {Wish.SPEED: 1.0}) for n in range(20)} == {Wish.SPEED}


def turn(*, fails: bool = False) -> Turn:
    result = failed("TypeError", "no") if fails else ok("42\n")
    return Turn("```python\nprint(42)\n```", (Cell("python", "print(42)\n", result),))


def test_the_user_sees_the_request_the_answer_and_what_came_of_running_it() -> None:
    model = ScriptedModel([CONTENT])
    user = SimulatedUser(model, Wish.SAFETY)
    earlier = turn().with_feedback(Feedback(Source.PERSON, "And in hex?"))
    dialogue = Dialogue.ask("What is 6 * 7?").with_turn(earlier)
    assert user.review(dialogue, turn()) is None
    (call,) = model.calls
    for seen in ("6 * 7", "And in hex?", "print(42)", "The code ran without an error", "abused"):
        assert seen in call.messages[0].content


def test_the_user_asks_as_often_as_is_allowed_and_not_about_what_failed() -> None:
    user = SimulatedUser(ScriptedModel([ASKS]), Wish.FAULT)
    dialogue = Dialogue.ask("Add.")
    assert user.review(dialogue, turn(fails=True)) is None
    assert user.review(dialogue, turn()) == Feedback(Source.PERSON, "Handle an empty list.")
    assert user.review(dialogue, turn()) is None
    assert user.failure is None


def test_a_reply_that_cannot_be_read_is_a_failure_not_content() -> None:
    user = SimulatedUser(ScriptedModel(["Looks good."]), Wish.FAULT)
    assert user.review(Dialogue.ask("Add."), turn()) is None
    assert user.failure is not None
    assert user.failure.kind is FailureKind.UNREADABLE
