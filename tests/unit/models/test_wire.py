"""The Chat Completions format, read and written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.dialogue import Finish, Message, Role, Usage
from codeloop.core.protocols import Sampling
from codeloop.models.wire import ReplyBuilder, request_body

ASK = (Message(Role.USER, "hi"),)


def delta(content: object, **more: object) -> dict[str, object]:
    return {"choices": [{"delta": {"content": content}, **more}]}


def test_what_is_none_is_not_sent() -> None:
    body = json.loads(request_body("m", ASK, Sampling(), without=frozenset()))
    assert set(body) == {"model", "messages", "stream", "stream_options"}
    whole = json.loads(request_body("m", ASK, Sampling(), without=frozenset(), streamed=False))
    assert set(whole) == {"model", "messages"}


def test_zero_is_sent() -> None:
    body = json.loads(
        request_body("m", ASK, Sampling(temperature=0, seed=0, top_logprobs=0), without=frozenset())
    )
    assert (body["temperature"], body["seed"], body["top_logprobs"]) == (0, 0, 0)


@given(st.text())
def test_any_text_can_be_sent(text: str) -> None:
    body = request_body("m", (Message(Role.USER, text),), Sampling(), without=frozenset())
    assert json.loads(body)["messages"][0]["content"] == text


def test_half_a_character_does_not_stop_a_request() -> None:
    body = request_body("m", (Message(Role.USER, "a\ud83d"),), Sampling(), without=frozenset())
    assert json.loads(body)["messages"][0]["content"] == "a?"


def test_a_character_that_a_server_splits_in_two_is_made_whole() -> None:
    builder = ReplyBuilder()
    pieces = [builder.add(delta(part)) for part in ("a\ud83d", "\ude00b", "\ude00")]
    assert pieces == ["a", "\U0001f600b", "\ufffd"]
    assert builder.reply(ASK).text == "a\U0001f600b\ufffd"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", Finish.STOP),
        ("length", Finish.LENGTH),
        ("max_tokens", Finish.LENGTH),
        ("content_filter", Finish.FILTER),
        ("tool_calls", Finish.STOP),
        ("eos", Finish.STOP),
    ],
)
def test_reasons_to_finish(reason: str, finish: Finish) -> None:
    builder = ReplyBuilder()
    builder.add(delta(None, finish_reason=reason))
    assert builder.reply(ASK).finish is finish


def test_content_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert ReplyBuilder().add(delta(parts)) == "ab"


def test_usage_counts_even_where_a_count_is_null() -> None:
    builder = ReplyBuilder()
    builder.add({"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": None}})
    assert builder.reply(ASK).usage == Usage(4, 0)


@pytest.mark.parametrize("chunk", [{}, {"choices": []}, {"choices": None}, delta(None), delta("")])
def test_a_chunk_may_add_nothing(chunk: dict[str, object]) -> None:
    assert not ReplyBuilder().add(chunk)
