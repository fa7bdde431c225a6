"""What a guest says is read as data from an enemy."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.execution import GuestError, Variable
from codeloop.sandbox.answer import Answer, Frames, MalformedError, Question, parse
from codeloop.sandbox.jail import wire

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    ["seq", "error", "displays", "variables", "exit", "cpu_s", "memory_bytes", "input"]
)


@given(st.lists(st.binary(max_size=100)))
def test_any_bytes_give_messages_or_are_malformed(pieces: list[bytes]) -> None:
    frames = Frames()
    try:
        for piece in pieces:
            assert isinstance(frames.feed(piece), list)
    except MalformedError:
        pass


@given(st.dictionaries(FIELDS, JSON))
def test_any_message_gives_an_answer_or_is_malformed(message: dict[str, Any]) -> None:
    try:
        said = parse(message, 1)
    except MalformedError:
        return
    assert said is None or isinstance(said, Answer | Question)
    if isinstance(said, Answer):
        for display in said.displays:
            for mime, data in display.parts:
                assert mime.partition("/")[1]
                data.encode()
        assert said.cpu_s >= 0
        assert said.memory_bytes >= 0


@given(st.dictionaries(st.text(), JSON.filter(lambda value: value == value)))  # noqa: PLR0124  no NaN
def test_what_is_framed_can_be_read(message: dict[str, Any]) -> None:
    data = wire.frame(message)
    frames = Frames()
    read = [each for at in range(len(data)) for each in frames.feed(data[at : at + 1])]
    assert json.dumps(read) == json.dumps([message])


def test_an_answer_is_read() -> None:
    error = {"name": "E", "message": "m", "line": 3, "kind": "memory"}
    said = parse({"seq": 4, "error": error, "cpu_s": 0.5, "exit": 2}, 4)
    assert said == Answer(GuestError("E", "m", 3), kind="memory", exit_code=2, cpu_s=0.5)


@pytest.mark.parametrize(
    "displays",
    [3, [3], [{"text/plain": 3}], [{"no mime": "x"}], [{"": "x"}], [{}] * 65, {"text/plain": "x"}],
)
def test_displays_of_another_shape_are_malformed(displays: object) -> None:
    with pytest.raises(MalformedError):
        parse({"seq": 1, "displays": displays}, 1)


@pytest.mark.parametrize(
    "variables",
    [3, [3], [{"name": 3}], [{"shape": ["x"]}], [{"shape": [-1]}], [{"size": True}], [{}] * 201],
)
def test_variables_of_another_shape_are_malformed(variables: object) -> None:
    with pytest.raises(MalformedError):
        parse({"seq": 1, "variables": variables}, 1)


def test_variables_are_read_and_cut_short() -> None:
    described = {"name": "x", "type": "T" * 999, "shape": [2, 3], "size": 8, "else": 1}
    said = parse({"seq": 1, "variables": [described, {"name": "y"}]}, 1)
    assert isinstance(said, Answer)
    assert said.variables == (
        Variable("x", "T" * 200, shape=(2, 3), size_bytes=8),
        Variable("y"),
    )


def test_displays_are_read_without_halves_of_surrogate_pairs() -> None:
    said = parse({"seq": 1, "displays": [{"text/plain": "a\ud800", "image/png": "aGk="}]}, 1)
    assert isinstance(said, Answer)
    (display,) = said.displays
    assert dict(display.parts) == {"text/plain": "a\ufffd", "image/png": "aGk="}


def test_numbers_keep_answers_apart() -> None:
    assert parse({"seq": 3}, 4) is None
    with pytest.raises(MalformedError):
        parse({"seq": 5}, 4)


def test_a_long_message_is_refused_before_it_is_read() -> None:
    with pytest.raises(MalformedError):
        Frames().feed(wire.HEADER.pack(wire.FRAME_BYTES + 1))
