"""The scripted model says what it was told to say."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from codeloop.core.dialogue import Finish, Message, Role, Usage
from codeloop.core.errors import ContextOverflowError, ModelError
from codeloop.core.protocols import Model, Reply, Sampling
from codeloop.models.scripted import ScriptedModel

ASK = (Message(Role.USER, "hello"),)


def said(model: Model) -> list[str | Reply]:
    return list(model.stream(ASK, Sampling()))


def test_it_fills_the_protocol() -> None:
    model: Model = ScriptedModel([])
    assert model.name == "scripted"
    assert model.context_tokens is None
    model.close()


def test_replies_come_in_order() -> None:
    model = ScriptedModel(["one", "two"])
    assert [said(model)[-1], said(model)[-1]] == [
        Reply("one", usage=Usage(model.count_tokens(ASK), 2)),
        Reply("two", usage=Usage(model.count_tokens(ASK), 2)),
    ]


def test_pieces_make_up_the_text() -> None:
    *pieces, reply = said(ScriptedModel(["abcdefg"], piece_chars=3))
    assert pieces == ["abc", "def", "g"]
    assert isinstance(reply, Reply)
    assert reply.text == "abcdefg"


def test_an_empty_reply_has_no_pieces() -> None:
    (reply,) = said(ScriptedModel([""]))
    assert isinstance(reply, Reply)
    assert not reply.text


def test_a_whole_reply_record_is_passed_on() -> None:
    reply = Reply("cut", Finish.LENGTH, Usage(5, 7))
    assert said(ScriptedModel([reply])) == ["cut", reply]


def test_an_exception_is_raised_in_its_place() -> None:
    model = ScriptedModel([ModelError("down"), "up"])
    with pytest.raises(ModelError, match="down"):
        said(model)
    assert said(model)[0] == "up"


def test_running_out_is_an_error() -> None:
    model = ScriptedModel(["only"])
    said(model)
    with pytest.raises(ModelError, match="asked 2 times, but has 1"):
        said(model)


def test_calls_are_kept() -> None:
    model = ScriptedModel(["x"])
    list(model.stream(ASK, Sampling(seed=3), timeout_s=9))
    (call,) = model.calls
    assert (call.messages, call.sampling.seed, call.timeout_s) == (ASK, 3, 9)


def test_what_does_not_fit_is_an_overflow() -> None:
    with pytest.raises(ContextOverflowError, match="do not fit into 10"):
        said(ScriptedModel(["x"], context_tokens=10))


def test_a_function_answers_from_the_messages() -> None:
    model = ScriptedModel(lambda messages: messages[-1].content.upper())
    assert said(model)[0] == "HELLO"


def test_threads_share_one_script() -> None:
    model = ScriptedModel([str(number) for number in range(64)])
    barrier = threading.Barrier(8)

    def ask(_: int) -> list[str]:
        barrier.wait()
        return [str(said(model)[0]) for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        texts = [text for part in pool.map(ask, range(8)) for text in part]
    assert sorted(texts, key=int) == [str(number) for number in range(64)]
