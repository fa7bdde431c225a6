"""A score is read at its own place, and weighed by its own token."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.protocols import Reply, TokenLogprob
from codeloop.dataset.scoring.rating import Place, find_score, score_of, weigh


def read(text: str, *, at_end: bool = False) -> int | None:
    place = find_score(text, at_end=at_end)
    return None if place is None else score_of(place)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Score: 4", 4),
        ("score = 2.", 2),
        ("**Score:** 5\nReason: 3 loops", 5),
        ('{"score": 3, "reason": "2 parts"}', 3),
        ("Score: 4/5", 4),
        ("Score: 4 out of 5", 4),
        ("Rating: **2**", 2),
        ("4", 4),
        ("4 - needs care", 4),
        ("  3\n\nIt has 2 loops.", 3),
        ("Score: 3.0", 3),
        ("Score: 4 because a score of 5 would need an idea", 4),
    ],
)
def test_a_score_is_found(text: str, score: int) -> None:
    assert read(text) == score


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It needs 3 loops and 2 lists.",
        "Score: Hard",
        "Score: 3-4",
        "Score: 3 or 4",
        "I have 5 reasons",
        "1. Sort the list\n2. Count",
        "Score: N",
        "def score(): return 4",
    ],
)
def test_any_other_digit_is_no_score(text: str) -> None:
    assert find_score(text, at_end=False) is None


@pytest.mark.parametrize("number", ["0", "6", "10", "-3", "3.5"])
def test_a_number_outside_the_scale_is_found_and_is_no_score(number: str) -> None:
    place = find_score(f"Score: {number}", at_end=False)
    assert place is not None
    assert score_of(place) is None


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Reason: a score of 2 is too low for 3 graphs.\nScore: 4", 4),
        ("It needs 3 loops.\n4", 4),
        ("Score: 2? No.\nScore: 5", 5),
        ("It needs 3 loops.\nand 4 lists", None),
    ],
)
def test_after_a_reason_the_last_score_counts(text: str, score: int | None) -> None:
    assert read(text, at_end=True) == score


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    for at_end in (False, True):
        place = find_score(text, at_end=at_end)
        if place is not None:
            assert text[place.start : place.end] == place.text
            assert score_of(place) in {None, 1, 2, 3, 4, 5}


def test_a_score_is_weighed_at_its_own_token_not_at_the_first_equal_digit() -> None:
    sure = TokenLogprob("4", math.log(0.99), (("4", math.log(0.99)),))
    split = (("4", math.log(0.5)), ("2", math.log(0.25)), (" 2", math.log(0.05)), ("x", -3.0))
    tokens = (
        TokenLogprob("Reason: ", -0.1),
        sure,
        TokenLogprob(" loops\nScore: ", -0.1),
        TokenLogprob("4", math.log(0.5), split),
    )
    reply = Reply("Reason: 4 loops\nScore: 4", logprobs=tokens)
    place = find_score(reply.text, at_end=True)
    assert place is not None
    weighed = weigh(reply, place)
    assert weighed is not None
    assert weighed.mass == pytest.approx(0.8)
    assert weighed.expected == pytest.approx((0.5 * 4 + 0.3 * 2) / 0.8)


def test_a_token_with_more_than_the_digit_is_compared_with_its_like() -> None:
    top = ((": 3", math.log(0.6)), (": 5", math.log(0.2)), ("3", math.log(0.1)))
    token = TokenLogprob(": 3", math.log(0.6), top)
    reply = Reply("Score: 3", logprobs=(TokenLogprob("Score", 0.0), token))
    weighed = weigh(reply, Place("3", 7, 8))
    assert weighed is not None
    assert weighed.mass == pytest.approx(0.8)


def test_the_end_of_a_reply_may_be_a_token_without_text() -> None:
    tokens = (TokenLogprob("3", -0.1, (("3", -0.1),)), TokenLogprob("<|end|>", 0.0))
    assert weigh(Reply("3", logprobs=tokens), Place("3", 0, 1)) is not None


@pytest.mark.parametrize("logprobs", [(), (TokenLogprob("Scor", 0.0), TokenLogprob("4", -0.1))])
def test_log_probabilities_that_do_not_make_the_text_count_as_none(
    logprobs: tuple[TokenLogprob, ...],
) -> None:
    assert weigh(Reply("Score: 4", logprobs=logprobs), Place("4", 7, 8)) is None
